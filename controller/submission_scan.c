// What is known to be wrong with the image: one Job for each attempt, at most SCAN_TRIES of them.
// A scanner that fails says nothing about the image; only a whole report does.
#include <stdio.h>
#include <string.h>

#include "arena/names.h"
#include "base/memory.h"
#include "base/str.h"

#include "scan_report.h"
#include "submission_parts.h"

static bool ended_well(const struct container_state *c) {
  return c && c->terminated && c->exit_code == 0;
}

static bool ended_badly(const struct container_state *c) {
  return c && c->terminated && c->exit_code != 0;
}

static void note_progress(struct submission_step *s, enum job_state state, const struct pod *pod, int number) {
  const char *reason = "Scanning";
  char why[LINE_MAX_BYTES], message[LINE_MAX_BYTES + 128];
  if (state == JOB_FOREIGN) {
    reason = "JobNameTaken";
    snprintf(message, sizeof(message),
             "Scan %d of %d waits: the Job of its name belongs to another object. Delete that Job.", number,
             SCAN_TRIES);
  } else if (pod_is_stuck(s, pod, &reason, why)) {
    snprintf(message, sizeof(message), "Scan %d of %d %s: %s", number, SCAN_TRIES,
             text_equal(reason, "Unschedulable") ? "waits for a node" : "cannot start", why[0] ? why : reason);
  } else {
    snprintf(message, sizeof(message), "Scan %d of %d looks for known vulnerabilities in the image.", number,
             SCAN_TRIES);
  }
  step_condition(s, SCANNED, CONDITION_UNKNOWN, reason, "%s", message);
  step_progress(s, "Scanning", reason, message);
}

// The report itself, from the log of the container that printed it. On success `ret_report` is the caller's.
static void read_report(struct submission_step *s, const struct pod *pod, struct scan_report *ret_report,
                        struct ending *ret) {
  const char *log = step_log(s, pod, "report");
  struct error e;
  if (!log) return;
  if (scan_report_parse(log, ret_report, &e)) {
    ending_set(ret, ENDING_FAILURE, "ReportMalformed", "%s", e.text);
  } else if (s->view->self->source == SOURCE_IMAGE && !ret_report->digest[0]) {
    scan_report_done(ret_report);
    ending_set(ret, ENDING_FAILURE, "DigestMissing", "the scan does not say which image it looked at");
  } else {
    ret->kind = ENDING_SUCCESS;
  }
}

static void how_it_ended(struct submission_step *s, const struct job *job, const struct pod *pod,
                         struct scan_report *ret_report, struct ending *ret) {
  const struct container_state *scan = pod_container(pod, "scan"), *report = pod_container(pod, "report");
  *ret = (struct ending){0};
  if (ending_from_outside(s, job, pod, SCANNED, SCAN_SECONDS, ret)) return;
  if (ended_badly(scan))
    ending_from_container(s, pod, scan, "ScanFailed", s->settings->scan_memory, ret);
  else if (ended_well(report))
    read_report(s, pod, ret_report, ret);
  else if (!ended_badly(report))
    ending_set(ret, ENDING_FAILURE, "PodLost", "the Pod ended before its containers ran");
  else if (!ending_from_fetch(report, ENDING_FAILURE, ret))
    ending_from_container(s, pod, report, "ReportMalformed", s->settings->scan_memory, ret);
}

static bool scanned(struct submission_step *s, struct attempt *attempt, const struct job *job,
                    struct scan_report *take) {
  const struct submission *self = s->view->self;
  if (self->source == SOURCE_IMAGE) {
    char image[IMAGE_SIZE];
    if (name_image_by_digest(image, self->image, take->digest) != 0) return false;
    mem_replace(&s->to.image, image);
    mem_replace(&s->to.digest, take->digest);
  }
  attempt_finish(s, attempt, job, "Succeeded", NULL);
  scan_done(&s->to.scan);
  s->to.scan = take->scan;
  s->to.scan.finished = attempt->finished;
  take->scan = (struct scan){0};
  int64_t all = 0, fixable = 0;
  for (int i = 0; i < SEVERITY_COUNT; i++) {
    all += s->to.scan.total[i];
    fixable += s->to.scan.fixable[i];
  }
  step_condition(s, SCANNED, CONDITION_TRUE, "Scanned", "%lld known vulnerabilities, %lld of them with a fix.",
                 (long long)all, (long long)fixable);
  return true;
}

static void given_up(struct submission_step *s, const struct attempt *last) {
  char message[1600];
  snprintf(
      message, sizeof(message),
      "Scan %d of %d failed: %s: %s. What is not scanned does not play: apply a new Submission once the scanner works, "
      "or tell the arena's operator.",
      last->number, SCAN_TRIES, last->reason, last->message ? last->message : "");
  step_condition(s, SCANNED, CONDITION_FALSE, "ScanFailed", "%s", message);
  step_fail(s, "Failed", "ScanFailed", message);
}

static bool may_try_again(struct submission_step *s, const struct attempt *failed) {
  msec wait = attempt_wait(s, failed);
  if (wait <= 0) return true;
  char message[1600];
  snprintf(message, sizeof(message), "Scan %d of %d failed and is tried again: %s: %s", failed->number, SCAN_TRIES,
           failed->reason, failed->message ? failed->message : "");
  step_condition(s, SCANNED, CONDITION_UNKNOWN, "Retrying", "%s", message);
  step_progress(s, "Scanning", "Retrying", message);
  s->again = wait;
  return false;
}

// What has become of the attempt that was last recorded as running: true when it has ended.
static bool look(struct submission_step *s, struct attempt *attempt) {
  unsigned index = s->to.scan_attempts.count - 1;
  const struct job *job = s->view->scan_jobs[index];
  const struct pod *pod = pod_of_job(job, s->view->scan_pods[index]);
  enum job_state state = job_state_of(s, job);
  struct ending e = {0};
  struct scan_report report = {0};
  if (pod) mem_replace(&attempt->pod, pod->meta.name);
  if (state == JOB_ENDED) how_it_ended(s, job, pod, &report, &e);
  if (e.kind == ENDING_NONE) {
    if (state == JOB_ABSENT) s->scan = (int)index + 1;
    if (state == JOB_RUNNING) step_end_cut_off(s, pod);
    note_progress(s, state, pod, (int)index + 1);
    return false;
  }
  if (e.kind == ENDING_SUCCESS && !scanned(s, attempt, job, &report))
    ending_set(&e, ENDING_FAILURE, "DigestMissing", "the image's name by digest does not fit");
  if (e.kind != ENDING_SUCCESS) attempt_finish(s, attempt, job, e.reason, e.message);
  scan_report_done(&report);
  return true;
}

static void start(struct submission_step *s) {
  char job[NAME_SIZE];
  name_scan_job(job, s->view->self->meta.name, (int)s->to.scan_attempts.count + 1);
  attempt_start(s, &s->to.scan_attempts, job);
  look(s, attempt_last(&s->to.scan_attempts));
}

bool submission_scan(struct submission_step *s) {
  if (condition_is_true(&s->to.conditions, SCANNED)) return true;
  struct attempt *last = attempt_last(&s->to.scan_attempts);
  if (last && !last->finished && !look(s, last)) return false;
  if (condition_is_true(&s->to.conditions, SCANNED)) return true;
  if (last && last->number >= SCAN_TRIES)
    given_up(s, last);
  else if (!last || may_try_again(s, last))
    start(s);
  return false;
}
