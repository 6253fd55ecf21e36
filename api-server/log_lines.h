// A container's log as the API server gives it with timestamps=true: bytes in, lines out, each once. Pure.
//
// A log that is read again from a moment on (sinceTime knows seconds only) begins with lines that are known already:
// those before the last known timestamp, and as many of that very timestamp as are known.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

enum { LOG_TIME_SIZE = 40, LOG_LINE_MAX = 16 * 1024 };

// Where a log has been read to.
struct log_place {
  char time[LOG_TIME_SIZE];  // of the last line; "": nothing yet
  unsigned lines;            // how many lines had that time
};

struct log_lines {
  struct str partial;      // of the line that is not whole yet
  bool cut;                // its rest is left out
  struct log_place place;  // with what is in `text`
  bool catching_up;        // what comes may be known
  unsigned skip;           // lines of place.time that are still to be passed over
};

void log_lines_init(struct log_lines *l, const struct log_place *from);
void log_lines_done(struct log_lines *l);
void log_lines_begin(struct log_lines *l);  // a new answer: whatever line was cut is read again
// Appends the new whole lines, valid UTF-8 without NUL, each ended by a newline, to `text`.
void log_lines_push(struct log_lines *l, const char *bytes, size_t length, struct str *text);
void log_lines_end(struct log_lines *l, struct str *text);  // the log is over: a last line without its end counts

// < 0, 0, > 0 as `a` is before, at or after `b`: RFC 3339 of one time zone, fractions of any length.
int log_time_compare(const char *a, const char *b);
