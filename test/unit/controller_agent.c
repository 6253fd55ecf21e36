// Which submission plays, and where an agent stands in the queue.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "world.h"

#define assert_condition(w, name, type, expected) assert_string_equal(world_condition(w, "Agent", name, type), expected)
#define assert_state(w, name, expected) \
  assert_string_equal(world_text(w, "Agent", name, "status.queue.state"), expected)

static int setup(void **state) {
  static struct world w;
  world_init(&w);
  w.skip[RECONCILE_SUBMISSION] = true;
  w.skip[RECONCILE_QUEUE] = true;
  world_add_queue(&w, "pong");
  *state = &w;
  return 0;
}

static int teardown(void **state) {
  world_done(*state);
  return 0;
}

static void add_bare(struct world *w, const char *spec) {
  char text[512];
  snprintf(text, sizeof(text),
           "{'kind':'Agent','metadata':{'name':'ann'},'spec':{'owner':'anna','environment':'pong'%s}}", spec);
  world_apply(w, text);
}

static void add_submission(struct world *w, const char *name, int version, const char *ready, const char *reason) {
  char text[1024];
  snprintf(text, sizeof(text),
           "{'kind':'Submission','metadata':{'name':'%s'},'spec':{'agent':'ann','source':{'image':'r/x:1'}},'status':{"
           "'version':%d,'image':'r/x@sha256:%d','conditions':[{'type':'Ready','status':'%s','reason':'%s'}%s]}}",
           name, version, version, ready, reason,
           ready[0] == 'F' ? ",{'type':'Stalled','status':'True','reason':'x'}" : "");
  world_apply(w, text);
}

static void an_agent_without_a_submission_waits_with_a_reason(void **state) {
  struct world *w = *state;
  add_bare(w, "");
  world_settle(w);
  assert_condition(w, "ann", "Ready", "False/NoSubmission");
  assert_condition(w, "ann", "Reconciling", "True/NoSubmission");
  assert_state(w, "ann", "Idle");
}

static void an_agent_of_an_unknown_environment_says_so(void **state) {
  struct world *w = *state;
  world_add_agent(w, "lost", "lea", "go");
  world_settle(w);
  assert_condition(w, "lost", "Ready", "False/EnvironmentNotFound");
  world_add_queue(w, "go");
  world_settle(w);
  assert_condition(w, "lost", "Ready", "True/Ready");
}

static void the_newest_ready_version_becomes_active_by_itself(void **state) {
  struct world *w = *state;
  add_bare(w, "");
  add_submission(w, "one", 1, "True", "Ready");
  world_settle(w);
  assert_string_equal(world_text(w, "Agent", "ann", "status.activeSubmission"), "one");
  assert_state(w, "ann", "Waiting");
  assert_int_equal(world_int(w, "Agent", "ann", "status.rating.elo"), 1500);
  add_submission(w, "two", 2, "True", "Ready");
  world_settle(w);
  assert_string_equal(world_text(w, "Agent", "ann", "status.activeSubmission"), "two");
  assert_string_equal(world_text(w, "Agent", "ann", "status.image"), "r/x@sha256:2");
  assert_int_equal(world_int(w, "Agent", "ann", "status.activeVersion"), 2);
}

static void a_rejected_version_leaves_the_earlier_one_active(void **state) {
  struct world *w = *state;
  add_bare(w, "");
  add_submission(w, "one", 1, "True", "Ready");
  add_submission(w, "two", 2, "False", "VulnerabilitiesFound");
  world_settle(w);
  assert_string_equal(world_text(w, "Agent", "ann", "status.activeSubmission"), "one");
  assert_condition(w, "ann", "Ready", "True/Ready");
}

static void an_agent_whose_only_submission_failed_is_stalled(void **state) {
  struct world *w = *state;
  add_bare(w, "");
  add_submission(w, "one", 1, "False", "BuildFailed");
  world_settle(w);
  assert_condition(w, "ann", "Ready", "False/SubmissionFailed");
  assert_condition(w, "ann", "Stalled", "True/SubmissionFailed");
}

static void an_agent_whose_pinned_submission_failed_is_stalled_until_another_is_pinned(void **state) {
  struct world *w = *state;
  add_bare(w, "");
  add_submission(w, "one", 1, "True", "Ready");
  add_submission(w, "two", 2, "False", "BuildFailed");
  world_patch(w, "Agent", "ann", "{'spec':{'activeSubmission':'two'}}");
  world_settle(w);
  assert_condition(w, "ann", "Ready", "False/PinnedSubmissionFailed");
  assert_condition(w, "ann", "Stalled", "True/PinnedSubmissionFailed");
  world_patch(w, "Agent", "ann", "{'spec':{'activeSubmission':'one'}}");
  world_settle(w);
  assert_condition(w, "ann", "Ready", "True/Ready");
  assert_condition(w, "ann", "Stalled", "");
}

static void set_owner(struct world *w, const char *submission, const char *agent_uid) {
  char text[256];
  snprintf(text, sizeof(text),
           "{'metadata':{'ownerReferences':[{'apiVersion':'%s','kind':'Agent','name':'ann','uid':'%s'}]}}",
           ARENA_API_VERSION, agent_uid);
  world_patch(w, "Submission", submission, text);
}

static void what_a_deleted_agent_of_the_name_leaves_is_not_the_next_ones(void **state) {
  struct world *w = *state;
  add_bare(w, "");
  add_submission(w, "one", 1, "True", "Ready");
  set_owner(w, "one", "of-an-earlier-ann");  // until the garbage collector has taken it
  world_settle(w);
  assert_condition(w, "ann", "Ready", "False/NoSubmission");
  world_patch(w, "Agent", "ann", "{'spec':{'activeSubmission':'one'}}");
  world_settle(w);
  assert_condition(w, "ann", "Ready", "False/PinnedSubmissionNotFound");
  set_owner(w, "one", world_text(w, "Agent", "ann", "metadata.uid"));
  world_settle(w);
  assert_condition(w, "ann", "Ready", "True/Ready");
}

static void an_older_version_can_be_pinned(void **state) {
  struct world *w = *state;
  add_bare(w, "");
  add_submission(w, "one", 1, "True", "Ready");
  add_submission(w, "two", 2, "True", "Ready");
  world_settle(w);
  world_patch(w, "Agent", "ann", "{'spec':{'activeSubmission':'one'}}");
  world_settle(w);
  assert_string_equal(world_text(w, "Agent", "ann", "status.activeSubmission"), "one");
  world_patch(w, "Agent", "ann", "{'spec':{'activeSubmission':'three'}}");
  world_settle(w);
  assert_condition(w, "ann", "Ready", "False/PinnedSubmissionNotFound");
  assert_null(world_text(w, "Agent", "ann", "status.activeSubmission"));
}

static void the_range_widens_while_it_waits_and_the_entry_expires(void **state) {
  struct world *w = *state;
  world_add_agent(w, "ann", "anna", "pong");
  world_settle(w);
  assert_int_equal(world_int(w, "Agent", "ann", "status.queue.rangeNow"), 100);
  world_wait(w, 31000, 1000);
  assert_int_equal(world_int(w, "Agent", "ann", "status.queue.rangeNow"), 200);
  world_wait(w, 600000, 10000);
  assert_int_equal(world_int(w, "Agent", "ann", "status.queue.rangeNow"), 500);
  world_wait(w, 86400000, 600000);
  assert_state(w, "ann", "Expired");
  assert_condition(w, "ann", "Queued", "False/Expired");
  world_wait(w, 86400000, 3600000);
  assert_state(w, "ann", "Expired");
  world_patch(w, "Agent", "ann", "{'spec':{'description':'try again'}}");
  world_settle(w);
  assert_state(w, "ann", "Waiting");
}

static void a_suspended_or_disabled_agent_leaves_the_queue(void **state) {
  struct world *w = *state;
  world_add_agent(w, "ann", "anna", "pong");
  world_settle(w);
  world_patch(w, "Agent", "ann", "{'spec':{'suspended':true}}");
  world_settle(w);
  assert_state(w, "ann", "Suspended");
  world_patch(w, "Agent", "ann", "{'spec':{'suspended':false,'matchmaking':{'enabled':false}}}");
  world_settle(w);
  assert_state(w, "ann", "Idle");
  assert_condition(w, "ann", "Queued", "False/NotEnabled");
}

static void an_agent_in_mode_once_plays_one_match_for_each_submission(void **state) {
  struct world *w = *state;
  world_add_agent(w, "bob", "bert", "pong");
  add_bare(w, ",'matchmaking':{'enabled':true,'mode':'Once','priority':5}");
  add_submission(w, "one", 1, "True", "Ready");
  world_settle(w);
  assert_state(w, "ann", "Waiting");
  w->now += 5000;
  world_add_match(w, "m", "pong", "ann", "bob");
  world_settle(w);
  assert_state(w, "ann", "Idle");
  assert_condition(w, "ann", "Queued", "False/Once");
  world_wait(w, 60000, 10000);
  assert_state(w, "ann", "Idle");
  assert_state(w, "bob", "Waiting");
  add_submission(w, "two", 2, "True", "Ready");
  world_settle(w);
  assert_state(w, "ann", "Waiting");
}

int main(void) {
#define scenario(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
  const struct CMUnitTest tests[] = {
      scenario(an_agent_without_a_submission_waits_with_a_reason),
      scenario(an_agent_of_an_unknown_environment_says_so),
      scenario(the_newest_ready_version_becomes_active_by_itself),
      scenario(a_rejected_version_leaves_the_earlier_one_active),
      scenario(an_agent_whose_only_submission_failed_is_stalled),
      scenario(an_agent_whose_pinned_submission_failed_is_stalled_until_another_is_pinned),
      scenario(what_a_deleted_agent_of_the_name_leaves_is_not_the_next_ones),
      scenario(an_older_version_can_be_pinned),
      scenario(the_range_widens_while_it_waits_and_the_entry_expires),
      scenario(a_suspended_or_disabled_agent_leaves_the_queue),
      scenario(an_agent_in_mode_once_plays_one_match_for_each_submission),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
