// Plans carried out against a scripted API server: what an answer does to the rest of the plan.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "io/grpc.h"

#include "apply.h"

// ---- the API server: the next answers, in order --------------------------------------------------

struct script {
  const char *method;
  enum error_code code;  // ERR_NONE: the object
  const char *object;
};

static const struct script *script;
static unsigned served;
static char told[256];  // the last Event

struct kube_call {
  kube_done_fn *done;
  void *context;
  uv_idle_t idle;
};

static void closed(uv_handle_t *handle) {
  free(handle->data);
}

static void answer(uv_idle_t *idle) {
  struct kube_call *call = idle->data;
  const struct script *s = &script[served++];
  struct error e = {0};
  if (s->code != ERR_NONE) error_set(&e, s->code, "scripted");
  cleanup_json json *object = s->object ? json_parse(s->object, strlen(s->object), NULL) : NULL;
  const struct kube_answer a = {.object = object, .text = "", .status = 200};
  uv_idle_stop(idle);
  call->done(call->context, &a, s->code != ERR_NONE ? &e : NULL);
  uv_close((uv_handle_t *)idle, closed);
}

static uv_loop_t loop;

struct kube_call *kube_call_start(struct kube_client *c, const struct kube_request *r, kube_done_fn *done,
                                  void *context) {
  (void)c;
  assert_non_null(script[served].method);
  assert_string_equal(r->method, script[served].method);
  if (text_equal(r->kind->kind, "Event"))
    snprintf(told, sizeof(told), "%s %s: %s", json_text(json_get(r->body, "involvedObject"), "name"),
             json_text(r->body, "reason"), json_text(r->body, "message"));
  struct kube_call *call = mem_alloc(sizeof(*call));
  *call = (struct kube_call){.done = done, .context = context};
  uv_idle_init(&loop, &call->idle);
  call->idle.data = call;
  uv_idle_start(&call->idle, answer);
  return call;
}

void kube_call_cancel(struct kube_call *call) {
  (void)call;
}

// ---- the executor --------------------------------------------------------------------------------

static unsigned calls;

struct grpc_call *grpc_start(struct http *h, const struct grpc_peer *peer, const char *method, const uint8_t *message,
                             size_t length, msec deadline, size_t max_response, grpc_done_fn *grpc_done,
                             void *context) {
  (void)h, (void)peer, (void)method, (void)message, (void)length, (void)deadline, (void)max_response;
  (void)grpc_done, (void)context;
  calls++;
  return NULL;
}

void grpc_cancel(struct grpc_call *c) {
  (void)c;
}

// ---- one plan ------------------------------------------------------------------------------------

static enum error_code result;
static uint64_t seen;  // version of the agent in the cache, in the end

static void done(void *context, const struct error *e) {
  (void)context;
  result = e ? e->code : ERR_NONE;
}

static void run(struct plan *plan, const struct script *answers) {
  struct settings settings = {.namespace = "arena", .pod_name = "c", .executor_url = "http://executor"};
  struct manager m;
  struct metrics *metrics = metrics_new();
  script = answers;
  served = calls = 0;
  result = ERR_INTERNAL;
  uv_loop_init(&loop);
  manager_init(&m, &loop, &settings, NULL, NULL, metrics);
  m.acting = true;
  apply_start(&m, plan, done, NULL);
  uv_run(&loop, UV_RUN_DEFAULT);
  const struct agent *a = cache_get(m.caches[CACHE_AGENTS], "ann");
  seen = a ? a->meta.version : 0;
  manager_done(&m);
  uv_run(&loop, UV_RUN_DEFAULT);
  uv_loop_close(&loop);
  metrics_free(metrics);
  assert_null(script[served].method);
}

static struct plan plan_of_a_child(void) {
  struct plan plan = {0};
  const struct meta owner = {.name = "s1", .uid = "own"};
  json *map = meta_new_object("v1", "ConfigMap", "arena", "s1-source");
  meta_add_owner(map, "rl-arena.io/v1alpha1", "Submission", &owner);
  plan_create(&plan, &KIND_CONFIG_MAP, map);
  return plan;
}

#define CHILD(uid)                                                                                    \
  "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"s1-source\",\"uid\":\"u\"," \
  "\"resourceVersion\":"                                                                              \
  "\"5\",\"ownerReferences\":[{\"uid\":\"" uid "\",\"controller\":true}]}}"

// ---- a child's name that is taken ----------------------------------------------------------------

static void a_child_of_ours_that_exists_is_what_was_wanted(void **state) {
  (void)state;
  struct plan plan = plan_of_a_child();
  run(&plan, (const struct script[]){{"POST", ERR_EXISTS, NULL}, {"GET", ERR_NONE, CHILD("own")}, {0}});
  assert_int_equal(result, ERR_NONE);
}

static void a_child_of_somebody_else_fails_the_plan(void **state) {
  (void)state;
  struct plan plan = plan_of_a_child();
  run(&plan, (const struct script[]){
                 {"POST", ERR_EXISTS, NULL}, {"GET", ERR_NONE, CHILD("other")}, {"POST", ERR_NONE, NULL}, {0}});
  assert_int_equal(result, ERR_EXISTS);
  assert_string_equal(told,
                      "s1 NameTaken: ConfigMap s1-source exists already and belongs to somebody else: delete or rename "
                      "it.");
}

// The garbage collector may take an earlier owner's child between the two requests. That is no "not found" of
// the plan's own object, for which a plan is not tried again: nothing would ever make the child.
static void a_child_that_was_collected_meanwhile_is_tried_again(void **state) {
  (void)state;
  struct plan plan = plan_of_a_child();
  run(&plan, (const struct script[]){{"POST", ERR_EXISTS, NULL}, {"GET", ERR_NOT_FOUND, NULL}, {0}});
  assert_int_equal(result, ERR_CONFLICT);
}

// ---- a write without an answer -------------------------------------------------------------------

#define AGENT(version)                                                                                        \
  "{\"apiVersion\":\"rl-arena.io/v1alpha1\",\"kind\":\"Agent\",\"metadata\":{\"name\":\"ann\",\"uid\":\"u\"," \
  "\"resourceVersion\":\"" version "\"},\"spec\":{\"owner\":\"o\",\"environment\":\"pong\"}}"

static struct plan plan_of_a_patch(void) {
  struct plan plan = {0};
  const struct meta agent = {.name = "ann", .uid = "u", .version = 4};
  json *patch = json_new_object();
  json_add_int(json_add_object(patch, "status"), "latestVersion", 1);
  plan_patch_status(&plan, &KIND_AGENT, &agent, patch);
  return plan;
}

static void a_patch_without_an_answer_is_sent_again(void **state) {
  (void)state;
  struct plan plan = plan_of_a_patch();
  run(&plan, (const struct script[]){
                 {"PATCH", ERR_UNAVAILABLE, NULL}, {"PATCH", ERR_TIMEOUT, NULL}, {"PATCH", ERR_NONE, AGENT("5")}, {0}});
  assert_int_equal(result, ERR_NONE);
  assert_int_equal(seen, 5);
}

static void a_patch_without_an_answer_is_sent_again_when_the_server_is_busy_then(void **state) {
  (void)state;
  struct plan plan = plan_of_a_patch();
  run(&plan, (const struct script[]){{"PATCH", ERR_UNAVAILABLE, NULL},
                                     {"PATCH", ERR_BUSY, NULL},
                                     {"PATCH", ERR_CONFLICT, NULL},
                                     {"GET", ERR_BUSY, NULL},
                                     {"PATCH", ERR_CONFLICT, NULL},
                                     {"GET", ERR_NONE, AGENT("5")},
                                     {0}});
  assert_int_equal(result, ERR_CONFLICT);
  assert_int_equal(seen, 5);
}

// One that was refused is known not to have been done.
static void a_patch_that_the_server_had_no_time_for_ends_the_plan(void **state) {
  (void)state;
  struct plan plan = plan_of_a_patch();
  run(&plan, (const struct script[]){{"PATCH", ERR_BUSY, NULL}, {0}});
  assert_int_equal(result, ERR_BUSY);
}

// A webhook that is away, for example: other plans have a turn, and this one is decided anew.
static void a_child_that_can_not_be_made_is_given_up_for_now(void **state) {
  (void)state;
  enum { TRIES = 13 };
  struct script answers[TRIES + 1] = {0};
  for (int i = 0; i < TRIES; i++) answers[i] = (struct script){"POST", ERR_UNAVAILABLE, NULL};
  struct plan plan = plan_of_a_child();
  run(&plan, answers);
  assert_int_equal(result, ERR_UNAVAILABLE);
}

// Else the next decision would be made without it: the watch may be as dead as the connection was.
static void a_patch_that_was_done_without_an_answer_is_in_the_cache(void **state) {
  (void)state;
  struct plan plan = plan_of_a_patch();
  run(&plan, (const struct script[]){{"PATCH", ERR_UNAVAILABLE, NULL},
                                     {"PATCH", ERR_CONFLICT, NULL},
                                     {"GET", ERR_UNAVAILABLE, NULL},
                                     {"PATCH", ERR_CONFLICT, NULL},
                                     {"GET", ERR_NONE, AGENT("5")},
                                     {0}});
  assert_int_equal(result, ERR_CONFLICT);
  assert_int_equal(seen, 5);
}

// Who sends again what had no answer may be libcurl or a proxy: nobody here knows that it came twice.
static void what_a_conflict_is_with_is_in_the_cache_before_the_plan_ends(void **state) {
  (void)state;
  struct plan plan = plan_of_a_patch();
  run(&plan, (const struct script[]){{"PATCH", ERR_CONFLICT, NULL}, {"GET", ERR_NONE, AGENT("5")}, {0}});
  assert_int_equal(result, ERR_CONFLICT);
  assert_int_equal(seen, 5);
}

static void a_child_without_an_answer_is_found_or_made(void **state) {
  (void)state;
  struct plan plan = plan_of_a_child();
  run(&plan, (const struct script[]){
                 {"POST", ERR_UNAVAILABLE, NULL}, {"POST", ERR_EXISTS, NULL}, {"GET", ERR_NONE, CHILD("own")}, {0}});
  assert_int_equal(result, ERR_NONE);
}

// ---- calls ---------------------------------------------------------------------------------------

// Its end was seen before: nobody would forget the call, and a place of the executor's would be taken for nothing.
static void a_match_that_was_deleted_meanwhile_is_not_played(void **state) {
  (void)state;
  struct plan plan = {0};
  const struct match match = {.meta = {.name = "m", .uid = "u"}};
  plan_run_match(&plan, &match, 1, mem_alloc(1), 1, 1000);
  run(&plan, (const struct script[]){{0}});
  assert_int_equal(result, ERR_NONE);
  assert_int_equal(calls, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_child_of_ours_that_exists_is_what_was_wanted),
      cmocka_unit_test(a_child_of_somebody_else_fails_the_plan),
      cmocka_unit_test(a_child_that_was_collected_meanwhile_is_tried_again),
      cmocka_unit_test(a_patch_without_an_answer_is_sent_again_when_the_server_is_busy_then),
      cmocka_unit_test(a_patch_that_the_server_had_no_time_for_ends_the_plan),
      cmocka_unit_test(a_child_that_can_not_be_made_is_given_up_for_now),
      cmocka_unit_test(a_patch_without_an_answer_is_sent_again),
      cmocka_unit_test(a_patch_that_was_done_without_an_answer_is_in_the_cache),
      cmocka_unit_test(what_a_conflict_is_with_is_in_the_cache_before_the_plan_ends),
      cmocka_unit_test(a_child_without_an_answer_is_found_or_made),
      cmocka_unit_test(a_match_that_was_deleted_meanwhile_is_not_played),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
