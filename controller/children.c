// Decodes Jobs and Pods, as far as decisions look at them.
#include "children.h"

#include "base/str.h"

enum { MESSAGE_MAX = 4096 };

// A copy that a stranger's Pod cannot make large.
static char *copy_bounded(json *o, const char *key) {
  return text_bounded(json_text(o, key), MESSAGE_MAX);
}

// NULL when it has none of this type; there is at most one of each.
static json *find_condition(json *status, const char *type) {
  json *conditions = json_get(status, "conditions");
  for (size_t i = 0; i < json_length(conditions); i++) {
    json *condition = json_item(conditions, i);
    if (text_equal(json_text(condition, "type"), type)) return condition;
  }
  return NULL;
}

static json *true_condition(json *status, const char *type) {
  json *condition = find_condition(status, type);
  return text_equal(json_text(condition, "status"), "True") ? condition : NULL;
}

bool job_decode(json *object, void *ret_job, struct error *e) {
  (void)e;  // a Job without status is one that nobody has looked at yet
  struct job *ret = ret_job;
  json *labels = json_at(object, "metadata", "labels", NULL);
  json *status = json_get(object, "status");
  json *complete = true_condition(status, "Complete");
  json *failed = true_condition(status, "Failed");

  ret->submission = json_text_copy(labels, LABEL_SUBMISSION);
  ret->component = json_text_copy(labels, LABEL_COMPONENT);
  ret->complete = complete != NULL;
  ret->failed = failed != NULL;
  ret->failed_reason = json_text_copy(failed, "reason");
  ret->failed_message = copy_bounded(failed, "message");
  ret->started = json_time(status, "startTime");
  ret->finished = json_time(status, "completionTime");
  if (!ret->finished) ret->finished = json_time(failed ? failed : complete, "lastTransitionTime");
  return true;
}

void job_owned(struct owned *o, void *job) {
  struct job *j = job;
  meta_owned(o, &j->meta);
  owned_text(o, &j->submission);
  owned_text(o, &j->component);
  owned_text(o, &j->failed_reason);
  owned_text(o, &j->failed_message);
}

static void decode_container(json *status, bool init, struct container_state *ret) {
  json *state = json_get(status, "state");
  json *waiting = json_get(state, "waiting");
  json *running = json_get(state, "running");
  json *terminated = json_get(state, "terminated");
  json *explained = terminated ? terminated : waiting;

  *ret = (struct container_state){
      .name = json_text_copy(status, "name"),
      .init = init,
      .ready = json_bool(status, "ready", false),
      .running = running != NULL,
      .terminated = terminated != NULL,
      .exit_code = (int32_t)json_int(terminated, "exitCode", 0),
      .signal = (int32_t)json_int(terminated, "signal", 0),
      .started = json_time(terminated ? terminated : running, "startedAt"),
      .finished = json_time(terminated, "finishedAt"),
      .waiting_reason = json_text_copy(waiting, "reason"),
      .reason = json_text_copy(terminated, "reason"),
      .message = copy_bounded(explained, "message"),
  };
}

static void decode_containers(json *statuses, bool init, struct pod *ret) {
  for (size_t i = 0; i < json_length(statuses) && ret->container_count < POD_CONTAINERS_MAX; i++)
    decode_container(json_item(statuses, i), init, &ret->containers[ret->container_count++]);
}

static int decode_participant(json *labels) {
  const char *text = json_text(labels, LABEL_PARTICIPANT);
  bool digit = text && text[0] >= '0' && text[0] <= '9' && text[1] == '\0';
  return digit ? text[0] - '0' : -1;
}

static void decode_scheduled(json *status, struct pod *ret) {
  json *condition = find_condition(status, "PodScheduled");
  ret->scheduled = text_equal(json_text(condition, "status"), "True");
  if (!ret->scheduled) ret->unscheduled_message = copy_bounded(condition, "message");
}

static bool is_cut_off(json *status, const struct pod *p) {
  bool one_ended = false, all_ended = true;
  for (unsigned i = 0; i < p->container_count; i++) {
    if (p->containers[i].terminated)
      one_ended = true;
    else
      all_ended = false;
    if (p->containers[i].running) return false;
  }
  if (!one_ended || all_ended || !text_equal(p->phase, "Pending")) return false;
  return text_equal(json_text(find_condition(status, "PodReadyToStartContainers"), "status"), "False");
}

bool pod_decode(json *object, void *ret_pod, struct error *e) {
  (void)e;
  struct pod *ret = ret_pod;
  json *labels = json_at(object, "metadata", "labels", NULL);
  json *status = json_get(object, "status");

  ret->submission = json_text_copy(labels, LABEL_SUBMISSION);
  ret->match = json_text_copy(labels, LABEL_MATCH);
  ret->participant = decode_participant(labels);
  ret->phase = json_text_copy(status, "phase");
  ret->reason = json_text_copy(status, "reason");
  ret->message = copy_bounded(status, "message");
  ret->ip = json_text_copy(status, "podIP");
  ret->ready = true_condition(status, "Ready") != NULL;
  ret->disrupted = true_condition(status, "DisruptionTarget") != NULL;
  decode_scheduled(status, ret);
  decode_containers(json_get(status, "initContainerStatuses"), true, ret);
  decode_containers(json_get(status, "containerStatuses"), false, ret);
  ret->cut_off = is_cut_off(status, ret);
  return true;
}

void pod_owned(struct owned *o, void *pod) {
  struct pod *p = pod;
  meta_owned(o, &p->meta);
  owned_text(o, &p->submission);
  owned_text(o, &p->match);
  owned_text(o, &p->phase);
  owned_text(o, &p->reason);
  owned_text(o, &p->message);
  owned_text(o, &p->ip);
  owned_text(o, &p->unscheduled_message);
  for (unsigned i = 0; i < p->container_count; i++) {
    struct container_state *c = &p->containers[i];
    owned_text(o, &c->name);
    owned_text(o, &c->waiting_reason);
    owned_text(o, &c->reason);
    owned_text(o, &c->message);
  }
}

const struct container_state *pod_container(const struct pod *p, const char *name) {
  for (unsigned i = 0; p && i < p->container_count; i++)
    if (text_equal(p->containers[i].name, name)) return &p->containers[i];
  return NULL;
}
