#include "io/stop.h"

#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/memory.h"

struct stop {
  uv_signal_t term, interrupt;
  stop_fn *fn;
  void *context;
  bool asked;
  int open;  // handles that are not closed yet
};

static void on_signal(uv_signal_t *handle, int number) {
  struct stop *s = handle->data;
  if (s->asked) _exit(128 + number);
  s->asked = true;
  s->fn(s->context);
}

static void watch(uv_loop_t *loop, uv_signal_t *handle, int number, struct stop *s) {
  uv_signal_init(loop, handle);
  handle->data = s;
  uv_signal_start(handle, on_signal, number);
  uv_unref((uv_handle_t *)handle);  // waiting for a signal is no reason for the loop to go on
  s->open++;
}

struct stop *stop_new(uv_loop_t *loop, stop_fn *fn, void *context) {
  struct stop *s = mem_alloc(sizeof(*s));
  s->fn = fn;
  s->context = context;
  watch(loop, &s->term, SIGTERM, s);
  watch(loop, &s->interrupt, SIGINT, s);
  return s;
}

static void on_closed(uv_handle_t *handle) {
  struct stop *s = handle->data;
  if (--s->open == 0) free(s);
}

void stop_free(struct stop *s) {
  if (!s) return;
  uv_close((uv_handle_t *)&s->term, on_closed);
  uv_close((uv_handle_t *)&s->interrupt, on_closed);
}
