// Pairing against a plain reference that tries everybody, on small random crowds of every kind; and
// its promises, checked one by one, on large ones.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arena/pairing.h"
#include "base/memory.h"

#include "random.h"

enum { NAME_ROOM = 32, RUNS = 1000, LARGE = 100000, TRIED = 200000 };
static const msec now = INT64_C(1767268800000);
static uint64_t seed;

struct crowd {
  struct pairing_agent *agents;
  char (*names)[NAME_ROOM];  // ids, then owners
  size_t count;
  struct pairing_rules rules;
  struct pairing_recent *recent;
  size_t (*together)[2];  // the recent pairs, by index
  size_t together_count;
};

static struct crowd crowd_new(struct random *r, size_t count) {
  static const unsigned spreads[] = {1, 5, 300, 3000};
  unsigned spread = spreads[random_below(r, 4)],
           owners = 1 + random_below(r, random_below(r, 2) ? 3 : (unsigned)count + 1);
  unsigned waits = random_below(r, 2) ? 2 : 400000, rooms = 1 + random_below(r, 2) * 3;
  struct crowd c = {.agents = mem_alloc(count * sizeof(*c.agents)),
                    .names = mem_alloc(2 * count * sizeof(*c.names)),
                    .count = count,
                    .recent = pairing_recent_new()};
  c.rules =
      (struct pairing_rules){.range = (int32_t)random_below(r, 200),
                             .step = (int32_t)random_below(r, 150),
                             .max_range = (int32_t)random_below(r, 600),
                             .widen_seconds = (int32_t)random_below(r, 60),
                             .allow_same_owner = random_below(r, 4) == 0,
                             .max_pairs = random_below(r, 4) ? -1 : (int32_t)random_below(r, (unsigned)count + 1)};
  for (size_t i = 0; i < count; i++) {
    snprintf(c.names[i], NAME_ROOM, "agent-%zu", i * 7 % count * 1000 + i);
    snprintf(c.names[count + i], NAME_ROOM, "owner-%u", random_below(r, owners));
    c.agents[i] = (struct pairing_agent){.id = c.names[i],
                                         .owner = c.names[count + i],
                                         .elo = 1500 + (int32_t)random_below(r, spread),
                                         .priority = (uint8_t)(1 + random_below(r, 2) * random_below(r, 10)),
                                         .enqueued = now - random_below(r, waits),
                                         .room = (int32_t)random_below(r, rooms + 1)};
  }
  c.together_count = count * random_below(r, 3);
  c.together = mem_alloc((c.together_count + 1) * sizeof(*c.together));
  for (size_t i = 0; i < c.together_count; i++) {
    c.together[i][0] = random_below(r, (unsigned)count);
    c.together[i][1] = random_below(r, (unsigned)count);
    pairing_recent_add(c.recent, c.agents[c.together[i][0]].id, c.agents[c.together[i][1]].id);
  }
  return c;
}

static void crowd_done(struct crowd *c) {
  free(c->agents);
  free(c->names);
  free(c->together);
  pairing_recent_free(c->recent);
}

// ---- the reference -----------------------------------------------------------------------------

static int turn_order(const struct pairing_agent *a, const struct pairing_agent *b) {
  if (a->priority != b->priority) return a->priority < b->priority ? -1 : 1;
  if (a->enqueued != b->enqueued) return a->enqueued < b->enqueued ? -1 : 1;
  return strcmp(a->id, b->id);
}

// By what they are, whomever they have met.
static bool may_meet(const struct crowd *c, size_t a, size_t b) {
  const struct pairing_agent *x = &c->agents[a], *y = &c->agents[b];
  int32_t distance = abs(x->elo - y->elo);
  return a != b && distance <= pairing_range(&c->rules, x->enqueued, now) &&
         distance <= pairing_range(&c->rules, y->enqueued, now) &&
         (c->rules.allow_same_owner || strcmp(x->owner, y->owner) != 0);
}

static bool suit(const struct crowd *c, const struct pairing_pair *pairs, size_t made, size_t a, size_t b) {
  if (!may_meet(c, a, b)) return false;
  for (size_t i = 0; i < c->together_count; i++) {
    const size_t *t = c->together[i];
    if ((t[0] == a && t[1] == b) || (t[0] == b && t[1] == a)) return false;
  }
  for (size_t i = 0; i < made; i++)
    if ((pairs[i].first == a && pairs[i].second == b) || (pairs[i].first == b && pairs[i].second == a)) return false;
  return true;
}

static int by_turn(const void *a, const void *b, void *agents) {
  const struct pairing_agent *list = agents;
  return turn_order(&list[*(const size_t *)a], &list[*(const size_t *)b]);
}

static size_t reference(const struct crowd *c, struct pairing_pair *pairs, size_t max) {
  size_t order[64], made = 0, before;
  int32_t room[64];
  for (size_t i = 0; i < c->count; i++) {
    order[i] = i;
    room[i] = c->agents[i].room;
  }
  qsort_r(order, c->count, sizeof(*order), by_turn, c->agents);
  if (c->rules.max_pairs >= 0 && (size_t)c->rules.max_pairs < max) max = (size_t)c->rules.max_pairs;
  do {
    bool out[64] = {false};  // of this round
    before = made;
    for (size_t t = 0; t < c->count && made < max; t++) {
      size_t a = order[t], best = SIZE_MAX;
      if (out[a] || room[a] <= 0) continue;
      for (size_t u = 0; u < c->count; u++) {  // in the order of turns: the first of equals stays
        size_t b = order[u];
        if (out[b] || room[b] <= 0 || !suit(c, pairs, made, a, b)) continue;
        if (best == SIZE_MAX || abs(c->agents[b].elo - c->agents[a].elo) < abs(c->agents[best].elo - c->agents[a].elo))
          best = b;
      }
      if (best == SIZE_MAX) continue;
      out[a] = out[best] = true;
      room[a]--;
      room[best]--;
      pairs[made++] = (struct pairing_pair){a, best};
    }
  } while (made > before);
  return made;
}

static void test_like_the_reference(void **state) {
  (void)state;
  size_t total = 0;
  for (unsigned run = 0; run < RUNS; run++) {
    struct random r = {seed + run};
    struct crowd c = crowd_new(&r, 1 + random_below(&r, 64));
    struct pairing_pair expected[256], got[256];
    size_t count = reference(&c, expected, 256);
    assert_int_equal(pairing_run(c.agents, c.count, &c.rules, c.recent, now, got, 256), count);
    for (size_t i = 0; i < count; i++) {
      assert_int_equal(got[i].first, expected[i].first);
      assert_int_equal(got[i].second, expected[i].second);
    }
    total += count;
    crowd_done(&c);
  }
  assert_true(total > RUNS);  // the crowds are not of a kind that never pairs
}

// ---- order of the input ------------------------------------------------------------------------

static void test_order_does_not_matter(void **state) {
  (void)state;
  size_t total = 0;
  for (unsigned run = 0; run < RUNS / 10; run++) {
    struct random r = {seed + run};
    struct crowd c = crowd_new(&r, 1 + random_below(&r, 500));
    size_t room = 4 * c.count;
    struct pairing_pair *one = mem_alloc(room * sizeof(*one)), *two = mem_alloc(room * sizeof(*two));
    struct pairing_agent *shuffled = mem_alloc(c.count * sizeof(*shuffled));
    memcpy(shuffled, c.agents, c.count * sizeof(*shuffled));
    for (size_t i = c.count; i > 1; i--) {
      size_t k = random_below(&r, (unsigned)i);
      struct pairing_agent swap = shuffled[k];
      shuffled[k] = shuffled[i - 1];
      shuffled[i - 1] = swap;
    }
    size_t count = pairing_run(c.agents, c.count, &c.rules, c.recent, now, one, room);
    assert_int_equal(pairing_run(shuffled, c.count, &c.rules, c.recent, now, two, room), count);
    for (size_t i = 0; i < count; i++) {
      assert_ptr_equal(c.agents[one[i].first].id, shuffled[two[i].first].id);
      assert_ptr_equal(c.agents[one[i].second].id, shuffled[two[i].second].id);
    }
    total += count;
    free(one);
    free(two);
    free(shuffled);
    crowd_done(&c);
  }
  assert_true(total > RUNS);
}

// ---- large crowds ------------------------------------------------------------------------------

static int compare_pairs(const void *a, const void *b) {
  const size_t *x = a, *y = b;
  if (x[0] != y[0]) return x[0] < y[0] ? -1 : 1;
  return (x[1] > y[1]) - (x[1] < y[1]);
}

// Sorted (lower, higher) pairs for binary search.
static void normalize(size_t (*pairs)[2], size_t count) {
  for (size_t i = 0; i < count; i++) {
    if (pairs[i][0] < pairs[i][1]) continue;
    size_t swap = pairs[i][0];
    pairs[i][0] = pairs[i][1];
    pairs[i][1] = swap;
  }
  qsort(pairs, count, sizeof(*pairs), compare_pairs);
}

// Of two who both have room left, suit each other and were not put together, one would have been looked for: so there
// are none, of very many that are tried. `used` is by index; `made` and the crowd's recent pairs are in order.
static void check_nobody_is_left_out(const struct crowd *c, struct random *r, const int32_t *used, size_t (*made)[2],
                                     size_t count) {
  size_t *left = mem_alloc((c->count + 1) * sizeof(*left)), left_count = 0;
  const bool stopped = c->rules.max_pairs >= 0 && count >= (size_t)c->rules.max_pairs;
  for (size_t i = 0; !stopped && i < c->count; i++)
    if (used[i] < c->agents[i].room) left[left_count++] = i;
  for (size_t i = 0; left_count > 1 && i < TRIED; i++) {
    size_t both[1][2] = {{left[random_below(r, (unsigned)left_count)], left[random_below(r, (unsigned)left_count)]}};
    normalize(both, 1);
    if (!may_meet(c, both[0][0], both[0][1])) continue;
    assert_true(bsearch(both[0], c->together, c->together_count, sizeof(*made), compare_pairs) ||
                bsearch(both[0], made, count, sizeof(*made), compare_pairs));
  }
  free(left);
}

static void check_promises(const struct crowd *c, struct random *r, const struct pairing_pair *pairs, size_t count) {
  int32_t *used = mem_alloc(c->count * sizeof(*used));
  size_t(*made)[2] = mem_alloc((count + 1) * sizeof(*made));
  normalize(c->together, c->together_count);
  for (size_t i = 0; i < count; i++) {
    const struct pairing_agent *a = &c->agents[pairs[i].first], *b = &c->agents[pairs[i].second];
    int32_t distance = abs(a->elo - b->elo);
    assert_true(turn_order(a, b) < 0);
    assert_true(distance <= pairing_range(&c->rules, a->enqueued, now));
    assert_true(distance <= pairing_range(&c->rules, b->enqueued, now));
    assert_true(c->rules.allow_same_owner || strcmp(a->owner, b->owner) != 0);
    assert_true(++used[pairs[i].first] <= a->room);
    assert_true(++used[pairs[i].second] <= b->room);
    made[i][0] = pairs[i].first;
    made[i][1] = pairs[i].second;
  }
  normalize(made, count);
  for (size_t i = 0; i < count; i++) {
    assert_true(made[i][0] != made[i][1]);
    assert_true(i == 0 || compare_pairs(made[i - 1], made[i]) != 0);
    assert_null(bsearch(made[i], c->together, c->together_count, sizeof(*made), compare_pairs));
  }
  check_nobody_is_left_out(c, r, used, made, count);
  free(used);
  free(made);
}

static void test_large_crowds_keep_the_promises(void **state) {
  (void)state;
  size_t total = 0;
  for (unsigned run = 0; run < 5; run++) {
    struct random r = {seed + run};
    struct crowd c = crowd_new(&r, run < 1 ? LARGE : LARGE / 10);
    size_t room = 4 * c.count;
    struct pairing_pair *pairs = mem_alloc(room * sizeof(*pairs));
    size_t count = pairing_run(c.agents, c.count, &c.rules, c.recent, now, pairs, room);
    check_promises(&c, &r, pairs, count);
    total += count;
    free(pairs);
    crowd_done(&c);
  }
  assert_true(total > LARGE / 100);
}

// The crowds that make a plain search try everybody: it must come to an end all the same.
static void test_crowds_that_nobody_suits(void **state) {
  (void)state;
  for (int kind = 0; kind < 3; kind++) {
    struct random r = {seed + (unsigned)kind};
    struct crowd c = crowd_new(&r, LARGE);
    c.rules = (struct pairing_rules){.range = 100, .step = 400, .max_range = 500, .widen_seconds = 30, .max_pairs = -1};
    for (size_t i = 0; i < c.count; i++) {
      struct pairing_agent *a = &c.agents[i];
      a->room = 1;
      a->owner = kind == 0 || i % 2 ? "one" : c.names[c.count + i];
      a->elo = kind == 0 ? 1500 : kind == 1 ? (int32_t)(i % 2 ? 1500 : 1700) : 1500 + (int32_t)(i % 2 * 150);
      a->enqueued = now - (i % 2 ? 60000 : 1000);  // the one owner's agents look far, the others do not
    }
    struct pairing_pair *pairs = mem_alloc(c.count * sizeof(*pairs));
    size_t count = pairing_run(c.agents, c.count, &c.rules, c.recent, now, pairs, c.count);
    check_promises(&c, &r, pairs, count);
    assert_true(kind != 0 || count == 0);
    free(pairs);
    crowd_done(&c);
  }
}

int main(void) {
  seed = random_seed();
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_like_the_reference),
      cmocka_unit_test(test_order_does_not_matter),
      cmocka_unit_test(test_large_crowds_keep_the_promises),
      cmocka_unit_test(test_crowds_that_nobody_suits),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
