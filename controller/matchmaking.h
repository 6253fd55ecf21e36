// MatchmakingQueue: who waits is paired, every interval.
#pragma once

#include "arena/wire.h"

#include "agent.h"
#include "plan.h"

// An agent of the environment with what its matches say.
struct matchmaking_agent {
  const struct agent *agent;
  struct agent_record record;
};

struct matchmaking_view {
  const struct queue *self;
  const struct matchmaking_agent *agents;  // all of the environment's
  size_t agent_count;
  const struct match *const *matches;  // all of the environment's
  size_t match_count;
  const struct wire_environments *playable;
  bool mirrored;  // there is a front: no match may go before it is in its PostgreSQL
};

// Pure.
void matchmaking_decide(const struct matchmaking_view *v, msec now, struct plan *ret);
