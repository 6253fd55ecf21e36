// Conditions and phase of a Submission, so that kstatus, `kubectl wait` and a person all see the same.
#include <stdarg.h>
#include <stdio.h>

#include "base/memory.h"

#include "submission_parts.h"

#define RECONCILING "Reconciling"
#define STALLED "Stalled"

static void set(struct submission_step *s, const char *type, enum condition_status status, const char *reason,
                const char *message) {
  condition_set(&s->to.conditions, type, status, reason, s->view->self->meta.generation, s->now, "%s", message);
}

void step_condition(struct submission_step *s, const char *type, enum condition_status status, const char *reason,
                    const char *format, ...) {
  char message[2048];
  va_list args;
  va_start(args, format);
  vsnprintf(message, sizeof(message), format, args);
  va_end(args);
  set(s, type, status, reason, message);
}

static void whole(struct submission_step *s, const char *phase, enum condition_status ready, const char *reason,
                  const char *message) {
  mem_replace(&s->to.phase, phase);
  set(s, READY, ready, reason, message);
}

void step_progress(struct submission_step *s, const char *phase, const char *reason, const char *message) {
  whole(s, phase, CONDITION_UNKNOWN, reason, message);
  set(s, RECONCILING, CONDITION_TRUE, reason, message);
  condition_remove(&s->to.conditions, STALLED);
}

void step_wait(struct submission_step *s, const char *phase, const char *reason, const char *message) {
  whole(s, phase, CONDITION_FALSE, reason, message);
  set(s, RECONCILING, CONDITION_TRUE, reason, message);
  condition_remove(&s->to.conditions, STALLED);
}

void step_fail(struct submission_step *s, const char *phase, const char *reason, const char *message) {
  whole(s, phase, CONDITION_FALSE, reason, message);
  set(s, STALLED, CONDITION_TRUE, reason, message);
  condition_remove(&s->to.conditions, RECONCILING);
}

void step_ready(struct submission_step *s, const char *message) {
  whole(s, "Ready", CONDITION_TRUE, "Ready", message);
  condition_remove(&s->to.conditions, RECONCILING);
  condition_remove(&s->to.conditions, STALLED);
}
