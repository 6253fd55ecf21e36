// Times: what is written is read again, whatever the offset; what is mutilated is no time or a stable one.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"

#include "random.h"

static struct random r;

static const msec last_time = INT64_C(253402300799999);

static msec random_time(void) {
  uint64_t bits = (uint64_t)random_below(&r, UINT32_MAX) << 32 | random_below(&r, UINT32_MAX);
  msec limit = random_below(&r, 2) ? last_time : INT64_C(4102444800000);  // often before the year 2100
  return 1 + (msec)(bits % (uint64_t)limit);
}

static void what_is_written_is_read(void **state) {
  (void)state;
  for (int i = 0; i < 100000; i++) {
    msec t = random_time();
    char text[CLOCK_TEXT_SIZE];
    assert_int_equal(clock_parse(clock_format_micro(t, text)), t);
    assert_int_equal(clock_parse(clock_format(t, text)), t - t % 1000);
  }
}

// The C library's calendar is the judge.
static void the_calendar_is_the_usual_one(void **state) {
  (void)state;
  for (int i = 0; i < 100000; i++) {
    time_t seconds = (time_t)(random_time() / 1000);
    struct tm parts;
    gmtime_r(&seconds, &parts);
    char text[64];
    snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02dZ", parts.tm_year + 1900, parts.tm_mon + 1,
             parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
    assert_int_equal(clock_parse(text), (msec)seconds * 1000);
  }
}

static void offsets_are_subtracted(void **state) {
  (void)state;
  for (int i = 0; i < 50000; i++) {
    msec t = random_time() / 1000 * 1000;
    int minutes = (int)random_below(&r, 24 * 60);
    int sign = random_below(&r, 2) ? 1 : -1;
    msec local = t + sign * (msec)minutes * 60000;
    if (local <= 0 || local > last_time) continue;
    char text[64];
    clock_format(local, text);
    snprintf(strchr(text, 'Z'), 8, "%c%02d:%02d", sign > 0 ? '+' : '-', minutes / 60, minutes % 60);
    assert_int_equal(clock_parse(text), t);
  }
}

static void mutilated_times_are_none_or_stable(void **state) {
  (void)state;
  static const char alphabet[] = "0123456789-+:.TZtz x";
  for (int i = 0; i < 200000; i++) {
    char text[CLOCK_TEXT_SIZE + 8];
    clock_format_micro(random_time(), text);
    for (unsigned n = 1 + random_below(&r, 3); n > 0; n--)
      text[random_below(&r, (unsigned)strlen(text))] = alphabet[random_below(&r, sizeof(alphabet) - 1)];
    if (random_below(&r, 4) == 0) text[random_below(&r, (unsigned)strlen(text))] = '\0';
    msec t = clock_parse(text);
    assert_true(t >= 0);
    char again[CLOCK_TEXT_SIZE];
    if (t && t <= last_time) assert_int_equal(clock_parse(clock_format_micro(t, again)), t);
  }
}

int main(void) {
  r.state = random_seed();
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_is_written_is_read),
      cmocka_unit_test(the_calendar_is_the_usual_one),
      cmocka_unit_test(offsets_are_subtracted),
      cmocka_unit_test(mutilated_times_are_none_or_stable),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
