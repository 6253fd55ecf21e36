// What can happen next in a state, and doing it.
#pragma once

#include "model.h"

enum step_kind {
  STEP_ANSWER,   // a request is served and its answer arrives; with scenario.split only the second half
  STEP_SERVE,    // with scenario.split: a request reaches the API server
  STEP_RESEND,   // a write that had no answer is sent again
  STEP_LOOK,     // a key that waits is looked at; a = kind, b = key
  STEP_WATCH,    // a cache is told one event
  STEP_FINISH,   // a game ends; a = game, b = result
  STEP_START,    // a Pod becomes Ready
  STEP_VANISH,   // a Pod that is being deleted is gone
  STEP_COLLECT,  // the garbage collector
  STEP_JOB,      // a Job ends; b = how
  STEP_AGAIN,    // a user applies again what was deleted
  STEP_RESTART,  // of a dead controller
  STEP_TICK,     // time passes up to the next timer
  STEP_FAULT,    // b = enum fault, a = which
};

struct step {
  uint8_t kind, a, b;
};

enum { STEPS_MAX = 192, LABEL_MAX = 96 };

// All that can happen: the controller and the cluster first, then time, which passes only when nothing
// before it has changed anything, faults last. `any`: looks at keys that do not wait are among them.
unsigned steps_list(struct step ret[STEPS_MAX], bool any);
void step_label(struct step s, char ret[LABEL_MAX]);  // in the state in which it is possible
void step_do(struct step s);
static inline bool step_is_fault(struct step s) {
  return s.kind == STEP_FAULT;
}
bool steps_time_is_up(void);  // a timer is still to come, and no more time is to pass
