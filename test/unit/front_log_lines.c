// Lines of a container's log, each once, however often and from whenever it is read.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"

#include "log_lines.h"

#define T1 "2026-01-02T03:04:05.100000000Z"
#define T2 "2026-01-02T03:04:05.200000000Z"
#define T3 "2026-01-02T03:04:06.000000000Z"

struct reader {
  struct log_lines lines;
  struct str text;
};

static void reader_init(struct reader *r) {
  *r = (struct reader){.text = STR_INIT(1000000)};
  log_lines_init(&r->lines, &(struct log_place){0});
}

static void reader_done(struct reader *r) {
  log_lines_done(&r->lines);
  str_done(&r->text);
}

static void push(struct reader *r, const char *bytes) {
  log_lines_push(&r->lines, bytes, strlen(bytes), &r->text);
}

static void expect(struct reader *r, const char *text) {
  assert_string_equal(str_text(&r->text), text);
  str_clear(&r->text);
}

static void test_lines(void **state) {
  (void)state;
  struct reader r;
  reader_init(&r);
  push(&r, T1 " one\n" T2 " t");
  expect(&r, "one\n");
  push(&r, "wo\r\n" T3 "\n" T3 " \n");
  expect(&r, "two\n\n\n");
  assert_string_equal(r.lines.place.time, T3);
  assert_int_equal(r.lines.place.lines, 2);
  push(&r, T3 " no end");
  log_lines_end(&r.lines, &r.text);
  expect(&r, "no end\n");
  reader_done(&r);
}

static void test_reading_again(void **state) {
  (void)state;
  struct reader r;
  reader_init(&r);
  push(&r, T1 " one\n" T2 " two\n" T2 " three\n" T3 " cut");
  expect(&r, "one\ntwo\nthree\n");
  log_lines_begin(&r.lines);  // from the second of T2 on: what is known comes again
  push(&r, T1 " one\n" T2 " two\n" T2 " three\n" T2 " four\n" T3 " cut here\n");
  expect(&r, "four\ncut here\n");
  log_lines_begin(&r.lines);
  push(&r, T3 " cut here\n");
  expect(&r, "");
  // A clock that is set back: what was not there before is new.
  push(&r, "2026-01-02T03:04:07Z later\n" T1 " earlier\n");
  expect(&r, "later\nearlier\n");
  reader_done(&r);
}

static void test_from_what_is_stored(void **state) {
  (void)state;
  struct reader r = {.text = STR_INIT(1000)};
  struct log_place place = {.time = "2026-01-02T03:04:05.2Z", .lines = 1};  // the same moment in fewer digits
  log_lines_init(&r.lines, &place);
  push(&r, T1 " one\n" T2 " two\n" T2 " three\n");
  expect(&r, "three\n");
  assert_int_equal(r.lines.place.lines, 2);
  reader_done(&r);
}

static void test_without_timestamps(void **state) {
  (void)state;
  struct reader r;
  reader_init(&r);
  push(&r, "unable to retrieve container logs\n\n" T1 " one\n");
  expect(&r, "unable to retrieve container logs\n\none\n");
  reader_done(&r);
}

static void test_what_postgresql_does_not_take(void **state) {
  (void)state;
  struct reader r;
  reader_init(&r);
  static const char bytes[] = T1
      " a\0b\xff"
      "c\n";
  log_lines_push(&r.lines, bytes, sizeof bytes - 1, &r.text);
  expect(&r,
         "a\xef\xbf\xbd"
         "b\xef\xbf\xbd"
         "c\n");
  reader_done(&r);
}

static void test_endless_line(void **state) {
  (void)state;
  struct reader r;
  reader_init(&r);
  push(&r, T1 " ");
  for (unsigned i = 0; i < 100000; i++) push(&r, "0123456789");
  assert_int_equal(r.text.length, 0);
  assert_true(r.lines.partial.room <= LOG_TIME_SIZE + LOG_LINE_MAX + 1);
  push(&r, "\n" T2 " next\n");
  assert_true(r.text.length < LOG_LINE_MAX + 100);
  assert_non_null(strstr(str_text(&r.text), "...\nnext\n"));
  reader_done(&r);
}

static void test_times(void **state) {
  (void)state;
  assert_true(log_time_compare(T1, T2) < 0);
  assert_true(log_time_compare(T3, T2) > 0);
  assert_int_equal(log_time_compare("2026-01-02T03:04:05.1Z", T1), 0);
  assert_int_equal(log_time_compare("2026-01-02T03:04:06Z", T3), 0);
  assert_true(log_time_compare("2026-01-02T03:04:05.09Z", T1) < 0);
  assert_true(log_time_compare("", T1) < 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_lines),
      cmocka_unit_test(test_reading_again),
      cmocka_unit_test(test_from_what_is_stored),
      cmocka_unit_test(test_without_timestamps),
      cmocka_unit_test(test_what_postgresql_does_not_take),
      cmocka_unit_test(test_endless_line),
      cmocka_unit_test(test_times),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
