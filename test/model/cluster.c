// What the cluster does by itself: the kubelet, the Job controller, the garbage collector.
#include "cluster.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/str.h"

#include "children.h"

static const char digest[] = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

static const char *phase_of(const struct object *pod) {
  return json_text(json_get(pod->body, "status"), "phase");
}

static bool is_deleted(const struct object *o) {
  return json_text(json_get(o->body, "metadata"), "deletionTimestamp") != NULL;
}

static bool has_ended(const struct object *pod) {
  return text_equal(phase_of(pod), "Failed") || text_equal(phase_of(pod), "Succeeded");
}

bool pod_can_start(const struct object *pod) {
  return pod->cache == CACHE_AGENT_PODS && phase_of(pod) == NULL && !is_deleted(pod);
}

bool pod_can_end(const struct object *pod) {
  return pod->cache == CACHE_AGENT_PODS && !has_ended(pod) && !is_deleted(pod);
}

bool pod_can_vanish(const struct object *pod) {
  return text_equal(pod->kind, "Pod") && is_deleted(pod);
}

bool object_is_orphan(const struct object *o) {
  return object_owner_uid(o) != NULL && object_of_uid(object_owner_uid(o)) == NULL;
}

static void set_status(struct object *o, const char *text) {
  cleanup_free char *copy = mem_strdup(text);
  for (char *p = copy; *p; p++) {
    if (*p == '\'') *p = '"';
  }
  struct error e;
  json *status = mem_must(json_parse(copy, strlen(copy), &e));
  json *body = object_edit(o);
  json_add(body, "status", status);
  object_write(o, body);
}

void pod_starts(struct object *pod) {
  set_status(pod,
             "{'phase':'Running','podIP':'10.0.0.1','conditions':[{'type':'Ready','status':'True'},{'type':"
             "'PodScheduled','status':'True'}],'containerStatuses':[{'name':'agent','ready':true,'state':{'running':"
             "{'startedAt':'2027-01-15T08:00:00Z'}}}]}");
}

void pod_is_evicted(struct object *pod) {
  set_status(pod, "{'phase':'Failed','reason':'Evicted','message':'The node was low on memory.'}");
}

void pod_exits(struct object *pod) {
  set_status(pod,
             "{'phase':'Failed','containerStatuses':[{'name':'agent','ready':false,'state':{'terminated':{'exitCode':1,"
             "'reason':'Error'}}}]}");
}

// ---- Jobs ----------------------------------------------------------------------------------------

bool job_can_end(const struct object *job) {
  return text_equal(job->kind, "Job") && json_get(job->body, "status") == NULL && !object_is_orphan(job);
}

static bool is_scan(const struct object *job) {
  return text_equal(json_text(json_at(job->body, "metadata", "labels", NULL), LABEL_COMPONENT), "scan");
}

static void make_pod(const struct object *job) {
  json *labels = json_at(job->body, "metadata", "labels", NULL);
  cleanup_free char *text = mem_printf(
      "{'apiVersion':'v1','kind':'Pod','metadata':{'name':'%s-pod','labels':{'%s':'%s','%s':'%s'},'ownerReferences':[{"
      "'apiVersion':'batch/v1','kind':'Job','name':'%s','uid':'%s','controller':true}]}}",
      job->name, LABEL_SUBMISSION, json_text(labels, LABEL_SUBMISSION), LABEL_COMPONENT,
      json_text(labels, LABEL_COMPONENT), job->name, object_uid(job));
  object_apply(text);
}

// {'name':...,'state':{'terminated':...}}
static void add_container(struct str *s, const char *name, int code, const char *message) {
  str_add_format(s, "{'name':'%s','state':{'terminated':{'exitCode':%d,'reason':'%s','message':'%s'}}}", name, code,
                 code == 0 ? "Completed" : "Error", message);
}

// What an inline source is built from is there, and it is this submission's own.
static void check_source(const struct object *job) {
  const struct object *submission = object_of_uid(object_owner_uid(job));
  if (submission == NULL || json_at(submission->body, "spec", "source", "inline", NULL) == NULL) return;
  cleanup_free char *name = mem_printf("%s-source", submission->name);
  const struct object *map = object_find("ConfigMap", name);
  if (map == NULL || object_of_uid(object_owner_uid(map)) != submission)
    model_violate("job %s builds without its source", job->name);
}

void job_ends(struct object *job, enum job_end how) {
  if (!is_scan(job)) check_source(job);
  cleanup_free char *name = mem_strdup(job->name);
  cleanup_free char *pod = mem_printf("%s-pod", name);
  const bool scan = is_scan(job), ok = how == JOB_OK;
  make_pod(job);
  cleanup_str struct str s = STR_INIT(4096);
  str_add_format(&s, "{'phase':'%s',", ok ? "Succeeded" : "Failed");
  if (how == JOB_EVICTED) {
    str_add(&s, "'reason':'Evicted','message':'The node was low on memory.'}");
  } else {
    str_add(&s, "'initContainerStatuses':[");
    // What fetch refuses can never work; a scanner that fails may.
    const int first = scan ? (ok ? 0 : 1) : how == JOB_REFUSED ? 10 : 0;
    add_container(&s, scan ? "scan" : "fetch", first,
                  first == 10 ? "{\\'reason\\':\\'HashMismatch\\',\\'message\\':\\'It has another hash.\\'}" : "");
    if (!scan && first == 0) str_add(&s, ",");
    if (!scan && first == 0) add_container(&s, "build", ok ? 0 : 1, ok ? "" : "error: it broke");
    str_add(&s, "],'containerStatuses':[");
    if (scan && first == 0) add_container(&s, "report", ok ? 0 : 1, "error: it broke");
    if (!scan && ok) add_container(&s, "push", 0, digest);
    str_add(&s, "]}");
  }
  set_status(object_find("Pod", pod), str_text(&s));
  struct object *ended = object_find("Job", name);
  char when[CLOCK_TEXT_SIZE];
  cleanup_free char *status =
      mem_printf("{'conditions':[{'type':'%s','status':'True','reason':'%s','lastTransitionTime':'%s'}]}",
                 ok ? "Complete" : "Failed", ok ? "" : "BackoffLimitExceeded", clock_format(model->now, when));
  set_status(ended, status);
}
