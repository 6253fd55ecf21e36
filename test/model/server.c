// The API server's objects: every write is a new version, an event for the cache that holds the
// kind, and a line in the ledger. Bodies are never changed once written, so they are shared.
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"

#include "children.h"
#include "cluster.h"
#include "compact.h"
#include "hash.h"
#include "heap.h"
#include "model.h"
#include "watch_feed.h"

static json *meta(const struct object *o) {
  return json_get(o->body, "metadata");
}

const char *object_uid(const struct object *o) {
  return json_text(meta(o), "uid");
}

const char *object_owner_uid(const struct object *o) {
  return json_text(json_item(json_get(meta(o), "ownerReferences"), 0), "uid");
}

enum cache_id cache_id_of(json *object) {
  static const struct {
    const char *kind;
    enum cache_id id;
  } ids[] = {{"Agent", CACHE_AGENTS},
             {"Submission", CACHE_SUBMISSIONS},
             {"Match", CACHE_MATCHES},
             {"MatchmakingQueue", CACHE_QUEUES},
             {"Job", CACHE_JOBS}};
  const char *kind = json_text(object, "kind");
  for (size_t i = 0; i < array_size(ids); i++) {
    if (text_equal(ids[i].kind, kind)) return ids[i].id;
  }
  if (!text_equal(kind, "Pod")) return CACHE_COUNT;
  const char *component = json_text(json_at(object, "metadata", "labels", NULL), LABEL_COMPONENT);
  return text_equal(component, "agent") ? CACHE_AGENT_PODS : CACHE_BUILD_PODS;
}

struct object *object_find(const char *kind, const char *name) {
  for (unsigned i = 0; i < model->object_count; i++) {
    struct object *o = &model->objects[i];
    if (text_equal(o->kind, kind) && text_equal(o->name, name)) return o;
  }
  return NULL;
}

struct object *object_of_uid(const char *uid) {
  for (unsigned i = 0; uid != NULL && i < model->object_count; i++) {
    if (text_equal(object_uid(&model->objects[i]), uid)) return &model->objects[i];
  }
  return NULL;
}

// Bodies are built outside of the snapshot heap, and a small copy of them is kept in it.
static json *copy_outside(json *j) {
  json *copy = NULL;
  heap_leave();
  if (json_object_deep_copy(j, &copy, NULL) != 0) abort();
  heap_enter();
  return copy;
}

json *object_edit(const struct object *o) {
  return copy_outside(o->body);
}

static json *keep(json *take) {
  json *kept = compact(take);
  json_put(&take);
  return kept;
}

static void set_version(json *body, uint64_t version) {
  char text[24];
  snprintf(text, sizeof(text), "%" PRIu64, version);
  json_add_text(json_get(body, "metadata"), "resourceVersion", text);
}

static uint64_t next_version(uint64_t hash) {
  const uint64_t version = ++model->version;
  assert(version < VERSIONS_MAX);
  model->content[version] = (uint32_t)hash;
  return version;
}

enum { LIVES = 4 };

static void make_uid(char ret[UID_SIZE], const char *key, uintptr_t life) {
  snprintf(ret, UID_SIZE, "%08x-0000-4000-8000-%012x", (unsigned)hash_text(key), (unsigned)life);
}

bool match_uid(unsigned i, char ret[UID_SIZE]) {
  map_each (model->born, e) {
    if (strncmp(map_key(e), "Match/", 6) != 0) continue;
    const uintptr_t lives = (uintptr_t)map_value(e);
    if (i < lives) {
      make_uid(ret, map_key(e), i + 1);
      return true;
    }
    i -= (unsigned)lives;
  }
  return false;
}

// A uid that tells two objects of one name apart and is the same in every run.
static void give_uid(json *body) {
  json *m = json_get(body, "metadata");
  cleanup_free char *key = mem_printf("%s/%s", json_text(body, "kind"), json_text(m, "name"));
  uintptr_t life = (uintptr_t)map_get(model->born, key) + 1;
  map_put(model->born, key, (void *)life);
  // A controller that has not heard of a match's end makes its Pods again and again, until it has. That these
  // are no new states, their uids come round; nothing that is under way is older than a few lives.
  if (json_get(m, "ownerReferences") != NULL) life %= LIVES;
  char uid[UID_SIZE];
  make_uid(uid, key, life);
  json_add_text(m, "uid", uid);
}

struct object *object_create(json *take_body) {
  json *m = json_get(take_body, "metadata");
  const char *kind = json_text(take_body, "kind"), *name = json_text(m, "name");
  if (object_find(kind, name) != NULL) {
    json_put(&take_body);
    return NULL;
  }
  give_uid(take_body);
  json_add_text(m, "namespace", "arena");
  json_add_int(m, "generation", 1);
  json_add_time(m, "creationTimestamp", model->now);
  assert(model->object_count < OBJECTS_MAX);
  struct object *o = &model->objects[model->object_count++];
  *o = (struct object){.kind = mem_strdup(kind), .name = mem_strdup(name)};
  o->cache = cache_id_of(take_body);
  o->hash = hash_json(take_body);
  o->version = next_version(o->hash);
  set_version(take_body, o->version);
  o->body = keep(take_body);
  ledger_created(o);
  feed_push(o->cache, WATCH_ADDED, o, NULL);
  return o;
}

void object_write(struct object *o, json *take_body) {
  const uint64_t hash = hash_json(take_body);
  if (hash == o->hash) {  // the API server writes nothing then, and the version stays
    json_put(&take_body);
    return;
  }
  struct object before = *o;
  o->hash = hash;
  o->version = next_version(hash);
  set_version(take_body, o->version);
  o->body = keep(take_body);
  ledger_written(&before, o);
  feed_push(o->cache, WATCH_MODIFIED, o, before.body);
  json_put(&before.body);
}

void object_merge(json *target, json *patch) {
  json_object_object_foreach(patch, key, value) {
    if (value == NULL) {
      json_object_object_del(target, key);
    } else if (json_object_is_type(value, json_type_object)) {
      json *inner = json_get(target, key);
      if (!json_object_is_type(inner, json_type_object)) inner = json_add_object(target, key);
      object_merge(inner, value);
    } else if (!text_equal(key, "resourceVersion")) {
      json_add(target, key, json_object_get(value));
    }
  }
}

void object_apply(const char *text) {
  cleanup_free char *copy = mem_strdup(text);
  for (char *p = copy; *p; p++) {
    if (*p == '\'') *p = '"';
  }
  struct error e;
  json *body = json_parse(copy, strlen(copy), &e);
  if (body == NULL) {
    fprintf(stderr, "model: %s in %s\n", e.text, copy);
    abort();
  }
  if (json_text(body, "apiVersion") == NULL) json_add_text(body, "apiVersion", ARENA_API_VERSION);
  object_create(body);
}

void object_remove(const char *kind, const char *name) {
  struct object *o = object_find(kind, name);
  if (o == NULL) return;
  ledger_deleted(o);
  struct object gone = *o;
  const unsigned at = (unsigned)(o - model->objects);
  model->object_count--;
  memmove(o, o + 1, (model->object_count - at) * sizeof(*o));
  json *before = gone.body;
  gone.version = next_version(gone.hash);
  json *last = object_edit(&gone);
  set_version(last, gone.version);
  gone.body = keep(last);
  feed_push(gone.cache, WATCH_DELETED, &gone, before);
  cleanup_free char *uid = mem_strdup(object_uid(&gone));
  json_put(&before);
  json_put(&gone.body);
  free(gone.kind);
  free(gone.name);
  // The garbage collector at once, unless the scenario lets it take its time.
  for (unsigned i = 0; !model->scenario->slow_gc && i < model->object_count; i++) {
    if (!text_equal(object_owner_uid(&model->objects[i]), uid)) continue;
    object_remove(model->objects[i].kind, model->objects[i].name);
    i = (unsigned)-1;  // from the beginning: the list has changed
  }
}

void object_delete(const char *kind, const char *name) {
  struct object *o = object_find(kind, name);
  if (o == NULL) return;
  if (!model->scenario->slow_pods || !text_equal(kind, "Pod")) {
    object_remove(kind, name);
    return;
  }
  json *body = object_edit(o);
  json_add_time(json_get(body, "metadata"), "deletionTimestamp", model->now);
  object_write(o, body);
}

// ---- requests ------------------------------------------------------------------------------------

static void answer_with(struct kube_call *c, struct object *o) {
  c->answer = json_object_get(o->body);
}

static void serve_post(struct kube_call *c) {
  struct object *o = object_create(copy_outside(c->body));
  if (o == NULL) {
    error_set(&c->error, ERR_EXISTS, "already exists");
    return;
  }
  answer_with(c, o);
  if (!model->scenario->slow_pods && pod_can_start(o)) pod_starts(o);
}

static void serve_patch(struct kube_call *c, struct object *o) {
  const char *guard = json_text(json_at(c->body, "metadata", NULL), "resourceVersion");
  if (guard != NULL && strtoull(guard, NULL, 10) != o->version) {
    error_set(&c->error, ERR_CONFLICT, "the object has been modified");
    return;
  }
  json *body = object_edit(o);
  // Only the status is writable there.
  json *status = json_get(body, "status");
  if (status == NULL) status = json_add_object(body, "status");
  object_merge(status, json_get(c->body, "status"));
  object_write(o, body);
  answer_with(c, o);
}

static void serve_delete(struct kube_call *c, struct object *o) {
  const char *uid = json_text(json_at(c->body, "preconditions", NULL), "uid");
  if (uid != NULL && !text_equal(uid, object_uid(o))) {
    error_set(&c->error, ERR_CONFLICT, "the uid is another one");
    return;
  }
  const bool lingers = model->scenario->slow_pods && text_equal(o->kind, "Pod");
  object_delete(c->kind->kind, c->name);
  if (lingers) answer_with(c, object_find(c->kind->kind, c->name));
}

void call_serve(struct kube_call *c) {
  assert(!c->served);
  c->served = true;
  if (text_equal(c->method, "POST")) {
    serve_post(c);
    return;
  }
  struct object *o = object_find(c->kind->kind, c->name);
  if (o == NULL) {
    error_set(&c->error, ERR_NOT_FOUND, "not found");
  } else if (text_equal(c->method, "PATCH")) {
    serve_patch(c, o);
  } else if (text_equal(c->method, "DELETE")) {
    serve_delete(c, o);
  } else if (c->subresource != NULL) {
    c->text = mem_strdup(model->scenario->log ? model->scenario->log(c->name) : "");
  } else {
    answer_with(c, o);
  }
}

void call_serve_again(struct kube_call *c) {
  assert(c->served);
  json_put(&c->answer);
  free(c->text);
  c->text = NULL;
  c->error = (struct error){0};
  c->served = false;
  call_serve(c);
}
