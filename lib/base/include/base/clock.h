// Time: milliseconds since 1970 UTC in an int64_t; 0 means "not set".
#pragma once

#include <stdint.h>

typedef int64_t msec;

msec clock_now(void);        // wall clock
msec clock_monotonic(void);  // for durations; never set back, and goes on while the machine sleeps

// RFC 3339 UTC, with or without fraction and offset ("2026-01-02T03:04:05Z", "...05.123456Z", "...+02:00").
// Returns 0 when it is no time, and for times before 1970 (Go writes its unset time as the year 1).
msec clock_parse(const char *text);

enum { CLOCK_TEXT_SIZE = 32 };
// "2026-01-02T03:04:05Z" (seconds: what Kubernetes' Time takes) into `ret`; returns ret.
const char *clock_format(msec t, char ret[CLOCK_TEXT_SIZE]);
// "2026-01-02T03:04:05.123000Z": Kubernetes' MicroTime.
const char *clock_format_micro(msec t, char ret[CLOCK_TEXT_SIZE]);
