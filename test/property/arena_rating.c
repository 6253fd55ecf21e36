#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "arena/rating.h"

#include "random.h"

static uint64_t seed;
static const int32_t experience[] = {0, 10, 20};  // matches before, one for each K

// What one gains the other loses, for every difference that occurs and every K, away from the floor.
static void test_zero_sum(void **state) {
  (void)state;
  for (int32_t difference = -3500; difference <= 3500; difference++) {
    for (int k = 0; k < 3; k++) {
      for (int half = 0; half <= 2; half++) {
        int32_t a = 10000 + difference, b = 10000;
        int32_t gain = rating_next(a, b, half / 2.0, experience[k]) - a;
        int32_t loss = rating_next(b, a, 1 - half / 2.0, experience[k]) - b;
        assert_int_equal(gain, -loss);
      }
    }
  }
}

static void test_bounds_and_order(void **state) {
  (void)state;
  for (unsigned run = 0; run < 100000; run++) {
    struct random r = {seed + run};
    int32_t own = (int32_t)random_below(&r, 4000), other = (int32_t)random_below(&r, 4000);
    int32_t matches = (int32_t)random_below(&r, 40), k = rating_k(matches);
    int32_t loss = rating_next(own, other, 0, matches), draw = rating_next(own, other, 0.5, matches);
    int32_t win = rating_next(own, other, 1, matches);
    assert_true(0 <= loss && loss <= draw && draw <= win);
    assert_true(loss <= own && own <= win);
    assert_true(win - own <= k && own - loss <= k);
    // A stronger opponent is never worth less.
    assert_true(rating_next(own, other + 1 + (int32_t)random_below(&r, 500), 1, matches) >= win);
    // The stronger of two stays ahead of the weaker after the same result against the same opponent.
    assert_true(rating_next(own + 1, other, 1, matches) >= win);
    assert_true(rating_expected(own, other) + rating_expected(other, own) == 1);
  }
}

static void test_record_adds_up(void **state) {
  (void)state;
  struct random r = {seed};
  struct rating rating = rating_or_initial(&(struct rating){0}, 1500);
  int32_t peak = 1500;
  for (int32_t match = 1; match <= 1000; match++) {
    enum outcome outcome = (enum outcome)(1 + random_below(&r, 4));
    int32_t elo = (int32_t)random_below(&r, 3000);
    rating = rating_record(&rating, elo, outcome);
    peak = elo > peak ? elo : peak;
    assert_int_equal(rating.matches, match);
    assert_int_equal(rating.wins + rating.losses + rating.draws, match);
    assert_int_equal(rating.peak, peak);
    assert_int_equal(rating.provisional, match < 10);
  }
}

int main(void) {
  seed = random_seed();
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_zero_sum),
      cmocka_unit_test(test_bounds_and_order),
      cmocka_unit_test(test_record_adds_up),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
