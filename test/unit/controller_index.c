#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "index.h"

static size_t count_of(const struct index *x, const char *key) {
  size_t count;
  const char *const *names = index_get(x, key, &count);
  assert_true((names == NULL) == (count == 0));
  return count;
}

static int has(const struct index *x, const char *key, const char *name) {
  size_t count;
  const char *const *names = index_get(x, key, &count);
  int found = 0;
  for (size_t i = 0; i < count; i++) found += strcmp(names[i], name) == 0;
  return found;
}

static void names_are_found_by_their_key(void **state) {
  (void)state;
  struct index *x = index_new();
  index_add(x, "a", "one");
  index_add(x, "a", "two");
  index_add(x, "a", "two");  // twice is once
  index_add(x, "b", "three");
  index_add(x, NULL, "four");
  assert_int_equal(count_of(x, "a"), 2);
  assert_int_equal(count_of(x, "b"), 1);
  assert_int_equal(count_of(x, "c"), 0);
  assert_int_equal(count_of(x, NULL), 0);
  assert_int_equal(has(x, "a", "one"), 1);
  assert_int_equal(has(x, "a", "two"), 1);
  index_free(x);
}

// From none to many, down to one or none, and up again: whatever way it is kept in between.
static void any_number_of_names_comes_and_goes(void **state) {
  (void)state;
  enum { MOST = 5 };
  struct index *x = index_new();
  for (int down_to = 0; down_to <= MOST; down_to++) {
    for (int i = 0; i < MOST; i++) {
      char name[16];
      snprintf(name, sizeof(name), "name-%d", i);
      index_add(x, "key", name);
      assert_int_equal(has(x, "key", name), 1);
    }
    assert_int_equal(count_of(x, "key"), MOST);
    for (int i = 0; i < MOST - down_to; i++) {
      char name[16];
      snprintf(name, sizeof(name), "name-%d", i);
      index_remove(x, "key", name);
      index_remove(x, "key", name);  // nothing more happens
      assert_int_equal(has(x, "key", name), 0);
      assert_int_equal(count_of(x, "key"), (size_t)(MOST - 1 - i));
    }
  }
  index_remove(x, "other", "name-1");
  index_remove_all(x, "key");
  assert_int_equal(count_of(x, "key"), 0);
  index_remove_all(x, "key");
  index_free(x);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(names_are_found_by_their_key),
      cmocka_unit_test(any_number_of_names_comes_and_goes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
