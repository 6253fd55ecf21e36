// Any order of wishes and completions: a key is never handed out twice at a time, never more keys
// than allowed are, and every wish is followed by a look that started after it.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "kube/workqueue.h"

#include "random.h"

enum { KEYS = 6, CONCURRENCY = 3, STEPS = 300, RUNS = 50 };

static uint64_t seed;

struct world {
  struct random random;
  uv_loop_t loop;
  struct workqueue *queue;
  bool busy[KEYS];
  bool wished[KEYS];  // since the last look
  size_t busy_count;
};

static const char *const keys[KEYS] = {"A/0", "A/1", "A/2", "A/3", "A/4", "A/5"};

static void finish(struct world *w, int key) {
  w->busy[key] = false;
  w->busy_count--;
  bool failed = random_below(&w->random, 4) == 0;
  if (failed) w->wished[key] = true;
  msec again = random_below(&w->random, 8) == 0 ? 1 : 0;
  if (!failed && again > 0) w->wished[key] = true;
  workqueue_done(w->queue, keys[key], failed, failed ? random_below(&w->random, 3) : 0, again);
}

static void handle(void *context, const char *text) {
  struct world *w = context;
  int key = text[2] - '0';
  assert_false(w->busy[key]);
  w->busy[key] = true;
  w->wished[key] = false;
  w->busy_count++;
  assert_true(w->busy_count <= CONCURRENCY);
  assert_int_equal(workqueue_busy(w->queue), w->busy_count);
  if (random_below(&w->random, 3) == 0) finish(w, key);
}

static void step(struct world *w) {
  int key = (int)random_below(&w->random, KEYS);
  switch (random_below(&w->random, 4)) {
    case 0:
      w->wished[key] = true;
      workqueue_add(w->queue, keys[key]);
      break;
    case 1:
      w->wished[key] = true;
      workqueue_add_after(w->queue, keys[key], random_below(&w->random, 3));
      break;
    case 2:
      if (w->busy[key]) finish(w, key);
      break;
    default: uv_run(&w->loop, UV_RUN_NOWAIT);
  }
}

static bool anything_busy(struct world *w) {
  for (int key = 0; key < KEYS; key++) {
    if (!w->busy[key]) continue;
    finish(w, key);
    return true;
  }
  return false;
}

static void test_wishes(void **state) {
  (void)state;
  for (unsigned run = 0; run < RUNS; run++) {
    struct world w = {.random = {seed + run}};
    uv_loop_init(&w.loop);
    w.queue = workqueue_new(&w.loop, "test", CONCURRENCY, handle, &w, NULL);
    workqueue_start(w.queue);
    for (int i = 0; i < STEPS; i++) step(&w);
    do uv_run(&w.loop, UV_RUN_DEFAULT);
    while (anything_busy(&w));
    for (int key = 0; key < KEYS; key++) assert_false(w.wished[key]);
    assert_int_equal(workqueue_depth(w.queue), 0);
    workqueue_free(w.queue);
    uv_run(&w.loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&w.loop), 0);
  }
}

int main(void) {
  seed = random_seed();
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_wishes)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
