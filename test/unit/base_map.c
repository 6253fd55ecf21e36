#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/map.h"
#include "base/memory.h"

static unsigned freed;

static void count_and_free(void *value) {
  freed++;
  free(value);
}

static int set_up(void **state) {
  freed = 0;
  *state = map_new(count_and_free);
  return 0;
}

static int tear_down(void **state) {
  map_free(*state);
  return 0;
}

static void what_was_put_is_found(void **state) {
  struct map *m = *state;
  char key[] = "one";
  map_put(m, key, mem_strdup("1"));
  key[0] = 'X';  // keys are copied
  map_put(m, "two", mem_strdup("2"));
  map_put(m, "", mem_strdup("empty"));
  assert_string_equal(map_get(m, "one"), "1");
  assert_string_equal(map_get(m, "two"), "2");
  assert_string_equal(map_get(m, ""), "empty");
  assert_null(map_get(m, "three"));
  assert_null(map_get(m, NULL));
  assert_int_equal(map_count(m), 3);
}

static void a_replaced_value_is_freed(void **state) {
  struct map *m = *state;
  map_put(m, "a", mem_strdup("1"));
  map_put(m, "a", mem_strdup("2"));
  assert_int_equal(freed, 1);
  assert_int_equal(map_count(m), 1);
  map_put(m, "a", map_get(m, "a"));  // the same one again stays alive
  assert_int_equal(freed, 1);
  assert_string_equal(map_get(m, "a"), "2");
}

static void removing_frees_and_taking_does_not(void **state) {
  struct map *m = *state;
  map_put(m, "a", mem_strdup("1"));
  map_put(m, "b", mem_strdup("2"));
  assert_true(map_remove(m, "a"));
  assert_false(map_remove(m, "a"));
  assert_int_equal(freed, 1);
  cleanup_free char *taken = map_take(m, "b");
  assert_string_equal(taken, "2");
  assert_null(map_take(m, "b"));
  assert_int_equal(freed, 1);
  assert_int_equal(map_count(m), 0);
}

static void freeing_the_map_frees_the_values(void **state) {
  (void)state;
  struct map *m = map_new(count_and_free);
  for (int i = 0; i < 100; i++) {
    char key[16];
    snprintf(key, sizeof(key), "%d", i);
    map_put(m, key, mem_strdup(key));
  }
  map_free(m);
  assert_int_equal(freed, 100);
  map_free(NULL);
}

static void without_a_free_function_values_are_left_alone(void **state) {
  (void)state;
  int value = 7;
  struct map *m = map_new(NULL);
  map_put(m, "a", &value);
  map_put(m, "a", &freed);
  map_remove(m, "a");
  map_put(m, "a", &value);
  map_free(m);
  assert_int_equal(value, 7);
}

static void iteration_follows_insertion(void **state) {
  struct map *m = *state;
  assert_null(map_first(m));
  for (int i = 0; i < 1000; i++) {
    char key[16];
    snprintf(key, sizeof(key), "key-%d", i);
    map_put(m, key, mem_strdup(key));
  }
  map_put(m, "key-0", mem_strdup("key-0"));  // a replaced one keeps its place
  int i = 0;
  map_each (m, e) {
    char key[16];
    snprintf(key, sizeof(key), "key-%d", i++);
    assert_string_equal(map_key(e), key);
    assert_string_equal(map_value(e), key);
  }
  assert_int_equal(i, 1000);
}

static void the_current_entry_may_be_removed(void **state) {
  struct map *m = *state;
  for (int i = 0; i < 100; i++) {
    char key[16];
    snprintf(key, sizeof(key), "%d", i);
    map_put(m, key, mem_strdup(key));
  }
  unsigned seen = 0;
  map_each (m, e) {
    seen++;
    if (atoi(map_key(e)) % 3 == 0) map_remove(m, map_key(e));
  }
  assert_int_equal(seen, 100);
  assert_int_equal(map_count(m), 66);
  map_each (m, e) assert_int_not_equal(atoi(map_key(e)) % 3, 0);
}

#define with_map(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {
      with_map(what_was_put_is_found),
      with_map(a_replaced_value_is_freed),
      with_map(removing_frees_and_taking_does_not),
      with_map(freeing_the_map_frees_the_values),
      with_map(without_a_free_function_values_are_left_alone),
      with_map(iteration_follows_insertion),
      with_map(the_current_entry_may_be_removed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
