// Allowances by the minute.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "rate_limits.h"
#include "settings.h"

enum { START = 1000000 };

static const struct settings rates = {
    .rate_general = 60, .rate_auth = 5, .rate_submission = 5, .rate_match = 10, .rate_replay = 20};

static int setup(void **state) {
  *state = limits_new(&rates);
  return 0;
}

static int teardown(void **state) {
  limits_free(*state);
  return 0;
}

static void as_many_as_the_limit_at_once_and_then_one_at_a_time(void **state) {
  struct allowance a;
  for (int i = 4; i >= 0; i--) {
    assert_true(limits_take(*state, LIMIT_AUTH, "x", START, &a));
    assert_int_equal(a.remaining, i);
    assert_int_equal(a.limit, 5);
  }
  assert_false(limits_take(*state, LIMIT_AUTH, "x", START, &a));
  assert_int_equal(a.full_at, START + 60000);
  assert_int_equal(a.next_at, START + 12000);
  assert_false(limits_take(*state, LIMIT_AUTH, "x", START + 11999, &a));
  assert_true(limits_take(*state, LIMIT_AUTH, "x", START + 12000, &a));
  assert_false(limits_take(*state, LIMIT_AUTH, "x", START + 12001, &a));
}

static void everyone_and_every_kind_has_an_own_one(void **state) {
  struct allowance a;
  for (int i = 0; i < 5; i++) limits_take(*state, LIMIT_AUTH, "x", START, &a);
  assert_false(limits_take(*state, LIMIT_AUTH, "x", START, &a));
  assert_true(limits_take(*state, LIMIT_AUTH, "y", START, &a));
  assert_true(limits_take(*state, LIMIT_SUBMISSION, "x", START, &a));
}

static void showing_takes_nothing_and_keeps_nothing(void **state) {
  struct allowance a;
  for (int i = 0; i < 100; i++) assert_true(limits_take(*state, LIMIT_NOTHING, "x", START, &a));
  assert_int_equal(a.limit, 60);
  assert_int_equal(a.remaining, 60);
  assert_int_equal(limits_count(*state), 0);
  limits_take(*state, LIMIT_GENERAL, "x", START, &a);
  assert_true(limits_take(*state, LIMIT_NOTHING, "x", START, &a));
  assert_int_equal(a.remaining, 59);
}

static void a_clock_that_is_set_back_gives_nothing_and_takes_nothing(void **state) {
  struct allowance a;
  for (int i = 0; i < 5; i++) limits_take(*state, LIMIT_AUTH, "x", START, &a);
  assert_false(limits_take(*state, LIMIT_AUTH, "x", START - 500000, &a));
  assert_true(limits_take(*state, LIMIT_AUTH, "x", START - 500000 + 12001, &a));
}

static void what_is_full_again_is_forgotten(void **state) {
  struct allowance a;
  char who[16];
  for (int i = 0; i < 1000; i++) {
    snprintf(who, sizeof(who), "%d", i);
    limits_take(*state, LIMIT_GENERAL, who, START, &a);
  }
  assert_int_equal(limits_count(*state), 1000);
  limits_take(*state, LIMIT_GENERAL, "another", START + 200000, &a);
  assert_int_equal(limits_count(*state), 1);
}

static void a_crowd_shares_what_has_no_room(void **state) {
  struct allowance a;
  char who[16];
  for (int i = 0; i < 100000; i++) {
    snprintf(who, sizeof(who), "%d", i);
    limits_take(*state, LIMIT_AUTH, who, START, &a);
  }
  assert_int_equal(limits_count(*state), 100000);
  for (int i = 0; i < 5; i++) {
    snprintf(who, sizeof(who), "late %d", i);
    assert_true(limits_take(*state, LIMIT_AUTH, who, START, &a));
  }
  assert_false(limits_take(*state, LIMIT_AUTH, "latest", START, &a));
  assert_int_equal(limits_count(*state), 100000);
  assert_true(limits_take(*state, LIMIT_AUTH, "5", START, &a));  // who was there keeps what is theirs
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(as_many_as_the_limit_at_once_and_then_one_at_a_time, setup, teardown),
      cmocka_unit_test_setup_teardown(everyone_and_every_kind_has_an_own_one, setup, teardown),
      cmocka_unit_test_setup_teardown(showing_takes_nothing_and_keeps_nothing, setup, teardown),
      cmocka_unit_test_setup_teardown(a_clock_that_is_set_back_gives_nothing_and_takes_nothing, setup, teardown),
      cmocka_unit_test_setup_teardown(what_is_full_again_is_forgotten, setup, teardown),
      cmocka_unit_test_setup_teardown(a_crowd_shares_what_has_no_room, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
