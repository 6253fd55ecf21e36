// Any bytes as a scanner's report, in pieces of the size that the first one says. Whatever is accepted gives one
// bounded line of valid JSON.
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/memory.h"

#include "report.h"
#include "target.h"

enum { LINE_MAX_BYTES = 128 << 10 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0) return 0;
  struct fault f = {0};
  struct report *r = report_new();
  size_t piece = data[0] + 1u;
  bool ok = true;
  for (size_t at = 1; ok && at < size; at += piece) {
    size_t n = size - at < piece ? size - at : piece;
    ok = report_feed(r, (const char *)data + at, n, &f);
  }
  cleanup_free char *line = ok ? report_end(r, "", "", &f) : NULL;
  report_free(r);
  if ((line != NULL) != (f.kind == FAULT_NONE)) abort();
  if (!line) return 0;
  struct error e;
  cleanup_json json *o = json_parse(line, strlen(line), &e);
  if (!o || strlen(line) > LINE_MAX_BYTES || strchr(line, '\n')) abort();
  return 0;
}
