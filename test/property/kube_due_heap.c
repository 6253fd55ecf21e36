// In any order of putting in, moving and taking out, the first one is the earliest of all that are in.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "due_heap.h"
#include "random.h"

enum { MEMBERS = 60, STEPS = 3000, RUNS = 50, TIMES = 40 };

static uint64_t seed;

static void check(const struct due_heap *h, const struct due *all) {
  const struct due *first = due_heap_first(h);
  size_t in = 0;
  for (int i = 0; i < MEMBERS; i++) {
    if (all[i].place == 0) continue;
    in++;
    assert_ptr_equal(h->members[all[i].place - 1], &all[i]);
    assert_non_null(first);
    assert_true(first->at <= all[i].at);
  }
  assert_int_equal(h->count, in);
  assert_int_equal(first == NULL, in == 0);
}

static void the_first_is_the_earliest(void **state) {
  (void)state;
  for (int run = 0; run < RUNS; run++) {
    struct random random = {seed + (uint64_t)run};
    struct due all[MEMBERS] = {0};
    struct due_heap heap = {0};
    for (int i = 0; i < STEPS; i++) {
      struct due *one = &all[random_below(&random, MEMBERS)];
      if (random_below(&random, 3) == 0) {
        due_heap_remove(&heap, one);
        assert_int_equal(one->place, 0);
      } else {
        due_heap_set(&heap, one, (msec)random_below(&random, TIMES));
      }
      check(&heap, all);
    }
    msec last = 0;
    for (struct due *one; (one = due_heap_first(&heap)) != NULL; due_heap_remove(&heap, one)) {
      assert_true(one->at >= last);
      last = one->at;
    }
    due_heap_done(&heap);
  }
}

int main(void) {
  seed = random_seed();
  const struct CMUnitTest tests[] = {cmocka_unit_test(the_first_is_the_earliest)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
