// Whatever dies when: a whole tournament is played while the controller is killed before every
// single API write in turn, and started again. Nothing is lost and nothing is rated twice.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "arena/rating.h"

#include "world.h"

enum { AGENTS = 4, MATCHES = 3 };
static const char *const NAMES[AGENTS] = {"ann", "bob", "cat", "dan"};
static const char *const PAIRS[MATCHES][2] = {{"ann", "bob"}, {"bob", "cat"}, {"dan", "ann"}};

static void begin(struct world *w) {
  world_init(w);
  w->skip[RECONCILE_SUBMISSION] = true;
  w->skip[RECONCILE_QUEUE] = true;
  w->game.winner = "ann";
  world_add_queue(w, "pong");
  for (int i = 0; i < AGENTS; i++) world_add_agent(w, NAMES[i], NAMES[i], "pong");
  for (int i = 0; i < MATCHES; i++) {
    char name[8];
    snprintf(name, sizeof(name), "m%d", i);
    world_add_match(w, name, "pong", PAIRS[i][0], PAIRS[i][1]);
  }
}

// The ratings must be what the matches' own records say, number by number.
static void check_ratings(struct world *w) {
  for (int i = 0; i < AGENTS; i++) {
    int64_t elo = 1500;
    int expected = 0;
    for (int number = 1; number <= MATCHES; number++) {
      int found = 0;
      for (int m = 0; m < MATCHES; m++) {
        for (int seat = 0; seat < 2; seat++) {
          char name[8], path[64];
          snprintf(name, sizeof(name), "m%d", m);
          snprintf(path, sizeof(path), "status.participants.%d.", seat);
          char field[96];
          snprintf(field, sizeof(field), "%smatchNumber", path);
          if (strcmp(PAIRS[m][seat], NAMES[i]) != 0 || world_int(w, "Match", name, field) != number) continue;
          found++;
          snprintf(field, sizeof(field), "%seloBefore", path);
          assert_int_equal(world_int(w, "Match", name, field), elo);
          snprintf(field, sizeof(field), "%seloAfter", path);
          elo = world_int(w, "Match", name, field);
        }
      }
      assert_true(found <= 1);  // no number is given twice
      expected += found;
    }
    assert_int_equal(world_int(w, "Agent", NAMES[i], "status.rating.matches"), expected);
    assert_int_equal(world_int(w, "Agent", NAMES[i], "status.rating.elo"), elo);
  }
}

static void check_end(struct world *w) {
  for (int i = 0; i < MATCHES; i++) {
    char name[8];
    snprintf(name, sizeof(name), "m%d", i);
    assert_string_equal(world_condition(w, "Match", name, "Complete"), "True/Completed");
    assert_string_equal(world_condition(w, "Match", name, "Rated"), "True/Rated");
    assert_int_equal(world_int(w, "Match", name, "status.attempt"), 1);
  }
  assert_int_equal(world_count(w, "Pod"), 0);
  check_ratings(w);
  for (int i = 0; i < AGENTS; i++) {
    assert_string_equal(world_text(w, "Agent", NAMES[i], "status.queue.state"), "Waiting");
  }
}

static unsigned writes_without_a_crash(void) {
  struct world w;
  begin(&w);
  world_settle(&w);
  check_end(&w);
  const unsigned writes = w.writes;
  world_done(&w);
  return writes;
}

static void killed_before_any_write_the_controller_ends_where_it_would_have(void **state) {
  (void)state;
  const unsigned writes = writes_without_a_crash();
  assert_true(writes > 20);
  for (unsigned at = 1; at <= writes; at++) {
    struct world w;
    begin(&w);
    w.stop_after = at;
    world_settle(&w);
    world_restart(&w);
    world_settle(&w);
    check_end(&w);
    world_done(&w);
  }
}

static void killed_again_and_again_it_still_ends(void **state) {
  (void)state;
  for (unsigned every = 1; every <= 7; every++) {
    struct world w;
    begin(&w);
    for (int lives = 0; lives < 200; lives++) {
      w.stop_after = w.writes + every;
      world_settle(&w);
      if (!w.dead) break;
      world_restart(&w);
    }
    assert_false(w.dead);
    check_end(&w);
    world_done(&w);
  }
}

static void deciding_again_on_a_settled_world_writes_nothing(void **state) {
  (void)state;
  struct world w;
  begin(&w);
  world_settle(&w);
  const unsigned writes = w.writes, events = w.events;
  world_restart(&w);
  world_settle(&w);
  assert_int_equal(w.writes, writes);
  assert_int_equal(w.events, events);
  world_done(&w);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(killed_before_any_write_the_controller_ends_where_it_would_have),
      cmocka_unit_test(killed_again_and_again_it_still_ends),
      cmocka_unit_test(deciding_again_on_a_settled_world_writes_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
