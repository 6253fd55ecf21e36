// The clock jumps: somebody set it, a machine woke up. Nothing waits for the old time to come again.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "builder.h"
#include "match.h"

enum { HOUR = 3600 * 1000 };

static int setup(void **state) {
  static struct world w;
  world_init(&w);
  world_add_queue(&w, "pong");
  *state = &w;
  return 0;
}

static int teardown(void **state) {
  world_done(*state);
  return 0;
}

static struct world *with_agents(void **state) {
  struct world *w = *state;
  w->skip[RECONCILE_SUBMISSION] = true;
  world_add_agent(w, "ann", "anna", "pong");
  world_add_agent(w, "bob", "bert", "pong");
  return w;
}

static struct world *with_match(void **state) {
  struct world *w = with_agents(state);
  w->skip[RECONCILE_QUEUE] = true;
  world_add_match(w, "m", "pong", "ann", "bob");
  return w;
}

static void a_match_is_tried_again_in_time(void **state) {
  struct world *w = *state;
  error_set(&w->call_error, ERR_UNAVAILABLE, "connection refused");
  with_match(state);
  world_settle(w);
  w->call_error.code = ERR_NONE;
  w->now -= HOUR;
  world_wait(w, 60000, 1000);
  assert_string_equal(world_condition(w, "Match", "m", "Complete"), "True/Completed");
}

static void a_busy_executor_is_asked_again_in_time(void **state) {
  struct world *w = *state;
  error_set(&w->call_error, ERR_BUSY, "no free place");
  with_match(state);
  world_settle(w);
  w->call_error.code = ERR_NONE;
  w->now -= HOUR;
  world_wait(w, 60000, 1000);
  assert_string_equal(world_condition(w, "Match", "m", "Complete"), "True/Completed");
}

static void news_of_a_pod_is_not_waited_for_until_the_old_time(void **state) {
  struct world *w = *state;
  w->game.failure[1] = WIRE_FAILURE_DISCONNECTED;
  w->game.winner = "ann";
  with_match(state);
  world_settle(w);  // its Pod still runs: it may have been taken away
  assert_string_equal(world_condition(w, "Match", "m", "Executed"), "Unknown/Running");
  w->now -= HOUR;
  world_wait(w, 60000, 1000);
  assert_string_equal(world_condition(w, "Match", "m", "Complete"), "True/Completed");
}

static void a_build_is_tried_again_in_time(void **state) {
  struct world *w = *state;
  w->pods_start = false;
  world_apply(w, "{'kind':'Agent','metadata':{'name':'ann'},'spec':{'owner':'anna','environment':'pong'}}");
  world_apply(w,
              "{'kind':'Submission','metadata':{'name':'sub'},'spec':{'agent':'ann','source':{'inline':{'files':{"
              "'agent.py':'x'}}}}}");
  world_settle(w);
  builder_breaks(w, "sub-build-1", "Error", "ERROR: no");
  world_settle(w);
  assert_int_equal(builder_jobs(w, "sub", "build"), 1);
  w->now -= HOUR;
  world_wait(w, 60000, 1000);
  assert_int_equal(builder_jobs(w, "sub", "build"), 2);
}

// The match began before the jump and ended after it, so that by the clock it ended before it began.
static void agents_go_on_playing_after_the_clock_was_set_back(void **state) {
  struct world *w = with_agents(state);
  w->executor_answers = false;
  world_wait(w, 31000, 1000);
  assert_int_equal(world_count(w, "Match"), 1);
  w->now -= HOUR;
  w->executor_answers = true;
  world_wait(w, 31000, 1000);
  assert_int_equal(world_int(w, "Agent", "ann", "status.rating.matches"), 1);
  // The cooldown of the pair is over by the clock when the old time has come again, and then some.
  world_wait(w, HOUR + 400 * 1000, 10000);
  assert_int_equal(world_int(w, "Agent", "ann", "status.rating.matches"), 2);
  assert_int_equal(world_count(w, "Match"), 2);
}

static void agents_go_on_playing_after_a_jump_ahead(void **state) {
  struct world *w = with_agents(state);
  w->executor_answers = false;
  world_wait(w, 31000, 1000);
  w->now += 5 * HOUR;
  w->executor_answers = true;
  world_wait(w, 400 * 1000, 10000);
  assert_int_equal(world_int(w, "Agent", "ann", "status.rating.matches"), 2);
  assert_int_equal(world_int(w, "Agent", "bob", "status.rating.matches"), 2);
}

int main(void) {
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
  const struct CMUnitTest tests[] = {
      TEST(a_match_is_tried_again_in_time),
      TEST(a_busy_executor_is_asked_again_in_time),
      TEST(news_of_a_pod_is_not_waited_for_until_the_old_time),
      TEST(a_build_is_tried_again_in_time),
      TEST(agents_go_on_playing_after_the_clock_was_set_back),
      TEST(agents_go_on_playing_after_a_jump_ahead),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
