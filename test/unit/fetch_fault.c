// Texts for people: what of a hostile text is shown, and how a fault is written down.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/memory.h"

#include "fault.h"
#include "utf8.h"

static void sequences(void **state) {
  (void)state;
  static const struct {
    const char *text;
    size_t sequence, printable;
  } cases[] = {
      {"a", 1, 1},
      {"\xc3\xa9", 2, 2},
      {"\xe2\x82\xac", 3, 3},
      {"\xf0\x9f\x98\x80", 4, 4},
      {"\n", 1, 0},
      {"\x7f", 1, 0},
      {"\xc2\x9b", 2, 0},          // a control character that terminals obey
      {"\xe2\x80\xae", 3, 0},      // right-to-left override
      {"\xe2\x80\x8b", 3, 0},      // zero width space
      {"\xe2\x80\xa8", 3, 0},      // line separator
      {"\xef\xbb\xbf", 3, 0},      // byte order mark
      {"\xc0\x80", 0, 0},          // overlong
      {"\xe0\x80\xaf", 0, 0},      // overlong
      {"\xed\xbf\xbf", 0, 0},      // surrogate
      {"\xf4\x90\x80\x80", 0, 0},  // beyond the last
      {"\xf8\x88\x80\x80\x80", 0, 0},
      {"\x80", 0, 0},
      {"\xe2\x82", 0, 0},  // cut off
  };
  for (size_t i = 0; i < array_size(cases); i++) {
    assert_int_equal(utf8_sequence(cases[i].text, strlen(cases[i].text)), cases[i].sequence);
    assert_int_equal(utf8_printable(cases[i].text, strlen(cases[i].text)), cases[i].printable);
  }
  assert_int_equal(utf8_sequence("", 0), 0);
}

static void cuts(void **state) {
  (void)state;
  const char *text = "a\xe2\x82\xac";
  assert_int_equal(utf8_cut(text, 4), 4);
  assert_int_equal(utf8_cut(text, 3), 1);
  assert_int_equal(utf8_cut(text, 2), 1);
  assert_int_equal(utf8_cut(text, 1), 1);
  assert_int_equal(utf8_cut(text, 0), 0);
}

static void quotes_are_short_and_printable(void **state) {
  (void)state;
  char ret[FAULT_QUOTE_SIZE];
  assert_string_equal(fault_quote("name.py", ret), "\"name.py\"");
  assert_string_equal(fault_quote(NULL, ret), "\"\"");
  assert_string_equal(fault_quote("a\x1b[31m\xff\n", ret), "\"a?[31m??\"");
  char text[1000];
  for (size_t i = 0; i + 3 <= sizeof text; i += 3) memcpy(text + i, "\xe2\x82\xac", 3);
  fault_quote_bytes(text, 999, ret);
  size_t length = strlen(ret);
  assert_true(length < FAULT_QUOTE_SIZE && length > FAULT_QUOTE_SIZE - 8);
  assert_true(utf8_valid(ret, length));
  assert_string_equal(ret + length - 4, "...\"");
}

static void the_first_fault_stands(void **state) {
  (void)state;
  struct fault f = {0};
  assert_false(fault_retry(&f, "First", "one"));
  assert_false(fault_refuse(&f, "Second", "two"));
  assert_int_equal(f.kind, FAULT_TRANSIENT);
  assert_string_equal(f.reason, "First");
  assert_string_equal(f.message, "one");
}

static void a_fault_is_one_line_of_json(void **state) {
  (void)state;
  char path[] = "/tmp/fetch-fault-XXXXXX";
  int fd = mkstemp(path);
  assert_true(fd >= 0);
  struct fault f = {0};
  char text[3000];
  for (size_t i = 0; i + 4 <= sizeof text; i += 3) memcpy(text + i, "\xe2\x82\xac", 4);
  fault_refuse(&f, "TooBig", "\"%s", text);
  fault_report(&f, path);
  char bytes[4096];
  ssize_t n = read(fd, bytes, sizeof bytes);
  close(fd);
  unlink(path);
  assert_true(n > 0);
  struct error e;
  cleanup_json json *o = json_parse(bytes, (size_t)n, &e);
  assert_non_null(o);
  assert_string_equal(json_text(o, "reason"), "TooBig");
  assert_string_equal(json_text(o, "message"), f.message);
  assert_true(utf8_valid(f.message, strlen(f.message)));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(sequences),
      cmocka_unit_test(cuts),
      cmocka_unit_test(quotes_are_short_and_printable),
      cmocka_unit_test(the_first_fault_stands),
      cmocka_unit_test(a_fault_is_one_line_of_json),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
