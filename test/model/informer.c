// In the place of lib/kube/cache.c: the real store, told what the model chooses, when it chooses.
#include <assert.h>

#include "base/memory.h"

#include "model.h"
#include "store.h"
#include "watch_feed.h"

struct cache {
  struct cache_type type;
  struct store *store;
  cache_change_fn *change;
  cache_synced_fn *synced;
  void *context;
  enum cache_id id;
  bool is_synced;
};

static void on_change(void *context, const void *before, const void *after) {
  struct cache *c = context;
  c->change(c->context, c, before, after);
}

// The manager makes its caches in the order of their ids.
struct cache *cache_new(struct kube_client *client, uv_loop_t *loop, const struct cache_type *type,
                        const char *namespace, cache_change_fn *change, cache_synced_fn *synced, void *context) {
  (void)client, (void)loop, (void)namespace;
  struct cache *c = mem_alloc(sizeof(*c));
  *c = (struct cache){.type = *type, .change = change, .synced = synced, .context = context};
  c->id = (enum cache_id)model->cache_count++;
  c->store = store_new(&c->type, on_change, c);
  assert(c->id < CACHE_COUNT);
  model->caches[c->id] = c;
  return c;
}

void cache_free(struct cache *c) {
  store_free(c->store);
  free(c);
}

// A list without a resourceVersion is a quorum read: it holds all that was written before it was asked
// for. What is written after it comes by the watch.
static void list(struct cache *c) {
  store_list_begin(c->store);
  for (unsigned i = 0; i < model->object_count; i++) {
    if (model->objects[i].cache == c->id) store_list_add(c->store, model->objects[i].body);
  }
  struct error e;
  if (store_list_end(c->store, model->version, &e) != ERR_NONE) model_violate("a fresh list was refused: %s", e.text);
}

void cache_start(struct cache *c) {
  list(c);
  c->is_synced = true;
  c->synced(c->context, c);
}

bool cache_is_synced(const struct cache *c) {
  return c->is_synced;
}

bool cache_is_current(const struct cache *c) {
  return c->is_synced;
}

void cache_catch_up(struct cache *c, uint64_t version) {
  (void)c, (void)version;
}

const struct cache_type *cache_type_of(const struct cache *c) {
  return &c->type;
}

const void *cache_get(const struct cache *c, const char *name) {
  return store_get(c->store, name);
}

size_t cache_count(const struct cache *c) {
  return store_count(c->store);
}

const void *cache_next(const struct cache *c, const void *previous) {
  return store_next(c->store, previous);
}

void cache_observe(struct cache *c, json *object) {
  store_observe(c->store, object);
}

void cache_observe_deleted(struct cache *c, const char *name, const char *uid) {
  store_observe_deleted(c->store, name, uid);
}

const struct store *feed_store(enum cache_id id) {
  return model->caches[id]->store;
}

// ---- what the API server tells -------------------------------------------------------------------

static struct event take_first(struct feed *f) {
  const struct event first = f->events[0];
  f->count--;
  for (unsigned i = 0; i < f->count; i++) f->events[i] = f->events[i + 1];
  return first;
}

void feed_deliver(enum cache_id id) {
  struct event e = take_first(&model->feeds[id]);
  struct error why;
  if (store_event(model->caches[id]->store, (enum watch_type)e.type, e.body, &why) != ERR_NONE)
    model_violate("a watch event was refused: %s", why.text);
  json_put(&e.body);
}

// Nobody watches while the controller is dead. A cache that would lag too far behind is told at once.
void feed_push(enum cache_id id, int type, json *body, uint64_t version, uint64_t hash) {
  if (id == CACHE_COUNT || model->m == NULL) return;
  struct feed *f = &model->feeds[id];
  assert(f->count < EVENTS_MAX);
  f->events[f->count++] = (struct event){.type = type, .body = json_object_get(body), .version = version, .hash = hash};
  while (f->count > model->scenario->lag[id]) feed_deliver(id);
}

static void forget(struct feed *f) {
  while (f->count > 0) {
    struct event e = take_first(f);
    json_put(&e.body);
  }
}

void feed_list(enum cache_id id) {
  forget(&model->feeds[id]);
  list(model->caches[id]);
}

void feeds_forget(void) {
  for (unsigned i = 0; i < CACHE_COUNT; i++) forget(&model->feeds[i]);
}
