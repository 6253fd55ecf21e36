#include "mirror_object.h"

#include <inttypes.h>
#include <stdio.h>

#include "arena/resources.h"
#include "base/log.h"
#include "base/memory.h"

#include "mirror.h"

static void read_finalizers(json *object, struct mirrored *ret) {
  json *list = json_at(object, "metadata", "finalizers", NULL);
  ret->finalizer = -1;
  ret->finalizers = (int)json_length(list);
  for (int i = 0; i < ret->finalizers; i++) {
    json *item = json_item(list, (size_t)i);
    if (json_object_is_type(item, json_type_string) && text_equal(json_object_get_string(item), MIRROR_FINALIZER))
      ret->finalizer = i;
  }
}

static bool is_finished(json *object) {
  json *conditions = json_at(object, "status", "conditions", NULL);
  for (size_t i = 0; i < json_length(conditions); i++) {
    json *c = json_item(conditions, i);
    const char *type = json_text(c, "type");
    if ((text_equal(type, "Complete") || text_equal(type, "Failed")) && text_equal(json_text(c, "status"), "True"))
      return true;
  }
  return false;
}

// An object whose row cannot be made is there all the same: it must not be taken for vanished.
static bool decode(enum stored_kind kind, json *object, struct mirrored *ret) {
  struct error e = {0};
  ret->row = store_row(kind, object, &e);
  if (ret->row == NULL)
    log_warn("an object cannot be mirrored", "kind", mirrored_label(kind), "name", ret->meta.name, "error", e.text);
  ret->finalizer = -1;
  if (kind != STORED_MATCH) return true;
  read_finalizers(object, ret);
  ret->finished = is_finished(object);
  return true;
}

static bool decode_agent(json *object, void *ret, struct error *e) {
  (void)e;
  return decode(STORED_AGENT, object, ret);
}
static bool decode_submission(json *object, void *ret, struct error *e) {
  (void)e;
  return decode(STORED_SUBMISSION, object, ret);
}
static bool decode_match(json *object, void *ret, struct error *e) {
  (void)e;
  return decode(STORED_MATCH, object, ret);
}
static bool decode_queue(json *object, void *ret, struct error *e) {
  (void)e;
  return decode(STORED_QUEUE, object, ret);
}

static const void *row_again(const void *row) {
  return mem_strdup(row);
}

static void row_done(const void *row) {
  free((void *)(uintptr_t)row);
}

// The row is a block of its own: the writer takes it out.
static void owned(struct owned *o, void *object) {
  struct mirrored *m = object;
  meta_owned(o, &m->meta);
  owned_shared(o, &m->row, row_again, row_done);
}

static const struct kube_kind kinds[STORED_KINDS] = {
    [STORED_AGENT] = {ARENA_GROUP, ARENA_VERSION, "agents", "Agent", false},
    [STORED_SUBMISSION] = {ARENA_GROUP, ARENA_VERSION, "submissions", "Submission", false},
    [STORED_MATCH] = {ARENA_GROUP, ARENA_VERSION, "matches", "Match", false},
    [STORED_QUEUE] = {ARENA_GROUP, ARENA_VERSION, "matchmakingqueues", "MatchmakingQueue", false},
};

const struct cache_type MIRRORED_TYPES[STORED_KINDS] = {
    [STORED_AGENT] = {&kinds[STORED_AGENT], sizeof(struct mirrored), decode_agent, owned, NULL, 0},
    // Inline sources make pages heavy.
    [STORED_SUBMISSION] = {&kinds[STORED_SUBMISSION], sizeof(struct mirrored), decode_submission, owned, NULL, 50},
    [STORED_MATCH] = {&kinds[STORED_MATCH], sizeof(struct mirrored), decode_match, owned, NULL, 0},
    [STORED_QUEUE] = {&kinds[STORED_QUEUE], sizeof(struct mirrored), decode_queue, owned, NULL, 0},
};

const char *mirrored_label(enum stored_kind k) {
  return kinds[k].kind;
}

// ---- the finalizer -------------------------------------------------------------------------------

enum finalizer_step mirrored_step(const struct mirrored *m, uint64_t committed, bool failing) {
  const bool has = m->finalizer >= 0, is_committed = committed >= m->meta.version;
  // Who is being deleted does not go on playing: its newest row, finished or not, is its last.
  if (m->meta.deleted != 0) return has && is_committed ? FINALIZER_REMOVE : FINALIZER_LEAVE;
  if (has) return FINALIZER_LEAVE;
  // A finished one is committed in a moment, unless PostgreSQL is away.
  return !m->finished || (failing && !is_committed) ? FINALIZER_ADD : FINALIZER_LEAVE;
}

static json *add_operation(json *patch, const char *operation, const char *path) {
  json *o = json_push_object(patch);
  json_add_text(o, "op", operation);
  json_add_text(o, "path", path);
  return o;
}

json *mirrored_patch(const struct mirrored *m, enum finalizer_step step) {
  json *patch = json_new_array();
  char version[24], path[64];
  snprintf(version, sizeof version, "%" PRIu64, m->meta.version);
  json_add_text(add_operation(patch, "test", "/metadata/resourceVersion"), "value", version);
  if (step == FINALIZER_REMOVE) {
    snprintf(path, sizeof path, "/metadata/finalizers/%d", m->finalizer);
    json_add_text(add_operation(patch, "test", path), "value", MIRROR_FINALIZER);
    add_operation(patch, "remove", path);
  } else if (m->finalizers > 0) {
    json_add_text(add_operation(patch, "add", "/metadata/finalizers/-"), "value", MIRROR_FINALIZER);
  } else {
    json_push_text(json_add_array(add_operation(patch, "add", "/metadata/finalizers"), "value"), MIRROR_FINALIZER);
  }
  return patch;
}
