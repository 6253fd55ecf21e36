// The only door to threads: a piece of computing (a password hash) that would hold up the loop. The threads run at a
// lower priority than the loop.
#pragma once

#include <stdbool.h>

#include <uv.h>

struct work;
// `run` is on a thread of the pool: it touches nothing but `data`. `done` comes on the loop afterwards and owns data.
typedef void work_run_fn(void *data);
typedef void work_done_fn(void *data);

// At most `max_running` at once, at most `max_waiting` in line.
struct work *work_new(uv_loop_t *loop, unsigned max_running, unsigned max_waiting);
// false: the line is full, nothing was taken (answer 429/503 and say so).
bool work_start(struct work *w, work_run_fn *run, work_done_fn *done, void *data);
void work_free(struct work *w);  // waits for what runs; `done` still comes for all of it, from inside
