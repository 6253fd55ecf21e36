// For how long this process has seen something be so, by the monotonic clock.
//
// The times in a Pod or a Job are those of the API server and of its node; the wall clock here may be another,
// and may be set. How long something is waited for is measured by watching it: what is judged overdue was so for
// that long at least, whatever any clock says. A process that is new begins to count anew.
#pragma once

#include "base/clock.h"
#include "base/map.h"

struct sight {
  char *uid;
  unsigned stage;
  msec since;
};

struct map *seen_new(void);  // by name: struct sight
// Since the first call with this uid and stage in a row; 0 at that one. `now` is monotonic.
msec seen_for(struct map *seen, const char *name, const char *uid, unsigned stage, msec now);
