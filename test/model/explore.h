// Walks through all states that a scenario can reach.
#pragma once

#include "scenario.h"

struct outcome_of_run {
  bool ok;
  bool complete;  // false: the limit of states was reached
  size_t states, edges, settled, deepest;
};

// Depth first, every state once. On a contradiction the shortest story that was found is printed.
struct outcome_of_run explore(const struct scenario *s, size_t limit);
// Random ways from the beginning to the end; for sanitizers, and for budgets that no search can exhaust.
struct outcome_of_run explore_randomly(const struct scenario *s, unsigned ways, uint64_t seed);
