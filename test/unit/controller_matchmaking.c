// The matchmaker over real agents and matches: who is paired, who is not, and why.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"

#include "world.h"

static int setup(void **state) {
  static struct world w;
  world_init(&w);
  w.skip[RECONCILE_SUBMISSION] = true;
  world_add_queue(&w, "pong");
  *state = &w;
  return 0;
}

static int teardown(void **state) {
  world_done(*state);
  return 0;
}

// The name of the one that there is.
static const char *match_made(struct world *w) {
  const char *name = NULL;
  assert_int_equal(world_count(w, "Match"), 1);
  map_each (w->objects, o) {
    if (text_starts(map_key(o), "Match/")) name = map_key(o) + strlen("Match/");
  }
  return name;
}

static void waiting_agents_are_paired_and_play(void **state) {
  struct world *w = *state;
  world_add_agent(w, "ann", "anna", "pong");
  world_add_agent(w, "bob", "bert", "pong");
  world_wait(w, 31000, 1000);
  assert_int_equal(world_count(w, "Match"), 1);
  assert_int_equal(world_int(w, "Agent", "ann", "status.rating.matches"), 1);
  assert_int_equal(world_int(w, "MatchmakingQueue", "pong", "status.matchedTotal"), 1);
}

static void looks_that_change_nothing_are_written_once_a_minute(void **state) {
  struct world *w = *state;
  world_add_agent(w, "ann", "anna", "pong");
  world_wait(w, 10000, 1000);
  cleanup_free char *first = mem_strdup(world_text(w, "MatchmakingQueue", "pong", "status.lastRunTime"));
  world_wait(w, 40000, 1000);
  assert_string_equal(world_text(w, "MatchmakingQueue", "pong", "status.lastRunTime"), first);
  world_wait(w, 20000, 1000);
  assert_string_not_equal(world_text(w, "MatchmakingQueue", "pong", "status.lastRunTime"), first);
  // And what changes something at once, as often as looks are due.
  world_add_agent(w, "bob", "bert", "pong");
  world_wait(w, 31000, 1000);
  assert_int_equal(world_int(w, "MatchmakingQueue", "pong", "status.matchedTotal"), 1);
}

static void agents_of_one_owner_do_not_meet(void **state) {
  struct world *w = *state;
  world_add_agent(w, "ann", "anna", "pong");
  world_add_agent(w, "amy", "anna", "pong");
  world_wait(w, 120000, 5000);
  assert_int_equal(world_count(w, "Match"), 0);
  assert_int_equal(world_int(w, "MatchmakingQueue", "pong", "status.waiting"), 2);
  world_patch(w, "MatchmakingQueue", "pong", "{'spec':{'allowSameOwner':true}}");
  world_wait(w, 60000, 5000);
  assert_int_equal(world_count(w, "Match"), 1);
}

static void the_same_pair_meets_again_only_after_the_cooldown(void **state) {
  struct world *w = *state;
  world_add_agent(w, "ann", "anna", "pong");
  world_add_agent(w, "bob", "bert", "pong");
  world_wait(w, 299000, 1000);
  assert_int_equal(world_count(w, "Match"), 1);
  world_wait(w, 90000, 1000);
  assert_int_equal(world_count(w, "Match"), 2);
}

static void a_cooldown_is_kept_to_the_millisecond(void **state) {
  struct world *w = *state;
  world_add_agent(w, "ann", "anna", "pong");
  world_add_agent(w, "bob", "bert", "pong");
  world_patch(w, "MatchmakingQueue", "pong", "{'spec':{'intervalSeconds':5}}");
  world_wait(w, 40000, 1000);
  assert_int_equal(world_count(w, "Match"), 1);
  // The match ended late in its second, of which its condition knows nothing.
  const char *match = match_made(w);
  const msec ended = clock_parse(world_text(w, "Match", match, "status.completionTime")) / 1000 * 1000 + 900;
  char time[CLOCK_TEXT_SIZE], patch[128];
  snprintf(patch, sizeof(patch), "{'status':{'completionTime':'%s'}}", clock_format_micro(ended, time));
  world_patch(w, "Match", match, patch);
  while (w->now < ended + 300 * 1000 - 100) world_wait(w, 100, 100);
  assert_int_equal(world_count(w, "Match"), 1);
  world_wait(w, 30000, 1000);
  assert_int_equal(world_count(w, "Match"), 2);
}

static void a_paused_queue_makes_no_match(void **state) {
  struct world *w = *state;
  world_patch(w, "MatchmakingQueue", "pong", "{'spec':{'paused':true}}");
  world_add_agent(w, "ann", "anna", "pong");
  world_add_agent(w, "bob", "bert", "pong");
  world_wait(w, 120000, 5000);
  assert_int_equal(world_count(w, "Match"), 0);
  assert_string_equal(world_condition(w, "MatchmakingQueue", "pong", "Ready"), "False/Paused");
}

static void the_daily_limit_keeps_an_agent_out(void **state) {
  struct world *w = *state;
  world_patch(w, "MatchmakingQueue", "pong", "{'spec':{'maxMatchesPerAgentPerDay':1,'cooldownSeconds':0}}");
  world_add_agent(w, "ann", "anna", "pong");
  world_add_agent(w, "bob", "bert", "pong");
  world_wait(w, 600000, 10000);
  assert_int_equal(world_count(w, "Match"), 1);
  assert_string_equal(world_text(w, "Agent", "ann", "status.queue.state"), "Cooldown");
  assert_string_equal(world_condition(w, "Agent", "ann", "Queued"), "True/DailyLimit");
}

static void no_more_matches_run_at_once_than_the_queue_allows(void **state) {
  struct world *w = *state;
  world_patch(w, "MatchmakingQueue", "pong", "{'spec':{'maxConcurrentMatches':1}}");
  w->executor_answers = false;
  static const char *const names[] = {"ann", "bob", "cat", "dan"};
  for (int i = 0; i < 4; i++) world_add_agent(w, names[i], names[i], "pong");
  world_wait(w, 120000, 10000);
  assert_int_equal(world_count(w, "Match"), 1);
  assert_int_equal(world_int(w, "MatchmakingQueue", "pong", "status.playing"), 1);
}

static void a_restart_in_the_middle_of_a_pass_makes_no_second_match(void **state) {
  struct world *w = *state;
  world_add_agent(w, "ann", "anna", "pong");
  world_add_agent(w, "bob", "bert", "pong");
  w->skip[RECONCILE_QUEUE] = true;
  world_settle(w);
  w->skip[RECONCILE_QUEUE] = false;
  // The pass creates the match, and dies before it writes its own status.
  w->stop_after = w->writes + 1;
  w->skip[RECONCILE_AGENT] = w->skip[RECONCILE_MATCH] = true;
  world_settle(w);
  assert_true(w->dead);
  assert_int_equal(world_count(w, "Match"), 1);
  world_restart(w);
  world_settle(w);
  assert_int_equal(world_count(w, "Match"), 1);
  assert_int_equal(world_int(w, "MatchmakingQueue", "pong", "status.playing"), 1);
}

static void a_front_holds_matches_from_their_beginning(void **state) {
  struct world *w = *state;
  char front[] = "http://front:8081";
  w->settings.front_url = front;
  world_add_agent(w, "ann", "anna", "pong");
  world_add_agent(w, "bob", "bert", "pong");
  world_wait(w, 31000, 1000);
  json *finalizers = json_at(world_get(w, "Match", match_made(w)), "metadata", "finalizers", NULL);
  assert_int_equal(json_length(finalizers), 1);
  assert_string_equal(json_object_get_string(json_item(finalizers, 0)), "rl-arena.io/mirror");
}

static void without_a_front_nothing_holds_a_match(void **state) {
  struct world *w = *state;
  world_add_agent(w, "ann", "anna", "pong");
  world_add_agent(w, "bob", "bert", "pong");
  world_wait(w, 31000, 1000);
  assert_null(json_at(world_get(w, "Match", match_made(w)), "metadata", "finalizers", NULL));
}

// The mirror is away: the name of the deleted match is taken, and the agents' next match would get it again.
static void a_deleted_match_that_is_held_keeps_its_name(void **state) {
  struct world *w = *state;
  world_patch(w, "MatchmakingQueue", "pong", "{'spec':{'cooldownSeconds':0}}");
  world_add_agent(w, "ann", "anna", "pong");
  world_add_agent(w, "bob", "bert", "pong");
  w->skip[RECONCILE_QUEUE] = true;
  world_settle(w);
  w->skip[RECONCILE_QUEUE] = false;
  w->skip[RECONCILE_AGENT] = w->skip[RECONCILE_MATCH] = true;
  world_settle(w);
  cleanup_free char *match = mem_strdup(match_made(w));
  world_patch(w, "Match", match, "{'metadata':{'deletionTimestamp':'2027-01-15T08:00:00Z'}}");
  world_wait(w, 31000, 1000);
  assert_int_equal(world_int(w, "MatchmakingQueue", "pong", "status.matchedTotal"), 1);
  assert_int_equal(world_int(w, "MatchmakingQueue", "pong", "status.playing"), 0);
  world_delete(w, "Match", match);
  world_wait(w, 31000, 1000);
  assert_int_equal(world_int(w, "MatchmakingQueue", "pong", "status.matchedTotal"), 2);
}

// As the executor tells it: environments.c.
static void executor_knows(struct world *w, const char *const *names, size_t count) {
  wire_environments_done(&w->m.playable);
  w->m.playable = (struct wire_environments){.known = true, .count = count};
  for (size_t i = 0; i < count; i++) w->m.playable.names[i] = mem_strdup(names[i]);
}

static const char *ready_message(struct world *w) {
  return world_text(w, "MatchmakingQueue", "pong", "status.conditions.0.message");
}

static void an_environment_that_the_executor_does_not_know_makes_no_match(void **state) {
  struct world *w = *state;
  static const char *const others[] = {"chess", "go"}, *const all[] = {"chess", "pong"};
  executor_knows(w, others, 2);
  world_add_agent(w, "ann", "anna", "pong");
  world_add_agent(w, "bob", "bert", "pong");
  world_wait(w, 120000, 5000);
  assert_int_equal(world_count(w, "Match"), 0);
  assert_string_equal(world_condition(w, "MatchmakingQueue", "pong", "Ready"), "False/UnknownEnvironment");
  assert_string_equal(world_condition(w, "MatchmakingQueue", "pong", "Stalled"), "True/UnknownEnvironment");
  assert_non_null(strstr(ready_message(w), "It knows: chess, go."));
  // A new process has not heard of any, which is no news.
  world_restart(w);
  world_wait(w, 60000, 5000);
  assert_int_equal(world_count(w, "Match"), 0);
  assert_string_equal(world_condition(w, "MatchmakingQueue", "pong", "Ready"), "False/UnknownEnvironment");
  executor_knows(w, all, 2);
  world_wait(w, 60000, 5000);
  assert_int_equal(world_count(w, "Match"), 1);
  assert_string_equal(world_condition(w, "MatchmakingQueue", "pong", "Ready"), "True/Matchmaking");
  assert_string_equal(world_condition(w, "MatchmakingQueue", "pong", "Stalled"), "");
}

static void an_executor_that_has_not_told_stops_nobody(void **state) {
  struct world *w = *state;
  world_settle(w);
  assert_string_equal(world_condition(w, "MatchmakingQueue", "pong", "Ready"), "True/Matchmaking");
}

static void an_executor_that_knows_nothing_is_said_to(void **state) {
  struct world *w = *state;
  executor_knows(w, NULL, 0);
  world_settle(w);
  assert_non_null(strstr(ready_message(w), "It knows: none."));
}

int main(void) {
#define scenario(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
  const struct CMUnitTest tests[] = {
      scenario(waiting_agents_are_paired_and_play),
      scenario(looks_that_change_nothing_are_written_once_a_minute),
      scenario(agents_of_one_owner_do_not_meet),
      scenario(the_same_pair_meets_again_only_after_the_cooldown),
      scenario(a_cooldown_is_kept_to_the_millisecond),
      scenario(a_paused_queue_makes_no_match),
      scenario(the_daily_limit_keeps_an_agent_out),
      scenario(no_more_matches_run_at_once_than_the_queue_allows),
      scenario(a_restart_in_the_middle_of_a_pass_makes_no_second_match),
      scenario(an_environment_that_the_executor_does_not_know_makes_no_match),
      scenario(an_executor_that_has_not_told_stops_nobody),
      scenario(an_executor_that_knows_nothing_is_said_to),
      scenario(a_front_holds_matches_from_their_beginning),
      scenario(without_a_front_nothing_holds_a_match),
      scenario(a_deleted_match_that_is_held_keeps_its_name),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
