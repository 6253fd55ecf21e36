#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "arena/rating.h"
#include "base/memory.h"

static void test_expected(void **state) {
  (void)state;
  assert_true(rating_expected(1500, 1500) == 0.5);
  assert_float_equal(rating_expected(1900, 1500), 10.0 / 11, 1e-12);
  assert_float_equal(rating_expected(1500, 1900), 1.0 / 11, 1e-12);
  assert_float_equal(rating_expected(0, INT32_MAX), 0, 1e-12);
}

static void test_k(void **state) {
  (void)state;
  static const struct { int32_t matches, k; } cases[] = {{0, 40}, {9, 40}, {10, 32}, {19, 32}, {20, 24}, {1000000, 24}};
  for (size_t i = 0; i < array_size(cases); i++) assert_int_equal(rating_k(cases[i].matches), cases[i].k);
}

static void test_next(void **state) {
  (void)state;
  static const struct {
    int32_t own, other;
    double score;
    int32_t matches, next;
  } cases[] = {
      {1500, 1500, 1, 0, 1520},
      {1500, 1500, 0, 0, 1480},
      {1500, 1500, 0.5, 0, 1500},
      {1500, 1500, 1, 10, 1516},
      {1500, 1500, 0, 20, 1488},
      {1500, 1900, 1, 0, 1536},    // 36.36
      {1500, 1900, 0.5, 0, 1516},  // 16.36
      {1900, 1500, 1, 30, 1902},   // 2.18
      {1900, 1500, 0, 30, 1878},   // -21.82
      {10, 10, 0, 0, 0},
      {0, 0, 0, 0, 0},
      {0, 3000, 1, 0, 40},
      {3000, 0, 1, 0, 3000},
      {INT32_MAX, INT32_MAX, 1, 0, INT32_MAX},
  };
  for (size_t i = 0; i < array_size(cases); i++)
    assert_int_equal(rating_next(cases[i].own, cases[i].other, cases[i].score, cases[i].matches), cases[i].next);
}

static void test_record(void **state) {
  (void)state;
  struct rating none = {0}, r = rating_or_initial(&none, 1500);
  assert_true(r.present && r.provisional);
  assert_int_equal(r.elo, 1500);
  assert_int_equal(r.peak, 1500);
  static const struct {
    enum outcome outcome;
    int32_t elo, wins, losses, draws, peak;
  } cases[] = {
      {OUTCOME_WIN, 1520, 1, 0, 0, 1520},  {OUTCOME_LOSS, 1501, 1, 1, 0, 1520}, {OUTCOME_FORFEIT, 1483, 1, 2, 0, 1520},
      {OUTCOME_DRAW, 1484, 1, 2, 1, 1520}, {OUTCOME_WIN, 1530, 2, 2, 1, 1530},
  };
  for (size_t i = 0; i < array_size(cases); i++) {
    r = rating_record(&r, cases[i].elo, cases[i].outcome);
    assert_int_equal(r.matches, i + 1);
    assert_int_equal(r.elo, cases[i].elo);
    assert_int_equal(r.wins, cases[i].wins);
    assert_int_equal(r.losses, cases[i].losses);
    assert_int_equal(r.draws, cases[i].draws);
    assert_int_equal(r.peak, cases[i].peak);
  }
  while (r.matches < 9) r = rating_record(&r, 1500, OUTCOME_DRAW);
  assert_true(r.provisional);
  r = rating_record(&r, 1500, OUTCOME_DRAW);
  assert_false(r.provisional);
  struct rating kept = rating_or_initial(&r, 1000);
  assert_int_equal(kept.elo, 1500);
  assert_int_equal(kept.matches, 10);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_expected),
      cmocka_unit_test(test_k),
      cmocka_unit_test(test_next),
      cmocka_unit_test(test_record),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
