// What builds and scans have in common: attempts, how a Pod ends, and how long to wait before the next.
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "arena/intern.h"
#include "base/memory.h"
#include "base/str.h"

#include "submission_parts.h"

#define DEADLINE "DeadlineExceeded"  // of a Pod and of a Job alike

enum {
  BACKOFF_FIRST = 10 * 1000,
  // Jobs and Pods are two watches: one may be behind the other for a moment.
  POD_GRACE = 30 * 1000,
  CUT_OFF_GRACE = 15 * 1000,
  OOM_EXIT = 137,
};

// ---- the record ----------------------------------------------------------------------------------

static msec whole_seconds(msec t) {
  return t - t % 1000;
}

struct attempt *attempt_last(struct attempts *a) {
  return a->count ? &a->items[a->count - 1] : NULL;
}

void attempt_start(struct submission_step *s, struct attempts *a, const char *job) {
  struct attempt *new = attempts_add(a, (int32_t)a->count + 1);
  if (!new) return;
  new->started = whole_seconds(s->now);
  mem_replace(&new->job, job);
}

void attempt_finish(struct submission_step *s, struct attempt *a, const struct job *job, const char *reason,
                    const char *message) {
  bool known = job && job->finished > 0 && job->finished <= s->now;
  a->finished = whole_seconds(known ? job->finished : s->now);
  mem_replace(&a->reason, reason);
  mem_replace(&a->message, text_empty(message) ? NULL : message);
}

msec attempt_wait(const struct submission_step *s, const struct attempt *finished) {
  int number = finished->number < 1 ? 1 : finished->number > ATTEMPTS_MAX ? ATTEMPTS_MAX : finished->number;
  msec backoff = (msec)BACKOFF_FIRST << (number - 1);
  msec wait = finished->finished + backoff - s->now;
  return wait <= backoff ? wait : 0;  // the clock was set back: the old time is not waited for
}

// ---- its Job and Pod -----------------------------------------------------------------------------

enum job_state job_state_of(const struct submission_step *s, const struct job *job) {
  if (!job) return JOB_ABSENT;
  if (!text_equal(job->meta.owner_uid, s->view->self->meta.uid)) return JOB_FOREIGN;
  return job->complete || job->failed ? JOB_ENDED : JOB_RUNNING;
}

const struct pod *pod_of_job(const struct job *job, const struct pod *pod) {
  return job && pod && text_equal(pod->meta.owner_uid, job->meta.uid) ? pod : NULL;
}

const char *step_log(struct submission_step *s, const struct pod *pod, const char *container) {
  const struct submission_view *v = s->view;
  if (v->log_text && text_equal(v->log_pod_uid, pod->meta.uid) && text_equal(v->log_container, container))
    return v->log_text;
  s->log = pod;
  s->log_container = container;
  return NULL;
}

static bool is_waiting_for_image(const char *reason) {
  static const char *const reasons[] = {"ErrImagePull", "ImagePullBackOff", "ImageInspectError", "RegistryUnavailable"};
  for (unsigned i = 0; i < array_size(reasons); i++)
    if (text_equal(reason, reasons[i])) return true;
  return false;
}

// The kubelet swaps between two words and two messages while it tries; told apart, every turn of it
// would be a new condition. "Back-off pulling image "x": ErrImagePull: <why>" -> <why>.
static const char *pull_message(const char *message) {
  static const char marker[] = "ErrImagePull: ";
  const char *why = message ? strstr(message, marker) : NULL;
  return why ? why + strlen(marker) : message;
}

// By the node's clock: when its last container ended; 0 when that is not told.
static msec last_end(const struct pod *pod) {
  msec last = 0;
  for (unsigned i = 0; i < pod->container_count; i++)
    if (pod->containers[i].finished > last) last = pod->containers[i].finished;
  return last;
}

// What is left of a wait that began then, by another machine's clock; 0: nothing, or the clocks differ, and waiting
// would not end.
static msec grace_left(msec since, msec grace, msec now) {
  const msec left = since + grace - now;
  return left > 0 && left <= 2 * grace ? left : 0;
}

// A Pod that the kubelet ends by itself looks like one that was cut off for a moment: its sandbox is gone, and its end
// is not told yet. It is waited for.
void step_end_cut_off(struct submission_step *s, const struct pod *pod) {
  if (!pod || !pod->cut_off || pod->meta.deleted) return;
  const msec left = grace_left(last_end(pod), CUT_OFF_GRACE, s->now);
  if (left > 0)
    s->again = left;
  else
    s->cut_off = pod;
}

bool pod_is_stuck(const struct submission_step *s, const struct pod *p, const char **ret_reason,
                  char ret_message[LINE_MAX_BYTES]) {
  if (!p) return false;
  if (p->cut_off && (s->cut_off == p || p->meta.deleted)) {
    *ret_reason = "NodeRestarted";
    snprintf(ret_message, LINE_MAX_BYTES,
             "its node went down in the middle of it; what is left is removed, then it is tried again");
    return true;
  }
  if (!p->scheduled && p->unscheduled_message) {
    *ret_reason = "Unschedulable";
    words_clean(p->unscheduled_message, strlen(p->unscheduled_message), ret_message, LINE_MAX_BYTES);
    return true;
  }
  for (unsigned i = 0; i < p->container_count; i++) {
    const struct container_state *c = &p->containers[i];
    if (text_empty(c->waiting_reason) || text_equal(c->waiting_reason, "PodInitializing") ||
        text_equal(c->waiting_reason, "ContainerCreating"))
      continue;
    bool image = is_waiting_for_image(c->waiting_reason);
    const char *message = image ? pull_message(c->message) : c->message;
    *ret_reason = image ? "ImagePullBackOff" : intern_input(c->waiting_reason);
    words_clean(message ? message : "", message ? strlen(message) : 0, ret_message, LINE_MAX_BYTES);
    return true;
  }
  return false;
}

// ---- how it ended --------------------------------------------------------------------------------

void ending_set(struct ending *e, enum ending_kind kind, const char *reason, const char *format, ...) {
  va_list args;
  va_start(args, format);
  vsnprintf(e->message, sizeof(e->message), format, args);
  va_end(args);
  e->kind = kind;
  e->reason = reason;
}

static bool all_ended(const struct pod *pod) {
  if (text_equal(pod->phase, "Succeeded") || text_equal(pod->phase, "Failed")) return true;
  for (unsigned i = 0; i < pod->container_count; i++)
    if (!pod->containers[i].terminated) return false;
  return pod->container_count > 0;
}

// What it was stuck on when its time was up is known from the condition only.
static void too_late(const struct submission_step *s, const char *type, int seconds, struct ending *ret) {
  const struct condition *c = condition_find(&s->to.conditions, type);
  bool stuck = c && c->status == CONDITION_UNKNOWN && !text_equal(c->reason, "Building") &&
               !text_equal(c->reason, "Scanning") && !text_equal(c->reason, "Retrying");
  ending_set(ret, ENDING_FAILURE, DEADLINE, "it took longer than %d s%s%.*s", seconds, stuck ? "; " : "",
             stuck ? LINE_MAX_BYTES : 0, stuck && c->message ? c->message : "");
}

bool ending_from_outside(struct submission_step *s, const struct job *job, const struct pod *pod, const char *type,
                         int seconds, struct ending *ret) {
  if (pod && text_equal(pod->reason, DEADLINE)) {
    too_late(s, type, seconds, ret);
    return true;
  }
  // The Job's own deadline is far beyond its Pod's: no node took it.
  if (job->failed && text_equal(job->failed_reason, DEADLINE)) {
    ending_set(ret, ENDING_FAILURE, "Unschedulable", "it waited for a day for a node that has room for it");
    return true;
  }
  if (pod && !text_empty(pod->reason)) {
    char why[LINE_MAX_BYTES];
    words_clean(pod->message ? pod->message : "", pod->message ? strlen(pod->message) : 0, why, sizeof(why));
    ending_set(ret, ENDING_FAILURE, intern_input(pod->reason), "%s", why[0] ? why : "the node ended the Pod");
    return true;
  }
  if (pod && pod->disrupted) {
    ending_set(ret, ENDING_FAILURE, "Disrupted", "the platform took the Pod away from its node");
    return true;
  }
  if (pod && all_ended(pod)) return false;
  const msec left = grace_left(job->finished, POD_GRACE, s->now);
  if (left > 0) {
    s->again = left;
    ret->kind = ENDING_NONE;
  } else {
    ending_set(ret, ENDING_FAILURE, "PodLost", "the Pod is gone, and nobody saw how it ended");
  }
  return true;
}

bool ending_from_container(struct submission_step *s, const struct pod *pod, const struct container_state *c,
                           const char *reason, const char *memory, struct ending *ret) {
  if (text_equal(c->reason, "OOMKilled")) {
    ending_set(ret, ENDING_FAILURE, "OOMKilled", "it needed more than its %s of memory", memory);
    return true;
  }
  // The termination message is what the container wrote itself or, when it wrote nothing, the end of its log.
  char line[LINE_MAX_BYTES] = "";
  if (!text_empty(c->message)) words_error_line(c->message, line);
  if (!line[0]) {
    const char *log = step_log(s, pod, c->name);
    if (!log) return false;
    words_error_line(log, line);
  }
  if (line[0])
    ending_set(ret, ENDING_FAILURE, reason, "%s", line);
  else if (c->exit_code == OOM_EXIT)
    ending_set(ret, ENDING_FAILURE, reason, "it was killed (exit code %d) without a word", c->exit_code);
  else
    ending_set(ret, ENDING_FAILURE, reason, "it ended with exit code %d without a word", c->exit_code);
  return true;
}

bool ending_from_fetch(const struct container_state *c, enum ending_kind kind, struct ending *ret) {
  if (text_empty(c->message)) return false;
  cleanup_json json *words = json_parse(c->message, strlen(c->message), NULL);
  const char *reason = json_text(words, "reason"), *message = json_text(words, "message");
  if (text_empty(reason) || text_empty(message)) return false;
  char clean[sizeof(ret->message)];
  words_clean(message, strlen(message), clean, sizeof(clean));
  ending_set(ret, kind, intern_input(reason), "%s", clean);
  return true;
}
