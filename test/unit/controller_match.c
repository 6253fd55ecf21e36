// The life of a Match, told in scenarios: what happens, and what its status says then.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/str.h"

#include "match.h"
#include "world.h"

#define assert_condition(w, name, type, expected) assert_string_equal(world_condition(w, "Match", name, type), expected)

static int setup(void **state) {
  static struct world w;
  world_init(&w);
  w.skip[RECONCILE_SUBMISSION] = true;
  w.skip[RECONCILE_QUEUE] = true;
  world_add_queue(&w, "pong");
  world_add_agent(&w, "ann", "anna", "pong");
  world_add_agent(&w, "bob", "bert", "pong");
  *state = &w;
  return 0;
}

static int teardown(void **state) {
  world_done(*state);
  return 0;
}

// The executor has been asked for the match "m", and says nothing yet.
static void begin_game(struct world *w) {
  w->executor_answers = false;
  world_add_match(w, "m", "pong", "ann", "bob");
  world_settle(w);
}

// It answers that bob's connection was lost.
static void second_is_lost(struct world *w) {
  w->game.failure[1] = WIRE_FAILURE_DISCONNECTED;
  w->executor_answers = true;
  world_settle(w);
}

static void assert_played_again(struct world *w) {
  w->game.failure[1] = WIRE_FAILURE_NONE;
  world_wait(w, 10000, 1000);
  assert_condition(w, "m", "Complete", "True/Completed");
}

// A match "m" in which bob is to play this submission.
static void add_match_with(struct world *w, const char *submission) {
  cleanup_free char *text = mem_printf(
      "{'kind':'Match','metadata':{'name':'m'},'spec':{'environment':'pong','participants':[{'agent':'ann'},"
      "{'agent':'bob','submission':'%s'}]}}",
      submission);
  world_apply(w, text);
}

static void a_match_is_played_rated_and_cleaned_up(void **state) {
  struct world *w = *state;
  w->game.winner = "ann";
  world_add_match(w, "m", "pong", "ann", "bob");
  world_settle(w);
  assert_condition(w, "m", "Prepared", "True/PodsReady");
  assert_condition(w, "m", "Executed", "True/Played");
  assert_condition(w, "m", "Rated", "True/Rated");
  assert_condition(w, "m", "Complete", "True/Completed");
  assert_condition(w, "m", "Reconciling", "");
  assert_string_equal(world_text(w, "Match", "m", "status.winner"), "ann");
  assert_string_equal(world_text(w, "Match", "m", "status.participants.0.outcome"), "Win");
  assert_string_equal(world_text(w, "Match", "m", "status.participants.1.outcome"), "Loss");
  assert_int_equal(world_int(w, "Match", "m", "status.participants.0.matchNumber"), 1);
  assert_int_equal(world_int(w, "Match", "m", "status.participants.0.eloAfter"), 1520);
  assert_int_equal(world_int(w, "Agent", "ann", "status.rating.elo"), 1520);
  assert_int_equal(world_int(w, "Agent", "ann", "status.rating.wins"), 1);
  assert_int_equal(world_int(w, "Agent", "bob", "status.rating.elo"), 1480);
  assert_int_equal(world_int(w, "Agent", "bob", "status.rating.losses"), 1);
  assert_int_equal(world_count(w, "Pod"), 0);
  assert_int_equal(w->calls, 1);
}

static void a_draw_moves_nobody_of_equal_rating(void **state) {
  struct world *w = *state;
  world_add_match(w, "m", "pong", "ann", "bob");
  world_settle(w);
  assert_null(world_text(w, "Match", "m", "status.winner"));
  assert_string_equal(world_text(w, "Match", "m", "status.participants.0.outcome"), "Draw");
  assert_int_equal(world_int(w, "Agent", "ann", "status.rating.elo"), 1500);
  assert_int_equal(world_int(w, "Agent", "ann", "status.rating.draws"), 1);
}

static void a_match_waits_with_a_reason_for_an_agent_that_does_not_exist(void **state) {
  struct world *w = *state;
  world_add_match(w, "m", "pong", "ann", "nobody");
  world_settle(w);
  assert_condition(w, "m", "Prepared", "False/AgentNotFound");
  assert_string_equal(world_text(w, "Match", "m", "status.phase"), "Pending");
  assert_int_equal(world_count(w, "Pod"), 0);
  world_add_agent(w, "nobody", "nora", "pong");
  world_settle(w);
  assert_condition(w, "m", "Complete", "True/Completed");
}

static void a_match_between_environments_fails_for_good(void **state) {
  struct world *w = *state;
  world_add_queue(w, "chess");
  world_add_agent(w, "rook", "rita", "chess");
  world_add_match(w, "m", "pong", "ann", "rook");
  world_settle(w);
  assert_condition(w, "m", "Failed", "True/EnvironmentMismatch");
  assert_condition(w, "m", "Stalled", "True/EnvironmentMismatch");
}

static void a_waiting_match_freezes_nobody(void **state) {
  struct world *w = *state;
  world_add_match(w, "waits", "pong", "ann", "nobody");
  world_settle(w);
  assert_string_equal(world_text(w, "Agent", "ann", "status.queue.state"), "Waiting");
  world_add_match(w, "plays", "pong", "ann", "bob");
  world_settle(w);
  assert_condition(w, "plays", "Complete", "True/Completed");
}

static void an_agent_plays_one_match_at_a_time(void **state) {
  struct world *w = *state;
  w->executor_answers = false;
  world_add_match(w, "m1", "pong", "ann", "bob");
  world_add_match(w, "m2", "pong", "bob", "ann");
  world_settle(w);
  assert_condition(w, "m1", "Executed", "Unknown/Running");
  assert_condition(w, "m2", "Prepared", "False/AgentBusy");
  assert_string_equal(world_text(w, "Agent", "ann", "status.queue.state"), "Playing");
  w->executor_answers = true;
  world_settle(w);
  assert_condition(w, "m1", "Complete", "True/Completed");
  assert_condition(w, "m2", "Complete", "True/Completed");
  assert_int_equal(world_int(w, "Agent", "ann", "status.rating.matches"), 2);
}

static void a_match_takes_twelve_writes_and_no_event(void **state) {
  struct world *w = *state;
  w->skip[RECONCILE_QUEUE] = true;
  world_settle(w);
  assert_string_equal(world_text(w, "Agent", "ann", "status.queue.state"), "Waiting");
  const unsigned writes = w->writes, events = w->events;
  world_add_match(w, "m", "pong", "ann", "bob");
  world_settle(w);
  assert_condition(w, "m", "Rated", "True/Rated");
  assert_string_equal(world_text(w, "Agent", "ann", "status.queue.state"), "Waiting");
  // Two Pods come and go; two agents play, and wait again with their new rating; the match starts, runs, has a
  // result, is complete.
  assert_int_equal(w->writes - writes, 4 + 4 + 4);
  assert_int_equal(w->events, events);
}

static void an_agent_plays_until_its_rating_is_written(void **state) {
  struct world *w = *state;
  w->skip[RECONCILE_QUEUE] = true;
  begin_game(w);
  w->executor_answers = true;
  w->stop_after = w->writes + 1;  // the result is recorded, nobody is rated
  world_settle(w);
  assert_condition(w, "m", "Executed", "True/Played");
  world_restart(w);
  w->skip[RECONCILE_MATCH] = true;
  world_settle(w);
  assert_string_equal(world_text(w, "Agent", "ann", "status.queue.state"), "Playing");
  w->skip[RECONCILE_MATCH] = false;
  world_settle(w);
  assert_string_equal(world_text(w, "Agent", "ann", "status.queue.state"), "Waiting");
  assert_int_equal(world_int(w, "Agent", "ann", "status.rating.matches"), 1);
}

static void an_agent_that_forfeits_loses_and_the_reason_stands_in_status(void **state) {
  struct world *w = *state;
  w->game.failure[1] = WIRE_FAILURE_CRASHED;
  world_add_match(w, "m", "pong", "ann", "bob");
  world_settle(w);
  assert_condition(w, "m", "Complete", "True/Completed");
  assert_string_equal(world_text(w, "Match", "m", "status.winner"), "ann");
  assert_string_equal(world_text(w, "Match", "m", "status.participants.1.outcome"), "Forfeit");
  assert_string_equal(world_text(w, "Match", "m", "status.participants.1.errorMessage"), "its code raised");
  assert_int_equal(world_int(w, "Agent", "bob", "status.rating.losses"), 1);
  assert_int_equal(world_int(w, "Agent", "bob", "status.consecutiveForfeits"), 1);
  // Whoever reads conditions or Events need not know where else to look.
  assert_condition(w, "m", "Executed", "True/Forfeited");
  const char *said = world_message(w, "Match", "m", "Executed");
  assert_non_null(strstr(said, "bob forfeited after"));
  assert_non_null(strstr(said, ": its code raised"));
  said = world_message(w, "Match", "m", "Complete");
  assert_non_null(strstr(said, "ann won. ann 1500 -> "));
  assert_non_null(strstr(said, " bob forfeited: its code raised"));
}

static void both_sides_forfeiting_is_failed_and_unrated(void **state) {
  struct world *w = *state;
  w->game.failure[0] = w->game.failure[1] = WIRE_FAILURE_STARTUP;
  w->game.status = WIRE_ERROR;
  world_add_match(w, "m", "pong", "ann", "bob");
  world_settle(w);
  assert_condition(w, "m", "Failed", "True/BothForfeited");
  assert_condition(w, "m", "Rated", "False/Unrated");
  assert_int_equal(world_int(w, "Agent", "ann", "status.rating.matches"), 0);
  assert_int_equal(world_int(w, "Agent", "ann", "status.consecutiveForfeits"), 1);
}

static const char *const FIVE[] = {"m1", "m2", "m3", "m4", "m5"};

// Ann is late in each of the five.
static void forfeit_all(struct world *w) {
  w->game.failure[0] = WIRE_FAILURE_LATE;
  for (unsigned i = 0; i < array_size(FIVE); i++) {
    world_add_match(w, FIVE[i], "pong", "ann", "bob");
    world_settle(w);
    w->now += 60000;
  }
}

static void add_second_version(struct world *w, const char *agent) {
  cleanup_free char *text = mem_printf(
      "{'kind':'Submission','metadata':{'name':'%s-v2'},'spec':{'agent':'%s','source':{'image':'r.test/%s:2'}},"
      "'status':{'version':2,'image':'r.test/%s@sha256:22','conditions':[{'type':'Ready','status':'True',"
      "'reason':'Ready'}]}}",
      agent, agent, agent, agent);
  world_apply(w, text);
}

static void five_forfeits_running_suspend_an_agent_until_its_next_submission(void **state) {
  struct world *w = *state;
  forfeit_all(w);
  assert_string_equal(world_text(w, "Agent", "ann", "status.queue.state"), "Suspended");
  assert_string_equal(world_condition(w, "Agent", "ann", "Queued"), "False/TooManyForfeits");
  assert_non_null(strstr(world_message(w, "Agent", "ann", "Queued"), "5 times running, the last time in match m5: "));
  cleanup_free char *told = mem_strdup(world_message(w, "Agent", "ann", "Queued"));
  const unsigned events = w->events;
  world_add_match(w, "by-hand", "pong", "ann", "bob");
  world_settle(w);
  assert_string_equal(world_text(w, "Match", "by-hand", "status.participants.0.outcome"), "Forfeit");
  assert_string_equal(world_message(w, "Agent", "ann", "Queued"), told);
  assert_int_equal(w->events, events + 1);  // the match's own
  add_second_version(w, "ann");
  world_settle(w);
  assert_string_equal(world_text(w, "Agent", "ann", "status.queue.state"), "Waiting");
}

static void a_suspended_agent_stays_out_when_the_matches_that_it_forfeited_are_gone(void **state) {
  struct world *w = *state;
  forfeit_all(w);
  for (unsigned i = 0; i < array_size(FIVE); i++) {
    world_delete(w, "Match", FIVE[i]);
    world_settle(w);
  }
  world_restart(w);
  world_patch(w, "Agent", "ann", "{'spec':{'description':'let me in'}}");
  world_wait(w, 7200000, 3600000);
  assert_string_equal(world_text(w, "Agent", "ann", "status.queue.state"), "Suspended");
  assert_int_equal(world_int(w, "Agent", "ann", "status.consecutiveForfeits"), 5);
  // By hand it may play, and show that it can.
  w->game.failure[0] = WIRE_FAILURE_NONE;
  world_add_match(w, "m6", "pong", "ann", "bob");
  world_settle(w);
  assert_string_equal(world_text(w, "Agent", "ann", "status.queue.state"), "Waiting");
  assert_int_equal(world_int(w, "Agent", "ann", "status.consecutiveForfeits"), 0);
}

static void an_executor_that_is_away_is_tried_three_times_then_failed_unrated(void **state) {
  struct world *w = *state;
  error_set(&w->call_error, ERR_UNAVAILABLE, "connection refused");
  world_add_match(w, "m", "pong", "ann", "bob");
  world_settle(w);
  assert_condition(w, "m", "Executed", "False/ExecutorUnavailable");
  assert_int_equal(world_int(w, "Match", "m", "status.attempt"), 2);
  assert_int_equal(w->calls, 1);
  world_wait(w, 120000, 1000);
  assert_int_equal(w->calls, MATCH_ATTEMPTS);
  assert_condition(w, "m", "Failed", "True/ExecutorUnavailable");
  assert_int_equal(world_int(w, "Agent", "ann", "status.rating.matches"), 0);
  assert_string_equal(world_text(w, "Agent", "ann", "status.queue.state"), "Waiting");
}

static void a_match_survives_an_executor_that_comes_back(void **state) {
  struct world *w = *state;
  error_set(&w->call_error, ERR_UNAVAILABLE, "connection refused");
  world_add_match(w, "m", "pong", "ann", "bob");
  world_settle(w);
  w->call_error.code = ERR_NONE;
  world_wait(w, 10000, 1000);
  assert_condition(w, "m", "Complete", "True/Completed");
  assert_int_equal(world_int(w, "Match", "m", "status.attempt"), 2);
}

static void a_busy_executor_costs_no_attempt(void **state) {
  struct world *w = *state;
  error_set(&w->call_error, ERR_BUSY, "no free place");
  world_add_match(w, "m", "pong", "ann", "bob");
  world_settle(w);
  assert_condition(w, "m", "Executed", "Unknown/ExecutorBusy");
  assert_int_equal(world_int(w, "Match", "m", "status.attempt"), 1);
}

static void a_match_waits_for_an_executor_that_does_not_know_the_controller(void **state) {
  struct world *w = *state;
  error_set(&w->call_error, ERR_FORBIDDEN, "UNAUTHENTICATED: authorization");
  world_add_match(w, "m", "pong", "ann", "bob");
  world_wait(w, 300000, 10000);
  assert_condition(w, "m", "Executed", "Unknown/ExecutorForbids");
  assert_non_null(strstr(world_message(w, "Match", "m", "Executed"), "EXECUTOR_TOKEN"));
  w->call_error = (struct error){0};
  world_wait(w, 3000, 1000);
  assert_condition(w, "m", "Complete", "True/Completed");
  assert_int_equal(world_int(w, "Match", "m", "status.attempt"), 1);
}

static void a_pod_that_is_taken_away_is_not_its_agents_fault(void **state) {
  struct world *w = *state;
  begin_game(w);
  world_delete(w, "Pod", "m-agent-1");
  second_is_lost(w);
  assert_condition(w, "m", "Executed", "False/PodLost");
  assert_played_again(w);
  assert_string_equal(world_text(w, "Match", "m", "status.participants.1.outcome"), "Draw");
}

static void an_image_that_cannot_be_pulled_fails_unrated_after_three_attempts(void **state) {
  struct world *w = *state;
  w->pods_start = false;
  world_add_match(w, "m", "pong", "ann", "bob");
  for (int i = 0; i < 400 && world_condition(w, "Match", "m", "Failed")[0] == '\0'; i++) {
    world_settle(w);
    for (int seat = 0; seat < 2; seat++) {
      const char *name = seat ? "m-agent-1" : "m-agent-0";
      if (world_get(w, "Pod", name) == NULL) continue;
      world_patch(
          w, "Pod", name,
          "{'status':{'phase':'Pending','conditions':[{'type':'PodScheduled','status':'True'}],'containerStatuses':[{'"
          "name':"
          "'agent','ready':false,'state':{'waiting':{'reason':'ImagePullBackOff','message':'no such image'}}}]}}");
    }
    w->now += 1000;
  }
  assert_condition(w, "m", "Failed", "True/ImagePullBackOff");
  assert_int_equal(w->calls, 0);
}

static void first_pod_is_ready(struct world *w) {
  world_patch(w, "Pod", "m-agent-0",
              "{'status':{'phase':'Running','podIP':'10.0.0.1','conditions':[{'type':'Ready','status':'True'}],"
              "'containerStatuses':[{'name':'agent','ready':true,'state':{'running':{}}}]}}");
}

static void a_container_that_ends_before_it_serves_forfeits(void **state) {
  struct world *w = *state;
  w->pods_start = false;
  world_add_match(w, "m", "pong", "ann", "bob");
  world_settle(w);
  first_pod_is_ready(w);
  world_patch(w, "Pod", "m-agent-1",
              "{'status':{'phase':'Failed','containerStatuses':[{'name':'agent','ready':false,"
              "'state':{'terminated':{'exitCode':3,'reason':'Error'}}}]}}");
  w->game.failure[1] = WIRE_FAILURE_STARTUP;
  world_settle(w);
  assert_condition(w, "m", "Complete", "True/Completed");
  assert_string_equal(world_text(w, "Match", "m", "status.winner"), "ann");
}

static void an_agent_is_not_too_late_for_time_in_which_nobody_watched_its_pod(void **state) {
  struct world *w = *state;
  w->pods_start = false;
  world_add_match(w, "m", "pong", "ann", "bob");
  world_settle(w);
  first_pod_is_ready(w);
  world_patch(w, "Pod", "m-agent-1",
              "{'status':{'phase':'Running','podIP':'10.0.0.2',"
              "'containerStatuses':[{'name':'agent','ready':false,'state':{'running':{}}}]}}");
  world_wait(w, 25000, 1000);
  w->watched_since = w->now;
  world_wait(w, 25000, 1000);
  assert_condition(w, "m", "Prepared", "False/PodsStarting");
  w->game.failure[1] = WIRE_FAILURE_STARTUP;
  world_wait(w, 10000, 1000);
  assert_condition(w, "m", "Complete", "True/Completed");
  assert_string_equal(world_text(w, "Match", "m", "status.winner"), "ann");
}

// How an agent that is about to lose could make the match a fault of the platform, and so unrated.
static void a_pod_that_is_evicted_for_its_own_use_of_disk_forfeits(void **state) {
  struct world *w = *state;
  begin_game(w);
  world_patch(w, "Pod", "m-agent-1",
              "{'status':{'phase':'Failed','reason':'Evicted','message':'Pod ephemeral local storage usage exceeds the "
              "total limit of containers 128Mi. ','containerStatuses':[{'name':'agent','ready':false,"
              "'state':{'terminated':{'exitCode':137,'reason':'Error'}}}]}}");
  second_is_lost(w);
  assert_condition(w, "m", "Complete", "True/Completed");
  assert_string_equal(world_text(w, "Match", "m", "status.winner"), "ann");
  assert_string_equal(world_text(w, "Match", "m", "status.participants.1.outcome"), "Forfeit");
  assert_non_null(strstr(world_text(w, "Match", "m", "status.participants.1.errorMessage"), "more disk than it may"));
  assert_int_equal(world_int(w, "Match", "m", "status.attempt"), 1);
}

static void a_pod_that_its_node_evicts_for_want_of_room_is_not_its_agents_fault(void **state) {
  struct world *w = *state;
  begin_game(w);
  world_patch(w, "Pod", "m-agent-1",
              "{'status':{'phase':'Failed','reason':'Evicted','message':'The node was low on resource: "
              "ephemeral-storage. ','containerStatuses':[{'name':'agent','ready':false,"
              "'state':{'terminated':{'exitCode':137,'reason':'Error'}}}]}}");
  second_is_lost(w);
  assert_condition(w, "m", "Executed", "False/PodLost");
  // What is left of the Pod is no second fault.
  assert_played_again(w);
  assert_int_equal(world_int(w, "Match", "m", "status.attempt"), 2);
}

#define EXPIRED                                                                                                \
  "{'status':{'phase':'Failed','reason':'DeadlineExceeded','message':'Pod was active on the node longer than " \
  "the specified deadline','containerStatuses':[{'name':'agent','ready':false,'state':{'terminated':{"         \
  "'exitCode':137,'reason':'Error'}}}]}}"

static void pods_that_expire_while_they_wait_for_the_executor_are_renewed(void **state) {
  struct world *w = *state;
  error_set(&w->call_error, ERR_BUSY, "no free place");
  world_add_match(w, "m", "pong", "ann", "bob");
  world_settle(w);
  assert_condition(w, "m", "Executed", "Unknown/ExecutorBusy");
  cleanup_free char *other = mem_strdup(world_text(w, "Pod", "m-agent-0", "metadata.uid"));
  world_patch(w, "Pod", "m-agent-1", EXPIRED);
  world_wait(w, 3000, 1000);
  assert_condition(w, "m", "Executed", "Unknown/ExecutorBusy");
  assert_string_equal(world_text(w, "Pod", "m-agent-1", "status.phase"), "Running");
  assert_string_not_equal(world_text(w, "Pod", "m-agent-0", "metadata.uid"), other);  // as old as the other
  w->call_error = (struct error){0};
  world_wait(w, 3000, 1000);
  assert_condition(w, "m", "Complete", "True/Completed");
  assert_int_equal(world_int(w, "Match", "m", "status.attempt"), 1);
  assert_string_equal(world_text(w, "Match", "m", "status.participants.1.outcome"), "Draw");
}

static void a_pod_that_expires_in_its_game_is_not_its_agents_fault(void **state) {
  struct world *w = *state;
  begin_game(w);
  world_patch(w, "Pod", "m-agent-1", EXPIRED);
  second_is_lost(w);
  assert_condition(w, "m", "Executed", "False/PodLost");
  assert_int_equal(world_count(w, "Pod"), 0);  // the other one is as old
  assert_played_again(w);
  assert_int_equal(world_int(w, "Match", "m", "status.attempt"), 2);
}

// What ends a Pod before it has waited for anything would end the next one as well.
static void pods_that_expire_as_they_start_cost_attempts(void **state) {
  struct world *w = *state;
  w->pods_start = false;
  world_add_match(w, "m", "pong", "ann", "bob");
  for (int i = 0; i < 400 && world_condition(w, "Match", "m", "Failed")[0] == '\0'; i++) {
    world_settle(w);
    if (world_get(w, "Pod", "m-agent-1") != NULL) world_patch(w, "Pod", "m-agent-1", EXPIRED);
    w->now += 1000;
  }
  assert_condition(w, "m", "Failed", "True/PodExpired");
  assert_int_equal(world_int(w, "Match", "m", "status.attempt"), 3);
}

static void an_image_without_a_command_forfeits_at_once(void **state) {
  struct world *w = *state;
  w->pods_start = false;
  world_add_match(w, "m", "pong", "ann", "bob");
  world_settle(w);
  first_pod_is_ready(w);
  world_patch(w, "Pod", "m-agent-1",
              "{'status':{'phase':'Pending','conditions':[{'type':'PodScheduled','status':'True'}],"
              "'containerStatuses':[{'name':'agent','ready':false,'state':{'waiting':{'reason':'CreateContainerError',"
              "'message':'failed to generate container spec: no command specified'}}}]}}");
  w->game.failure[1] = WIRE_FAILURE_STARTUP;
  world_settle(w);
  assert_condition(w, "m", "Complete", "True/Completed");
  assert_string_equal(world_text(w, "Match", "m", "status.winner"), "ann");
}

static void words_of_a_container_are_cut_between_characters(void **state) {
  (void)state;
  struct pod pod = {.phase = "Failed", .container_count = 1, .participant = -1};
  char words[2 * 400 + 3] = "";
  // The text before it is as long as it is: one of the two has the cut in the middle of a character.
  for (int shift = 0; shift < 2; shift++) {
    memset(words, 'x', sizeof(words));
    for (int i = 0; i < 400; i++) memcpy(words + shift + 2 * i, "\xc3\xa9", 2);
    words[shift + 800] = '\0';
    pod.containers[0] = (struct container_state){.name = "agent", .terminated = true, .exit_code = 1, .message = words};
    struct seat_state seat;
    seat_look(&pod, &(struct match_defaults){.startup_seconds = 30}, 0, &seat);
    assert_int_equal(seat.verdict, SEAT_AGENT_FAULT);
    assert_int_equal(text_utf8_prefix(seat.text, strlen(seat.text)), strlen(seat.text));
    assert_true(strlen(seat.text) > 500);
  }
}

// The first line is what strangers read; what the container printed stands behind it.
static void what_a_container_printed_is_not_in_the_first_line(void **state) {
  (void)state;
  struct pod pod = {.phase = "Failed", .container_count = 1, .participant = -1};
  struct seat_state seat;
  pod.containers[0] =
      (struct container_state){.name = "agent", .terminated = true, .exit_code = 1, .message = (char *)"secret = 42"};
  seat_look(&pod, &(struct match_defaults){.startup_seconds = 30}, 0, &seat);
  assert_string_equal(seat.text, "Its container ended with exit code 1.\nlast output:\nsecret = 42");
  pod.containers[0].message = NULL;
  seat_look(&pod, &(struct match_defaults){.startup_seconds = 30}, 0, &seat);
  assert_string_equal(seat.text, "Its container ended with exit code 1.");
}

static void an_agents_token_is_the_uid_of_its_pod(void **state) {
  struct world *w = *state;
  begin_game(w);
  json *container = json_item(json_at(world_get(w, "Pod", "m-agent-0"), "spec", "containers", NULL), 0);
  json *env = json_get(container, "env"), *token = NULL;
  for (size_t i = 0; i < json_length(env); i++) {
    if (strcmp(json_text(json_item(env, i), "name"), "AGENT_TOKEN") == 0) token = json_item(env, i);
  }
  assert_string_equal(json_text(json_at(token, "valueFrom", "fieldRef", NULL), "fieldPath"), "metadata.uid");
  assert_int_equal(w->calls, 1);
}

// Everything that bounds a stranger's code for which no setting of its own has to be made.
static void an_agents_pod_is_confined_and_gets_what_its_queue_gives(void **state) {
  struct world *w = *state;
  char class[] = "gvisor", secret[] = "registry";
  w->executor_answers = false;
  w->settings.agent_runtime_class = class;
  w->settings.registry_secret = secret;
  world_patch(w, "MatchmakingQueue", "pong", "{'spec':{'match':{'resources':{'cpu':'2','memory':'1Gi'}}}}");
  world_add_match(w, "m", "pong", "ann", "bob");
  world_settle(w);
  json *pod = json_get(world_get(w, "Pod", "m-agent-0"), "spec"),
       *container = json_item(json_get(pod, "containers"), 0);
  assert_string_equal(json_text(pod, "runtimeClassName"), "gvisor");
  assert_string_equal(json_text(json_item(json_get(pod, "imagePullSecrets"), 0), "name"), "registry");
  assert_false(json_bool(pod, "automountServiceAccountToken", true));
  assert_false(json_bool(pod, "enableServiceLinks", true));
  assert_int_equal(json_int(pod, "activeDeadlineSeconds", -1), 300 * MATCH_ATTEMPTS + 900);
  assert_true(json_bool(json_get(pod, "securityContext"), "runAsNonRoot", false));
  assert_string_equal(json_text(json_at(pod, "securityContext", "seccompProfile", NULL), "type"), "RuntimeDefault");
  json *own = json_get(container, "securityContext");
  assert_true(json_bool(own, "readOnlyRootFilesystem", false));
  assert_false(json_bool(own, "allowPrivilegeEscalation", true));
  assert_string_equal(json_object_get_string(json_item(json_at(own, "capabilities", "drop", NULL), 0)), "ALL");
  json *limits = json_at(container, "resources", "limits", NULL);
  assert_true(json_object_equal(limits, json_at(container, "resources", "requests", NULL)));
  assert_string_equal(json_text(limits, "cpu"), "2");
  assert_string_equal(json_text(limits, "memory"), "1Gi");
  assert_string_equal(json_text(limits, "ephemeral-storage"), "128Mi");
  assert_int_equal(json_length(json_get(pod, "volumes")), 1);
  assert_string_equal(json_text(json_at(json_item(json_get(pod, "volumes"), 0), "emptyDir", NULL), "sizeLimit"),
                      "64Mi");
}

static void a_match_with_a_submission_of_another_agent_fails_for_good(void **state) {
  struct world *w = *state;
  add_match_with(w, "ann-v1");
  world_settle(w);
  assert_condition(w, "m", "Failed", "True/SubmissionMismatch");
  assert_condition(w, "m", "Stalled", "True/SubmissionMismatch");
  assert_int_equal(world_count(w, "Pod"), 0);
}

static void a_match_does_not_start_with_a_submission_of_an_earlier_agent_of_the_name(void **state) {
  struct world *w = *state;
  world_patch(w, "Submission", "bob-v1",
              "{'metadata':{'ownerReferences':[{'apiVersion':'rl-arena.io/v1alpha1','kind':'Agent','name':'bob',"
              "'uid':'of-an-earlier-bob'}]}}");
  add_match_with(w, "bob-v1");
  world_settle(w);
  assert_condition(w, "m", "Prepared", "False/SubmissionNotReady");
  assert_int_equal(world_count(w, "Pod"), 0);
}

static void add_failed_version(struct world *w, const char *reason) {
  cleanup_free char *text = mem_printf(
      "{'kind':'Submission','metadata':{'name':'bob-v2'},'spec':{'agent':'bob','source':{'image':'r.test/bob:2'}},"
      "'status':{'version':2,'conditions':[{'type':'Ready','status':'False','reason':'%s'},"
      "{'type':'Stalled','status':'True','reason':'%s'}]}}",
      reason, reason);
  world_apply(w, text);
  add_match_with(w, "bob-v2");
  world_settle(w);
}

static void a_match_with_a_submission_that_failed_fails_for_good(void **state) {
  struct world *w = *state;
  add_failed_version(w, "BuildFailed");
  assert_condition(w, "m", "Failed", "True/SubmissionFailed");
  assert_condition(w, "m", "Stalled", "True/SubmissionFailed");
  assert_non_null(strstr(world_message(w, "Match", "m", "Failed"), "kubectl describe submission bob-v2"));
  assert_int_equal(world_count(w, "Pod"), 0);
}

static void a_match_waits_for_the_policy_that_rejects_its_submission(void **state) {
  struct world *w = *state;
  add_failed_version(w, "VulnerabilitiesFound");
  assert_condition(w, "m", "Prepared", "False/SubmissionRejected");
  assert_condition(w, "m", "Failed", "");
}

static void a_match_waits_for_the_submission_that_it_asks_for(void **state) {
  struct world *w = *state;
  add_match_with(w, "bob-v2");
  world_settle(w);
  assert_condition(w, "m", "Prepared", "False/SubmissionNotReady");
  add_second_version(w, "bob");
  world_settle(w);
  assert_condition(w, "m", "Complete", "True/Completed");
  assert_string_equal(world_text(w, "Match", "m", "status.participants.1.submission"), "bob-v2");
  assert_string_equal(world_text(w, "Match", "m", "status.participants.1.image"), "r.test/bob@sha256:22");
}

static void a_suspended_agent_plays_no_match_by_hand_either(void **state) {
  struct world *w = *state;
  world_patch(w, "Agent", "bob", "{'spec':{'suspended':true}}");
  world_add_match(w, "m", "pong", "ann", "bob");
  world_settle(w);
  assert_condition(w, "m", "Prepared", "False/AgentSuspended");
  assert_string_equal(world_text(w, "Agent", "ann", "status.queue.state"), "Waiting");
  world_patch(w, "Agent", "bob", "{'spec':{'suspended':false}}");
  world_settle(w);
  assert_condition(w, "m", "Complete", "True/Completed");
}

static void a_match_without_a_queue_waits_with_a_reason(void **state) {
  struct world *w = *state;
  world_add_agent(w, "gus", "gina", "go");
  world_add_agent(w, "hal", "hugo", "go");
  world_add_match(w, "m", "go", "gus", "hal");
  world_settle(w);
  assert_condition(w, "m", "Prepared", "False/EnvironmentNotFound");
  assert_condition(w, "m", "Reconciling", "True/InProgress");
  world_add_queue(w, "go");
  world_settle(w);
  assert_condition(w, "m", "Complete", "True/Completed");
}

static void a_finished_match_is_removed_after_its_ttl(void **state) {
  struct world *w = *state;
  world_apply(w,
              "{'kind':'Match','metadata':{'name':'m'},'spec':{'environment':'pong','participants':[{'agent':'ann'},"
              "{'agent':'bob'}],'ttlSecondsAfterFinished':60}}");
  world_settle(w);
  world_wait(w, 50000, 10000);
  assert_non_null(world_get(w, "Match", "m"));
  world_wait(w, 20000, 10000);
  assert_null(world_get(w, "Match", "m"));
}

static void a_deleted_match_that_is_held_is_in_nobodys_way(void **state) {
  struct world *w = *state;
  begin_game(w);
  assert_int_equal(world_count(w, "Pod"), 2);
  // Somebody's finalizer holds it, and nobody takes it off.
  world_patch(w, "Match", "m",
              "{'metadata':{'finalizers':['rl-arena.io/mirror'],'deletionTimestamp':'2027-01-15T08:00:00Z'}}");
  world_settle(w);
  assert_int_equal(world_count(w, "Pod"), 0);
  w->executor_answers = true;
  world_add_match(w, "next", "pong", "ann", "bob");
  world_settle(w);
  assert_condition(w, "next", "Complete", "True/Completed");
  assert_int_equal(world_int(w, "Agent", "ann", "status.rating.matches"), 1);
}

static void the_replay_shows_display_names(void **state) {
  struct world *w = *state;
  w->executor_answers = false;
  world_patch(w, "Agent", "ann", "{'spec':{'displayName':'Ann <the> Great'}}");
  world_add_match(w, "m", "pong", "ann", "bob");
  world_settle(w);
  const struct world_call *c = map_get(w->open_calls, world_text(w, "Match", "m", "metadata.uid"));
  assert_non_null(c);
  assert_non_null(memmem(c->request, c->length, "Ann <the> Great", strlen("Ann <the> Great")));
  assert_non_null(memmem(c->request, c->length, "bob", strlen("bob")));  // has none
}

static void the_seed_is_the_one_asked_for(void **state) {
  struct world *w = *state;
  world_apply(w,
              "{'kind':'Match','metadata':{'name':'m'},'spec':{'environment':'pong','seed':42,"
              "'participants':[{'agent':'ann'},{'agent':'bob'}]}}");
  world_settle(w);
  assert_int_equal(world_int(w, "Match", "m", "status.seed"), 42);
}

static void an_unrated_match_changes_no_rating(void **state) {
  struct world *w = *state;
  w->game.winner = "ann";
  world_apply(w,
              "{'kind':'Match','metadata':{'name':'m'},'spec':{'environment':'pong','rated':false,"
              "'participants':[{'agent':'ann'},{'agent':'bob'}]}}");
  world_settle(w);
  assert_condition(w, "m", "Complete", "True/Completed");
  assert_condition(w, "m", "Rated", "False/Unrated");
  assert_int_equal(world_int(w, "Agent", "ann", "status.rating.matches"), 0);
}

int main(void) {
#define scenario(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
  const struct CMUnitTest tests[] = {
      scenario(a_match_is_played_rated_and_cleaned_up),
      scenario(a_draw_moves_nobody_of_equal_rating),
      scenario(a_match_waits_with_a_reason_for_an_agent_that_does_not_exist),
      scenario(a_match_between_environments_fails_for_good),
      scenario(a_waiting_match_freezes_nobody),
      scenario(an_agent_plays_one_match_at_a_time),
      scenario(a_match_takes_twelve_writes_and_no_event),
      scenario(an_agent_plays_until_its_rating_is_written),
      scenario(an_agent_that_forfeits_loses_and_the_reason_stands_in_status),
      scenario(both_sides_forfeiting_is_failed_and_unrated),
      scenario(five_forfeits_running_suspend_an_agent_until_its_next_submission),
      scenario(a_suspended_agent_stays_out_when_the_matches_that_it_forfeited_are_gone),
      scenario(an_executor_that_is_away_is_tried_three_times_then_failed_unrated),
      scenario(a_match_survives_an_executor_that_comes_back),
      scenario(a_busy_executor_costs_no_attempt),
      scenario(a_match_waits_for_an_executor_that_does_not_know_the_controller),
      scenario(a_pod_that_is_taken_away_is_not_its_agents_fault),
      scenario(an_image_that_cannot_be_pulled_fails_unrated_after_three_attempts),
      scenario(a_container_that_ends_before_it_serves_forfeits),
      scenario(a_pod_that_is_evicted_for_its_own_use_of_disk_forfeits),
      scenario(a_pod_that_its_node_evicts_for_want_of_room_is_not_its_agents_fault),
      scenario(pods_that_expire_while_they_wait_for_the_executor_are_renewed),
      scenario(a_pod_that_expires_in_its_game_is_not_its_agents_fault),
      scenario(pods_that_expire_as_they_start_cost_attempts),
      scenario(an_image_without_a_command_forfeits_at_once),
      cmocka_unit_test(words_of_a_container_are_cut_between_characters),
      cmocka_unit_test(what_a_container_printed_is_not_in_the_first_line),
      scenario(an_agents_token_is_the_uid_of_its_pod),
      scenario(an_agents_pod_is_confined_and_gets_what_its_queue_gives),
      scenario(a_match_with_a_submission_of_another_agent_fails_for_good),
      scenario(a_match_does_not_start_with_a_submission_of_an_earlier_agent_of_the_name),
      scenario(a_match_with_a_submission_that_failed_fails_for_good),
      scenario(a_match_waits_for_the_policy_that_rejects_its_submission),
      scenario(a_match_waits_for_the_submission_that_it_asks_for),
      scenario(a_suspended_agent_plays_no_match_by_hand_either),
      scenario(a_match_without_a_queue_waits_with_a_reason),
      scenario(an_agent_is_not_too_late_for_time_in_which_nobody_watched_its_pod),
      scenario(a_finished_match_is_removed_after_its_ttl),
      scenario(a_deleted_match_that_is_held_is_in_nobodys_way),
      scenario(the_replay_shows_display_names),
      scenario(the_seed_is_the_one_asked_for),
      scenario(an_unrated_match_changes_no_rating),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
