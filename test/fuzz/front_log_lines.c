// Any bytes as a container's log: whole and in pieces of the size that the first byte says it gives the same lines;
// read a second time from where it ended it gives nothing that has a time, or what is newer.
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#include "log_lines.h"
#include "target.h"

static void read_all(struct log_lines *l, const char *bytes, size_t length, size_t piece, struct str *text) {
  while (length > 0) {
    const size_t n = piece < length ? piece : length;
    log_lines_push(l, bytes, n, text);
    bytes += n;
    length -= n;
  }
  log_lines_end(l, text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0) return 0;
  const char *bytes = (const char *)data + 1;
  struct str whole = STR_INIT(10000000), cut = STR_INIT(10000000);
  struct log_lines a, b;
  log_lines_init(&a, &(struct log_place){0});
  log_lines_init(&b, &(struct log_place){0});
  read_all(&a, bytes, size - 1, size, &whole);
  read_all(&b, bytes, size - 1, data[0] % 50 + 1, &cut);
  if (strcmp(str_text(&whole), str_text(&cut)) != 0 || strcmp(a.place.time, b.place.time) != 0) abort();
  if (a.place.lines != b.place.lines) abort();
  if (strlen(str_text(&whole)) != whole.length || text_utf8_prefix(str_text(&whole), whole.length) != whole.length)
    abort();
  const size_t before = whole.length;
  log_lines_begin(&a);
  read_all(&a, bytes, size - 1, size, &whole);
  if (whole.length > 2 * before) abort();
  log_lines_done(&a);
  log_lines_done(&b);
  str_done(&whole);
  str_done(&cut);
  return 0;
}
