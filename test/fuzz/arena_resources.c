// Any JSON as each of the four kinds: refused, or read within the schema's bounds. A status that was read survives the
// way to the API server and back, onto an object without a status and onto one with the status `before`.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "arena/resources.h"
#include "base/memory.h"

#include "target.h"

static void must(bool promise) {
  if (!promise) abort();
}

// A merge patch (RFC 7386), as the API server applies it.
static void merge(json *target, json *patch) {
  json_object_object_foreach(patch, key, value) {
    if (!value) {
      json_object_object_del(target, key);
    } else if (json_object_is_type(value, json_type_object)) {
      json *inner = json_get(target, key);
      if (!json_object_is_type(inner, json_type_object)) inner = json_add_object(target, key);
      merge(inner, value);
    } else {
      json_add(target, key, json_object_get(value));
    }
  }
}

// The API server stores text: what was written is printed and read again.
static json *after_patch(json *spec, json *status, json *patch) {
  cleanup_json json *o = json_new_object();
  json_add(o, "spec", json_object_get(spec));
  if (status) {
    json *copy = NULL;
    must(json_object_deep_copy(status, &copy, NULL) == 0);
    json_add(o, "status", copy);
  }
  if (patch) merge(o, patch);
  cleanup_free char *text = json_print(o);
  json *again = json_parse(text, strlen(text), NULL);
  must(again != NULL);
  return again;
}

#define KIND(kind)                                                                                       \
  static void kind##_survives(json *object, json *before, const struct kind *k) {                        \
    struct kind old = {0}, read = {0};                                                                   \
    struct kind##_status copy;                                                                           \
    cleanup_json json *bare = after_patch(json_get(object, "spec"), before, NULL);                       \
    must(kind##_decode(bare, &old, NULL));                                                               \
    kind##_status_copy(&copy, &k->status);                                                               \
    must(kind##_status_patch(&copy, &k->status) == NULL);                                                \
    cleanup_json json *patch = kind##_status_patch(&old.status, &copy);                                  \
    must(!patch || json_object_object_length(patch) == 1);                                               \
    cleanup_json json *written = after_patch(json_get(object, "spec"), json_get(bare, "status"), patch); \
    must(kind##_decode(written, &read, NULL));                                                           \
    cleanup_json json *rest = kind##_status_patch(&read.status, &k->status);                             \
    must(rest == NULL);                                                                                  \
    owned_free(kind##_owned, &old);                                                                      \
    owned_free(kind##_owned, &read);                                                                     \
    kind##_status_done(&copy);                                                                           \
  }                                                                                                      \
  static void try_##kind(json *object) {                                                                 \
    struct kind k = {0};                                                                                 \
    struct error e = {0};                                                                                \
    if (!kind##_decode(object, &k, &e)) {                                                                \
      must(e.code != ERR_NONE && e.text[0] != 0);                                                        \
      owned_free(kind##_owned, &k);                                                                      \
      return;                                                                                            \
    }                                                                                                    \
    check_##kind(&k);                                                                                    \
    kind##_survives(object, NULL, &k);                                                                   \
    kind##_survives(object, json_get(object, "before"), &k);                                             \
    owned_free(kind##_owned, &k);                                                                        \
  }

static void check_agent(const struct agent *a) {
  must(a->owner && a->environment && a->priority >= 1 && a->priority <= 10);
  must(a->status.queue.state <= QUEUE_SUSPENDED && a->status.latest_version >= 0);
  must(a->status.rating.elo >= 0 && a->status.rating.elo <= 1000000);
}

static void check_submission(const struct submission *s) {
  must(s->agent && s->max_retries >= 0 && s->max_retries <= 3 && s->file_count <= 64);
  must(s->status.builds.count <= ATTEMPTS_MAX && s->status.scan_attempts.count <= ATTEMPTS_MAX);
  must(s->status.scan.findings == NULL || s->status.scan.findings->count <= FINDINGS_MAX);
}

static void check_match(const struct match *m) {
  must(m->environment && m->participant_count == 2 && m->participants[0].agent && m->participants[1].agent);
  must(m->status.participant_count <= PARTICIPANTS_MAX && m->status.seed >= -1 && m->ttl_seconds >= -1);
  for (unsigned i = 0; i < m->status.participant_count; i++) must(isfinite(m->status.participants[i].score));
}

static void check_queue(const struct queue *q) {
  must(q->environment && q->interval_seconds >= 1 && q->elo_widen_seconds >= 1 && q->max_concurrent_per_agent >= 1);
  must(q->fail_on > SEVERITY_UNKNOWN && q->match.timeout_seconds >= 10);
}

KIND(agent)
KIND(submission)
KIND(match)
KIND(queue)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  cleanup_json json *object = json_parse((const char *)data, size, NULL);
  if (!object) return 0;
  try_agent(object);
  try_submission(object);
  try_match(object);
  try_queue(object);
  return 0;
}
