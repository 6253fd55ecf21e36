// Submission: source -> build -> scan -> verdict.
#pragma once

#include "children.h"
#include "plan.h"
#include "settings.h"

// Everything a decision looks at; borrowed from the caches. Absent objects are NULL.
struct submission_view {
  const struct submission *self;
  const struct agent *agent;
  const struct queue *queue;        // of the agent's environment
  int32_t highest_sibling_version;  // over all submissions of the agent (0: none has one)
  bool is_next_unversioned;         // no older submission of the agent waits for a version
  const struct job *build_jobs[ATTEMPTS_MAX], *scan_jobs[ATTEMPTS_MAX];  // by attempt number - 1
  const struct pod *build_pods[ATTEMPTS_MAX], *scan_pods[ATTEMPTS_MAX];
  // A log read for an earlier decision: of the pod with this uid and container; NULL when none.
  const char *log_pod_uid, *log_container, *log_text;
};

// Pure.
void submission_decide(const struct submission_view *v, const struct settings *settings, msec now, struct plan *ret);

// The Jobs as they are sent (pure): submission_jobs.c
json *submission_build_job(const struct submission *s, int version, int attempt, const struct settings *settings);
json *submission_scan_job(const struct submission *s, const char *image, int attempt, const struct settings *settings);
// The ConfigMap of an inline source from the whole Submission object. Keys are f0, f1... in the order of
// submission.files, since ConfigMap keys cannot hold "/"; the build Job maps them back to paths.
json *submission_source(json *object, const struct submission *s, struct error *e);
