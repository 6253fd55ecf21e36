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

static void take_list(struct cache *c, json *const *items, unsigned count, uint64_t version) {
  store_list_begin(c->store);
  for (unsigned i = 0; i < count; i++) store_list_add(c->store, items[i]);
  struct error e;
  if (store_list_end(c->store, version, &e) != ERR_NONE) model_violate("a list was refused: %s", e.text);
}

static unsigned current_items(const struct cache *c, json *ret[OBJECTS_MAX]) {
  unsigned count = 0;
  for (unsigned i = 0; i < model->object_count; i++) {
    if (model->objects[i].cache == c->id) ret[count++] = model->objects[i].body;
  }
  return count;
}

// All that is there now, as a quorum read gives it.
static void list(struct cache *c) {
  json *items[OBJECTS_MAX];
  const unsigned count = current_items(c, items);
  take_list(c, items, count, model->version);
}

static bool is_same(json *a, json *b) {
  return text_equal(json_text(json_get(a, "metadata"), "uid"), json_text(json_get(b, "metadata"), "uid"));
}

static struct event event_copy(const struct event *e) {
  struct event copy = *e;
  json_object_get(copy.body);
  json_object_get(copy.before);
  return copy;
}

// What an API server shows that has not heard of the last events; they come by the watch.
static void list_past(struct cache *c) {
  const struct feed *past = &model->pasts[c->id];
  json *items[OBJECTS_MAX + EVENTS_MAX];
  unsigned count = current_items(c, items);
  for (unsigned i = past->count; i-- > 0;) {
    unsigned at = 0;
    while (at < count && !is_same(items[at], past->events[i].body)) at++;
    if (at == count) count++;
    items[at] = past->events[i].before;
    if (items[at] == NULL) items[at] = items[--count];
  }
  take_list(c, items, count, past->count > 0 ? past->events[0].version - 1 : model->version);
  struct feed *f = &model->feeds[c->id];
  for (unsigned i = 0; i < past->count; i++) f->events[f->count++] = event_copy(&past->events[i]);
}

void cache_start(struct cache *c) {
  list_past(c);
  c->is_synced = true;
  c->synced(c->context, c);
}

// The caches have been started when the model's controller begins to lead.
void cache_catch_up(struct cache *c, uint64_t version) {
  if (version > store_version(c->store)) feed_list(c->id);
}

bool cache_is_current(const struct cache *c) {
  return c->is_synced;
}

bool cache_is_synced(const struct cache *c) {
  return c->is_synced;
}

const struct cache_type *cache_type_of(const struct cache *c) {
  return &c->type;
}

const void *cache_get(const struct cache *c, const char *name) {
  return store_get(c->store, name);
}

// A watch of the model's is late or cut by the events that it does not get, not by time.
msec cache_followed(const struct cache *c, msec now) {
  (void)c, (void)now;
  return INT64_MAX;
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

static void event_done(struct event *e);

void feed_deliver(enum cache_id id) {
  struct event e = take_first(&model->feeds[id]);
  struct error why;
  if (store_event(model->caches[id]->store, (enum watch_type)e.type, e.body, &why) != ERR_NONE)
    model_violate("a watch event was refused: %s", why.text);
  event_done(&e);
}

// Whether telling it changes nothing: the cache has its object, or knows that it is gone, by an own write.
// When such an event comes makes no difference, so it comes at once.
static bool is_known(enum cache_id id, const struct event *e) {
  const char *name = json_text(json_get(e->body, "metadata"), "name");
  const struct meta *known = store_get(feed_store(id), name);
  if (e->type == WATCH_DELETED) return known == NULL || known->version > e->version;
  return known != NULL && known->version >= e->version;
}

void feeds_skip_known(void) {
  for (unsigned i = 0; model->m != NULL && i < CACHE_COUNT; i++) {
    const struct feed *f = &model->feeds[i];
    const struct store *s = feed_store((enum cache_id)i);
    while (f->count > 0 && is_known((enum cache_id)i, &f->events[0])) {
      cleanup_free char *name = mem_strdup(json_text(json_get(f->events[0].body, "metadata"), "name"));
      const struct meta *before = store_get(s, name);
      feed_deliver((enum cache_id)i);
      if (store_get(s, name) != before) model_violate("an event of what the cache knew changed it");
    }
  }
}

static void event_done(struct event *e) {
  json_put(&e->body);
  json_put(&e->before);
}

static void drop_first(struct feed *f) {
  struct event e = take_first(f);
  event_done(&e);
}

// A cache that would lag too far behind is told at once; while the controller is dead nobody is told.
void feed_push(enum cache_id id, int type, const struct object *o, json *before) {
  if (id == CACHE_COUNT) return;
  struct feed *f = &model->feeds[id], *past = &model->pasts[id];
  const struct event e = {.type = type, .body = o->body, .before = before, .version = o->version, .hash = o->hash};
  assert(f->count < EVENTS_MAX && model->scenario->past < EVENTS_MAX);
  past->events[past->count++] = event_copy(&e);
  while (past->count > model->scenario->past) drop_first(past);
  if (model->m == NULL) return;
  f->events[f->count++] = event_copy(&e);
  while (f->count > model->scenario->lag[id]) feed_deliver(id);
}

static void forget(struct feed *f) {
  while (f->count > 0) drop_first(f);
}

void feeds_forget(void) {
  for (unsigned i = 0; i < CACHE_COUNT; i++) forget(&model->feeds[i]);
}

void feed_list(enum cache_id id) {
  forget(&model->feeds[id]);
  list(model->caches[id]);
}
