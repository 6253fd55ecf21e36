#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/memory.h"

static void set_gives_the_code_and_the_words(void **state) {
  (void)state;
  struct error e = {.retry_after_ms = 5};
  assert_int_equal(error_set(&e, ERR_NOT_FOUND, "no %s \"%s\"", "Agent", "a"), ERR_NOT_FOUND);
  assert_int_equal(e.code, ERR_NOT_FOUND);
  assert_int_equal(e.retry_after_ms, 0);
  assert_string_equal(e.text, "no Agent \"a\"");
}

static void nobody_has_to_listen(void **state) {
  (void)state;
  assert_int_equal(error_set(NULL, ERR_BUSY, "x"), ERR_BUSY);
  assert_int_equal(error_prefix(NULL, "x"), ERR_INTERNAL);
}

static void the_text_may_be_its_own_argument(void **state) {
  (void)state;
  struct error e;
  error_set(&e, ERR_INVALID, "inner");
  error_set(&e, ERR_INTERNAL, "outer (%s)", e.text);
  assert_string_equal(e.text, "outer (inner)");
}

static void context_reads_from_the_outside_in(void **state) {
  (void)state;
  struct error e;
  error_set(&e, ERR_TIMEOUT, "nothing received");
  e.retry_after_ms = 7;
  assert_int_equal(error_prefix(&e, "GET %s", "/x"), ERR_TIMEOUT);
  assert_int_equal(error_prefix(&e, "watch"), ERR_TIMEOUT);
  assert_string_equal(e.text, "watch: GET /x: nothing received");
  assert_int_equal(e.retry_after_ms, 7);
}

static void long_text_ends_in_dots(void **state) {
  (void)state;
  char text[2 * ERROR_TEXT_MAX];
  memset(text, 'x', sizeof(text) - 1);
  text[sizeof(text) - 1] = '\0';
  struct error e;
  error_set(&e, ERR_INVALID, "%s", text);
  assert_int_equal(strlen(e.text), ERROR_TEXT_MAX - 1);
  assert_string_equal(e.text + ERROR_TEXT_MAX - 5, "x...");

  text[ERROR_TEXT_MAX - 1] = '\0';  // just fits
  error_set(&e, ERR_INVALID, "%s", text);
  assert_string_equal(e.text, text);
  error_prefix(&e, "p");
  assert_int_equal(strlen(e.text), ERROR_TEXT_MAX - 1);
  assert_memory_equal(e.text, "p: xx", 5);
  assert_string_equal(e.text + ERROR_TEXT_MAX - 4, "...");
  error_prefix(&e, "%s%s%s%s", text, text, text, text);  // a prefix that fills it alone, and more
  assert_int_equal(strlen(e.text), ERROR_TEXT_MAX - 1);
}

static void a_cut_leaves_whole_characters(void **state) {
  (void)state;
  for (size_t shift = 0; shift < 4; shift++) {
    char text[2 * ERROR_TEXT_MAX] = "aaaa";
    for (size_t i = shift; i + 3 < sizeof(text); i += 3) memcpy(text + i, "\xE2\x82\xAC", 4);
    struct error e;
    error_set(&e, ERR_INVALID, "%s", text);
    size_t length = strlen(e.text);
    assert_true(length >= ERROR_TEXT_MAX - 4);
    assert_string_equal(e.text + length - 3, "...");
    assert_int_equal((length - 3 - shift) % 3, 0);
  }
}

static void only_what_may_pass_by_itself_is_transient(void **state) {
  (void)state;
  static const enum error_code transient[] = {ERR_BUSY, ERR_UNAVAILABLE, ERR_TIMEOUT, ERR_CONFLICT, ERR_GONE};
  unsigned count = 0;
  for (int code = ERR_NONE; code <= ERR_INTERNAL; code++) count += error_is_transient((enum error_code)code);
  assert_int_equal(count, array_size(transient));
  for (size_t i = 0; i < array_size(transient); i++) assert_true(error_is_transient(transient[i]));
}

static void every_code_has_its_own_name(void **state) {
  (void)state;
  for (int a = ERR_NONE; a <= ERR_INTERNAL; a++) {
    assert_string_not_equal(error_name((enum error_code)a), "Unknown");
    for (int b = ERR_NONE; b < a; b++)
      assert_string_not_equal(error_name((enum error_code)a), error_name((enum error_code)b));
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(set_gives_the_code_and_the_words),
      cmocka_unit_test(nobody_has_to_listen),
      cmocka_unit_test(the_text_may_be_its_own_argument),
      cmocka_unit_test(context_reads_from_the_outside_in),
      cmocka_unit_test(long_text_ends_in_dots),
      cmocka_unit_test(a_cut_leaves_whole_characters),
      cmocka_unit_test(only_what_may_pass_by_itself_is_transient),
      cmocka_unit_test(every_code_has_its_own_name),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
