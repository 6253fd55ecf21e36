// Who played whom lately, as the pass needs it: the agents that occur, numbered, each with the
// numbers of its opponents.
#pragma once

#include "arena/pairing.h"

#include "pairing_words.h"

struct recent_agent {
  char *id;
  uint32_t count, room;
  uint32_t *opponents;
};

struct pairing_recent {
  struct words numbers;  // by id
  struct recent_agent *agents;
  size_t room;
};
