#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/str.h"

static void an_empty_string_is_a_string(void **state) {
  (void)state;
  struct str s = STR_INIT(10);
  assert_string_equal(str_text(&s), "");
  str_add(&s, "");
  str_add(&s, NULL);
  assert_null(s.data);
  cleanup_free char *taken = str_take(&s);
  assert_string_equal(taken, "");
}

static void pieces_add_up(void **state) {
  (void)state;
  cleanup_str struct str s = STR_INIT(1000);
  str_add(&s, "a");
  str_add_bytes(&s, "b\0c", 3);
  str_add_format(&s, "%d%s", 12, "x");
  assert_int_equal(s.length, 7);
  assert_memory_equal(s.data, "ab\0c12x", 8);
  assert_false(s.failed);
}

static void what_does_not_fit_fails_and_stays_failed(void **state) {
  (void)state;
  cleanup_str struct str s = STR_INIT(5);
  str_add(&s, "12345");
  assert_false(s.failed);
  str_add(&s, "6");
  assert_true(s.failed);
  assert_string_equal(str_text(&s), "12345");
  str_drop_front(&s, 3);
  str_add(&s, "7");  // it would fit now, but there would be a hole before it
  assert_string_equal(str_text(&s), "45");
  str_clear(&s);
  assert_false(s.failed);
  str_add_format(&s, "%05d", 6);
  assert_string_equal(str_text(&s), "00006");
  str_add_format(&s, "%d", 7);
  assert_true(s.failed);
  assert_string_equal(str_text(&s), "00006");
}

static void the_room_stays_near_the_maximum(void **state) {
  (void)state;
  cleanup_str struct str s = STR_INIT(1000);
  for (int i = 0; i < 1000; i++) str_add(&s, "x");
  assert_false(s.failed);
  assert_int_equal(s.length, 1000);
  assert_int_equal(s.room, 1001);
}

static void taking_leaves_it_empty_and_usable(void **state) {
  (void)state;
  struct str s = STR_INIT(10);
  str_add(&s, "first");
  cleanup_free char *first = str_take(&s);
  assert_int_equal(s.length, 0);
  str_add(&s, "second");
  cleanup_free char *second = str_take(&s);
  assert_string_equal(first, "first");
  assert_string_equal(second, "second");
}

static void the_front_can_be_dropped(void **state) {
  (void)state;
  cleanup_str struct str s = STR_INIT(10);
  str_drop_front(&s, 3);
  str_add(&s, "abcdef");
  str_drop_front(&s, 0);
  str_drop_front(&s, 2);
  assert_string_equal(str_text(&s), "cdef");
  str_drop_front(&s, 100);
  assert_int_equal(s.length, 0);
  assert_string_equal(str_text(&s), "");
}

static void null_compares_like_an_empty_text(void **state) {
  (void)state;
  assert_true(text_equal(NULL, ""));
  assert_true(text_equal("a", "a"));
  assert_false(text_equal("a", NULL));
  assert_true(text_empty(NULL) && text_empty("") && !text_empty("a"));
  assert_true(text_starts("abc", "ab") && text_starts("abc", "") && text_starts("abc", NULL) && text_starts(NULL, ""));
  assert_false(text_starts("abc", "b") || text_starts("ab", "abc") || text_starts(NULL, "a"));
}

static void valid_utf8_is_known(void **state) {
  (void)state;
  static const char *const valid[] = {"",
                                      "a",
                                      "\xC2\x80",
                                      "\xDF\xBF",
                                      "\xE0\xA0\x80",
                                      "\xED\x9F\xBF",
                                      "\xEE\x80\x80",
                                      "\xF0\x90\x80\x80",
                                      "\xF4\x8F\xBF\xBF",
                                      "a\xE2\x82\xAC z"};
  for (size_t i = 0; i < array_size(valid); i++)
    assert_int_equal(text_utf8_prefix(valid[i], strlen(valid[i])), strlen(valid[i]));
  assert_int_equal(text_utf8_prefix("a\0b", 3), 3);
}

static void invalid_utf8_is_known(void **state) {
  (void)state;
  // After an "a": a lone continuation, overlong forms, surrogates, beyond U+10FFFF, sequences cut off.
  static const char *const invalid[] = {"\x80",
                                        "\xC0\x80",
                                        "\xC1\xBF",
                                        "\xE0\x9F\xBF",
                                        "\xED\xA0\x80",
                                        "\xF0\x8F\xBF\xBF",
                                        "\xF4\x90\x80\x80",
                                        "\xF5\x80\x80\x80",
                                        "\xFF",
                                        "\xC2",
                                        "\xC2z",
                                        "\xE2\x82",
                                        "\xF0\x90\x80",
                                        "\xE2z\xAC"};
  for (size_t i = 0; i < array_size(invalid); i++) {
    char text[16];
    size_t length = (size_t)snprintf(text, sizeof(text), "a%s", invalid[i]);
    assert_int_equal(text_utf8_prefix(text, length), 1);
  }
}

static void broken_utf8_is_repaired(void **state) {
  (void)state;
  cleanup_str struct str s = STR_INIT(100);
  const char text[] =
      "a\xFF\xE2\x82"
      "b\xE2\x82\xAC";
  str_add_utf8(&s, text, strlen(text));
  assert_string_equal(str_text(&s),
                      "a\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"
                      "b\xE2\x82\xAC");
}

static void numbers_are_short_and_exact(void **state) {
  (void)state;
  static const struct {
    double n;
    const char *text;
  } cases[] = {{0, "0"},           {0.1, "0.1"},       {1.0 / 3, "0.3333333333333333"},   {1500, "1500"},
               {-2.5, "-2.5"},     {1e300, "1e+300"},  {5e-324, "4.94065645841247e-324"}, {NAN, "NaN"},
               {INFINITY, "+Inf"}, {-INFINITY, "-Inf"}};
  for (size_t i = 0; i < array_size(cases); i++) {
    char text[TEXT_DOUBLE_SIZE];
    assert_string_equal(text_double(cases[i].n, text), cases[i].text);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_empty_string_is_a_string),
      cmocka_unit_test(pieces_add_up),
      cmocka_unit_test(what_does_not_fit_fails_and_stays_failed),
      cmocka_unit_test(the_room_stays_near_the_maximum),
      cmocka_unit_test(taking_leaves_it_empty_and_usable),
      cmocka_unit_test(the_front_can_be_dropped),
      cmocka_unit_test(null_compares_like_an_empty_text),
      cmocka_unit_test(valid_utf8_is_known),
      cmocka_unit_test(invalid_utf8_is_known),
      cmocka_unit_test(broken_utf8_is_repaired),
      cmocka_unit_test(numbers_are_short_and_exact),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
