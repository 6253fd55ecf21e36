// When a Match's finalizer is put on and taken off, and the patch that does it.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"

#include "mirror_object.h"

static const struct {
  const char *what;
  bool deleted, finished, has;
  uint64_t committed;  // the object is at 10
  bool failing;
  enum finalizer_step step;
} cases[] = {
    {"new", false, false, false, 0, false, FINALIZER_ADD},
    {"running, has it", false, false, true, 9, false, FINALIZER_LEAVE},
    {"finished, about to be committed", false, true, false, 9, false, FINALIZER_LEAVE},
    {"finished, PostgreSQL is away", false, true, false, 9, true, FINALIZER_ADD},
    {"finished and committed", false, true, false, 10, true, FINALIZER_LEAVE},
    {"kept until it is deleted", false, true, true, 10, false, FINALIZER_LEAVE},
    {"deleted, not committed", true, true, true, 9, false, FINALIZER_LEAVE},
    {"deleted and committed", true, true, true, 10, false, FINALIZER_REMOVE},
    {"deleted before its end", true, false, true, 10, false, FINALIZER_REMOVE},
    {"deleted, somebody else's finalizer holds it", true, true, false, 10, false, FINALIZER_LEAVE},
};

static void test_steps(void **state) {
  (void)state;
  for (size_t i = 0; i < array_size(cases); i++) {
    const struct mirrored m = {.meta = {.version = 10, .deleted = cases[i].deleted ? 1 : 0},
                               .finished = cases[i].finished,
                               .finalizer = cases[i].has ? 0 : -1};
    if (mirrored_step(&m, cases[i].committed, cases[i].failing) != cases[i].step) fail_msg("%s", cases[i].what);
  }
}

static void expect_patch(const struct mirrored *m, enum finalizer_step step, const char *expected) {
  cleanup_json json *patch = mirrored_patch(m, step);
  cleanup_free char *text = json_print(patch);
  assert_string_equal(text, expected);
}

static void test_patches(void **state) {
  (void)state;
  struct mirrored m = {.meta = {.version = 18446744073709551615u}, .finalizer = -1};
#define TEST_VERSION "[{\"op\":\"test\",\"path\":\"/metadata/resourceVersion\",\"value\":\"18446744073709551615\"},"
  expect_patch(&m, FINALIZER_ADD,
               TEST_VERSION "{\"op\":\"add\",\"path\":\"/metadata/finalizers\",\"value\":[\"rl-arena.io/mirror\"]}]");
  m.finalizers = 2;
  expect_patch(&m, FINALIZER_ADD,
               TEST_VERSION "{\"op\":\"add\",\"path\":\"/metadata/finalizers/-\",\"value\":\"rl-arena.io/mirror\"}]");
  m.finalizer = 1;
  expect_patch(&m, FINALIZER_REMOVE,
               TEST_VERSION
               "{\"op\":\"test\",\"path\":\"/metadata/finalizers/1\",\"value\":\"rl-arena.io/mirror\"},"
               "{\"op\":\"remove\",\"path\":\"/metadata/finalizers/1\"}]");
}

static void test_decoding(void **state) {
  (void)state;
  static const char text[] =
      "{\"metadata\":{\"namespace\":\"n\",\"name\":\"m\",\"uid\":\"11111111-1111-1111-1111-111111111111\","
      "\"resourceVersion\":\"10\",\"finalizers\":[\"other\",\"rl-arena.io/mirror\",\"third\"]},"
      "\"spec\":{\"environment\":\"pong\",\"participants\":[{\"agent\":\"a\"},{\"agent\":\"b\"}]},"
      "\"status\":{\"conditions\":[{\"type\":\"Complete\",\"status\":\"False\"},{\"type\":\"Failed\",\"status\":"
      "\"True\"}]}}";
  cleanup_json json *object = json_parse(text, strlen(text), NULL);
  struct mirrored m = {0};
  const struct cache_type *type = &MIRRORED_TYPES[STORED_MATCH];
  assert_int_equal(meta_decode(object, &m.meta, NULL), ERR_NONE);
  assert_true(type->decode(object, &m, NULL));
  assert_int_equal(m.finalizer, 1);
  assert_int_equal(m.finalizers, 3);
  assert_true(m.finished);
  assert_non_null(m.row);
  owned_free(type->owned, &m);
  assert_null(m.row);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_steps),
      cmocka_unit_test(test_patches),
      cmocka_unit_test(test_decoding),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
