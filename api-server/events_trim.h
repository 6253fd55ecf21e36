// The end of old events: 15 minutes of them are kept, and at most 100,000; the newest always, so that what the table
// holds tells what can be resumed.
#pragma once

#include "io/db.h"
#include "io/timer.h"

struct events_trim;

struct events_trim *events_trim_new(uv_loop_t *loop, struct db *db);
void events_trim_start(struct events_trim *t);
void events_trim_stop(struct events_trim *t);
void events_trim_free(struct events_trim *t);
