// One pass of the matchmaker over the waiting agents of one environment. Pure.
//
// By priority (lower first), then time of entry, then id, each agent takes the nearest Elo among
// those left that suits both sides: both ranges, cooldown of the pair, owners, limits. Among equals
// at the same distance: priority, then time of entry, then id. Agents with room for more get it in
// further rounds of the same kind, after everybody had a turn; the same two never twice in a pass.
// Nobody is in more pairs than its `room`. The same input in any order gives the same pairs.
//
// Time: O((n + m) log n) for each round, with m recent pairs among the waiting; one round where every
// room is 1, at most as many as the largest room. Equal entries in time are sorted by comparing ids.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"

struct pairing_agent {
  const char *id;  // unique; the agent's name
  const char *owner;
  int32_t elo;
  uint8_t priority;  // 1..10
  msec enqueued;
  int32_t room;  // matches it may still be given in this pass (limits and daily cap already taken off)
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

// How far an agent that waits since `enqueued` looks now: as far as it can when that lies ahead by more than a step.
int32_t pairing_range(const struct pairing_rules *rules, msec enqueued, msec now);

// Fills ret and returns the number of pairs: at most max_ret, and at most half the sum of all rooms
// (count/2 where each room is 1). `recent` may be NULL. Pairs stand in the order in which they were made.
size_t pairing_run(const struct pairing_agent *agents, size_t count, const struct pairing_rules *rules,
                   const struct pairing_recent *recent, msec now, struct pairing_pair *ret, size_t max_ret);
