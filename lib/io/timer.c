#include "io/timer.h"

#include <stdlib.h>

#include "base/memory.h"

struct timer {
  uv_timer_t handle;
  uv_idle_t soon;  // no delay: before the loop waits
  unsigned open;   // handles that are not closed yet
  timer_fn *fn;
  void *context;
};

struct timer *timer_new(uv_loop_t *loop, timer_fn *fn, void *context) {
  struct timer *t = mem_alloc(sizeof(*t));
  uv_timer_init(loop, &t->handle);
  uv_idle_init(loop, &t->soon);
  t->handle.data = t->soon.data = t;
  t->open = 2;
  t->fn = fn;
  t->context = context;
  return t;
}

static void on_due(uv_timer_t *handle) {
  struct timer *t = handle->data;
  t->fn(t->context);  // may free t
}

static void on_soon(uv_idle_t *handle) {
  struct timer *t = handle->data;
  uv_idle_stop(handle);
  t->fn(t->context);  // may free t
}

// Without delay it is not one of the loop's timers: these have whole milliseconds, and one that sets itself again would
// keep the loop from everything else.
void timer_set(struct timer *t, msec delay) {
  if (delay <= 0 && uv_is_active((uv_handle_t *)&t->soon)) return;
  timer_clear(t);
  if (delay <= 0) {
    uv_idle_start(&t->soon, on_soon);
    return;
  }
  // The loop's clock stands still while a callback runs: the delay counts from now all the same.
  uint64_t now = uv_hrtime() / 1000000, loop_now = uv_now(t->handle.loop);
  uint64_t lag = now > loop_now ? now - loop_now : 0;
  uv_timer_start(&t->handle, on_due, (uint64_t)delay + lag, 0);
}

void timer_clear(struct timer *t) {
  uv_timer_stop(&t->handle);
  uv_idle_stop(&t->soon);
}

bool timer_is_set(const struct timer *t) {
  return uv_is_active((const uv_handle_t *)&t->handle) || uv_is_active((const uv_handle_t *)&t->soon);
}

static void on_closed(uv_handle_t *handle) {
  struct timer *t = handle->data;
  if (--t->open == 0) free(t);
}

void timer_free(struct timer *t) {
  if (!t) return;
  uv_close((uv_handle_t *)&t->handle, on_closed);
  uv_close((uv_handle_t *)&t->soon, on_closed);
}
