// A request's target: what its path and its query are, and what is refused.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/str.h"

#include "target.h"

static struct target parsed(const char *text) {
  struct target t = {0};
  struct error e = {0};
  if (target_parse(text, strlen(text), &t, &e) != ERR_NONE) fail_msg("%s: %s", text, e.text);
  return t;
}

static void refused(const char *text) {
  struct target t = {0};
  struct error e = {0};
  if (target_parse(text, strlen(text), &t, &e) == ERR_NONE) fail_msg("%s is taken", text);
  assert_true(e.text[0]);
  assert_null(t.path);
}

static void a_path_is_split_before_it_is_decoded(void **state) {
  (void)state;
  struct target t = parsed("/api/v1/agents/a%2Fb%20c");
  assert_int_equal(t.segment_count, 4);
  assert_string_equal(t.segments[3], "a/b c");
  assert_string_equal(t.path, "/api/v1/agents/a/b c");
  target_done(&t);
}

static void the_root_has_no_segments_and_a_last_slash_makes_an_empty_one(void **state) {
  (void)state;
  struct target t = parsed("/");
  assert_int_equal(t.segment_count, 0);
  target_done(&t);
  t = parsed("/a/");
  assert_int_equal(t.segment_count, 2);
  assert_string_equal(t.segments[1], "");
  target_done(&t);
  t = parsed("//a");
  assert_int_equal(t.segment_count, 2);
  assert_string_equal(t.segments[0], "");
  target_done(&t);
}

static void a_plus_is_a_blank_in_the_query_alone(void **state) {
  (void)state;
  struct target t = parsed("/a+b?q=c+d%2B&empty=&flag&q=second&=nameless&&");
  assert_string_equal(t.path, "/a+b");
  assert_string_equal(pairs_get(&t.query, "q"), "c d+");
  assert_string_equal(pairs_get(&t.query, "empty"), "");
  assert_string_equal(pairs_get(&t.query, "flag"), "");
  assert_int_equal(pairs_count(&t.query, "q"), 2);
  assert_int_equal(t.query.count, 4);
  target_done(&t);
}

static void the_absolute_form_is_its_path(void **state) {
  (void)state;
  struct target t = parsed("http://arena.example:8080/health?x=1");
  assert_string_equal(t.path, "/health");
  assert_string_equal(pairs_get(&t.query, "x"), "1");
  target_done(&t);
  t = parsed("HTTPS://arena.example");
  assert_string_equal(t.path, "/");
  target_done(&t);
}

static void a_fragment_does_not_count(void **state) {
  (void)state;
  struct target t = parsed("/a?b=c#d?e");
  assert_string_equal(pairs_get(&t.query, "b"), "c");
  target_done(&t);
}

static void what_is_no_proper_text_is_refused(void **state) {
  (void)state;
  static const char *const bad[] = {"",       "a",       "/%",    "/%2",       "/%zz",      "/a%00b",
                                    "/a%0Ab", "/a\x7F",  "/%ff",  "/%c0%80",   "/?a=%",     "/?%00=1",
                                    "/?a=%1", "/?a=%ff", "/\x80", "ftp://x/a", "/%ed%a0%80"};
  for (unsigned i = 0; i < array_size(bad); i++) refused(bad[i]);
}

static void more_than_a_bounded_number_is_refused(void **state) {
  (void)state;
  struct str s = STR_INIT(4096);
  for (int i = 0; i <= SEGMENTS_MAX; i++) str_add(&s, "/a");
  refused(str_text(&s));
  str_clear(&s);
  str_add(&s, "/?");
  for (int i = 0; i <= QUERY_MAX; i++) str_add(&s, "a=b&");
  refused(str_text(&s));
  str_done(&s);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_path_is_split_before_it_is_decoded),
      cmocka_unit_test(the_root_has_no_segments_and_a_last_slash_makes_an_empty_one),
      cmocka_unit_test(a_plus_is_a_blank_in_the_query_alone),
      cmocka_unit_test(the_absolute_form_is_its_path),
      cmocka_unit_test(a_fragment_does_not_count),
      cmocka_unit_test(what_is_no_proper_text_is_refused),
      cmocka_unit_test(more_than_a_bounded_number_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
