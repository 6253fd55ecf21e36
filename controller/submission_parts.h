// What the stages of a Submission's decision share: number -> build -> scan -> verdict.
//
// Every stage works on `to`, a copy of the status, and notes what should be done once that status
// is written: a Job exists only after its attempt is recorded, so that a crash between the two
// leaves a recorded attempt without a Job (which is made again) and never a Job that nobody counts.
#pragma once

#include "submission.h"

#define FETCHED "Fetched"
#define BUILT "Built"
#define SCANNED "Scanned"
#define READY "Ready"

enum {
  LINE_MAX_BYTES = 480,  // of an error line that is quoted in a condition: leaves room for what to do about it
  DIGEST_SIZE = 72,      // "sha256:" + 64 + NUL
  SCAN_TRIES = 4,
  SCAN_SECONDS = 900,
};

struct submission_step {
  const struct submission_view *view;
  const struct settings *settings;
  msec now;
  struct submission_status to;
  // To be done when `to` is written:
  json *agent_patch;          // gives the version; owned
  int build, scan;            // the attempt whose Job is missing; 0: none
  const struct pod *cut_off;  // to be deleted, so that its Job ends; NULL: none
  const struct pod *log;      // whose log is needed for the next decision; NULL: none
  const char *log_container;
  msec again;  // look again after this long; 0: only when something changes
};

// ---- conditions: submission_conditions.c ---------------------------------------------------------

void step_condition(struct submission_step *s, const char *type, enum condition_status status, const char *reason,
                    const char *format, ...) __attribute__((format(printf, 5, 6)));
// What becomes of it as a whole; each sets phase, Ready and (only when they hold) Reconciling or Stalled.
void step_progress(struct submission_step *s, const char *phase, const char *reason,
                   const char *message);                                                                // Ready=Unknown
void step_wait(struct submission_step *s, const char *phase, const char *reason, const char *message);  // Ready=False
void step_fail(struct submission_step *s, const char *phase, const char *reason, const char *message);  // Stalled
void step_ready(struct submission_step *s, const char *message);

// ---- attempts: submission_attempt.c --------------------------------------------------------------

enum ending_kind {
  ENDING_NONE,  // it runs, or what it left behind is not known yet
  ENDING_SUCCESS,
  ENDING_FAILURE,  // may be tried again
  ENDING_REFUSED,  // can never work
};

struct ending {
  enum ending_kind kind;
  bool fetching;       // the source did not arrive
  const char *reason;  // interned, CamelCase
  char message[1024];
  char digest[DIGEST_SIZE];
};

void ending_set(struct ending *e, enum ending_kind kind, const char *reason, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

// What ended the Pod or the Job from outside (deadline, eviction, a lost Pod) rather than by a
// container's exit. False: nothing did. May ask to look again while the Pod's end is not seen yet.
// `type` is the condition that told what it was waiting for, `seconds` its deadline.
bool ending_from_outside(struct submission_step *s, const struct job *job, const struct pod *pod, const char *type,
                         int seconds, struct ending *ret);
// From a container that ended with an error: OOMKilled, or `reason` with the last line of error.
// False when its log is needed first; then it has been asked for.
bool ending_from_container(struct submission_step *s, const struct pod *pod, const struct container_state *c,
                           const char *reason, const char *memory, struct ending *ret);
// {"reason","message"} as fetch leaves it; false when it is something else.
bool ending_from_fetch(const struct container_state *c, enum ending_kind kind, struct ending *ret);
// The log of this container if it was read; otherwise NULL, and it is asked for.
const char *step_log(struct submission_step *s, const struct pod *pod, const char *container);

struct attempt *attempt_last(struct attempts *a);  // NULL: none
void attempt_start(struct submission_step *s, struct attempts *a, const char *job);
void attempt_finish(struct submission_step *s, struct attempt *a, const struct job *job, const char *reason,
                    const char *message);
// Milliseconds until the attempt after this finished one may start; <= 0: now.
msec attempt_wait(const struct submission_step *s, const struct attempt *finished);

// A Pod that will never end by itself is deleted: its Job then fails, and the attempt with it.
void step_end_cut_off(struct submission_step *s, const struct pod *pod);
// Why a Pod does not get on, in one word and a sentence ("" when nobody says); false when it does.
// After step_end_cut_off, which tells whether it is waited for.
bool pod_is_stuck(const struct submission_step *s, const struct pod *p, const char **ret_reason,
                  char ret_message[LINE_MAX_BYTES]);

// Only a Job and a Pod that are really this attempt's count.
enum job_state { JOB_ABSENT, JOB_FOREIGN, JOB_RUNNING, JOB_ENDED };
enum job_state job_state_of(const struct submission_step *s, const struct job *job);
const struct pod *pod_of_job(const struct job *job, const struct pod *pod);

// ---- words: submission_words.c -------------------------------------------------------------------

// The last line of a build's or scan's output that says what went wrong, cleaned and cut; "" when there is none.
void words_error_line(const char *log, char ret[LINE_MAX_BYTES]);
// Printable text in one line, cut between characters.
void words_clean(const char *text, size_t length, char *ret, size_t size);
bool words_is_digest(const char *text, char ret[DIGEST_SIZE]);  // white space around it is fine
// What the author (or operator) can do about a failure of this reason, with this error line.
const char *words_advice(const char *reason, const char *message);

// ---- stages: true when the next one may go on ----------------------------------------------------

bool submission_number(struct submission_step *s);   // submission_number.c
bool submission_build(struct submission_step *s);    // submission_build.c
bool submission_scan(struct submission_step *s);     // submission_scan.c
void submission_verdict(struct submission_step *s);  // submission_verdict.c

// True when Fetched, Built or Scanned is False, which only an end for good sets.
bool submission_has_failed(const struct submission_status *status);
