// The two orders of a pass: by turn and by any number.
#pragma once

#include "arena/pairing.h"

struct keyed {
  uint64_t key;
  uint32_t index;
};

// Stable, by key; linear in count. `scratch` has room for as many.
void order_sort(struct keyed *items, struct keyed *scratch, size_t count);

// Fills ret with the indexes of the agents that have room, in the order of their turns, and returns how many.
size_t order_turns(const struct pairing_agent *agents, size_t count, struct keyed *ret, struct keyed *scratch);
