#include "world.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#include "submission.h"
#include "world_objects.h"

static struct world *current;  // the functions that take the place of others have no other way to it

// Linked with --wrap: the controller's monotonic clock.
msec __wrap_clock_monotonic(void);

msec __wrap_clock_monotonic(void) {
  return current->now - current->jumped;
}

// Linked with --wrap: nobody watches, the caches are shown what is there.
msec __wrap_cache_followed(const struct cache *c, msec now);

msec __wrap_cache_followed(const struct cache *c, msec now) {
  (void)c;
  return now - current->watched_since;
}

static void call_free(void *value) {
  struct world_call *c = value;
  wire_result_done(&c->result);
  free(c->match);
  free(c->uid);
  free(c->request);
  free(c);
}

void world_init(struct world *w) {
  *w = (struct world){.now = 1800000000000, .version = 100, .pods_start = true, .executor_answers = true};
  w->settings = (struct settings){.namespace = "arena",
                                  .pod_namespace = "system",
                                  .pod_name = "controller-0",
                                  .registry = "registry.test/agents",
                                  .executor_url = "http://executor:50051",
                                  .fetch_image = "fetch:1",
                                  .builder_image = "kaniko:1",
                                  .scanner_image = "trivy:1",
                                  .runtime_image = "runtime:1",
                                  .trivy_db_repository = "registry.test/db:2",
                                  .build_cpu = "1",
                                  .build_memory = "1Gi",
                                  .build_disk = "1Gi",
                                  .scan_memory = "1Gi",
                                  .agent_cpu = "100m",
                                  .agent_memory = "128Mi"};
  w->game.status = WIRE_SUCCESS;
  w->objects = map_new(world_json_free);
  w->open_calls = map_new(call_free);
  w->metrics = metrics_new();
  uv_loop_init(&w->loop);
  current = w;
  manager_init(&w->m, &w->loop, &w->settings, NULL, NULL, w->metrics);
}

static void stop_manager(struct world *w) {
  manager_done(&w->m);
  uv_run(&w->loop, UV_RUN_DEFAULT);
}

void world_done(struct world *w) {
  stop_manager(w);
  uv_loop_close(&w->loop);
  metrics_free(w->metrics);
  map_free(w->objects);
  map_free(w->open_calls);
}

// ---- the API server ----------------------------------------------------------------------------

static void show(struct world *w, json *object) {
  const struct kube_kind *kind = world_kind(json_text(object, "kind"));
  struct cache *c = kind ? manager_cache_of(&w->m, kind, object) : NULL;
  if (c != NULL) cache_observe(c, object);
}

static void stamp(struct world *w, json *object) {
  char version[24];
  snprintf(version, sizeof(version), "%" PRIu64, ++w->version);
  json_add_text(json_get(object, "metadata"), "resourceVersion", version);
  show(w, object);
}

static void add(struct world *w, json *take) {
  char uid[40];
  json *meta = json_get(take, "metadata");
  snprintf(uid, sizeof(uid), "00000000-0000-4000-8000-%012" PRIu64, w->version);
  json_add_text(meta, "uid", uid);
  json_add_text(meta, "namespace", "arena");
  json_add_int(meta, "generation", 1);
  json_add_time(meta, "creationTimestamp", w->now);
  cleanup_free char *key = mem_printf("%s/%s", json_text(take, "kind"), json_text(meta, "name"));
  assert(map_get(w->objects, key) == NULL);
  map_put(w->objects, key, take);
  stamp(w, take);
  if (w->pods_start && strncmp(key, "Pod/", 4) == 0) {
    world_patch(w, "Pod", json_text(meta, "name"),
                "{'status':{'phase':'Running','podIP':'10.0.0.1','conditions':[{'type':'Ready','status':'True'},"
                "{'type':'PodScheduled','status':'True'}],'containerStatuses':[{'name':'agent','ready':true,"
                "'state':{'running':{'startedAt':'2027-01-15T08:00:00Z'}}}]}}");
  }
}

void world_apply(struct world *w, const char *text) {
  add(w, world_complete(world_parse(text)));
}

json *world_get(struct world *w, const char *kind, const char *name) {
  cleanup_free char *key = mem_printf("%s/%s", kind, name);
  return map_get(w->objects, key);
}

size_t world_count(struct world *w, const char *kind) {
  size_t n = 0;
  map_each (w->objects, e) n += text_equal(json_text(map_value(e), "kind"), kind);
  return n;
}

void world_patch(struct world *w, const char *kind, const char *name, const char *patch) {
  cleanup_json json *p = world_parse(patch);
  json *object = world_get(w, kind, name);
  assert(object != NULL);
  world_merge(object, p);
  if (json_get(p, "spec") != NULL) {
    json *meta = json_get(object, "metadata");
    json_add_int(meta, "generation", json_int(meta, "generation", 0) + 1);
  }
  stamp(w, object);
}

static void remove_object(struct world *w, const struct kube_kind *kind, const char *name) {
  cleanup_free char *key = mem_printf("%s/%s", kind->kind, name);
  json *object = map_take(w->objects, key);
  if (object == NULL) return;
  cleanup_free char *uid = json_text_copy(json_get(object, "metadata"), "uid");
  struct cache *c = manager_cache_of(&w->m, kind, object);
  if (c != NULL) cache_observe_deleted(c, name, uid);
  json_put(&object);
  // The garbage collector.
  for (bool again = true; again;) {
    again = false;
    map_each (w->objects, e) {
      json *owner = json_item(json_get(json_get(map_value(e), "metadata"), "ownerReferences"), 0);
      if (!text_equal(json_text(owner, "uid"), uid)) continue;
      const struct kube_kind *child = world_kind(json_text(map_value(e), "kind"));
      cleanup_free char *child_name = json_text_copy(json_get(map_value(e), "metadata"), "name");
      remove_object(w, child, child_name);
      again = true;
      break;
    }
  }
}

void world_delete(struct world *w, const char *kind, const char *name) {
  remove_object(w, world_kind(kind), name);
}

// ---- carrying out a plan -----------------------------------------------------------------------

// False: the controller died before this write.
static bool may_write(struct world *w) {
  if (w->stop_after > 0 && w->writes >= w->stop_after) w->dead = true;
  if (!w->dead) w->writes++;
  return !w->dead;
}

static bool act_create(struct world *w, const struct action *a) {
  if (!may_write(w)) return false;
  json *found = world_get(w, a->kind->kind, a->name);
  if (found == NULL) {
    add(w, json_object_get(a->body));
  } else {
    json *theirs = json_item(json_get(json_get(found, "metadata"), "ownerReferences"), 0);
    json *ours = json_item(json_get(json_get(a->body, "metadata"), "ownerReferences"), 0);
    assert(text_equal(json_text(theirs, "uid"), json_text(ours, "uid")));
  }
  return true;
}

static bool act_create_source(struct world *w, const struct action *a) {
  if (!may_write(w)) return false;
  struct error e = {0};
  json *map = submission_source(world_get(w, "Submission", a->name), manager_submission(&w->m, a->name), &e);
  if (map == NULL) fprintf(stderr, "world: %s\n", e.text);
  assert(map != NULL);
  if (world_get(w, "ConfigMap", json_text(json_get(map, "metadata"), "name")) == NULL) {
    add(w, map);
  } else {
    json_put(&map);
  }
  return true;
}

static bool act_patch(struct world *w, const struct action *a) {
  if (!may_write(w)) return false;
  json *object = world_get(w, a->kind->kind, a->name);
  if (object == NULL) return false;
  // A second write of one plan to one object carries the version that the first one left.
  const char *at = json_text(json_get(object, "metadata"), "resourceVersion");
  if (strtoull(at, NULL, 10) != a->version) return false;
  world_merge(object, a->body);
  stamp(w, object);
  return true;
}

static void start_call(struct world *w, const struct action *a) {
  struct world_call *c = mem_alloc(sizeof(*c));
  *c = (struct world_call){
      .match = mem_strdup(a->name), .uid = mem_strdup(a->uid), .attempt = a->attempt, .state = CALL_RUNNING};
  c->request = mem_alloc(a->length + 1);
  c->length = a->length;
  memcpy(c->request, a->bytes, a->length);
  map_put(w->open_calls, a->uid, c);
  w->calls++;
}

static bool act(struct world *w, const struct action *a) {
  switch (a->type) {
    case ACTION_CREATE: return act_create(w, a);
    case ACTION_DELETE:
      if (!may_write(w)) return false;
      remove_object(w, a->kind, a->name);
      return true;
    case ACTION_PATCH_STATUS: return act_patch(w, a);
    case ACTION_RUN_MATCH: start_call(w, a); return true;
    case ACTION_CANCEL_MATCH: map_remove(w->open_calls, a->uid); return true;
    case ACTION_EVENT: w->events++; return true;
    case ACTION_CREATE_SOURCE: return act_create_source(w, a);
    case ACTION_READ_LOG:
      manager_keep_log(&w->m, a->name, a->uid, a->container, w->read_log ? w->read_log(w, a->name, a->container) : "");
      return true;
  }
  return true;
}

// True when the plan had something to do.
static bool look(struct world *w, enum reconciler_id id, const char *name) {
  struct plan plan = {0};
  RECONCILERS[id].look(&w->m, name, w->now, &plan);
  const bool busy = plan.count > 0;
  for (unsigned i = 0; i < plan.count && act(w, &plan.actions[i]); i++) {
  }
  plan_done(&plan);
  return busy;
}

// Ends every call that runs. True when there was one.
static bool answer_calls(struct world *w) {
  bool any = false;
  if (!w->executor_answers) return false;
  map_each (w->open_calls, e) {
    struct world_call *c = map_value(e);
    if (c->state != CALL_RUNNING) continue;
    any = true;
    c->finished = clock_monotonic();
    c->error = w->call_error;
    c->state = c->error.code != ERR_NONE ? CALL_FAILED : CALL_ANSWERED;
    if (c->state == CALL_ANSWERED) world_fill_result(w, c);
  }
  return any;
}

static bool look_at_all(struct world *w, enum reconciler_id id) {
  char *names[256];
  size_t count = 0;
  map_each (w->objects, e) {
    if (!text_equal(json_text(map_value(e), "kind"), RECONCILERS[id].kind->kind)) continue;
    assert(count < array_size(names));
    names[count++] = json_text_copy(json_get(map_value(e), "metadata"), "name");
  }
  bool busy = false;
  for (size_t i = 0; i < count; i++) {
    if (!w->dead) busy = look(w, id, names[i]) || busy;
    free(names[i]);
  }
  return busy;
}

void world_settle(struct world *w) {
  bool busy = true;
  for (int round = 0; busy && !w->dead; round++) {
    assert(round < 200);
    busy = false;
    for (enum reconciler_id id = 0; id < RECONCILER_COUNT; id++) {
      if (!w->skip[id]) busy = look_at_all(w, id) || busy;
    }
    busy = answer_calls(w) || busy;
  }
}

void world_wait(struct world *w, msec time, msec step) {
  for (msec end = w->now + time; w->now < end && !w->dead;) {
    w->now += step;
    world_settle(w);
  }
}

void world_jump(struct world *w, msec by) {
  w->now += by;
  w->jumped += by;
}

void world_restart(struct world *w) {
  stop_manager(w);
  map_free(w->open_calls);
  w->open_calls = map_new(call_free);
  w->dead = false;
  w->stop_after = 0;
  manager_init(&w->m, &w->loop, &w->settings, NULL, NULL, w->metrics);
  map_each (w->objects, e) show(w, map_value(e));
}

// ---- the executor, in the place of controller/executor.c ---------------------------------------

struct executor *executor_new(struct http *http, const struct grpc_peer *peer, struct metrics *m,
                              executor_done_fn *done, void *context) {
  (void)http, (void)peer, (void)m, (void)done, (void)context;
  return NULL;
}

void executor_free(struct executor *x) {
  (void)x;
}

void executor_run(struct executor *x, const char *match, const char *uid, int32_t attempt, const uint8_t *bytes,
                  size_t length, msec deadline) {
  (void)x, (void)match, (void)uid, (void)attempt, (void)bytes, (void)length, (void)deadline;
}

void executor_forget(struct executor *x, const char *uid) {
  (void)x, (void)uid;
}

void executor_look(const struct executor *x, const char *uid, struct call_view *ret) {
  (void)x;
  *ret = (struct call_view){.state = CALL_NONE};
  const struct world_call *c = map_get(current->open_calls, uid);
  if (c == NULL) return;
  *ret = (struct call_view){.state = c->state, .attempt = c->attempt, .error = c->error};
  if (c->state != CALL_RUNNING) ret->age = clock_monotonic() - c->finished;
  if (c->state == CALL_ANSWERED) ret->result = &c->result;
}

size_t executor_running(const struct executor *x) {
  (void)x;
  return map_count(current->open_calls);
}
