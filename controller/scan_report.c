#include "scan_report.h"

#include <string.h>

#include "base/memory.h"
#include "base/str.h"

enum { LINE_MAX_LENGTH = 256 * 1024, HEX_DIGITS = 64 };

// The last line that begins with "{"; its length in *ret_length, NULL when there is none.
static const char *find_line(const char *log, size_t *ret_length) {
  const char *found = NULL;
  for (const char *line = log; line && *line;) {
    const char *end = strchr(line, '\n');
    size_t length = end ? (size_t)(end - line) : strlen(line);
    if (line[0] == '{') {
      found = line;
      *ret_length = length;
    }
    line = end ? end + 1 : NULL;
  }
  return found;
}

static bool decode_digest(json *o, char ret[SCAN_DIGEST_SIZE]) {
  static const char prefix[] = "sha256:";
  const char *text = json_text(o, "digest");
  if (text_empty(text)) {
    ret[0] = '\0';
    return json_get(o, "digest") == NULL || text;  // absent or "", not a number
  }
  if (!text_starts(text, prefix) || strlen(text) != strlen(prefix) + HEX_DIGITS ||
      strspn(text + strlen(prefix), "0123456789abcdef") != HEX_DIGITS)
    return false;
  memcpy(ret, text, strlen(text) + 1);
  return true;
}

// {"total":n,"fixable":m} with 0 <= m <= n. Both must be there: a missing count is not a zero.
static bool decode_count(json *counts, const char *key, int32_t *ret_total, int32_t *ret_fixable) {
  json *o = json_get(counts, key);
  int64_t total = json_int(o, "total", -1), fixable = json_int(o, "fixable", -1);
  if (total < 0 || total > INT32_MAX || fixable < 0 || fixable > total) return false;
  *ret_total = (int32_t)total;
  *ret_fixable = (int32_t)fixable;
  return true;
}

static bool decode_counts(json *o, struct scan *ret) {
  static const char *const keys[SEVERITY_COUNT] = {[SEVERITY_UNKNOWN] = "unknown",
                                                   [SEVERITY_LOW] = "low",
                                                   [SEVERITY_MEDIUM] = "medium",
                                                   [SEVERITY_HIGH] = "high",
                                                   [SEVERITY_CRITICAL] = "critical"};
  json *counts = json_get(o, "counts");
  for (int i = 0; i < SEVERITY_COUNT; i++)
    if (!decode_count(counts, keys[i], &ret->total[i], &ret->fixable[i])) return false;
  return true;
}

static char *copy_text(json *o, const char *key, size_t max) {
  return text_bounded(json_text(o, key), max);
}

static bool decode_findings(json *o, struct scan *ret) {
  enum { ID = 128, NAME = 256, TITLE = 1024 };
  json *list = json_get(o, "findings");
  if (!json_object_is_type(list, json_type_array)) return false;
  const unsigned count = json_length(list) < FINDINGS_MAX ? (unsigned)json_length(list) : FINDINGS_MAX;
  struct finding items[FINDINGS_MAX];
  for (unsigned i = 0; i < count; i++) {
    if (text_empty(json_text(json_item(list, i), "id"))) return false;
  }
  for (unsigned i = 0; i < count; i++) {
    json *item = json_item(list, i);
    items[i] = (struct finding){
        .id = copy_text(item, "id", ID),
        .package = copy_text(item, "package", NAME),
        .installed = copy_text(item, "installed", NAME),
        .fixed = copy_text(item, "fixed", NAME),
        .title = copy_text(item, "title", TITLE),
        .severity = severity_parse(json_text(item, "severity")),
    };
  }
  ret->findings = findings_share(items, count);
  return true;
}

enum error_code scan_report_parse(const char *log, struct scan_report *ret, struct error *e) {
  size_t length = 0;
  const char *line = find_line(log, &length);
  if (!line) return error_set(e, ERR_INVALID, "the scan left no report");
  if (length > LINE_MAX_LENGTH) return error_set(e, ERR_TOO_LARGE, "the scan's report has %zu bytes", length);
  cleanup_json json *o = json_parse(line, length, e);
  if (!o) return error_prefix(e, "the scan's report");

  struct scan_report r = {.scan = {.present = true, .database = json_time(o, "databaseDate")}};
  if (!decode_digest(o, r.digest) || !decode_counts(o, &r.scan) || !decode_findings(o, &r.scan)) {
    scan_report_done(&r);
    return error_set(e, ERR_INVALID, "the scan's report is not whole");
  }
  char *version = copy_text(o, "scannerVersion", 64);
  r.scan.scanner = text_empty(version) ? mem_strdup("trivy") : mem_printf("trivy %s", version);
  free(version);
  *ret = r;
  return ERR_NONE;
}

void scan_report_done(struct scan_report *r) {
  scan_done(&r->scan);
  *r = (struct scan_report){0};
}
