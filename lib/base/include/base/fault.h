// Places where a test kills this process: before and after whatever leaves a trace outside of it.
// Nothing at all unless built with -Dfault_points=true.
//
//   FAULT_AT=N        at the N-th place that is passed the process gets SIGKILL, as from a node that dies
//   FAULT_ONLY=GLOB   only places whose name is like this count, such as "after POST */pods"
//   FAULT_SIGNAL=STOP then it gets SIGSTOP instead
//   FAULT_LIST=FILE   the name of each place is appended to FILE as it is passed
#pragma once

#ifdef ARENA_FAULT_POINTS
enum { FAULT_POINTS = 1 };
void fault_point(const char *when, const char *what, const char *which);
#else
enum { FAULT_POINTS = 0 };
static inline void fault_point(const char *when, const char *what, const char *which) {
  (void)when;
  (void)what;
  (void)which;
}
#endif
