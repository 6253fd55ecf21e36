// Carrying out a plan against the API server, one action after the other.
#pragma once

#include "manager.h"

// `e` NULL: all actions are done and the caches show them. Otherwise the first failure.
typedef void apply_done_fn(void *context, const struct error *e);

// Takes the plan's actions. `done` comes from the loop, never from inside this call.
void apply_start(struct manager *m, struct plan *take, apply_done_fn *done, void *context);
