// What counts as a scan's report, and that nothing else does.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/str.h"

#include "scan_report.h"

#define DIGEST "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define ZERO "{\"total\":0,\"fixable\":0}"
#define COUNTS(critical) \
  "\"counts\":{\"critical\":" critical ",\"high\":" ZERO ",\"medium\":" ZERO ",\"low\":" ZERO ",\"unknown\":" ZERO "}"

static void a_whole_report_is_taken(void **state) {
  (void)state;
  struct scan_report r;
  struct error e;
  static const char log[] =
      "reading the report\n{\"old\":1}\n{\"digest\":\"" DIGEST
      "\",\"databaseDate\":\"2026-01-02T03:04:05Z\",\"scannerVersion\":\"0.74.0\"," COUNTS("{\"total\":7,\"fixable\":2}") ","
      "\"findings\":[{\"id\":\"CVE-1\",\"package\":\"p\",\"installed\":\"1\",\"fixed\":\"2\",\"severity\":\"CRITICAL\",\"title\":"
      "\"t\"},{\"id\":\"CVE-2\",\"severity\":\"WORSE\"}]}\nbye\n";
  assert_int_equal(scan_report_parse(log, &r, &e), ERR_NONE);
  assert_string_equal(r.digest, DIGEST);
  assert_string_equal(r.scan.scanner, "trivy 0.74.0");
  assert_int_equal(r.scan.database, 1767323045000);
  assert_int_equal(r.scan.total[SEVERITY_CRITICAL], 7);
  assert_int_equal(r.scan.fixable[SEVERITY_CRITICAL], 2);
  assert_int_equal(r.scan.findings->count, 2);
  assert_string_equal(r.scan.findings->items[0].fixed, "2");
  assert_int_equal(r.scan.findings->items[1].severity, SEVERITY_UNKNOWN);
  assert_null(r.scan.findings->items[1].fixed);
  assert_true(r.scan.present);
  scan_report_done(&r);
}

static void an_id_that_is_no_utf8_is_still_an_id(void **state) {
  (void)state;
  enum { LONG = 200, ID_MAX = 128 };
  char id[LONG + 1];
  for (int i = 0; i < LONG; i += 2)
    memcpy(id + i, "\xC1\xBD", 2);  // "}" in one byte too many, which json-c lets through
  id[LONG] = '\0';
  cleanup_free char *log = mem_printf("{" COUNTS(ZERO) ",\"findings\":[{\"id\":\"%s\"}]}", id);
  struct scan_report r;
  struct error e;
  assert_int_equal(scan_report_parse(log, &r, &e), ERR_NONE);
  const char *kept = r.scan.findings->items[0].id;
  assert_true(strlen(kept) > 0 && strlen(kept) <= ID_MAX);
  assert_int_equal(text_utf8_prefix(kept, strlen(kept)), strlen(kept));
  scan_report_done(&r);
}

static void anything_else_is_a_failure_and_never_clean(void **state) {
  (void)state;
  static const char *const logs[] = {
      "",
      "no report",
      "{",
      "{}",
      "[]",
      "{\"findings\":[]}",
      "{" COUNTS(ZERO) "}",                                                    // no findings
      "{" COUNTS(ZERO) ",\"findings\":{}}",                                    // no list
      "{" COUNTS(ZERO) ",\"findings\":[]",                                     // cut
      "{\"counts\":{\"critical\":" ZERO "},\"findings\":[]}",                  // counts are missing
      "{" COUNTS("{\"total\":-1,\"fixable\":0}") ",\"findings\":[]}",          // fewer than none
      "{" COUNTS("{\"total\":1,\"fixable\":2}") ",\"findings\":[]}",           // more fixes than holes
      "{" COUNTS("{\"total\":1}") ",\"findings\":[]}",                         // half a count
      "{" COUNTS("{\"total\":\"1\",\"fixable\":0}") ",\"findings\":[]}",       // no number
      "{" COUNTS("{\"total\":3e9,\"fixable\":0}") ",\"findings\":[]}",         // no integer
      "{" COUNTS("{\"total\":3000000000,\"fixable\":0}") ",\"findings\":[]}",  // too many
      "{" COUNTS(ZERO) ",\"findings\":[{}]}",                                  // nameless
      "{" COUNTS(ZERO) ",\"findings\":[7]}",
      "{\"digest\":\"sha256:1\"," COUNTS(ZERO) ",\"findings\":[]}",
      "{\"digest\":7," COUNTS(ZERO) ",\"findings\":[]}",
      " {" COUNTS(ZERO) ",\"findings\":[]}",  // not at the line's start
  };
  for (unsigned i = 0; i < sizeof(logs) / sizeof(logs[0]); i++) {
    struct scan_report r;
    struct error e = {0};
    if (scan_report_parse(logs[i], &r, &e) == ERR_NONE) fail_msg("taken for a report: %s", logs[i]);
    assert_true(e.text[0] != '\0');
  }
  assert_int_not_equal(scan_report_parse(NULL, NULL, NULL), ERR_NONE);
}

static void what_is_too_long_or_too_many_is_cut(void **state) {
  (void)state;
  struct str log = STR_INIT(1 << 20);
  char title[3000];
  memset(title, 'x', sizeof(title) - 1);
  title[sizeof(title) - 1] = '\0';
  str_add(&log, "{" COUNTS(ZERO) ",\"findings\":[");
  for (int i = 0; i < 60; i++)
    str_add_format(&log, "%s{\"id\":\"CVE-%d\",\"severity\":\"LOW\",\"title\":\"%s\"}", i ? "," : "", i, title);
  str_add(&log, "]}");
  struct scan_report r;
  assert_int_equal(scan_report_parse(str_text(&log), &r, NULL), ERR_NONE);
  assert_int_equal(r.scan.findings->count, FINDINGS_MAX);
  assert_int_equal(strlen(r.scan.findings->items[0].title), 1024);
  scan_report_done(&r);
  str_clear(&log);
  str_add(&log, "{" COUNTS(ZERO) ",\"findings\":[],\"more\":\"");
  for (int i = 0; i < 100; i++) str_add(&log, title);
  str_add(&log, "\"}");
  struct error e;
  assert_int_equal(scan_report_parse(str_text(&log), &r, &e), ERR_TOO_LARGE);
  str_done(&log);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_whole_report_is_taken),
      cmocka_unit_test(an_id_that_is_no_utf8_is_still_an_id),
      cmocka_unit_test(anything_else_is_a_failure_and_never_clean),
      cmocka_unit_test(what_is_too_long_or_too_many_is_cut),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
