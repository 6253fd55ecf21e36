// A watch's answer as events: newline-delimited JSON that arrives cut anywhere. Bytes in, events
// out; no I/O, so that it can be tested and fuzzed byte by byte.
#pragma once

#include "base/error.h"
#include "base/json.h"
#include "base/str.h"

enum watch_type { WATCH_ADDED, WATCH_MODIFIED, WATCH_DELETED, WATCH_BOOKMARK, WATCH_ERROR };

// `object` is borrowed: the object, or with WATCH_ERROR a Status. Return false to take no more events.
typedef bool watch_event_fn(void *context, enum watch_type type, json *object);

struct watch_feed {
  struct str line;  // the part of a line that has no end yet
  const char *const *skipped;
  watch_event_fn *fn;
  void *context;
  enum error_code stopped;  // once it failed or fn had enough, nothing is read any more
};

// `skipped`: as json_parse_without has it, static data.
void watch_feed_init(struct watch_feed *f, size_t max_line, const char *const *skipped, watch_event_fn *fn,
                     void *context);
void watch_feed_done(struct watch_feed *f);

// ERR_TOO_LARGE for a line longer than max_line, ERR_INTERNAL for one that is no event,
// ERR_CANCELLED when fn returned false; the same code again for every later call.
enum error_code watch_feed_push(struct watch_feed *f, const char *bytes, size_t length, struct error *e);

// At the end of the answer: ERR_UNAVAILABLE when it ended within a line.
enum error_code watch_feed_end(struct watch_feed *f, struct error *e);
