// The clock jumps: somebody set it, a machine woke up. Nothing waits for the old time to come again.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/memory.h"

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
  world_jump(w, -HOUR);
  world_wait(w, 60000, 1000);
  assert_string_equal(world_condition(w, "Match", "m", "Complete"), "True/Completed");
}

static void a_busy_executor_is_asked_again_in_time(void **state) {
  struct world *w = *state;
  error_set(&w->call_error, ERR_BUSY, "no free place");
  with_match(state);
  world_settle(w);
  w->call_error.code = ERR_NONE;
  world_jump(w, -HOUR);
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
  world_jump(w, -HOUR);
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
  world_jump(w, -HOUR);
  world_wait(w, 60000, 1000);
  assert_int_equal(builder_jobs(w, "sub", "build"), 2);
}

// The match began before the jump and ended after it, so that by the clock it ended before it began.
static void agents_go_on_playing_after_the_clock_was_set_back(void **state) {
  struct world *w = with_agents(state);
  w->executor_answers = false;
  world_wait(w, 31000, 1000);
  assert_int_equal(world_count(w, "Match"), 1);
  world_jump(w, -HOUR);
  w->executor_answers = true;
  world_wait(w, 31000, 1000);
  assert_int_equal(world_int(w, "Agent", "ann", "status.rating.matches"), 1);
  // The cooldown of the pair is still to be kept, and not a minute more.
  world_wait(w, 240 * 1000, 1000);
  assert_int_equal(world_count(w, "Match"), 1);
  world_wait(w, 60 * 1000, 1000);
  assert_int_equal(world_count(w, "Match"), 2);
  assert_int_equal(world_int(w, "Agent", "ann", "status.rating.matches"), 2);
}

static void a_cooldown_does_not_wait_for_the_old_time(void **state) {
  struct world *w = with_agents(state);
  world_wait(w, 40000, 1000);
  assert_int_equal(world_int(w, "Agent", "ann", "status.rating.matches"), 1);
  world_jump(w, -HOUR);
  world_wait(w, 31000, 1000);
  assert_int_equal(world_int(w, "Agent", "ann", "status.rating.matches"), 2);
  // From then on it is kept again.
  world_wait(w, 240 * 1000, 1000);
  assert_int_equal(world_int(w, "Agent", "ann", "status.rating.matches"), 2);
  world_wait(w, 90 * 1000, 1000);
  assert_int_equal(world_int(w, "Agent", "ann", "status.rating.matches"), 3);
}

static void clocks_that_differ_a_little_keep_the_cooldown(void **state) {
  struct world *w = with_agents(state);
  world_wait(w, 40000, 1000);
  world_jump(w, -60000);  // another controller, with a clock of its own, leads
  world_restart(w);
  world_wait(w, 240 * 1000, 1000);
  assert_int_equal(world_count(w, "Match"), 1);
}

static void a_day_is_over_when_the_clock_was_set_back_by_more(void **state) {
  struct world *w = with_agents(state);
  world_patch(w, "MatchmakingQueue", "pong", "{'spec':{'maxMatchesPerAgentPerDay':1,'cooldownSeconds':0}}");
  world_wait(w, 40000, 1000);
  assert_string_equal(world_condition(w, "Agent", "ann", "Queued"), "True/DailyLimit");
  for (int i = 0; i < 49; i++) world_jump(w, -HOUR);
  world_wait(w, 40000, 1000);
  assert_int_equal(world_int(w, "Agent", "ann", "status.rating.matches"), 2);
}

static void an_entry_widens_and_expires_without_the_old_time(void **state) {
  struct world *w = *state;
  w->skip[RECONCILE_SUBMISSION] = true;
  world_patch(w, "MatchmakingQueue", "pong", "{'spec':{'entryTTLSeconds':600}}");
  world_add_agent(w, "ann", "anna", "pong");
  world_wait(w, 2000, 1000);
  assert_int_equal(world_int(w, "Agent", "ann", "status.queue.rangeNow"), 100);
  world_jump(w, -HOUR);
  world_restart(w);
  world_wait(w, 1000, 1000);
  assert_int_equal(world_int(w, "Agent", "ann", "status.queue.rangeNow"), 500);
  world_wait(w, 601000, 1000);
  assert_string_equal(world_text(w, "Agent", "ann", "status.queue.state"), "Expired");
}

static void a_wait_is_never_negative(void **state) {
  struct world *w = *state;
  w->skip[RECONCILE_SUBMISSION] = w->skip[RECONCILE_QUEUE] = true;
  world_add_agent(w, "ann", "anna", "pong");
  world_add_agent(w, "bob", "bert", "pong");
  world_wait(w, 5000, 1000);
  world_jump(w, -HOUR);
  w->skip[RECONCILE_QUEUE] = false;
  world_wait(w, 31000, 1000);
  assert_int_equal(world_int(w, "MatchmakingQueue", "pong", "status.matchedTotal"), 1);
  assert_int_equal(world_int(w, "MatchmakingQueue", "pong", "status.medianWaitSeconds"), 0);
}

// ---- another clock than the API server's and the nodes' ------------------------------------------

// The Pods of a match are there and nothing of them has started.
static struct world *with_pods_that_wait(void **state) {
  struct world *w = *state;
  w->pods_start = false;
  with_match(state);
  world_settle(w);
  return w;
}

static void pods_state(struct world *w, const char *state) {
  for (int seat = 0; seat < 2; seat++) {
    cleanup_free char *patch = mem_printf(
        "{'status':{'phase':'Pending','conditions':[{'type':'PodScheduled','status':'True'}],"
        "'containerStatuses':[{'name':'agent','ready':false,'state':%s}]}}",
        state);
    world_patch(w, "Pod", seat ? "m-agent-1" : "m-agent-0", patch);
  }
}

// What the API server stamped on the Pods is an hour before what the controller's clock shows.
static void a_clock_ahead_makes_no_pod_overdue(void **state) {
  struct world *w = with_pods_that_wait(state);
  world_jump(w, HOUR);
  world_wait(w, 290 * 1000, 1000);
  assert_int_equal(world_int(w, "Match", "m", "status.attempt"), 1);
  world_wait(w, 20 * 1000, 1000);
  assert_int_equal(world_int(w, "Match", "m", "status.attempt"), 2);
}

static void a_clock_ahead_leaves_time_for_an_image(void **state) {
  struct world *w = with_pods_that_wait(state);
  world_jump(w, HOUR);
  pods_state(w, "{'waiting':{'reason':'ErrImagePull','message':'registry is away'}}");
  world_wait(w, 40 * 1000, 1000);
  assert_int_equal(world_int(w, "Match", "m", "status.attempt"), 1);
  world_wait(w, 10 * 1000, 1000);
  assert_int_equal(world_int(w, "Match", "m", "status.attempt"), 2);
}

// The node's clock is far behind ours: no agent's fault.
static void a_node_with_another_clock_costs_no_agent_its_start(void **state) {
  struct world *w = with_pods_that_wait(state);
  pods_state(w, "{'running':{'startedAt':'2026-01-01T00:00:00Z'}}");
  world_wait(w, 29 * 1000, 1000);
  assert_string_equal(world_text(w, "Match", "m", "status.phase"), "Preparing");
  world_wait(w, 3 * 1000, 1000);  // and then it is
  assert_int_equal(w->calls, 1);
}

static void a_clock_set_back_does_not_keep_a_stuck_pod(void **state) {
  struct world *w = with_pods_that_wait(state);
  world_jump(w, -HOUR);
  world_wait(w, 310 * 1000, 1000);
  assert_int_equal(world_int(w, "Match", "m", "status.attempt"), 2);
}

// Another controller takes over whose clock is ahead: it has not seen the Pod for long.
static void a_second_controller_with_another_clock_judges_by_what_it_sees(void **state) {
  struct world *w = with_pods_that_wait(state);
  world_jump(w, HOUR);
  world_restart(w);
  world_wait(w, 60 * 1000, 1000);
  assert_int_equal(world_int(w, "Match", "m", "status.attempt"), 1);
}

// The Job's end is told before its Pod's, as two watches may; the Job controller's clock is an hour behind.
static void a_job_that_ended_by_another_clock_waits_for_its_pod(void **state) {
  struct world *w = *state;
  w->pods_start = false;
  world_apply(w, "{'kind':'Agent','metadata':{'name':'ann'},'spec':{'owner':'anna','environment':'pong'}}");
  world_apply(w,
              "{'kind':'Submission','metadata':{'name':'sub'},'spec':{'agent':'ann','source':{'inline':{'files':{"
              "'agent.py':'x'}}}}}");
  world_settle(w);
  builder_pod(w, "sub-build-1");
  world_wait(w, 5000, 1000);
  builder_job_ends(w, "sub-build-1", true, NULL);
  world_jump(w, HOUR);
  world_wait(w, 5000, 1000);
  assert_string_equal(world_text(w, "Submission", "sub", "status.phase"), "Building");
  assert_int_equal(builder_jobs(w, "sub", "build"), 1);
  static const char *const containers[] = {"fetch", "layers", "build", "push"};
  for (unsigned i = 0; i < 4; i++)
    builder_ends(w, "sub-build-1", containers[i], 0, "Completed", i == 3 ? DIGEST_A : NULL);
  world_settle(w);
  assert_string_equal(world_condition(w, "Submission", "sub", "Built"), "True/Built");
  assert_string_equal(world_text(w, "Submission", "sub", "status.attempts.0.reason"), "Succeeded");
}

static void agents_go_on_playing_after_a_jump_ahead(void **state) {
  struct world *w = with_agents(state);
  w->executor_answers = false;
  world_wait(w, 31000, 1000);
  world_jump(w, 5 * HOUR);
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
      TEST(a_cooldown_does_not_wait_for_the_old_time),
      TEST(clocks_that_differ_a_little_keep_the_cooldown),
      TEST(a_day_is_over_when_the_clock_was_set_back_by_more),
      TEST(an_entry_widens_and_expires_without_the_old_time),
      TEST(a_wait_is_never_negative),
      TEST(a_clock_ahead_makes_no_pod_overdue),
      TEST(a_clock_ahead_leaves_time_for_an_image),
      TEST(a_node_with_another_clock_costs_no_agent_its_start),
      TEST(a_clock_set_back_does_not_keep_a_stuck_pod),
      TEST(a_second_controller_with_another_clock_judges_by_what_it_sees),
      TEST(a_job_that_ended_by_another_clock_waits_for_its_pod),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
