#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "arena/pairing.h"
#include "base/memory.h"

static const msec now = INT64_C(1767268800000);
static const struct pairing_rules usual = {
    .range = 100, .step = 100, .max_range = 500, .widen_seconds = 30, .max_pairs = -1};

static void test_range(void **state) {
  (void)state;
  static const struct {
    int64_t waited_seconds;
    int32_t range;
  } cases[] = {{-3600, 500}, {-31, 500}, {-30, 100}, {-5, 100},  {0, 100},        {29, 100},
               {30, 200},    {119, 400}, {120, 500}, {150, 500}, {INT32_MAX, 500}};
  for (size_t i = 0; i < array_size(cases); i++)
    assert_int_equal(pairing_range(&usual, now - cases[i].waited_seconds * 1000, now), cases[i].range);
  struct pairing_rules odd = usual;
  odd.max_range = 250;
  assert_int_equal(pairing_range(&odd, now - 60000, now), 250);
  odd.step = 0;
  assert_int_equal(pairing_range(&odd, now - 60000, now), 100);
  odd.max_range = 50;
  assert_int_equal(pairing_range(&odd, now, now), 50);
  odd = usual;
  odd.widen_seconds = 0;
  assert_int_equal(pairing_range(&odd, 0, now), 100);
}

// Waiters as "id owner elo priority seconds-waited room", the pairs as "id+id id+id" in order.
struct waiter {
  const char *id, *owner;
  int32_t elo;
  uint8_t priority;
  int32_t waited, room;
};

enum { MOST = 6 };

static void check(const struct waiter *waiters, const struct pairing_rules *rules, const struct pairing_recent *recent,
                  const char *expected) {
  struct pairing_agent agents[MOST];
  struct pairing_pair pairs[3 * MOST];
  size_t count = 0;
  for (; count < MOST && waiters[count].id; count++) {
    const struct waiter *w = &waiters[count];
    agents[count] = (struct pairing_agent){.id = w->id,
                                           .owner = w->owner,
                                           .elo = w->elo,
                                           .priority = w->priority,
                                           .enqueued = now - w->waited * INT64_C(1000),
                                           .room = w->room};
  }
  size_t made = pairing_run(agents, count, rules, recent, now, pairs, 3 * MOST);
  char text[128] = "";
  for (size_t i = 0; i < made; i++)
    snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s+%s", i ? " " : "", agents[pairs[i].first].id,
             agents[pairs[i].second].id);
  assert_string_equal(text, expected);
}

static void test_who_gets_whom(void **state) {
  (void)state;
  static const struct {
    const char *what;
    struct waiter waiters[MOST];
    const char *pairs;
  } cases[] = {
      {"nobody", {{0}}, ""},
      {"alone", {{"a", "A", 1500, 5, 0, 1}}, ""},
      {"two", {{"a", "A", 1500, 5, 0, 1}, {"b", "B", 1550, 5, 1, 1}}, "b+a"},
      {"at the edge", {{"a", "A", 1500, 5, 0, 1}, {"b", "B", 1600, 5, 0, 1}}, "a+b"},
      {"beyond it", {{"a", "A", 1500, 5, 0, 1}, {"b", "B", 1601, 5, 0, 1}}, ""},
      {"both sides must reach", {{"a", "A", 1500, 5, 300, 1}, {"b", "B", 1700, 5, 0, 1}}, ""},
      {"both have waited", {{"a", "A", 1500, 5, 300, 1}, {"b", "B", 2000, 5, 130, 1}}, "a+b"},
      {"nearest", {{"a", "A", 1500, 5, 9, 1}, {"b", "B", 1560, 5, 8, 1}, {"c", "C", 1450, 5, 7, 1}}, "a+c"},
      {"same distance: priority",
       {{"a", "A", 1500, 1, 0, 1}, {"b", "B", 1450, 5, 99, 1}, {"c", "C", 1550, 4, 0, 1}},
       "a+c"},
      {"same distance: first come",
       {{"a", "A", 1500, 1, 0, 1}, {"b", "B", 1450, 5, 9, 1}, {"c", "C", 1550, 5, 8, 1}},
       "a+b"},
      {"same distance: id", {{"a", "A", 1500, 1, 0, 1}, {"c", "B", 1450, 5, 9, 1}, {"b", "C", 1550, 5, 9, 1}}, "a+b"},
      {"same Elo below: first come",
       {{"a", "A", 1500, 1, 0, 1}, {"c", "B", 1450, 5, 7, 1}, {"b", "C", 1450, 5, 9, 1}, {"d", "D", 1450, 5, 8, 1}},
       "a+b d+c"},
      {"priority first", {{"a", "A", 1500, 5, 99, 1}, {"b", "B", 1510, 5, 98, 1}, {"c", "C", 1520, 1, 0, 1}}, "c+b"},
      {"own agents are passed over",
       {{"a", "A", 1500, 5, 9, 1}, {"b", "A", 1500, 5, 8, 1}, {"c", "C", 1580, 5, 7, 1}},
       "a+c"},
      {"no owner is an owner", {{"a", NULL, 1500, 5, 9, 1}, {"b", "", 1500, 5, 8, 1}}, ""},
      {"no room", {{"a", "A", 1500, 5, 9, 0}, {"b", "B", 1500, 5, 8, 1}, {"c", "C", 1500, 5, 8, -1}}, ""},
      {"room for two: others first",
       {{"a", "A", 1500, 5, 9, 2}, {"b", "B", 1500, 5, 8, 1}, {"c", "C", 1500, 5, 7, 2}, {"d", "D", 1500, 5, 6, 1}},
       "a+b c+d a+c"},
      {"never the same two twice", {{"a", "A", 1500, 5, 9, 3}, {"b", "B", 1500, 5, 8, 3}}, "a+b"},
  };
  for (size_t i = 0; i < array_size(cases); i++) {
    print_message("# %s\n", cases[i].what);
    check(cases[i].waiters, &usual, NULL, cases[i].pairs);
  }
}

static void test_rules(void **state) {
  (void)state;
  static const struct waiter family[MOST] = {
      {"a", "A", 1500, 5, 9, 1}, {"b", "A", 1500, 5, 8, 1}, {"c", "A", 1500, 5, 7, 1}, {"d", "A", 1500, 5, 6, 1}};
  struct pairing_rules rules = usual;
  check(family, &rules, NULL, "");
  rules.allow_same_owner = true;
  check(family, &rules, NULL, "a+b c+d");
  rules.max_pairs = 1;
  check(family, &rules, NULL, "a+b");
  rules.max_pairs = 0;
  check(family, &rules, NULL, "");
}

static void test_cooldown(void **state) {
  (void)state;
  static const struct waiter waiters[MOST] = {
      {"a", "A", 1500, 5, 9, 1}, {"b", "B", 1500, 5, 8, 1}, {"c", "C", 1520, 5, 7, 1}, {"d", "D", 1530, 5, 6, 1}};
  struct pairing_recent *recent = pairing_recent_new();
  check(waiters, &usual, recent, "a+b c+d");
  pairing_recent_add(recent, "b", "a");
  pairing_recent_add(recent, "a", "gone");
  pairing_recent_add(recent, "a", "a");
  check(waiters, &usual, recent, "a+c b+d");
  pairing_recent_add(recent, "a", "c");
  pairing_recent_add(recent, "c", "a");
  check(waiters, &usual, recent, "a+d b+c");
  pairing_recent_add(recent, "d", "a");
  check(waiters, &usual, recent, "b+c");
  pairing_recent_free(recent);
  pairing_recent_free(NULL);
}

// Two names that the table of names cannot tell apart by their hashes.
static void test_names_with_the_same_hash(void **state) {
  (void)state;
  static const char *const one = "user-148804", *const two = "user-27272";
  const struct waiter owners[MOST] = {{"a", one, 1500, 5, 9, 1}, {"b", two, 1500, 5, 8, 1}};
  check(owners, &usual, NULL, "a+b");
  const struct waiter agents[MOST] = {{one, "A", 1500, 5, 9, 1}, {two, "B", 1510, 5, 8, 1}, {"c", "C", 1490, 5, 7, 1}};
  struct pairing_recent *recent = pairing_recent_new();
  pairing_recent_add(recent, two, "x");
  pairing_recent_add(recent, one, "c");
  check(agents, &usual, recent, "user-148804+user-27272");
  pairing_recent_add(recent, two, one);
  check(agents, &usual, recent, "user-27272+c");
  pairing_recent_free(recent);
}

static void test_room_of_the_result(void **state) {
  (void)state;
  struct pairing_agent agents[4];
  struct pairing_pair pairs[1];
  static const char *const ids[] = {"a", "b", "c", "d"};
  for (int i = 0; i < 4; i++)
    agents[i] = (struct pairing_agent){.id = ids[i], .owner = ids[i], .elo = INT32_MAX - i, .enqueued = -5, .room = 1};
  assert_int_equal(pairing_run(agents, 4, &usual, NULL, now, pairs, 1), 1);
  assert_int_equal(pairing_run(agents, 4, &usual, NULL, now, pairs, 0), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_range),
      cmocka_unit_test(test_who_gets_whom),
      cmocka_unit_test(test_rules),
      cmocka_unit_test(test_cooldown),
      cmocka_unit_test(test_room_of_the_result),
      cmocka_unit_test(test_names_with_the_same_hash),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
