// A request's target, "/api/v1/agents/a%20b?page=2": its path in decoded segments, its query decoded. Pure.
//
// Splitting comes before decoding, so that an encoded slash stays inside its segment. What is no proper encoding, no
// UTF-8, has a NUL or in its path control characters is refused, never repaired: two readers of one target must not see
// two things.
#pragma once

#include "base/error.h"

#include "pairs.h"

enum {
  TARGET_MAX = 8192,  // bytes, as sent
  SEGMENTS_MAX = 16,
  QUERY_MAX = 64,  // parameters
};

struct target {
  char *path;  // decoded as a whole: for files and for showing
  char *segments[SEGMENTS_MAX];
  unsigned segment_count;  // "/" has none; "/a/" has two, the last one empty
  struct pairs query;
};

// Takes "/..." and "http://host/...". ERR_INVALID says what is wrong. `ret` is empty on failure.
enum error_code target_parse(const char *text, size_t length, struct target *ret, struct error *e);
void target_done(struct target *t);
