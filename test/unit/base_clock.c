#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/memory.h"

static void times_are_read(void **state) {
  (void)state;
  static const struct {
    const char *text;
    msec t;
  } cases[] = {
      {"1970-01-01T00:00:00.001Z", 1},
      {"2026-01-02T03:04:05Z", INT64_C(1767323045000)},
      {"2026-01-02T03:04:05.123456Z", INT64_C(1767323045123)},
      {"2026-01-02T03:04:05.1Z", INT64_C(1767323045100)},
      {"2026-01-02T03:04:05.9999999999Z", INT64_C(1767323045999)},
      {"2026-01-02T05:04:05+02:00", INT64_C(1767323045000)},
      {"2026-01-01T21:34:05-05:30", INT64_C(1767323045000)},
      {"2026-01-02t03:04:05z", INT64_C(1767323045000)},
      {"2024-02-29T12:00:00Z", INT64_C(1709208000000)},
      {"2000-02-29T00:00:00Z", INT64_C(951782400000)},
      {"2016-12-31T23:59:60Z", INT64_C(1483228800000)},  // a leap second
      {"9999-12-31T23:59:59Z", INT64_C(253402300799000)},
  };
  for (size_t i = 0; i < array_size(cases); i++) assert_int_equal(clock_parse(cases[i].text), cases[i].t);
}

static void what_is_no_time_is_zero(void **state) {
  (void)state;
  static const char *const cases[] = {
      NULL,
      "",
      "now",
      "2026-01-02",
      "2026-01-02T03:04:05",
      "2026-01-02 03:04:05Z",
      "2026-1-02T03:04:05Z",
      "2026-13-02T03:04:05Z",
      "2026-00-02T03:04:05Z",
      "2026-01-00T03:04:05Z",
      "2026-04-31T03:04:05Z",
      "2026-02-29T03:04:05Z",
      "2100-02-29T03:04:05Z",
      "2026-01-02T24:04:05Z",
      "2026-01-02T03:60:05Z",
      "2026-01-02T03:04:61Z",
      "2026-01-02T03:04:05.Z",
      "2026-01-02T03:04:05Zx",
      "2026-01-02T03:04:05+2:00",
      "2026-01-02T03:04:05+24:00",
      "2026-01-02T03:04:05+02:60",
      "2026-01-02T03:04:05+0200",
      "+026-01-02T03:04:05Z",
      "0001-01-01T00:00:00Z",
      "1969-12-31T23:59:59Z",
  };
  for (size_t i = 0; i < array_size(cases); i++) assert_int_equal(clock_parse(cases[i]), 0);
}

static void times_are_written(void **state) {
  (void)state;
  char text[CLOCK_TEXT_SIZE];
  assert_string_equal(clock_format(INT64_C(1767323045123), text), "2026-01-02T03:04:05Z");
  assert_string_equal(clock_format_micro(INT64_C(1767323045123), text), "2026-01-02T03:04:05.123000Z");
  assert_string_equal(clock_format_micro(INT64_C(1767323045007), text), "2026-01-02T03:04:05.007000Z");
}

static void times_out_of_range_are_cut(void **state) {
  (void)state;
  char text[CLOCK_TEXT_SIZE];
  assert_string_equal(clock_format(INT64_MIN, text), "1970-01-01T00:00:00Z");
  assert_string_equal(clock_format_micro(-1, text), "1970-01-01T00:00:00.000000Z");
  assert_string_equal(clock_format_micro(INT64_MAX, text), "9999-12-31T23:59:59.999000Z");
}

static void the_clocks_run(void **state) {
  (void)state;
  assert_true(clock_now() > clock_parse("2024-01-01T00:00:00Z"));
  msec before = clock_monotonic();
  assert_true(before > 0);
  assert_true(clock_monotonic() >= before);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(times_are_read),    cmocka_unit_test(what_is_no_time_is_zero),
      cmocka_unit_test(times_are_written), cmocka_unit_test(times_out_of_range_are_cut),
      cmocka_unit_test(the_clocks_run),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
