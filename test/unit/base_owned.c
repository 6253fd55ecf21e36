#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/owned.h"

struct item {
  char *text;
  int number;
};

struct thing {
  char *name, *other, *ending;
  struct item *items;
  unsigned count;
  const int *shared;
};

static int owners;  // of what is shared

static const void *again(const void *shared) {
  if (shared != NULL) owners++;
  return shared;
}

static void done(const void *shared) {
  if (shared != NULL) owners--;
}

static void thing_owned(struct owned *o, void *object) {
  struct thing *t = object;
  owned_text(o, &t->name);
  owned_text(o, &t->other);
  owned_text(o, &t->ending);
  owned_array(o, &t->items, t->count * sizeof(*t->items));
  for (unsigned i = 0; i < t->count; i++) owned_text(o, &t->items[i].text);
  owned_array_end(o, &t->items);
  owned_shared(o, &t->shared, again, done);
}

static const int common = 7;

static struct thing make(void) {
  struct thing t = {.name = mem_strdup("registry/image@sha256:12"),
                    .ending = mem_strdup("sha256:12"),
                    .items = mem_alloc(3 * sizeof(*t.items)),
                    .count = 3,
                    .shared = &common};
  t.items[0] = (struct item){mem_strdup("one"), 1};
  t.items[1] = (struct item){NULL, 2};
  t.items[2] = (struct item){mem_strdup("registry/image@sha256:12"), 3};
  owners = 1;
  return t;
}

static void is_as_made(const struct thing *t) {
  assert_string_equal(t->name, "registry/image@sha256:12");
  assert_null(t->other);
  assert_string_equal(t->ending, "sha256:12");
  assert_int_equal(t->count, 3);
  assert_string_equal(t->items[0].text, "one");
  assert_null(t->items[1].text);
  assert_string_equal(t->items[2].text, "registry/image@sha256:12");
  for (int i = 0; i < 3; i++) assert_int_equal(t->items[i].number, i + 1);
  assert_ptr_equal(t->shared, &common);
}

static void a_copy_owns_its_own(void **state) {
  (void)state;
  struct thing t = make(), copy = t;
  owned_copy(thing_owned, &copy);
  assert_int_equal(owners, 2);
  assert_ptr_not_equal(copy.name, t.name);
  assert_ptr_not_equal(copy.items, t.items);
  t.name[0] = t.items[0].text[0] = 'X';
  is_as_made(&copy);
  owned_free(thing_owned, &t);
  is_as_made(&copy);
  owned_free(thing_owned, &copy);
  assert_int_equal(owners, 0);
}

static void what_was_freed_is_not_there(void **state) {
  (void)state;
  struct thing t = make();
  owned_free(thing_owned, &t);
  assert_null(t.name);
  assert_null(t.ending);
  assert_null(t.items);
  assert_null(t.shared);
  assert_int_equal(t.count, 3);  // the struct stays
}

// The sanitizers see whether anything is left over or used after its end.
static void a_packed_one_is_a_single_block(void **state) {
  (void)state;
  enum { BEFORE = 64 };
  struct thing t = make();
  char *block = owned_pack(thing_owned, BEFORE, &t, sizeof(t));
  struct thing *packed = (struct thing *)(void *)(block + BEFORE);
  for (int i = 0; i < BEFORE; i++) assert_int_equal(block[i], 0);
  is_as_made(packed);
  assert_true((const char *)packed->items > block);
  assert_true(packed->name > (char *)packed->items);
  assert_int_equal(owners, 1);
  owned_let_go(thing_owned, packed);
  assert_int_equal(owners, 0);
  free(block);
}

static void equal_texts_and_endings_are_packed_once(void **state) {
  (void)state;
  struct thing t = make();
  struct thing *packed = owned_pack(thing_owned, 0, &t, sizeof(t));
  assert_ptr_equal(packed->items[2].text, packed->name);
  assert_ptr_equal(packed->ending, packed->name + strlen("registry/image@"));
  owned_let_go(thing_owned, packed);
  free(packed);
}

static void what_many_have_in_common_is_there_once(void **state) {
  (void)state;
  enum { MANY = 60, OFTEN = 16 };
  struct thing *packed[MANY];
  for (int i = 0; i < MANY; i++) {
    struct thing t = {.name = mem_printf("name-%d", i), .other = mem_strdup("a sentence that all of them have")};
    packed[i] = owned_pack(thing_owned, 0, &t, sizeof(t));
  }
  for (int i = 0; i < MANY; i++) {
    char name[16];
    snprintf(name, sizeof(name), "name-%d", i);
    assert_string_equal(packed[i]->name, name);
    assert_string_equal(packed[i]->other, "a sentence that all of them have");
    assert_int_equal(packed[i]->other == packed[MANY - 1]->other, i >= OFTEN - 1);
    owned_let_go(thing_owned, packed[i]);
    free(packed[i]);
  }
}

// Anybody's input: what was kept is bounded, what is said stays true.
static void however_many_texts_come_often_all_stay_right(void **state) {
  (void)state;
  for (int i = 0; i < 120000; i++) {
    char name[32];
    snprintf(name, sizeof(name), "text-%d", i / 20);
    struct thing t = {.name = mem_strdup(name), .ending = mem_strdup(name + 1)};
    struct thing *packed = owned_pack(thing_owned, 0, &t, sizeof(t));
    assert_string_equal(packed->name, name);
    assert_string_equal(packed->ending, name + 1);
    owned_let_go(thing_owned, packed);
    free(packed);
  }
}

static void nothing_at_all_can_be_packed(void **state) {
  (void)state;
  struct thing t = {.items = mem_alloc(0)};
  struct thing *packed = owned_pack(thing_owned, 0, &t, sizeof(t));
  assert_null(packed->name);
  assert_null(packed->items);
  owned_let_go(thing_owned, packed);
  free(packed);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_copy_owns_its_own),
      cmocka_unit_test(what_was_freed_is_not_there),
      cmocka_unit_test(a_packed_one_is_a_single_block),
      cmocka_unit_test(equal_texts_and_endings_are_packed_once),
      cmocka_unit_test(what_many_have_in_common_is_there_once),
      cmocka_unit_test(however_many_texts_come_often_all_stay_right),
      cmocka_unit_test(nothing_at_all_can_be_packed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
