// Who played whom lately, as the pass needs it: the agents that occur, numbered, each with the
// numbers of its opponents.
#pragma once

#include "arena/pairing.h"

struct recent_agent {
  uint32_t number;
  uint32_t count, room;
  uint32_t *opponents;
};

size_t recent_count(const struct pairing_recent *r);                                     // numbers are below this
const struct recent_agent *recent_find(const struct pairing_recent *r, const char *id);  // NULL: none
