#include "io/timer.h"

#include <stdlib.h>

#include "base/memory.h"

struct timer {
  uv_timer_t handle;
  timer_fn *fn;
  void *context;
};

struct timer *timer_new(uv_loop_t *loop, timer_fn *fn, void *context) {
  struct timer *t = mem_alloc(sizeof(*t));
  uv_timer_init(loop, &t->handle);
  t->handle.data = t;
  t->fn = fn;
  t->context = context;
  return t;
}

static void on_due(uv_timer_t *handle) {
  struct timer *t = handle->data;
  t->fn(t->context);  // may free t
}

void timer_set(struct timer *t, msec delay) {
  // The loop's clock stands still while a callback runs: the delay counts from now all the same. At
  // least one tick, or a timer that sets itself again would keep the loop from everything else.
  uint64_t now = uv_hrtime() / 1000000, loop_now = uv_now(t->handle.loop);
  uint64_t lag = now > loop_now ? now - loop_now : 0;
  uint64_t due = (delay > 0 ? (uint64_t)delay : 0) + lag;
  uv_timer_start(&t->handle, on_due, due > 0 ? due : 1, 0);
}

void timer_clear(struct timer *t) {
  uv_timer_stop(&t->handle);
}

bool timer_is_set(const struct timer *t) {
  return uv_is_active((const uv_handle_t *)&t->handle);
}

static void on_closed(uv_handle_t *handle) {
  free(handle->data);
}

void timer_free(struct timer *t) {
  if (t) uv_close((uv_handle_t *)&t->handle, on_closed);
}
