// What a run of the model begins with, and what may happen in it.
#pragma once

#include <stdint.h>

#include "base/clock.h"

#include "manager.h"

// How a game ends.
enum result {
  RESULT_FIRST,   // the first seat wins
  RESULT_SECOND,  // the second
  RESULT_DRAW,
  RESULT_FORFEIT,     // of the second seat
  RESULT_BOTH,        // forfeit
  RESULT_ERROR,       // the executor's own
  RESULT_DISCONNECT,  // the first seat's Pod stopped answering
  RESULT_COUNT
};

enum job_end { JOB_OK, JOB_BREAKS, JOB_REFUSED, JOB_EVICTED, JOB_END_COUNT };

// What goes wrong, or comes from outside, at any moment, as long as the budget lasts.
enum fault {
  FAULT_CRASH,        // of the controller
  FAULT_LOST_ANSWER,  // a write is done, its answer is lost
  FAULT_TWICE,        // a write is done, and comes again on its way: the second one is answered
  FAULT_REFUSED,      // a request fails and is not done
  FAULT_RELIST,       // a watch misses what it has not delivered, and lists again
  FAULT_LOOK,         // a key is looked at though nothing changed
  FAULT_EARLY,        // time passes though there is work to do
  FAULT_BUSY,         // the executor has no place
  FAULT_UNAVAILABLE,  // the call fails; the game goes on
  FAULT_EXECUTOR,     // the executor starts anew and knows nothing; its calls fail
  FAULT_EVICTED,      // an agent's Pod is ended by the cluster
  FAULT_POD_DELETED,  // by somebody
  FAULT_EXITED,       // an agent's container ends by itself
  FAULT_JOB_DELETED,  // by somebody
  FAULT_USER,         // one of the scenario's removals
  FAULT_COUNT
};

enum { REMOVALS_MAX = 6 };

struct scenario {
  const char *name, *what;
  void (*begin)(void);                  // what is there, and has come to rest
  void (*then)(void);                   // what is applied to it; NULL: nothing, `begin` itself is what is explored
  const char *(*log)(const char *pod);  // what a container has printed; NULL: nothing
  bool looks[RECONCILER_COUNT];         // kinds that the controller reconciles here
  unsigned lag[CACHE_COUNT];            // events that each cache may be behind
  unsigned past;                        // events that the first lists of a new controller may miss
  unsigned faults;                      // budget
  uint32_t may;                         // bits of enum fault
  uint32_t results, job_ends;           // bits
  unsigned ticks;                       // how often time may pass when nothing else can happen
  msec horizon;                         // timers later than this are not waited for
  bool any;                             // any key may be looked at at any moment, not only those that wait
  bool split;                           // requests and their answers are two steps
  bool slow_pods;                       // Pods become Ready, and are gone, some time later
  bool slow_gc;                         // children of a deleted owner remain for a while
  int limit;                            // maxConcurrentMatchesPerAgent
  bool small;                           // explored under the sanitizers too, where every step takes ten times as long
  // Objects that a user may delete, and what is applied instead some time later (NULL: nothing). Without a name: any.
  struct {
    const char *kind, *name, *again;
  } removals[REMOVALS_MAX];
};

#define BIT(n) (UINT32_C(1) << (n))
