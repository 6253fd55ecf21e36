// Jobs and Pods as the API server shows them, read into what decisions look at.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/str.h"

#include "children.h"

static json *parse(const char *text) {
  cleanup_free char *copy = mem_strdup(text);
  for (char *c = copy; *c; c++)
    if (*c == '\'') *c = '"';
  json *o = json_parse(copy, strlen(copy), NULL);
  assert_non_null(o);
  return o;
}

static struct job job_from(const char *text) {
  cleanup_json json *o = parse(text);
  struct job j = {0};
  assert_true(job_decode(o, &j, NULL));
  return j;
}

static struct pod pod_from(const char *text) {
  cleanup_json json *o = parse(text);
  struct pod p = {0};
  assert_true(pod_decode(o, &p, NULL));
  return p;
}

static void a_job_runs_until_a_condition_is_true(void **state) {
  (void)state;
  struct job j = job_from(
      "{'metadata':{'labels':{'rl-arena.io/submission':'sub','rl-arena.io/component':'build'}},'status':{"
      "'startTime':'2026-01-02T03:04:05Z','conditions':[{'type':'Complete','status':'False'},{'type':'Suspended','"
      "status':'True'}]}}");
  assert_string_equal(j.submission, "sub");
  assert_string_equal(j.component, "build");
  assert_false(j.complete || j.failed);
  assert_int_equal(j.started, 1767323045000);
  assert_int_equal(j.finished, 0);
  owned_free(job_owned, &j);
}

static void a_job_that_ended_says_how_and_when(void **state) {
  (void)state;
  struct job j = job_from(
      "{'status':{'conditions':[{'type':'FailureTarget','status':'True'},{'type':'Failed','status':'True','reason':"
      "'DeadlineExceeded','message':'it was late','lastTransitionTime':'2026-01-02T03:04:05Z'}]}}");
  assert_true(j.failed && !j.complete);
  assert_string_equal(j.failed_reason, "DeadlineExceeded");
  assert_string_equal(j.failed_message, "it was late");
  assert_int_equal(j.finished, 1767323045000);
  owned_free(job_owned, &j);
  j = job_from(
      "{'status':{'completionTime':'2026-01-02T03:04:05Z','conditions':[{'type':'Complete','status':'True','"
      "lastTransitionTime':"
      "'2026-01-02T03:04:09Z'}]}}");
  assert_true(j.complete && !j.failed);
  assert_int_equal(j.finished, 1767323045000);
  owned_free(job_owned, &j);
}

static void a_pod_is_read_with_its_containers(void **state) {
  (void)state;
  struct pod p = pod_from(
      "{'metadata':{'labels':{'rl-arena.io/match':'m','rl-arena.io/"
      "participant':'1'}},'status':{'phase':'Running','podIP':"
      "'10.0.0.7','conditions':[{'type':'Ready','status':'True'},{'type':'PodScheduled','status':'True'}],"
      "'initContainerStatuses':[{'name':'fetch','state':{'terminated':{'exitCode':10,'signal':9,'reason':'Error','"
      "message':'why',"
      "'startedAt':'2026-01-02T03:04:05Z','finishedAt':'2026-01-02T03:04:06Z'}}}],"
      "'containerStatuses':[{'name':'build','ready':true,'state':{'running':{'startedAt':'2026-01-02T03:04:07Z'}}},"
      "{'name':'side','state':{'waiting':{'reason':'ImagePullBackOff','message':'no such "
      "image'}}},{'name':'fourth'},{'name':'fifth'}]}}");
  assert_string_equal(p.match, "m");
  assert_null(p.submission);
  assert_int_equal(p.participant, 1);
  assert_string_equal(p.phase, "Running");
  assert_string_equal(p.ip, "10.0.0.7");
  assert_true(p.ready && p.scheduled && !p.disrupted);
  assert_int_equal(p.container_count, POD_CONTAINERS_MAX);
  const struct container_state *fetch = pod_container(&p, "fetch");
  assert_true(fetch->init && fetch->terminated && !fetch->running);
  assert_int_equal(fetch->exit_code, 10);
  assert_int_equal(fetch->signal, 9);
  assert_string_equal(fetch->message, "why");
  assert_int_equal(fetch->finished - fetch->started, 1000);
  assert_true(pod_container(&p, "build")->running && pod_container(&p, "build")->ready);
  assert_string_equal(pod_container(&p, "side")->waiting_reason, "ImagePullBackOff");
  assert_string_equal(pod_container(&p, "side")->message, "no such image");
  assert_non_null(pod_container(&p, "fourth"));
  assert_null(pod_container(&p, "fifth"));
  assert_null(pod_container(NULL, "fetch"));
  owned_free(pod_owned, &p);
}

static void a_pod_in_trouble_says_so(void **state) {
  (void)state;
  struct pod p = pod_from(
      "{'metadata':{'labels':{'rl-arena.io/"
      "participant':'12'}},'status':{'phase':'Failed','reason':'Evicted','message':'disk',"
      "'conditions':[{'type':'DisruptionTarget','status':'True'},{'type':'PodScheduled','status':'False','message':'no "
      "node'}]}}");
  assert_int_equal(p.participant, -1);
  assert_string_equal(p.reason, "Evicted");
  assert_string_equal(p.message, "disk");
  assert_true(p.disrupted && !p.scheduled && !p.ready);
  assert_string_equal(p.unscheduled_message, "no node");
  owned_free(pod_owned, &p);
}

static struct pod waiting_pod(const char *ready_to_start, const char *first, const char *second) {
  char text[1024];
  snprintf(
      text, sizeof(text),
      "{'status':{'phase':'Pending','conditions':[{'type':'PodReadyToStartContainers','status':'%s'}],"
      "'initContainerStatuses':[{'name':'fetch','state':{%s}}],'containerStatuses':[{'name':'build','state':{%s}}]}}",
      ready_to_start, first, second);
  return pod_from(text);
}

static void a_pod_is_cut_off_when_what_its_containers_ran_in_is_gone_between_them(void **state) {
  (void)state;
  static const struct {
    const char *ready_to_start, *first, *second;
    bool cut_off;
  } cases[] = {
      {"False", "'terminated':{'exitCode':0}", "'waiting':{}", true},
      {"True", "'terminated':{'exitCode':0}", "'waiting':{'reason':'PodInitializing'}", false},  // pulls an image
      {"False", "'waiting':{'reason':'PodInitializing'}", "'waiting':{}", false},                // has not begun
      {"False", "'terminated':{'exitCode':0}", "'running':{}", false},
      {"False", "'terminated':{'exitCode':0}", "'terminated':{'exitCode':0}", false},  // over, which is said soon
  };
  for (size_t i = 0; i < array_size(cases); i++) {
    struct pod p = waiting_pod(cases[i].ready_to_start, cases[i].first, cases[i].second);
    assert_int_equal(p.cut_off, cases[i].cut_off);
    owned_free(pod_owned, &p);
  }
}

static void objects_without_anything_are_read_too(void **state) {
  (void)state;
  struct pod p = pod_from("{}");
  assert_int_equal(p.participant, -1);
  assert_int_equal(p.container_count, 0);
  owned_free(pod_owned, &p);
  struct job j = job_from("{'status':{'conditions':'none'}}");
  assert_false(j.complete || j.failed);
  owned_free(job_owned, &j);
}

static void messages_are_cut_between_characters(void **state) {
  (void)state;
  cleanup_json json *o = json_new_object();
  struct str text = STR_INIT(20000);
  str_add(&text, "x");
  for (int i = 0; i < 5000; i++) str_add(&text, "\xC3\xA9");
  json *status = json_push_object(json_add_array(json_add_object(o, "status"), "containerStatuses"));
  json_add_text(status, "name", "build");
  json_add_text(json_add_object(json_add_object(status, "state"), "terminated"), "message", str_text(&text));
  struct pod p = {0};
  assert_true(pod_decode(o, &p, NULL));
  assert_int_equal(strlen(p.containers[0].message), 4095);
  owned_free(pod_owned, &p);
  str_done(&text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_job_runs_until_a_condition_is_true),
      cmocka_unit_test(a_job_that_ended_says_how_and_when),
      cmocka_unit_test(a_pod_is_cut_off_when_what_its_containers_ran_in_is_gone_between_them),
      cmocka_unit_test(a_pod_is_read_with_its_containers),
      cmocka_unit_test(a_pod_in_trouble_says_so),
      cmocka_unit_test(objects_without_anything_are_read_too),
      cmocka_unit_test(messages_are_cut_between_characters),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
