#include "builder.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"

static json *job_of(struct world *w, const char *job) {
  json *object = world_get(w, "Job", job);
  if (!object) fprintf(stderr, "builder: there is no Job %s\n", job);
  assert(object);
  return object;
}

static const char *pod_name(const char *job) {
  static char name[128];
  snprintf(name, sizeof(name), "%s-pod", job);
  return name;
}

static json *pod_of(struct world *w, const char *job) {
  json *object = world_get(w, "Pod", pod_name(job));
  if (!object) builder_pod(w, job);
  return world_get(w, "Pod", pod_name(job));
}

// A new resourceVersion for what was changed in place.
static void changed(struct world *w, const char *kind, const char *name) {
  world_patch(w, kind, name, "{}");
}

static void add_statuses(json *status, const char *key, json *containers) {
  json *list = json_add_array(status, key);
  for (size_t i = 0; i < json_length(containers); i++) {
    json *one = json_push_object(list);
    json_add_text(one, "name", json_text(json_item(containers, i), "name"));
    json_add_text(json_add_object(json_add_object(one, "state"), "waiting"), "reason", "PodInitializing");
  }
}

void builder_pod(struct world *w, const char *job) {
  json *owner = job_of(w, job);
  json *meta = json_get(owner, "metadata"), *labels = json_get(meta, "labels");
  cleanup_free char *text = mem_printf(
      "{'apiVersion':'v1','kind':'Pod','metadata':{'name':'%s','labels':{'%s':'%s','%s':'%s'},'ownerReferences':[{"
      "'apiVersion':'batch/v1','kind':'Job','name':'%s','uid':'%s','controller':true}]},'status':{'phase':'Pending',"
      "'conditions':[{'type':'PodScheduled','status':'True'}]}}",
      pod_name(job), LABEL_SUBMISSION, json_text(labels, LABEL_SUBMISSION), LABEL_COMPONENT,
      json_text(labels, LABEL_COMPONENT), job, json_text(meta, "uid"));
  world_apply(w, text);
  json *status = json_get(world_get(w, "Pod", pod_name(job)), "status");
  json *spec = json_at(owner, "spec", "template", "spec", NULL);
  add_statuses(status, "initContainerStatuses", json_get(spec, "initContainers"));
  add_statuses(status, "containerStatuses", json_get(spec, "containers"));
  changed(w, "Pod", pod_name(job));
}

static json *new_state(struct world *w, const char *job, const char *container, const char *state) {
  static const char *const keys[] = {"initContainerStatuses", "containerStatuses"};
  json *status = json_get(pod_of(w, job), "status");
  for (unsigned k = 0; k < array_size(keys); k++) {
    json *list = json_get(status, keys[k]);
    for (size_t i = 0; i < json_length(list); i++)
      if (text_equal(json_text(json_item(list, i), "name"), container))
        return json_add_object(json_add_object(json_item(list, i), "state"), state);
  }
  fprintf(stderr, "builder: %s has no container %s\n", job, container);
  abort();
}

void builder_waits(struct world *w, const char *job, const char *container, const char *reason, const char *message) {
  json *state = new_state(w, job, container, "waiting");
  json_add_text(state, "reason", reason);
  json_add_text(state, "message", message);
  changed(w, "Pod", pod_name(job));
}

void builder_ends(struct world *w, const char *job, const char *container, int exit_code, const char *reason,
                  const char *message) {
  json *state = new_state(w, job, container, "terminated");
  json_add_int(state, "exitCode", exit_code);
  json_add_text(state, "reason", reason);
  json_add_text(state, "message", message);
  changed(w, "Pod", pod_name(job));
}

void builder_pod_ends(struct world *w, const char *job, const char *phase, const char *reason, const char *message) {
  json *status = json_get(pod_of(w, job), "status");
  json_add_text(status, "phase", phase);
  json_add_text(status, "reason", reason);
  json_add_text(status, "message", message);
  changed(w, "Pod", pod_name(job));
}

void builder_job_ends(struct world *w, const char *job, bool complete, const char *reason) {
  json *status = json_add_object(job_of(w, job), "status");
  json *condition = json_push_object(json_add_array(status, "conditions"));
  json_add_text(condition, "type", complete ? "Complete" : "Failed");
  json_add_text(condition, "status", "True");
  json_add_text(condition, "reason", reason);
  json_add_time(condition, "lastTransitionTime", w->now);
  if (complete) json_add_time(status, "completionTime", w->now);
  changed(w, "Job", job);
}

// ---- stories -------------------------------------------------------------------------------------

void builder_builds(struct world *w, const char *job, const char *digest) {
  builder_ends(w, job, "fetch", 0, "Completed", NULL);
  builder_ends(w, job, "layers", 0, "Completed", NULL);
  builder_ends(w, job, "build", 0, "Completed", NULL);
  builder_ends(w, job, "push", 0, "Completed", digest);
  builder_pod_ends(w, job, "Succeeded", NULL, NULL);
  builder_job_ends(w, job, true, NULL);
}

void builder_refuses(struct world *w, const char *job, int exit_code, const char *reason, const char *message) {
  cleanup_free char *text = mem_printf("{\"reason\":\"%s\",\"message\":\"%s\"}\n", reason, message);
  builder_ends(w, job, "fetch", exit_code, "Error", text);
  builder_pod_ends(w, job, "Failed", NULL, NULL);
  builder_job_ends(w, job, false, "BackoffLimitExceeded");
}

void builder_breaks(struct world *w, const char *job, const char *reason, const char *message) {
  builder_ends(w, job, "fetch", 0, "Completed", NULL);
  builder_ends(w, job, "build", 1, reason, message);
  builder_pod_ends(w, job, "Failed", NULL, NULL);
  builder_job_ends(w, job, false, "BackoffLimitExceeded");
}

void builder_cannot_push(struct world *w, const char *job, int exit_code, const char *message) {
  builder_ends(w, job, "fetch", 0, "Completed", NULL);
  builder_ends(w, job, "build", 0, "Completed", NULL);
  builder_ends(w, job, "push", exit_code, "Error", message);
  builder_pod_ends(w, job, "Failed", NULL, NULL);
  builder_job_ends(w, job, false, "BackoffLimitExceeded");
}

void builder_scans(struct world *w, const char *job) {
  builder_ends(w, job, "scan", 0, "Completed", NULL);
  builder_ends(w, job, "report", 0, "Completed", NULL);
  builder_pod_ends(w, job, "Succeeded", NULL, NULL);
  builder_job_ends(w, job, true, NULL);
}

// ---- looking -------------------------------------------------------------------------------------

bool builder_has_job(struct world *w, const char *job) {
  return world_get(w, "Job", job) != NULL;
}

unsigned builder_jobs(struct world *w, const char *submission, const char *component) {
  unsigned n = 0;
  map_each (w->objects, e) {
    json *labels = json_at(map_value(e), "metadata", "labels", NULL);
    n += text_equal(json_text(map_value(e), "kind"), "Job") &&
         text_equal(json_text(labels, LABEL_SUBMISSION), submission) &&
         text_equal(json_text(labels, LABEL_COMPONENT), component);
  }
  return n;
}

const char *builder_report(const char *digest, int critical, int fixable) {
  static char line[4096];
  int length =
      snprintf(line, sizeof(line),
               "{\"digest\":\"%s\",\"repoDigest\":\"\",\"databaseDate\":\"2026-01-02T03:04:05Z\",\"scannerVersion\":"
               "\"0.74.0\",\"counts\":{\"critical\":{\"total\":%d,\"fixable\":%d},\"high\":{\"total\":1,\"fixable\":1},"
               "\"medium\":{\"total\":0,\"fixable\":0},\"low\":{\"total\":2,\"fixable\":0},\"unknown\":{\"total\":0,"
               "\"fixable\":0}},\"findings\":[",
               digest, critical, fixable);
  for (int i = 0; i < critical && i < 4; i++)
    length += snprintf(
        line + length, sizeof(line) - (size_t)length,
        "%s{\"id\":\"CVE-2022-%d\",\"package\":\"joblib\",\"installed\":\"1.1.0\",\"fixed\":\"%s\",\"severity\":"
        "\"CRITICAL\",\"title\":\"code execution\"}",
        i ? "," : "", 100 + i, i < fixable ? "1.2.0" : "");
  snprintf(line + length, sizeof(line) - (size_t)length, "]}\n");
  return line;
}
