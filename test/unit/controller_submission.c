// From a new Submission to Ready, Rejected or Failed, step by step as the caches show it.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"

#include "builder.h"

#define assert_condition(w, type, expected) assert_string_equal(world_condition(w, "Submission", "sub", type), expected)
#define assert_phase(w, expected) assert_string_equal(world_text(w, "Submission", "sub", "status.phase"), expected)

static const char *log_text = "";
static unsigned logs_read;

static const char *read_log(struct world *w, const char *pod, const char *container) {
  (void)w, (void)pod, (void)container;
  logs_read++;
  return log_text;
}

static int setup(void **state) {
  static struct world w;
  world_init(&w);
  w.skip[RECONCILE_AGENT] = w.skip[RECONCILE_MATCH] = w.skip[RECONCILE_QUEUE] = true;
  w.pods_start = false;
  w.read_log = read_log;
  log_text = "";
  logs_read = 0;
  *state = &w;
  return 0;
}

static int teardown(void **state) {
  world_done(*state);
  return 0;
}

static void add_agent(struct world *w) {
  world_apply(w, "{'kind':'Agent','metadata':{'name':'ann'},'spec':{'owner':'anna','environment':'pong'}}");
}

static void add_submission(struct world *w, const char *name, const char *source, const char *build) {
  char text[1024];
  snprintf(text, sizeof(text),
           "{'kind':'Submission','metadata':{'name':'%s'},'spec':{'agent':'ann','source':{%s},'build':{%s}}}", name,
           source, build);
  world_apply(w, text);
}

#define INLINE "'inline':{'files':{'agent.py':'x = 1','model/net.py':'y = 2'}}"
#define GIT "'git':{'url':'https://git.test/a','ref':'main'}"
#define DEFAULTS "'timeoutSeconds':900,'maxRetries':3"

// An agent, its queue and a submission that has just been looked at.
static struct world *begin(void **state, const char *source, const char *build) {
  struct world *w = *state;
  world_add_queue(w, "pong");
  add_agent(w);
  add_submission(w, "sub", source, build);
  world_settle(w);
  return w;
}

// As begin, and built.
static struct world *begin_built(void **state) {
  struct world *w = begin(state, INLINE, DEFAULTS);
  builder_builds(w, "sub-build-1", DIGEST_A);
  world_settle(w);
  return w;
}

static const char *message_of(struct world *w, const char *type) {
  json *list = json_at(world_get(w, "Submission", "sub"), "status", "conditions", NULL);
  for (size_t i = 0; i < json_length(list); i++)
    if (text_equal(json_text(json_item(list, i), "type"), type)) return json_text(json_item(list, i), "message");
  return "";
}

static void assert_says(struct world *w, const char *type, const char *part) {
  const char *message = message_of(w, type);
  if (strstr(message, part)) return;
  print_error("%s says \"%s\", not \"%s\"\n", type, message, part);
  fail();
}

// ---- the way to Ready ----------------------------------------------------------------------------

static void an_inline_source_is_built_scanned_and_ready(void **state) {
  struct world *w = begin(state, INLINE, DEFAULTS);
  assert_phase(w, "Building");
  assert_int_equal(world_int(w, "Submission", "sub", "status.version"), 1);
  assert_int_equal(world_int(w, "Agent", "ann", "status.latestVersion"), 1);
  assert_condition(w, "Fetched", "Unknown/Fetching");
  assert_condition(w, "Built", "Unknown/Building");
  assert_condition(w, "Ready", "Unknown/Building");
  assert_condition(w, "Reconciling", "True/Building");
  assert_string_equal(world_text(w, "ConfigMap", "sub-source", "data.f0"), "x = 1");
  assert_string_equal(world_text(w, "ConfigMap", "sub-source", "data.f1"), "y = 2");
  assert_string_equal(world_text(w, "Submission", "sub", "status.attempts.0.job"), "sub-build-1");

  builder_ends(w, "sub-build-1", "fetch", 0, "Completed", NULL);
  world_settle(w);
  assert_condition(w, "Fetched", "True/Fetched");
  assert_string_equal(world_text(w, "Submission", "sub", "status.attempts.0.pod"), "sub-build-1-pod");

  builder_builds(w, "sub-build-1", DIGEST_A);
  world_settle(w);
  assert_phase(w, "Scanning");
  assert_condition(w, "Built", "True/Built");
  assert_condition(w, "Scanned", "Unknown/Scanning");
  assert_string_equal(world_text(w, "Submission", "sub", "status.digest"), DIGEST_A);
  assert_string_equal(world_text(w, "Submission", "sub", "status.image"), "registry.test/agents/arena/ann@" DIGEST_A);
  assert_string_equal(world_text(w, "Submission", "sub", "status.attempts.0.reason"), "Succeeded");

  log_text = builder_report(DIGEST_A, 0, 0);
  builder_scans(w, "sub-scan-1");
  world_settle(w);
  assert_phase(w, "Ready");
  assert_condition(w, "Scanned", "True/Scanned");
  assert_condition(w, "Ready", "True/Ready");
  assert_condition(w, "Reconciling", "");
  assert_condition(w, "Stalled", "");
  assert_int_equal(world_int(w, "Submission", "sub", "status.observedGeneration"), 1);
  assert_int_equal(world_int(w, "Submission", "sub", "status.scan.high"), 1);
  assert_int_equal(world_int(w, "Submission", "sub", "status.scan.fixableHigh"), 1);
  assert_string_equal(world_text(w, "Submission", "sub", "status.scan.scanner"), "trivy 0.74.0");
  assert_int_equal(builder_jobs(w, "sub", "build"), 1);
  assert_int_equal(builder_jobs(w, "sub", "scan"), 1);
}

static void a_job_of_its_name_that_is_anothers_is_told_and_waited_for(void **state) {
  struct world *w = *state;
  world_apply(w,
              "{'kind':'Job','metadata':{'name':'sub-build-1','labels':{'rl-arena.io/submission':'sub'},"
              "'ownerReferences':[{'uid':'another','controller':true}]},'status':{'conditions':[{'type':'Complete',"
              "'status':'True'}]}}");
  begin(state, INLINE, DEFAULTS);
  assert_condition(w, "Built", "Unknown/JobNameTaken");
  assert_says(w, "Built", "Delete that Job.");
  world_delete(w, "Job", "sub-build-1");
  world_settle(w);
  assert_condition(w, "Built", "Unknown/Building");
  builder_builds(w, "sub-build-1", DIGEST_A);
  world_settle(w);
  assert_condition(w, "Built", "True/Built");
}

static void a_ready_made_image_is_scanned_and_pinned_to_its_digest(void **state) {
  struct world *w = begin(state, "'image':'registry.test/mine:v7'", DEFAULTS);
  assert_int_equal(builder_jobs(w, "sub", "build"), 0);
  assert_condition(w, "Built", "True/ReadyMade");
  assert_null(world_text(w, "Submission", "sub", "status.image"));
  log_text = builder_report(DIGEST_B, 0, 0);
  builder_scans(w, "sub-scan-1");
  world_settle(w);
  assert_condition(w, "Ready", "True/Ready");
  assert_string_equal(world_text(w, "Submission", "sub", "status.image"), "registry.test/mine@" DIGEST_B);
  assert_string_equal(world_text(w, "Submission", "sub", "status.digest"), DIGEST_B);
}

static void a_ready_made_image_without_a_digest_in_the_report_is_scanned_again(void **state) {
  struct world *w = begin(state, "'image':'registry.test/mine:v7'", DEFAULTS);
  log_text = builder_report("", 0, 0);
  builder_scans(w, "sub-scan-1");
  world_settle(w);
  assert_condition(w, "Scanned", "Unknown/Retrying");
  assert_string_equal(world_text(w, "Submission", "sub", "status.scanAttempts.0.reason"), "DigestMissing");
}

// ---- what it waits for ---------------------------------------------------------------------------

static void without_its_agent_it_waits(void **state) {
  struct world *w = *state;
  add_submission(w, "sub", INLINE, DEFAULTS);
  world_settle(w);
  assert_phase(w, "Pending");
  assert_condition(w, "Ready", "False/AgentNotFound");
  assert_condition(w, "Reconciling", "True/AgentNotFound");
  assert_says(w, "Ready", "\"ann\"");
  assert_int_equal(builder_jobs(w, "sub", "build"), 0);
  add_agent(w);
  world_settle(w);
  assert_int_equal(builder_jobs(w, "sub", "build"), 1);
}

static void without_a_queue_it_is_built_and_scanned_and_the_verdict_waits(void **state) {
  struct world *w = *state;
  add_agent(w);
  add_submission(w, "sub", INLINE, DEFAULTS);
  world_settle(w);
  builder_builds(w, "sub-build-1", DIGEST_A);
  world_settle(w);
  log_text = builder_report(DIGEST_A, 0, 0);
  builder_scans(w, "sub-scan-1");
  world_settle(w);
  assert_condition(w, "Scanned", "True/Scanned");
  assert_condition(w, "Ready", "False/EnvironmentNotFound");
  assert_says(w, "Ready", "\"pong\"");
  world_add_queue(w, "pong");
  world_settle(w);
  assert_condition(w, "Ready", "True/Ready");
}

static void versions_are_given_once_and_in_the_order_of_age(void **state) {
  struct world *w = *state;
  world_add_queue(w, "pong");
  add_agent(w);
  static const char *const names[] = {"zoe", "sub", "abe"};
  for (int i = 0; i < 3; i++) {
    add_submission(w, names[i], GIT, DEFAULTS);
    w->now += 2000;
  }
  world_settle(w);
  for (int i = 0; i < 3; i++) assert_int_equal(world_int(w, "Submission", names[i], "status.version"), i + 1);
  assert_int_equal(world_int(w, "Agent", "ann", "status.latestVersion"), 3);
  // An agent that was deleted and made again goes on counting.
  world_delete(w, "Agent", "ann");
  add_agent(w);
  add_submission(w, "new", GIT, DEFAULTS);
  world_settle(w);
  assert_int_equal(world_int(w, "Submission", "new", "status.version"), 4);
}

static void one_of_a_deleted_agent_is_neither_built_nor_waited_for_by_the_next_of_the_name(void **state) {
  struct world *w = *state;
  world_add_queue(w, "pong");
  add_agent(w);
  add_submission(w, "old", GIT, DEFAULTS);
  world_patch(w, "Submission", "old",
              "{'metadata':{'ownerReferences':[{'apiVersion':'rl-arena.io/v1alpha1','kind':'Agent','name':'ann',"
              "'uid':'of-an-earlier-ann'}]}}");
  w->now += 2000;
  add_submission(w, "new", GIT, DEFAULTS);
  world_settle(w);
  assert_int_equal(world_int(w, "Submission", "old", "status.version"), -1);  // none
  assert_int_equal(world_int(w, "Submission", "new", "status.version"), 1);
  assert_int_equal(world_count(w, "Job"), 1);
}

static void a_pod_that_cannot_start_says_why(void **state) {
  struct world *w = begin(state, GIT, DEFAULTS);
  builder_pod(w, "sub-build-1");
  builder_waits(w, "sub-build-1", "fetch", "ErrImagePull", "fetch:1: not found");
  world_settle(w);
  assert_condition(w, "Built", "Unknown/ImagePullBackOff");
  assert_says(w, "Ready", "Attempt 1 of 4 cannot start: fetch:1: not found");
  const unsigned writes = w->writes;
  builder_waits(w, "sub-build-1", "fetch", "ImagePullBackOff",
                "Back-off pulling image \"fetch:1\": ErrImagePull: fetch:1: not found");
  world_settle(w);
  assert_int_equal(w->writes, writes);  // the same trouble in other words

  builder_pod_ends(w, "sub-build-1", "Failed", "DeadlineExceeded",
                   "Pod was active on the node longer than the specified deadline");
  builder_job_ends(w, "sub-build-1", false, "BackoffLimitExceeded");
  world_settle(w);
  assert_string_equal(world_text(w, "Submission", "sub", "status.attempts.0.reason"), "DeadlineExceeded");
  assert_says(w, "Built", "longer than 900 s; Attempt 1 of 4 cannot start: fetch:1: not found");
}

static void a_pod_without_a_node_waits_and_says_so(void **state) {
  struct world *w = begin(state, GIT, DEFAULTS);
  builder_pod(w, "sub-build-1");
  world_patch(
      w, "Pod", "sub-build-1-pod",
      "{'status':{'conditions':[{'type':'PodScheduled','status':'False','message':'0/1 nodes are available'}]}}");
  world_settle(w);
  assert_condition(w, "Built", "Unknown/Unschedulable");
  assert_says(w, "Ready", "Attempt 1 of 4 waits for a node: 0/1 nodes are available");
  assert_phase(w, "Building");
}

// A node that died between two containers, as a kubelet told it after its return.
static void a_pod_whose_node_died_between_two_containers_is_removed_and_the_build_tried_again(void **state) {
  struct world *w = begin(state, GIT, DEFAULTS);
  builder_pod(w, "sub-build-1");
  world_patch(w, "Pod", "sub-build-1-pod",
              "{'status':{'phase':'Pending','conditions':[{'type':'PodScheduled','status':'True'},"
              "{'type':'PodReadyToStartContainers','status':'False'}],"
              "'initContainerStatuses':[{'name':'fetch','state':{'terminated':{'exitCode':0,'reason':'Completed'}}}],"
              "'containerStatuses':[{'name':'build','state':{'waiting':{}}}]}}");
  world_settle(w);
  assert_null(world_get(w, "Pod", "sub-build-1-pod"));
  builder_job_ends(w, "sub-build-1", false, "BackoffLimitExceeded");
  world_wait(w, 120000, 5000);
  assert_string_equal(world_text(w, "Submission", "sub", "status.attempts.0.reason"), "PodLost");
  assert_int_equal(builder_jobs(w, "sub", "build"), 2);
  assert_phase(w, "Building");
}

// While the kubelet ends a Pod whose container failed, its sandbox is gone before its end is told.
static void a_pod_that_is_just_being_ended_is_not_one_whose_node_died(void **state) {
  struct world *w = begin(state, GIT, DEFAULTS);
  builder_pod(w, "sub-build-1");
  cleanup_json json *o = json_new_object();
  json_add_time(o, "t", w->now);
  cleanup_free char *status = mem_printf(
      "{'status':{'phase':'Pending','conditions':[{'type':'PodScheduled','status':'True'},"
      "{'type':'PodReadyToStartContainers','status':'False'}],"
      "'initContainerStatuses':[{'name':'fetch','state':{'terminated':{'exitCode':1,'finishedAt':'%s'}}}],"
      "'containerStatuses':[{'name':'build','state':{'waiting':{}}}]}}",
      json_text(o, "t"));
  world_patch(w, "Pod", "sub-build-1-pod", status);
  world_settle(w);
  assert_non_null(world_get(w, "Pod", "sub-build-1-pod"));
  assert_condition(w, "Built", "Unknown/Building");
  world_wait(w, 20000, 1000);
  assert_null(world_get(w, "Pod", "sub-build-1-pod"));
}

// ---- sources that do not arrive ------------------------------------------------------------------

static void a_refused_source_ends_it_without_a_retry(void **state) {
  struct world *w = begin(state, GIT, DEFAULTS);
  builder_refuses(w, "sub-build-1", 10, "HashMismatch",
                  "The archive has another hash. Correct spec.source.archive.sha256.");
  world_settle(w);
  assert_phase(w, "Failed");
  assert_condition(w, "Fetched", "False/HashMismatch");
  assert_condition(w, "Ready", "False/HashMismatch");
  assert_condition(w, "Stalled", "True/HashMismatch");
  assert_condition(w, "Reconciling", "");
  assert_condition(w, "Built", "");
  assert_says(w, "Ready", "Correct spec.source.archive.sha256.");
  world_wait(w, 600000, 5000);
  assert_int_equal(builder_jobs(w, "sub", "build"), 1);
  assert_condition(w, "Ready", "False/HashMismatch");
}

static void an_unreachable_source_is_fetched_again(void **state) {
  struct world *w = begin(state, GIT, DEFAULTS);
  builder_refuses(w, "sub-build-1", 11, "Unreachable", "git.test did not answer.");
  world_settle(w);
  assert_condition(w, "Built", "Unknown/Retrying");
  assert_says(w, "Ready", "Attempt 1 of 4 failed and is tried again: Unreachable: git.test did not answer.");
  assert_int_equal(builder_jobs(w, "sub", "build"), 1);
  world_wait(w, 11000, 1000);
  assert_int_equal(builder_jobs(w, "sub", "build"), 2);
  builder_builds(w, "sub-build-2", DIGEST_A);
  world_settle(w);
  assert_condition(w, "Fetched", "True/Fetched");
  assert_condition(w, "Built", "True/Built");
}

static void a_source_that_never_arrives_is_what_failed(void **state) {
  struct world *w = begin(state, GIT, "'timeoutSeconds':900,'maxRetries':0");
  builder_refuses(w, "sub-build-1", 11, "Unreachable", "git.test did not answer.");
  world_settle(w);
  assert_condition(w, "Fetched", "False/Unreachable");
  assert_condition(w, "Ready", "False/Unreachable");
  assert_says(w, "Ready", "Attempt 1 of 1 failed: Unreachable: git.test did not answer.");
}

// ---- builds that fail ----------------------------------------------------------------------------

static const char pip_log[] =
    "INFO[0001] Running: [/bin/sh -c python3 -m pip install -r requirements.txt]\n"
    "ERROR: Could not find a version that satisfies the requirement nope==1\n"
    "ERROR: No matching distribution found for nope==1\n"
    "error building image: error building stage: failed to execute command: waiting for process to exit: exit status "
    "1\n";

static void a_failing_build_is_tried_four_times_with_growing_pauses(void **state) {
  struct world *w = begin(state, INLINE, DEFAULTS);
  static const msec pauses[] = {10000, 20000, 40000};
  for (unsigned attempt = 1; attempt <= 4; attempt++) {
    char job[32];
    snprintf(job, sizeof(job), "sub-build-%u", attempt);
    assert_int_equal(builder_jobs(w, "sub", "build"), attempt);
    builder_breaks(w, job, "Error", pip_log);
    world_settle(w);
    if (attempt == 4) break;
    assert_condition(w, "Built", "Unknown/Retrying");
    world_wait(w, pauses[attempt - 1] - 2000, 1000);
    assert_false(builder_jobs(w, "sub", "build") > attempt);
    world_wait(w, 4000, 1000);
  }
  assert_phase(w, "Failed");
  assert_condition(w, "Built", "False/BuildFailed");
  assert_condition(w, "Fetched", "True/Fetched");
  assert_condition(w, "Stalled", "True/BuildFailed");
  assert_string_equal(
      message_of(w, "Ready"),
      "Attempt 4 of 4 failed: ERROR: No matching distribution found for nope==1. Fix the source (Dockerfile, "
      "requirements.txt), then apply a new Submission.");
  world_wait(w, 600000, 10000);
  assert_int_equal(builder_jobs(w, "sub", "build"), 4);
  assert_phase(w, "Failed");
  assert_int_equal(logs_read, 0);
}

static void a_digest_is_believed_of_the_push_alone(void **state) {
  struct world *w = begin(state, INLINE, DEFAULTS);
  builder_breaks(w, "sub-build-1", "Error", DIGEST_A);
  world_settle(w);
  assert_condition(w, "Built", "Unknown/Retrying");
  assert_null(world_text(w, "Submission", "sub", "status.image"));
  world_wait(w, 11000, 1000);
  // What an author's steps wrote into the builder's message is not what was pushed.
  builder_ends(w, "sub-build-2", "fetch", 0, "Completed", NULL);
  builder_ends(w, "sub-build-2", "build", 0, "Completed", DIGEST_A);
  world_settle(w);
  assert_null(world_text(w, "Submission", "sub", "status.image"));
  builder_builds(w, "sub-build-2", DIGEST_B);
  world_settle(w);
  assert_string_equal(world_text(w, "Submission", "sub", "status.digest"), DIGEST_B);
}

static void a_push_that_tells_no_digest_has_failed(void **state) {
  struct world *w = begin(state, INLINE, DEFAULTS);
  builder_builds(w, "sub-build-1", "sha256:1234");
  world_settle(w);
  assert_string_equal(world_text(w, "Submission", "sub", "status.attempts.0.reason"), "PushFailed");
}

static void a_push_that_fails_is_the_operators_to_mend(void **state) {
  struct world *w = begin(state, INLINE, "'maxRetries':1");
  builder_cannot_push(
      w, "sub-build-1", 11,
      "{\"reason\":\"PushFailed\",\"message\":\"The registry answered \\\"GET https://r.test/v2/\\\" with "
      "HTTP status 401.\"}\n");
  world_settle(w);
  assert_condition(w, "Built", "Unknown/Retrying");
  world_wait(w, 11000, 1000);
  builder_cannot_push(w, "sub-build-2", 1, NULL);
  log_text = "the end\n";
  world_settle(w);
  assert_string_equal(world_text(w, "Submission", "sub", "status.attempts.0.reason"), "PushFailed");
  assert_string_equal(world_text(w, "Submission", "sub", "status.attempts.0.message"),
                      "The registry answered \"GET https://r.test/v2/\" with HTTP status 401.");
  assert_string_equal(world_text(w, "Submission", "sub", "status.attempts.1.message"), "the end");
  assert_condition(w, "Fetched", "True/Fetched");
  assert_condition(w, "Built", "False/PushFailed");
  assert_condition(w, "Ready", "False/PushFailed");
}

static void an_image_that_cannot_be_pushed_is_its_authors_fault(void **state) {
  struct world *w = begin(state, INLINE, "'maxRetries':0");
  builder_cannot_push(w, "sub-build-1", 10,
                      "{\"reason\":\"BadImage\",\"message\":\"What the build left is no image.\"}");
  world_settle(w);
  assert_string_equal(world_text(w, "Submission", "sub", "status.attempts.0.reason"), "BadImage");
  assert_condition(w, "Built", "False/BuildFailed");
}

static void how_an_attempt_ended_is_told_apart(void **state) {
  static const struct {
    const char *container_reason, *pod_reason, *pod_message, *job_reason;
    const char *reason, *message;
  } cases[] = {
      {"OOMKilled", NULL, NULL, "BackoffLimitExceeded", "OOMKilled", "it needed more than its 1Gi of memory"},
      {"Error", "Evicted", "Pod ephemeral local storage usage exceeds 4Gi", "BackoffLimitExceeded", "Evicted",
       "Pod ephemeral local storage usage exceeds 4Gi"},
      {"Error", "NodeLost", NULL, "BackoffLimitExceeded", "NodeLost", "the node ended the Pod"},
      {"Error", "DeadlineExceeded", "longer than allowed", "BackoffLimitExceeded", "DeadlineExceeded",
       "it took longer than 900 s"},
      {"Error", NULL, NULL, "DeadlineExceeded", "Unschedulable", "it waited for a day for a node that has room for it"},
      {"Error", NULL, NULL, "BackoffLimitExceeded", "BuildFailed", "it ended with exit code 1 without a word"},
  };
  (void)state;
  for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    void *one;
    setup(&one);
    struct world *w = begin(&one, INLINE, DEFAULTS);
    builder_ends(w, "sub-build-1", "fetch", 0, "Completed", NULL);
    builder_ends(w, "sub-build-1", "build", 1, cases[i].container_reason, NULL);
    builder_pod_ends(w, "sub-build-1", "Failed", cases[i].pod_reason, cases[i].pod_message);
    builder_job_ends(w, "sub-build-1", false, cases[i].job_reason);
    world_settle(w);
    assert_string_equal(world_text(w, "Submission", "sub", "status.attempts.0.reason"), cases[i].reason);
    assert_string_equal(world_text(w, "Submission", "sub", "status.attempts.0.message"), cases[i].message);
    teardown(&one);
  }
}

static void a_pod_that_nobody_saw_end_is_lost_after_a_while(void **state) {
  struct world *w = begin(state, INLINE, DEFAULTS);
  builder_ends(w, "sub-build-1", "fetch", 0, "Completed", NULL);
  world_settle(w);
  builder_job_ends(w, "sub-build-1", false, "BackoffLimitExceeded");
  world_delete(w, "Pod", "sub-build-1-pod");
  world_settle(w);
  assert_condition(w, "Built", "Unknown/Building");  // perhaps the Pod's watch is behind
  world_wait(w, 31000, 1000);
  assert_string_equal(world_text(w, "Submission", "sub", "status.attempts.0.reason"), "PodLost");
}

static void a_job_that_somebody_deleted_is_made_again(void **state) {
  struct world *w = begin(state, INLINE, DEFAULTS);
  world_delete(w, "Job", "sub-build-1");
  world_delete(w, "ConfigMap", "sub-source");
  world_settle(w);
  assert_true(builder_has_job(w, "sub-build-1"));
  assert_non_null(world_get(w, "ConfigMap", "sub-source"));
  assert_int_equal(builder_jobs(w, "sub", "build"), 1);
}

static void jobs_that_were_cleaned_up_do_not_matter_any_more(void **state) {
  struct world *w = begin_built(state);
  world_delete(w, "Job", "sub-build-1");
  log_text = builder_report(DIGEST_A, 0, 0);
  builder_scans(w, "sub-scan-1");
  world_settle(w);
  world_delete(w, "Job", "sub-scan-1");
  world_wait(w, 60000, 10000);
  assert_condition(w, "Ready", "True/Ready");
  assert_int_equal(builder_jobs(w, "sub", "build") + builder_jobs(w, "sub", "scan"), 0);
}

// ---- scans ---------------------------------------------------------------------------------------

static void a_scanner_that_fails_is_never_clean(void **state) {
  struct world *w = begin_built(state);
  for (int attempt = 1; attempt <= 4; attempt++) {
    char job[32];
    snprintf(job, sizeof(job), "sub-scan-%d", attempt);
    assert_true(builder_has_job(w, job));
    if (attempt == 2) {  // a report that is cut
      log_text = "{\"counts\":{\"critical\":{\"total\":0";
      builder_scans(w, job);
    } else {
      builder_ends(w, job, "scan", 1, "Error",
                   "2026-01-02T03:04:05Z\tINFO\t[vulndb] Need to update DB\n2026-01-02T03:04:05Z\tFATAL\tFatal "
                   "error\tinit error: "
                   "DB error: failed to download\n");
      builder_pod_ends(w, job, "Failed", NULL, NULL);
      builder_job_ends(w, job, false, "BackoffLimitExceeded");
    }
    world_settle(w);
    world_wait(w, 41000, 1000);
  }
  assert_phase(w, "Failed");
  assert_condition(w, "Scanned", "False/ScanFailed");
  assert_condition(w, "Ready", "False/ScanFailed");
  assert_condition(w, "Stalled", "True/ScanFailed");
  assert_says(w, "Ready", "Scan 4 of 4 failed: ScanFailed: init error: DB error: failed to download.");
  assert_string_equal(world_text(w, "Submission", "sub", "status.scanAttempts.1.reason"), "ReportMalformed");
  assert_int_equal(builder_jobs(w, "sub", "scan"), 4);
  assert_condition(w, "Built", "True/Built");
}

static void a_critical_vulnerability_rejects_by_name_until_the_policy_allows_it(void **state) {
  struct world *w = begin_built(state);
  log_text = builder_report(DIGEST_A, 3, 2);
  builder_scans(w, "sub-scan-1");
  world_settle(w);
  assert_phase(w, "Rejected");
  assert_condition(w, "Ready", "False/VulnerabilitiesFound");
  assert_condition(w, "Stalled", "True/VulnerabilitiesFound");
  assert_string_equal(
      message_of(w, "Ready"),
      "2 vulnerabilities of severity CRITICAL or worse with a fix: CVE-2022-100 in joblib 1.1.0 (fixed in 1.2.0), "
      "CVE-2022-101 in joblib 1.1.0 (fixed in 1.2.0). Rebuild with joblib 1.2.0 or newer, as a new Submission.");

  world_patch(w, "MatchmakingQueue", "pong", "{'spec':{'scan':{'ignoreUnfixed':false}}}");
  world_settle(w);
  assert_says(w, "Ready", "3 vulnerabilities of severity CRITICAL or worse: ");
  assert_says(w, "Ready", "CVE-2022-102 in joblib 1.1.0 (no fix yet)");

  world_patch(w, "MatchmakingQueue", "pong", "{'spec':{'scan':{'failOn':'NONE'}}}");
  world_settle(w);
  assert_phase(w, "Ready");
  assert_condition(w, "Ready", "True/Ready");
  assert_condition(w, "Stalled", "");

  world_patch(w, "MatchmakingQueue", "pong", "{'spec':{'scan':{'failOn':'HIGH'}}}");
  world_settle(w);
  assert_says(w, "Ready", "4 vulnerabilities of severity HIGH or worse: ");
  assert_says(w, "Ready", " and 1 more. Rebuild with");
}

static void unfixed_vulnerabilities_may_be_ignored(void **state) {
  struct world *w = begin_built(state);
  log_text = builder_report(DIGEST_A, 3, 0);
  builder_scans(w, "sub-scan-1");
  world_settle(w);
  assert_condition(w, "Ready", "True/Ready");
}

// ---- the end -------------------------------------------------------------------------------------

static void what_is_being_deleted_is_left_alone(void **state) {
  struct world *w = *state;
  add_agent(w);
  world_apply(
      w,
      "{'kind':'Submission','metadata':{'name':'sub','deletionTimestamp':'2027-01-15T08:00:00Z'},'spec':{'agent':'ann',"
      "'source':{" GIT "},'build':{}}}");
  world_settle(w);
  assert_int_equal(w->writes, 0);
}

int main(void) {
#define scenario(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
  const struct CMUnitTest tests[] = {
      scenario(an_inline_source_is_built_scanned_and_ready),
      scenario(a_job_of_its_name_that_is_anothers_is_told_and_waited_for),
      scenario(a_ready_made_image_is_scanned_and_pinned_to_its_digest),
      scenario(a_ready_made_image_without_a_digest_in_the_report_is_scanned_again),
      scenario(without_its_agent_it_waits),
      scenario(without_a_queue_it_is_built_and_scanned_and_the_verdict_waits),
      scenario(versions_are_given_once_and_in_the_order_of_age),
      scenario(one_of_a_deleted_agent_is_neither_built_nor_waited_for_by_the_next_of_the_name),
      scenario(a_pod_that_cannot_start_says_why),
      scenario(a_pod_without_a_node_waits_and_says_so),
      scenario(a_pod_whose_node_died_between_two_containers_is_removed_and_the_build_tried_again),
      scenario(a_pod_that_is_just_being_ended_is_not_one_whose_node_died),
      scenario(a_refused_source_ends_it_without_a_retry),
      scenario(an_unreachable_source_is_fetched_again),
      scenario(a_source_that_never_arrives_is_what_failed),
      scenario(a_failing_build_is_tried_four_times_with_growing_pauses),
      scenario(a_digest_is_believed_of_the_push_alone),
      scenario(a_push_that_tells_no_digest_has_failed),
      scenario(a_push_that_fails_is_the_operators_to_mend),
      scenario(an_image_that_cannot_be_pushed_is_its_authors_fault),
      cmocka_unit_test(how_an_attempt_ended_is_told_apart),
      scenario(a_pod_that_nobody_saw_end_is_lost_after_a_while),
      scenario(a_job_that_somebody_deleted_is_made_again),
      scenario(jobs_that_were_cleaned_up_do_not_matter_any_more),
      scenario(a_scanner_that_fails_is_never_clean),
      scenario(a_critical_vulnerability_rejects_by_name_until_the_policy_allows_it),
      scenario(unfixed_vulnerabilities_may_be_ignored),
      scenario(what_is_being_deleted_is_left_alone),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
