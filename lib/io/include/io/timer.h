// One-shot timers on the loop.
#pragma once

#include <stdbool.h>

#include <uv.h>

#include "base/clock.h"

struct timer;
typedef void timer_fn(void *context);

struct timer *timer_new(uv_loop_t *loop, timer_fn *fn, void *context);
void timer_set(struct timer *t, msec delay);  // replaces an earlier setting; 0: before the loop waits, in no order
void timer_clear(struct timer *t);
bool timer_is_set(const struct timer *t);
void timer_free(struct timer *t);  // NULL is fine; fn is never called after
