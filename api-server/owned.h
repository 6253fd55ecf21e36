// Whose agent it is: what every write to one asks first.
#pragma once

#include <stdbool.h>

#include "exchange.h"

struct owned_agent {
  const char *id, *object_name, *owner, *environment, *display_name;
  const char *queue_state;   // "Idle"...
  const char *queue_reason;  // a sentence
  bool has_active, enabled, suspended;
};

// Finds the agent of that id and calls `fn` with it (borrowed for the call) when the asking user owns it; otherwise
// answers with 404 or 403. What `fn` needs beside it is in the exchange.
typedef void owned_agent_fn(struct exchange *x, const struct owned_agent *a);
void owned_agent(struct exchange *x, const char *id, owned_agent_fn *fn);
