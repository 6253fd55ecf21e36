// The queue of keys: once in it, one at a time, late ones remembered, failures with patience.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/str.h"
#include "kube/workqueue.h"

struct fixture {
  uv_loop_t loop;
  struct workqueue *queue;
  struct str log;  // the keys handed out
  bool hold;       // the handler leaves the key busy
  unsigned fail;   // the next so many fail
  msec min_delay, again;
};

static void handle(void *context, const char *key) {
  struct fixture *f = context;
  str_add_format(&f->log, "%s ", key);
  if (f->hold) return;
  bool failed = f->fail > 0;
  if (failed) f->fail--;
  msec again = f->again;
  f->again = 0;
  workqueue_done(f->queue, key, failed, failed ? f->min_delay : 0, again);
}

static int setup(void **state) {
  struct fixture *f = mem_alloc(sizeof *f);
  uv_loop_init(&f->loop);
  f->queue = workqueue_new(&f->loop, "test", 2, handle, f, NULL);
  f->log = STR_INIT(10000);
  *state = f;
  return 0;
}

static int teardown(void **state) {
  struct fixture *f = *state;
  workqueue_free(f->queue);
  uv_run(&f->loop, UV_RUN_DEFAULT);
  assert_int_equal(uv_loop_close(&f->loop), 0);
  str_done(&f->log);
  free(f);
  return 0;
}

static void run_and_expect(struct fixture *f, const char *keys) {
  uv_run(&f->loop, UV_RUN_DEFAULT);  // until nothing is left to wait for
  assert_string_equal(str_text(&f->log), keys);
  str_clear(&f->log);
}

static void test_order_and_once(void **state) {
  struct fixture *f = *state;
  workqueue_add(f->queue, "a");
  workqueue_add(f->queue, "b");
  workqueue_add(f->queue, "a");
  assert_int_equal(workqueue_depth(f->queue), 2);
  run_and_expect(f, "");  // not started
  workqueue_start(f->queue);
  assert_string_equal(str_text(&f->log), "");  // never from inside a call
  workqueue_add(f->queue, "c");
  run_and_expect(f, "a b c ");
  assert_int_equal(workqueue_depth(f->queue), 0);
  assert_int_equal(workqueue_busy(f->queue), 0);
}

static void test_busy(void **state) {
  struct fixture *f = *state;
  f->hold = true;
  workqueue_start(f->queue);
  workqueue_add(f->queue, "a");
  workqueue_add(f->queue, "b");
  workqueue_add(f->queue, "c");
  run_and_expect(f, "a b ");  // two at a time
  assert_int_equal(workqueue_busy(f->queue), 2);
  workqueue_add(f->queue, "a");
  workqueue_add(f->queue, "a");
  run_and_expect(f, "");
  workqueue_done(f->queue, "b", false, 0, 0);
  run_and_expect(f, "c ");
  f->hold = false;
  workqueue_done(f->queue, "a", false, 0, 0);
  workqueue_done(f->queue, "c", false, 0, 0);
  run_and_expect(f, "a ");  // the wish from while it was busy, once
}

static void test_failures(void **state) {
  struct fixture *f = *state;
  f->fail = 4;
  workqueue_start(f->queue);
  workqueue_add(f->queue, "a");
  run_and_expect(f, "a a a a a ");
  f->fail = 1;
  f->min_delay = 20;
  workqueue_add(f->queue, "b");
  msec start = clock_monotonic();
  run_and_expect(f, "b b ");
  assert_true(clock_monotonic() - start >= 19);
}

static void test_server_asked_to_wait(void **state) {
  struct fixture *f = *state;
  f->hold = true;
  workqueue_start(f->queue);
  workqueue_add(f->queue, "a");
  run_and_expect(f, "a ");
  workqueue_add(f->queue, "a");
  workqueue_add_after(f->queue, "a", 1);
  f->hold = false;
  msec start = clock_monotonic();
  workqueue_done(f->queue, "a", true, 20, 0);
  workqueue_add(f->queue, "a");  // a wish that comes later waits as well
  workqueue_add_after(f->queue, "a", 2);
  run_and_expect(f, "a ");
  assert_true(clock_monotonic() - start >= 19);
}

static void test_after(void **state) {
  struct fixture *f = *state;
  workqueue_start(f->queue);
  workqueue_add_after(f->queue, "late", 30);
  workqueue_add_after(f->queue, "a", 1000 * 1000);
  workqueue_add_after(f->queue, "a", 5);  // the earliest wins
  workqueue_add_after(f->queue, "a", 1000 * 1000);
  workqueue_add_after(f->queue, "now", 0);
  run_and_expect(f, "now a late ");
  f->again = 5;
  workqueue_add(f->queue, "r");
  run_and_expect(f, "r r ");
}

// The teardown frees it: nothing of them is left, as the sanitizers see.
static void test_freed_with_much_to_come(void **state) {
  struct fixture *f = *state;
  workqueue_start(f->queue);
  for (int i = 0; i < 100; i++) {
    char key[16];
    snprintf(key, sizeof key, "key-%d", i * 37 % 100);
    workqueue_add_after(f->queue, key, 1000 * 1000 + i * 61 % 100);
  }
  f->again = 1000 * 1000;
  workqueue_add(f->queue, "again");
  uv_run(&f->loop, UV_RUN_NOWAIT);
  assert_string_equal(str_text(&f->log), "again ");
}

static void test_stop(void **state) {
  struct fixture *f = *state;
  workqueue_start(f->queue);
  workqueue_add(f->queue, "a");
  workqueue_stop(f->queue);
  run_and_expect(f, "");
  workqueue_start(f->queue);
  run_and_expect(f, "a ");
}

static void test_many(void **state) {
  struct fixture *f = *state;
  str_done(&f->log);
  f->log = STR_INIT(100000);
  workqueue_start(f->queue);
  struct str want = STR_INIT(100000);
  for (int i = 0; i < 5000; i++) {
    char key[16];
    snprintf(key, sizeof key, "k%d", i);
    workqueue_add(f->queue, key);
    str_add_format(&want, "%s ", key);
  }
  run_and_expect(f, str_text(&want));
  str_done(&want);
}

static void test_backoff(void **state) {
  (void)state;
  static const msec want[] = {0, 5, 10, 20, 40, 80};
  for (unsigned i = 0; i < array_size(want); i++) assert_int_equal(workqueue_backoff(i), want[i]);
  assert_int_equal(workqueue_backoff(14), 5 << 13);
  assert_int_equal(workqueue_backoff(15), 60 * 1000);
  assert_int_equal(workqueue_backoff(1000), 60 * 1000);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_order_and_once),
      TEST(test_busy),
      TEST(test_failures),
      TEST(test_server_asked_to_wait),
      TEST(test_after),
      TEST(test_stop),
      TEST(test_many),
      TEST(test_freed_with_much_to_come),
      cmocka_unit_test(test_backoff),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
