// The list of what the executor can play, asked for now and then and kept in the manager. Queues look at it when
// they are due: nobody waits for it.
#pragma once

#include "manager.h"

struct environments;

struct environments *environments_new(struct manager *m, struct http *http);
void environments_start(struct environments *x);
void environments_free(struct environments *x);  // NULL is fine
