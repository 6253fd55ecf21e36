#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/meta.h"

static enum error_code decode(const char *text, struct meta *ret, struct error *e) {
  cleanup_json json *o = json_parse(text, strlen(text), NULL);
  assert_non_null(o);
  return meta_decode(o, ret, e);
}

static void everything_is_read(void **state) {
  (void)state;
  struct meta m;
  enum error_code code = decode(
      "{\"metadata\":{\"namespace\":\"rl-arena\",\"name\":\"a\",\"uid\":\"u-1\",\"resourceVersion\":"
      "\"18446744073709551615\","
      "\"generation\":3,\"creationTimestamp\":\"2026-01-02T03:04:05Z\",\"deletionTimestamp\":\"2026-01-02T03:04:06Z\","
      "\"ownerReferences\":[{\"kind\":\"Other\",\"name\":\"o\",\"uid\":\"u-0\"},"
      "{\"kind\":\"Match\",\"name\":\"m\",\"uid\":\"u-2\",\"controller\":true}]}}",
      &m, NULL);
  assert_int_equal(code, ERR_NONE);
  assert_string_equal(m.namespace, "rl-arena");
  assert_string_equal(m.name, "a");
  assert_string_equal(m.uid, "u-1");
  assert_true(m.version == UINT64_MAX);
  assert_int_equal(m.generation, 3);
  assert_int_equal(m.created, INT64_C(1767323045000));
  assert_int_equal(m.deleted, INT64_C(1767323046000));
  assert_string_equal(m.owner_kind, "Match");
  assert_string_equal(m.owner_name, "m");
  assert_string_equal(m.owner_uid, "u-2");
  meta_done(&m);
  assert_null(m.name);
  meta_done(&m);
}

static void what_is_optional_may_be_missing(void **state) {
  (void)state;
  struct meta m;
  assert_int_equal(decode("{\"metadata\":{\"name\":\"a\",\"uid\":\"u\",\"resourceVersion\":\"0\"}}", &m, NULL),
                   ERR_NONE);
  assert_null(m.namespace);
  assert_null(m.owner_kind);
  assert_null(m.owner_uid);
  assert_int_equal(m.deleted, 0);
  assert_int_equal(m.generation, 0);
  meta_done(&m);
}

static void what_is_required_is_required(void **state) {
  (void)state;
  static const char *const cases[] = {
      "{}",
      "[]",
      "{\"metadata\":{}}",
      "{\"metadata\":{\"uid\":\"u\",\"resourceVersion\":\"1\"}}",
      "{\"metadata\":{\"name\":\"\",\"uid\":\"u\",\"resourceVersion\":\"1\"}}",
      "{\"metadata\":{\"name\":\"a\",\"resourceVersion\":\"1\"}}",
      "{\"metadata\":{\"name\":\"a\",\"uid\":\"u\"}}",
      "{\"metadata\":{\"name\":\"a\",\"uid\":\"u\",\"resourceVersion\":1}}",
      "{\"metadata\":{\"name\":\"a\",\"uid\":\"u\",\"resourceVersion\":\"\"}}",
      "{\"metadata\":{\"name\":\"a\",\"uid\":\"u\",\"resourceVersion\":\"-1\"}}",
      "{\"metadata\":{\"name\":\"a\",\"uid\":\"u\",\"resourceVersion\":\" 1\"}}",
      "{\"metadata\":{\"name\":\"a\",\"uid\":\"u\",\"resourceVersion\":\"1x\"}}",
      "{\"metadata\":{\"name\":\"a\",\"uid\":\"u\",\"resourceVersion\":\"18446744073709551616\"}}",
  };
  for (size_t i = 0; i < array_size(cases); i++) {
    struct meta m = {.generation = 99};
    struct error e;
    assert_int_equal(decode(cases[i], &m, &e), ERR_INVALID);
    assert_int_equal(m.generation, 99);  // untouched on failure
    assert_null(m.name);
  }
}

static void objects_are_built(void **state) {
  (void)state;
  cleanup_json json *o = meta_new_object("v1", "Pod", "rl-arena", "m-agent-0");
  const struct meta owner = {.name = "m", .uid = "u-2"};
  meta_add_owner(o, "rl-arena.io/v1alpha1", "Match", &owner);
  meta_add_label(o, "a", "1");
  meta_add_label(o, "b", "2");
  meta_add_label(o, "none", NULL);
  cleanup_free char *text = json_print(o);
  assert_string_equal(
      text,
      "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"namespace\":\"rl-arena\",\"name\":\"m-agent-0\","
      "\"ownerReferences\":[{\"apiVersion\":\"rl-arena.io/v1alpha1\",\"kind\":\"Match\",\"name\":\"m\","
      "\"uid\":\"u-2\",\"controller\":true,\"blockOwnerDeletion\":true}],"
      "\"labels\":{\"a\":\"1\",\"b\":\"2\"}}}");
}

static void what_was_built_is_read(void **state) {
  (void)state;
  cleanup_json json *o = meta_new_object("v1", "Pod", NULL, "p");
  const struct meta owner = {.name = "m", .uid = "u-2"};
  meta_add_owner(o, "rl-arena.io/v1alpha1", "Match", &owner);
  json *metadata = json_get(o, "metadata");
  json_add_text(metadata, "uid", "u");
  json_add_text(metadata, "resourceVersion", "5");
  struct meta m;
  assert_int_equal(meta_decode(o, &m, NULL), ERR_NONE);
  assert_null(m.namespace);
  assert_string_equal(m.owner_uid, "u-2");
  assert_string_equal(m.owner_kind, "Match");
  meta_done(&m);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(everything_is_read),           cmocka_unit_test(what_is_optional_may_be_missing),
      cmocka_unit_test(what_is_required_is_required), cmocka_unit_test(objects_are_built),
      cmocka_unit_test(what_was_built_is_read),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
