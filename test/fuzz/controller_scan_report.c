// Any text as what the scan's container printed: a report whose counts are whole and bounded, or a sentence. What the
// scanner of a stranger's image says never becomes "nothing found" by being malformed.
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/str.h"

#include "scan_report.h"
#include "target.h"

enum { TEXT_MAX_BYTES = 1024, DIGEST_LENGTH = 71 };

static void must(bool promise) {
  if (!promise) abort();
}

static void bounded(const char *text) {
  must(!text || strlen(text) <= TEXT_MAX_BYTES);
}

static void check(const struct scan_report *r) {
  size_t digest = strnlen(r->digest, SCAN_DIGEST_SIZE);
  must(digest == 0 || (digest == DIGEST_LENGTH && text_starts(r->digest, "sha256:")));
  must(r->scan.present && r->scan.finished == 0 && !text_empty(r->scan.scanner));
  bounded(r->scan.scanner);
  for (int i = 0; i < SEVERITY_COUNT; i++) must(r->scan.fixable[i] >= 0 && r->scan.fixable[i] <= r->scan.total[i]);
  const struct findings *found = r->scan.findings;
  must(found == NULL || found->count <= FINDINGS_MAX);
  for (unsigned i = 0; found != NULL && i < found->count; i++) {
    const struct finding *f = &found->items[i];
    must(!text_empty(f->id) && f->severity < SEVERITY_COUNT);
    bounded(f->id);
    bounded(f->package);
    bounded(f->installed);
    bounded(f->fixed);
    bounded(f->title);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  // A log is a C string: exactly as large as the input and its end.
  cleanup_free char *log = mem_alloc(size + 1);
  if (size) memcpy(log, data, size);
  struct scan_report r = {0};
  struct error e = {0};
  enum error_code code = scan_report_parse(log, &r, &e);
  must((code == ERR_NONE) == (e.code == ERR_NONE) && (code == ERR_NONE || e.text[0] != 0));
  if (code == ERR_NONE) check(&r);
  scan_report_done(&r);
  return 0;
}
