// Any bytes as the stream of a running match's frames, whole and in pieces of the size that the first one says: the
// same frames, each a JSON object, and the same end.
#include <stdlib.h>
#include <string.h>

#include "arena/wire.h"
#include "base/str.h"
#include "io/grpc.h"

#include "target.h"

static bool on_message(void *context, const uint8_t *bytes, size_t length) {
  struct str *seen = context;
  struct wire_frame frame = {0};
  struct error e = {0};
  const enum error_code code = wire_decode_frame(bytes, length, &frame, &e);
  if (code != e.code || (code == ERR_NONE) != (frame.json != NULL)) abort();
  if (code == ERR_NONE) {
    if (frame.json[0] != '{') abort();
    str_add_format(seen, "%u %s\n", (unsigned)frame.step, frame.json);
  } else {
    if (e.text[0] == 0) abort();
    str_add(seen, "refused\n");
  }
  wire_frame_done(&frame);
  return true;
}

static enum error_code run(const char *bytes, size_t length, size_t piece, struct str *seen) {
  struct grpc_feed f;
  struct error e = {0};
  grpc_feed_init(&f, WIRE_FRAME_MAX, on_message, seen);
  while (length > 0 && e.code == ERR_NONE) {
    const size_t n = piece < length ? piece : length;
    if (grpc_feed_push(&f, bytes, n, &e) != e.code) abort();
    bytes += n;
    length -= n;
  }
  str_add(seen, grpc_feed_is_between(&f) ? "whole" : "cut");
  grpc_feed_done(&f);
  return e.code;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0) return 0;
  struct str whole = STR_INIT(1000000), cut = STR_INIT(1000000);
  const char *bytes = (const char *)data + 1;
  const enum error_code a = run(bytes, size - 1, size, &whole), b = run(bytes, size - 1, data[0] % 50 + 1, &cut);
  if (a != b || strcmp(str_text(&whole), str_text(&cut)) != 0) abort();
  str_done(&whole);
  str_done(&cut);
  return 0;
}
