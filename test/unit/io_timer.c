// Timers and stop signals on a loop of their own. Delays are a few milliseconds, and only their order counts.
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/memory.h"
#include "io/stop.h"
#include "io/timer.h"

struct fixture {
  uv_loop_t loop;
  struct timer *a, *b;
  char fired[16];  // the names of timers in the order they fired
  unsigned turns;
  struct stop *stop;
};

static int set_up(void **state) {
  struct fixture *x = mem_alloc(sizeof(*x));
  uv_loop_init(&x->loop);
  *state = x;
  return 0;
}

static int tear_down(void **state) {
  struct fixture *x = *state;
  timer_free(x->a);
  timer_free(x->b);
  uv_run(&x->loop, UV_RUN_DEFAULT);
  assert_int_equal(uv_loop_close(&x->loop), 0);
  free(x);
  return 0;
}

static void note(struct fixture *x, char name) {
  size_t length = strlen(x->fired);
  if (length + 1 < sizeof(x->fired)) x->fired[length] = name;
}

static void on_a(void *context) {
  note(context, 'a');
}

static void on_b(void *context) {
  note(context, 'b');
}

static void timers_fire_once_and_in_order(void **state) {
  struct fixture *x = *state;
  x->a = timer_new(&x->loop, on_a, x);
  x->b = timer_new(&x->loop, on_b, x);
  assert_false(timer_is_set(x->a));
  timer_set(x->a, 20);
  timer_set(x->b, 2);
  assert_true(timer_is_set(x->a));
  uv_run(&x->loop, UV_RUN_DEFAULT);
  assert_string_equal(x->fired, "ba");
  assert_false(timer_is_set(x->a));
}

static void setting_again_replaces(void **state) {
  struct fixture *x = *state;
  x->a = timer_new(&x->loop, on_a, x);
  x->b = timer_new(&x->loop, on_b, x);
  timer_set(x->a, 1);
  timer_set(x->b, 10);
  timer_set(x->a, 30);
  uv_run(&x->loop, UV_RUN_DEFAULT);
  assert_string_equal(x->fired, "ba");
}

static void a_cleared_timer_does_not_fire(void **state) {
  struct fixture *x = *state;
  x->a = timer_new(&x->loop, on_a, x);
  timer_set(x->a, 1);
  timer_clear(x->a);
  assert_false(timer_is_set(x->a));
  timer_clear(x->a);
  uv_run(&x->loop, UV_RUN_DEFAULT);  // returns at once: nothing is set
  assert_string_equal(x->fired, "");
}

static void free_both(void *context) {
  struct fixture *x = context;
  note(x, 'f');
  timer_free(x->a);
  timer_free(x->b);
  x->a = x->b = NULL;
}

static void a_callback_may_free_itself_and_others(void **state) {
  struct fixture *x = *state;
  x->a = timer_new(&x->loop, free_both, x);
  x->b = timer_new(&x->loop, on_b, x);
  timer_set(x->a, 1);
  timer_set(x->b, 1);
  uv_run(&x->loop, UV_RUN_DEFAULT);
  assert_string_equal(x->fired, "f");
  timer_free(NULL);
}

static void block_then_set_b(void *context) {
  struct fixture *x = context;
  msec until = clock_monotonic() + 30;
  while (clock_monotonic() < until) continue;
  timer_set(x->b, 10);
  timer_set(x->a, 1);
  note(x, 'x');
}

static void note_the_time(void *context) {
  *(msec *)context = clock_monotonic();
}

// The loop's clock stands still in a long callback; the delay counts from the call all the same.
static void a_delay_counts_from_now(void **state) {
  struct fixture *x = *state;
  msec fired = 0;
  struct timer *blocker = timer_new(&x->loop, block_then_set_b, x);
  x->a = timer_new(&x->loop, on_a, x);
  x->b = timer_new(&x->loop, note_the_time, &fired);
  msec begin = clock_monotonic();
  timer_set(blocker, 0);
  uv_run(&x->loop, UV_RUN_DEFAULT);
  assert_string_equal(x->fired, "xa");
  assert_true(fired >= begin + 30 + 10 - 1);
  timer_free(blocker);
}

static void on_turn(uv_check_t *check) {
  struct fixture *x = check->data;
  if (++x->turns == 3) {
    timer_clear(x->a);
    uv_close((uv_handle_t *)check, NULL);
  }
}

static void set_itself_again(void *context) {
  struct fixture *x = context;
  timer_set(x->a, 0);
}

// A timer that always wants the next turn lets the others have theirs.
static void no_timer_keeps_the_loop_to_itself(void **state) {
  struct fixture *x = *state;
  uv_check_t check;
  uv_check_init(&x->loop, &check);
  check.data = x;
  uv_check_start(&check, on_turn);
  x->a = timer_new(&x->loop, set_itself_again, x);
  timer_set(x->a, 0);
  uv_run(&x->loop, UV_RUN_DEFAULT);
  assert_int_equal(x->turns, 3);
}

// ---- stop ----

static void on_stop(void *context) {
  struct fixture *x = context;
  note(x, 's');
  timer_clear(x->a);
}

static void a_signal_is_told_on_the_loop(void **state) {
  struct fixture *x = *state;
  static const int signals[] = {SIGTERM, SIGINT};
  x->a = timer_new(&x->loop, on_a, x);
  for (size_t i = 0; i < array_size(signals); i++) {
    x->stop = stop_new(&x->loop, on_stop, x);
    timer_set(x->a, 60000);  // what the program is busy with
    raise(signals[i]);
    assert_int_equal(strlen(x->fired), i);
    uv_run(&x->loop, UV_RUN_DEFAULT);
    assert_int_equal(strlen(x->fired), i + 1);
    stop_free(x->stop);
  }
  assert_string_equal(x->fired, "ss");
  stop_free(NULL);
}

static void waiting_for_a_signal_keeps_no_loop_alive(void **state) {
  struct fixture *x = *state;
  x->stop = stop_new(&x->loop, on_stop, x);
  assert_int_equal(uv_run(&x->loop, UV_RUN_DEFAULT), 0);
  stop_free(x->stop);
}

static void raise_again(void *context) {
  (void)context;
  raise(SIGTERM);
}

static void a_second_signal_ends_the_process(void **state) {
  (void)state;
  pid_t pid = fork();
  if (pid == 0) {
    uv_loop_t loop;
    uv_loop_init(&loop);
    stop_new(&loop, raise_again, NULL);
    struct timer *t = timer_new(&loop, raise_again, NULL);
    timer_set(t, 60000);
    raise(SIGTERM);
    uv_run(&loop, UV_RUN_DEFAULT);
    _exit(0);
  }
  int status;
  waitpid(pid, &status, 0);
  assert_true(WIFEXITED(status));
  assert_int_equal(WEXITSTATUS(status), 128 + SIGTERM);
}

#define with_loop(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {
      with_loop(timers_fire_once_and_in_order),    with_loop(setting_again_replaces),
      with_loop(a_cleared_timer_does_not_fire),    with_loop(a_callback_may_free_itself_and_others),
      with_loop(a_delay_counts_from_now),          with_loop(no_timer_keeps_the_loop_to_itself),
      with_loop(a_signal_is_told_on_the_loop),     with_loop(waiting_for_a_signal_keeps_no_loop_alive),
      with_loop(a_second_signal_ends_the_process),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
