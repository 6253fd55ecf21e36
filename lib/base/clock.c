#include "base/clock.h"

#include <stdbool.h>
#include <stdio.h>
#include <time.h>

// The last millisecond of the year 9999: more digits than RFC 3339 has room for are cut there.
static const msec last_time = INT64_C(253402300799999);

msec clock_now(void) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  return (msec)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

msec clock_monotonic(void) {
  struct timespec t;
  clock_gettime(CLOCK_BOOTTIME, &t);  // goes on while the machine sleeps: so does a lease
  return (msec)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

// Days since 1970-01-01 in the proleptic Gregorian calendar; years start in March, so that the
// leap day is the last one.
static int64_t days_from_date(int64_t year, int month, int day) {
  if (month <= 2) year--;
  int64_t era = (year >= 0 ? year : year - 399) / 400;
  int64_t year_of_era = year - era * 400;
  int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146097 + day_of_era - 719468;
}

static int days_in_month(int year, int month) {
  static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return month == 2 && leap ? 29 : days[month - 1];
}

// Exactly `count` digits at *at, which moves on; -1 when they are not there.
static int digits(const char **at, int count) {
  int n = 0;
  for (int i = 0; i < count; i++, (*at)++) {
    if (**at < '0' || **at > '9') return -1;
    n = n * 10 + (**at - '0');
  }
  return n;
}

static bool take(const char **at, char expected) {
  if (**at != expected && !(expected >= 'A' && **at == expected + ('a' - 'A'))) return false;
  (*at)++;
  return true;
}

// ".123456" as milliseconds (cut, not rounded); nothing there is 0; -1 when no digit follows the dot.
static int fraction(const char **at) {
  if (!take(at, '.')) return 0;
  int milliseconds = 0, count = 0;
  for (; **at >= '0' && **at <= '9'; (*at)++, count++)
    if (count < 3) milliseconds = milliseconds * 10 + (**at - '0');
  if (count == 0) return -1;
  for (; count < 3; count++) milliseconds *= 10;
  return milliseconds;
}

// "Z" or "+02:00" in minutes, which move *at on; false when neither is there.
static bool offset(const char **at, int *ret_minutes) {
  *ret_minutes = 0;
  if (take(at, 'Z')) return true;
  int sign = **at == '-' ? -1 : 1;
  if (**at != '-' && **at != '+') return false;
  (*at)++;
  int hours = digits(at, 2);
  if (hours < 0 || hours > 23 || !take(at, ':')) return false;
  int minutes = digits(at, 2);
  if (minutes < 0 || minutes > 59) return false;
  *ret_minutes = sign * (hours * 60 + minutes);
  return true;
}

msec clock_parse(const char *text) {
  if (!text) return 0;
  const char *at = text;
  int year, month, day, hour, minute, second, zone;
  if ((year = digits(&at, 4)) < 0 || !take(&at, '-')) return 0;
  if ((month = digits(&at, 2)) < 1 || month > 12 || !take(&at, '-')) return 0;
  if ((day = digits(&at, 2)) < 1 || day > days_in_month(year, month) || !take(&at, 'T')) return 0;
  if ((hour = digits(&at, 2)) < 0 || hour > 23 || !take(&at, ':')) return 0;
  if ((minute = digits(&at, 2)) < 0 || minute > 59 || !take(&at, ':')) return 0;
  if ((second = digits(&at, 2)) < 0 || second > 60) return 0;  // 60: a leap second
  int milliseconds = fraction(&at);
  if (milliseconds < 0 || !offset(&at, &zone) || *at != '\0') return 0;
  int64_t seconds = days_from_date(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - (int64_t)zone * 60;
  msec t = seconds * 1000 + milliseconds;
  return t > 0 ? t : 0;
}

static struct tm split(msec *t) {
  if (*t < 0) *t = 0;
  if (*t > last_time) *t = last_time;
  time_t seconds = (time_t)(*t / 1000);
  struct tm parts;
  gmtime_r(&seconds, &parts);
  return parts;
}

const char *clock_format(msec t, char ret[CLOCK_TEXT_SIZE]) {
  struct tm parts = split(&t);
  strftime(ret, CLOCK_TEXT_SIZE, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return ret;
}

const char *clock_format_micro(msec t, char ret[CLOCK_TEXT_SIZE]) {
  struct tm parts = split(&t);
  size_t length = strftime(ret, CLOCK_TEXT_SIZE, "%Y-%m-%dT%H:%M:%S", &parts);
  snprintf(ret + length, CLOCK_TEXT_SIZE - length, ".%03d000Z", (int)(t % 1000));
  return ret;
}
