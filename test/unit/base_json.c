#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/memory.h"

static json *parse(const char *text) {
  struct error e;
  json *o = json_parse(text, strlen(text), &e);
  if (!o) fail_msg("%s: %s", text, e.text);
  return o;
}

static void documents_are_parsed(void **state) {
  (void)state;
  static const char *const cases[] = {"{}",
                                      "[]",
                                      " {\"a\": [1, 2.5, -3e2, true, false, null]} \r\n\t",
                                      "\"x\"",
                                      "12",
                                      " -0.5\n",
                                      "true",
                                      "{\"a\":{\"a\":{}}}",
                                      "\"\\u20ac \\ud83d\\ude00 \\n\"",
                                      "{\"\xE2\x82\xAC\":1}"};
  for (size_t i = 0; i < array_size(cases); i++) {
    json *o = parse(cases[i]);
    json_put(&o);
    assert_null(o);
  }
}

static void what_is_no_document_is_invalid(void **state) {
  (void)state;
  static const char *const cases[] = {
      "",     " ",          "{",        "[1",    "\"a",  "tru", "-",    "{\"a\"}",   "[1 2]",   "{}x",     "{} {}",
      "[1,]", "{\"a\":1,}", "\"\xFF\"", "['a']", "[01]", "nul", "null", "\"\\u12\"", "\"\\x\"", "//c\n{}",
  };
  for (size_t i = 0; i < array_size(cases); i++) {
    struct error e = {0};
    json *o = json_parse(cases[i], strlen(cases[i]), &e);
    if (o) fail_msg("accepted: %s", cases[i]);
    assert_int_equal(e.code, ERR_INVALID);
    assert_true(e.text[0] != '\0');
  }
}

static const char *const skipped[] = {"x", "y", NULL};

static void what_is_not_wanted_is_empty(void **state) {
  (void)state;
  static const struct {
    const char *text, *read;
  } cases[] = {
      {"{\"a\":{\"x\":[1,[2,\"]\"],{\"y\":[\"\\\"\"]}],\"b\":2},\"c\":[3]}", "{\"a\":{\"x\":[],\"b\":2},\"c\":[3]}"},
      {"[{\"x\":[1]},{\"x\":[]},{\"x\":[[\"\\\\\"]]}]", "[{\"x\":[]},{\"x\":[]},{\"x\":[]}]"},
      {"{\"x\":{\"x\":\"y\"}}", "{\"x\":{}}"},
      {"{\"x\":{\"y\":\"}\",\"a\":[{}]},\"b\":{\"y\":[{\"x\":1}]},\"x \":2}", "{\"x\":{},\"b\":{\"y\":[]},\"x \":2}"},
      {"{\"y\":{\"x\":[1]},\"x\":[{\"y\":{}}],\"a\":{\"x\":3,\"y\":\"{\"}}",
       "{\"y\":{},\"x\":[],\"a\":{\"x\":3,\"y\":\"{\"}}"},
      {"{\"x\":[1]}  \n", "{\"x\":[]}"},
      // What authors wrote may look like it, and stays.
      {"{\"a\":\"\\\"x\\\":[1]\",\"b\":[1]}", "{\"a\":\"\\\"x\\\":[1]\",\"b\":[1]}"},
      {"{\"\\\"x\":[1]}", "{\"\\\"x\":[1]}"},
      {"{\"xx\":[1],\"x \":[2]}", "{\"xx\":[1],\"x \":[2]}"},
  };
  for (size_t i = 0; i < array_size(cases); i++) {
    struct error e = {0};
    cleanup_json json *o = json_parse_without(cases[i].text, strlen(cases[i].text), skipped, &e);
    if (!o) fail_msg("%s: %s", cases[i].text, e.text);
    cleanup_json json *wanted = parse(cases[i].read);
    assert_true(json_object_equal(o, wanted));
  }
}

static void what_is_no_document_without_it_is_invalid(void **state) {
  (void)state;
  static const char *const cases[] = {"{\"x\":[1",   "{\"x\":[1]",         "{\"x\":[\"]}",        "{\"x\":[1]]}",
                                      "\"a\"x\":[]", "{}\"x\":[1]",        "\"x\":[1]",           "{\"x\":[1]}{}",
                                      "{\"x\":[",    "{'a':1,\"x\":[1]b}", "{\"a\":\"\"x\":[1]}", "[\"x\":[1]]"};
  for (size_t i = 0; i < array_size(cases); i++) {
    struct error e = {0};
    json *o = json_parse_without(cases[i], strlen(cases[i]), skipped, &e);
    if (o) fail_msg("accepted: %s", cases[i]);
    assert_int_equal(e.code, ERR_INVALID);
  }
}

// Whatever keeps a parser for the next document: it must know nothing of this one.
static void a_broken_document_leaves_nothing_behind(void **state) {
  (void)state;
  static const char *const broken[] = {"{\"a\":\"\\ud83d\\uZZ\"}",
                                       "{\"a\":\"\\ud83d\\u12",
                                       "{\"a\":\"\\ud83d\xff\"}",
                                       "{\"a\":[{\"b\":\"c",
                                       "{\"a\":[1,",
                                       "{\"\\ud83d",
                                       "[[[[\"\\ud83d"};
  for (size_t i = 0; i < array_size(broken); i++) {
    assert_null(json_parse(broken[i], strlen(broken[i]), NULL));
    cleanup_json json *o = parse("{\"a\":\"\\u003c\",\"\\u003e\":\"\\ud83d\\ude00\"}");
    assert_string_equal(json_text(o, "a"), "<");
    assert_string_equal(json_text(o, ">"), "\xf0\x9f\x98\x80");
  }
}

static void the_length_counts_and_not_a_nul(void **state) {
  (void)state;
  static const char two[] = "{\"a\":1}garbage";
  cleanup_json json *o = json_parse(two, 7, NULL);
  assert_non_null(o);
  static const char nul[] = "{}\0{";
  struct error e;
  assert_null(json_parse(nul, sizeof(nul) - 1, &e));
  assert_int_equal(e.code, ERR_INVALID);
  assert_null(json_parse("1\0", 2, NULL));
}

static void depth_is_bounded(void **state) {
  (void)state;
  char text[200];
  for (int depth = 1; depth <= 90; depth++) {
    memset(text, '[', (size_t)depth);
    memset(text + depth, ']', (size_t)depth);
    json *o = json_parse(text, (size_t)depth * 2, NULL);
    if (depth < 60) assert_non_null(o);
    if (depth > 64) assert_null(o);
    json_put(&o);
  }
}

static void getters_give_what_is_there(void **state) {
  (void)state;
  cleanup_json json *o = parse(
      "{\"t\":\"text\",\"i\":-7,\"big\":9223372036854775807,\"d\":0.5,\"b\":true,"
      "\"time\":\"2026-01-02T03:04:05Z\",\"o\":{\"p\":{\"q\":\"deep\"}},\"a\":[1,\"x\"],\"n\":null}");
  assert_string_equal(json_text(o, "t"), "text");
  cleanup_free char *copy = json_text_copy(o, "t");
  assert_string_equal(copy, "text");
  assert_int_equal(json_int(o, "i", 1), -7);
  assert_true(json_int(o, "big", 1) == INT64_MAX);
  assert_true(json_double(o, "d", 1) == 0.5);
  assert_true(json_double(o, "i", 1) == -7);
  assert_true(json_bool(o, "b", false));
  assert_int_equal(json_time(o, "time"), INT64_C(1767323045000));
  assert_string_equal(json_text(json_at(o, "o", "p", NULL), "q"), "deep");
  assert_ptr_equal(json_at(o, NULL), o);
  assert_int_equal(json_length(json_get(o, "a")), 2);
  assert_string_equal(json_object_get_string(json_item(json_get(o, "a"), 1)), "x");
}

static void what_is_missing_or_of_another_type_gives_the_default(void **state) {
  (void)state;
  cleanup_json json *o =
      parse("{\"t\":\"5\",\"i\":1,\"n\":null,\"a\":[],\"o\":{},\"nul\":\"a\\u0000b\",\"d\":1.5,\"nan\":NaN}");
  static const char *const not_text[] = {"i", "n", "a", "o", "missing", "nul", "d"};
  for (size_t i = 0; i < array_size(not_text); i++) {
    assert_null(json_text(o, not_text[i]));
    assert_null(json_text_copy(o, not_text[i]));
    assert_int_equal(json_time(o, not_text[i]), 0);
    assert_true(json_bool(o, not_text[i], true));
    assert_false(json_bool(o, not_text[i], false));
  }
  assert_int_equal(json_int(o, "t", 42), 42);
  assert_int_equal(json_int(o, "d", 42), 42);
  assert_int_equal(json_int(o, "missing", 42), 42);
  assert_true(json_double(o, "t", 42) == 42);
  assert_true(json_double(o, "nan", 42) == 42);
  assert_null(json_get(o, "n"));
  assert_null(json_get(NULL, "a"));
  assert_null(json_get(json_get(o, "a"), "x"));
  assert_null(json_at(o, "t", "x", NULL));
  assert_null(json_at(NULL, "t", NULL));
  assert_int_equal(json_length(o), 0);
  assert_int_equal(json_length(NULL), 0);
  assert_null(json_item(json_get(o, "a"), 0));
  assert_null(json_item(o, 0));
}

static void assert_prints(json *o, const char *expected) {
  cleanup_free char *text = json_print(o);
  assert_string_equal(text, expected);
}

static void documents_are_built(void **state) {
  (void)state;
  cleanup_json json *o = json_new_object();
  json_add_text(o, "text", "a/\"b\"");
  json_add_int(o, "int", INT64_MIN);
  json_add_double(o, "double", 0.1);
  json_add_bool(o, "bool", false);
  json_add_time(o, "time", 1500);
  json_add_micro_time(o, "micro", 1500);
  json_add_int(json_add_object(o, "object"), "x", 1);
  json *array = json_add_array(o, "array");
  json_push_text(array, "y");
  json_add_bool(json_push_object(array), "z", true);
  json_push(array, json_new_array());
  json_add(o, "null", NULL);
  assert_prints(o,
                "{\"text\":\"a/\\\"b\\\"\",\"int\":-9223372036854775808,\"double\":0.1,\"bool\":false,"
                "\"time\":\"1970-01-01T00:00:01Z\",\"micro\":\"1970-01-01T00:00:01.500000Z\",\"object\":{\"x\":1},"
                "\"array\":[\"y\",{\"z\":true},[]],\"null\":null}");
}

static void what_is_not_set_is_not_added(void **state) {
  (void)state;
  cleanup_json json *o = json_new_object();
  json_add_text(o, "text", NULL);
  json_add_time(o, "time", 0);
  json_add_micro_time(o, "micro", 0);
  json_add_double(o, "nan", NAN);
  json_add_double(o, "inf", INFINITY);
  json_push_text(json_add_array(o, "array"), NULL);
  assert_prints(o, "{\"array\":[]}");
}

static void a_key_is_replaced(void **state) {
  (void)state;
  cleanup_json json *o = json_new_object();
  json_add_text(o, "a", "1");
  json_add_int(o, "a", 2);
  assert_prints(o, "{\"a\":2}");
}

static void broken_text_is_repaired(void **state) {
  (void)state;
  cleanup_json json *o = json_new_object();
  json_add_text(o, "a", "x\xFFy");
  assert_prints(o, "{\"a\":\"x\xEF\xBF\xBDy\"}");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(documents_are_parsed),
      cmocka_unit_test(what_is_no_document_is_invalid),
      cmocka_unit_test(what_is_not_wanted_is_empty),
      cmocka_unit_test(what_is_no_document_without_it_is_invalid),
      cmocka_unit_test(a_broken_document_leaves_nothing_behind),
      cmocka_unit_test(the_length_counts_and_not_a_nul),
      cmocka_unit_test(depth_is_bounded),
      cmocka_unit_test(getters_give_what_is_there),
      cmocka_unit_test(what_is_missing_or_of_another_type_gives_the_default),
      cmocka_unit_test(documents_are_built),
      cmocka_unit_test(what_is_not_set_is_not_added),
      cmocka_unit_test(a_key_is_replaced),
      cmocka_unit_test(broken_text_is_repaired),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
