// Which containers have a log to follow: the Pods that build and scan, as a cache shows them.
#include "build_logs.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/map.h"
#include "base/memory.h"
#include "base/str.h"
#include "kube/cache.h"

#include "app.h"
#include "log_stream.h"
#include "settings.h"

#define LABEL_COMPONENT "rl-arena.io/component"
#define LABEL_SUBMISSION "rl-arena.io/submission"

enum { CONTAINERS = 3, STREAMS_MAX = 64, ATTEMPT_MAX = 99 };

// A container whose log is somebody's business. (What `report` prints is the scan's result, for the controller.)
static const struct {
  const char *component, *container;
} wanted[] = {{"build", "fetch"}, {"build", "build"}, {"build", "push"}, {"scan", "scan"}};

struct log_pod {
  struct meta meta;
  char *submission;
  int attempt;  // 0: not one of the controller's
  struct {
    const char *name;  // of `wanted`
    bool started, ended;
  } containers[CONTAINERS];
  unsigned count;
};

struct build_logs {
  struct app *app;
  build_logs_uid_fn *uid;
  void *context;
  struct cache *pods;
  struct map *streams;  // by "<uid of the Pod>/<container>"; those that are done too, until the Pod is gone
  unsigned running;
};

// ---- Pods ----------------------------------------------------------------------------------------

// The controller's Jobs are <submission>-build-<attempt> and <submission>-scan-<attempt>.
static int attempt_of(const struct meta *m, const char *component) {
  const char *dash = text_equal(m->owner_kind, "Job") && m->owner_name != NULL ? strrchr(m->owner_name, '-') : NULL;
  const size_t length = strlen(component);
  if (dash == NULL || (size_t)(dash - m->owner_name) <= length || strncmp(dash - length, component, length) != 0)
    return 0;
  char *end = NULL;
  const long n = strtol(dash + 1, &end, 10);
  return *end == '\0' && n >= 1 && n <= ATTEMPT_MAX ? (int)n : 0;
}

static void read_states(json *statuses, const char *component, struct log_pod *ret) {
  for (size_t i = 0; i < json_length(statuses); i++) {
    json *status = json_item(statuses, i), *state = json_get(status, "state");
    for (unsigned k = 0; k < array_size(wanted) && ret->count < CONTAINERS; k++) {
      if (!text_equal(wanted[k].component, component)) continue;
      if (!text_equal(wanted[k].container, json_text(status, "name"))) continue;
      const bool ended = json_get(state, "terminated") != NULL;
      ret->containers[ret->count].name = wanted[k].container;
      ret->containers[ret->count].started = ended || json_get(state, "running") != NULL;
      ret->containers[ret->count++].ended = ended;
    }
  }
}

static bool pod_decode(json *object, void *ret_pod, struct error *e) {
  (void)e;
  struct log_pod *ret = ret_pod;
  json *labels = json_at(object, "metadata", "labels", NULL), *status = json_get(object, "status");
  const char *component = json_text(labels, LABEL_COMPONENT);
  ret->submission = json_text_copy(labels, LABEL_SUBMISSION);
  if (component == NULL) return true;
  ret->attempt = attempt_of(&ret->meta, component);
  read_states(json_get(status, "initContainerStatuses"), component, ret);
  read_states(json_get(status, "containerStatuses"), component, ret);
  return true;
}

static void pod_owned(struct owned *o, void *pod) {
  struct log_pod *p = pod;
  meta_owned(o, &p->meta);
  owned_text(o, &p->submission);
}

static const struct cache_type pod_type = {
    &LOGGED_POD, sizeof(struct log_pod), pod_decode, pod_owned, LABEL_COMPONENT " in (build,scan)", 0};

// ---- streams -------------------------------------------------------------------------------------

static char *key_of(const struct log_pod *p, unsigned container) {
  return mem_printf("%s/%s", p->meta.uid, p->containers[container].name);
}

static void stream_free(void *value) {
  log_stream_free(value);
}

static void consider(struct build_logs *b, const struct log_pod *p) {
  const char *uid = p->attempt > 0 && p->submission != NULL ? b->uid(b->context, p->submission) : NULL;
  for (unsigned i = 0; uid != NULL && i < p->count; i++) {
    if (!p->containers[i].started) continue;
    cleanup_free char *key = key_of(p, i);
    struct log_stream *s = map_get(b->streams, key);
    if (s == NULL && b->running < STREAMS_MAX) {
      const struct log_source source = {.namespace = p->meta.namespace,
                                        .pod = p->meta.name,
                                        .container = p->containers[i].name,
                                        .submission_id = uid,
                                        .attempt = p->attempt};
      s = log_stream_new(b->app->loop, b->app->db, b->app->kube, &source, p->containers[i].ended);
      map_put(b->streams, key, s);
      b->running++;
    } else if (s != NULL && p->containers[i].ended) {
      log_stream_ended(s);
    }
  }
}

static void on_change(void *context, struct cache *c, const void *before, const void *after) {
  (void)c;
  struct build_logs *b = context;
  const struct log_pod *old = before, *new = after;
  if (old != NULL && (new == NULL || !text_equal(old->meta.uid, new->meta.uid))) {
    for (unsigned i = 0; i < old->count; i++) {
      cleanup_free char *key = key_of(old, i);
      map_remove(b->streams, key);
    }
  }
  if (new != NULL) consider(b, new);
}

// ---- life ----------------------------------------------------------------------------------------

struct build_logs *build_logs_new(struct app *app, build_logs_uid_fn *uid, void *context) {
  struct build_logs *b = mem_alloc(sizeof *b);
  b->app = app;
  b->uid = uid;
  b->context = context;
  b->streams = map_new(stream_free);
  return b;
}

void build_logs_free(struct build_logs *b) {
  if (b == NULL) return;
  build_logs_stop(b);
  map_free(b->streams);
  free(b);
}

void build_logs_start(struct build_logs *b) {
  build_logs_stop(b);
  b->pods = cache_new(b->app->kube, b->app->loop, &pod_type, b->app->settings->namespace, on_change, NULL, b);
  cache_start(b->pods);
}

void build_logs_stop(struct build_logs *b) {
  cache_free(b->pods);
  b->pods = NULL;
  map_free(b->streams);
  b->streams = map_new(stream_free);
  b->running = 0;
}

// A Pod may be seen before its Submission, or wait for room.
void build_logs_tick(struct build_logs *b) {
  if (b->pods == NULL) return;
  b->running = 0;
  map_each (b->streams, entry) {
    if (!log_stream_is_done(map_value(entry))) b->running++;
  }
  cache_each (b->pods, struct log_pod, p) consider(b, p);
}
