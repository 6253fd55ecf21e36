// Allowances: a bucket of tokens for each kind of request and whoever makes it, filled evenly over a minute.
// Nothing here reads a clock. A bounded number of buckets is kept; full ones are forgotten first, since a new one is
// full as well.
#pragma once

#include <stdbool.h>

#include "base/clock.h"

#include "route.h"

struct limits;
struct settings;

struct limits *limits_new(const struct settings *s);
void limits_free(struct limits *l);

struct allowance {
  int limit;      // a minute
  int remaining;  // whole requests left
  msec full_at;   // when all of it is there again
  msec next_at;   // when one more is possible; now, unless remaining is 0
};

// Takes one. `who` is a user's id or an address; false: nothing was left. LIMIT_NOTHING takes nothing and shows the
// general allowance.
bool limits_take(struct limits *l, enum route_limit kind, const char *who, msec now, struct allowance *ret);
unsigned limits_count(const struct limits *l);  // buckets kept
