// The outcome of one HTTP request in a test.
#pragma once

#include <stdbool.h>

#include <uv.h>

#include "base/error.h"
#include "base/str.h"
#include "io/http.h"

struct fetched {
  bool done;
  unsigned calls;  // of `done`
  enum error_code code;
  struct error error;
  int status, retry_after_ms;
  double seconds;
  char etag[160];
  struct str body;    // what was kept
  struct str pieces;  // what was streamed
  unsigned piece_count;
};

#define FETCHED_INIT ((struct fetched){.body = STR_INIT(64 << 20), .pieces = STR_INIT(64 << 20)})

// Fills .done and .context of the options (and .data with `stream`) and starts.
struct http_request *fetched_start(struct fetched *f, struct http *h, struct http_options o, bool stream);
void fetched_done(struct fetched *f);

http_done_fn fetched_on_done;
http_data_fn fetched_on_data;
