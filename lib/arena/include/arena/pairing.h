// One pass of the matchmaker over the waiting agents of one environment. Pure; O(n log n).
//
// By priority (lower first), then time of entry, then id, each agent takes the nearest Elo among
// those left that suits both sides: both ranges, cooldown of the pair, owners, limits. Among equals
// at the same distance: priority, then time of entry, then id. Nobody is in more pairs than its
// `room`. The same input in any order gives the same pairs.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"

struct pairing_agent {
  const char *id;     // unique; the agent's name
  const char *owner;
  int32_t elo;
  uint8_t priority;   // 1..10
  msec enqueued;
  int32_t room;       // matches it may still be given in this pass (limits and daily cap already taken off)
};

struct pairing_rules {
  int32_t range, step, max_range;
  int32_t widen_seconds;
  bool allow_same_owner;
  int32_t max_pairs;  // of this pass; < 0: no limit
};

// Pairs that played too recently. Built once for a pass.
struct pairing_recent;
struct pairing_recent *pairing_recent_new(void);
void pairing_recent_add(struct pairing_recent *r, const char *id_a, const char *id_b);
void pairing_recent_free(struct pairing_recent *r);

struct pairing_pair {
  size_t first, second;  // indexes into the input; first has the earlier turn
};

// How far an agent that waits since `enqueued` looks now.
int32_t pairing_range(const struct pairing_rules *rules, msec enqueued, msec now);

// Fills ret (room for count/2 * max room; use count) and returns the number of pairs. `recent` may be NULL.
size_t pairing_run(const struct pairing_agent *agents, size_t count, const struct pairing_rules *rules,
                   const struct pairing_recent *recent, msec now, struct pairing_pair *ret, size_t max_ret);
