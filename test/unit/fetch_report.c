// The scanner's report: what is counted, which findings are kept, what hostile ones can do.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/memory.h"
#include "base/str.h"

#include "report.h"

// Summarizes a report given as text; NULL when it was refused.
static json *summarize(const char *text, struct fault *f) {
  struct report *r = report_new();
  cleanup_free char *line =
      report_feed(r, text, strlen(text), f) ? report_end(r, "2026-01-02T03:04:05Z", "0.1", f) : NULL;
  report_free(r);
  if (!line) return NULL;
  struct error e;
  json *o = json_parse(line, strlen(line), &e);
  assert_non_null(o);
  return o;
}

static json *summarize_well(const char *text) {
  struct fault f = {0};
  json *o = summarize(text, &f);
  if (!o) fail_msg("%s", f.message);
  return o;
}

static char *wrap(const char *vulnerabilities) {
  return mem_printf("{\"SchemaVersion\":2,\"ArtifactName\":\"r/a:1\",\"Results\":[{\"Vulnerabilities\":[%s]}]}",
                    vulnerabilities);
}

static void counts_and_order(void **state) {
  (void)state;
  cleanup_free char *text = wrap(
      "{\"VulnerabilityID\":\"CVE-3\",\"Severity\":\"HIGH\"},"
      "{\"VulnerabilityID\":\"CVE-2\",\"Severity\":\"HIGH\",\"FixedVersion\":\"2\"},"
      "{\"VulnerabilityID\":\"CVE-1\",\"Severity\":\"CRITICAL\",\"FixedVersion\":\"\"},"
      "{\"VulnerabilityID\":\"CVE-4\",\"Severity\":\"ODD\"},{\"VulnerabilityID\":\"CVE-5\"},"
      "{\"VulnerabilityID\":\"CVE-6\",\"Severity\":\"LOW\"},{\"VulnerabilityID\":\"CVE-0\",\"Severity\":\"MEDIUM\"}");
  cleanup_json json *o = summarize_well(text);
  static const struct {
    const char *name;
    int total, fixable;
  } counts[] = {{"critical", 1, 0}, {"high", 2, 1}, {"medium", 1, 0}, {"low", 1, 0}, {"unknown", 2, 0}};
  for (size_t i = 0; i < array_size(counts); i++) {
    json *count = json_at(o, "counts", counts[i].name, NULL);
    assert_int_equal(json_int(count, "total", -1), counts[i].total);
    assert_int_equal(json_int(count, "fixable", -1), counts[i].fixable);
  }
  static const char *const order[] = {"CVE-1", "CVE-2", "CVE-3", "CVE-0", "CVE-6", "CVE-4", "CVE-5"};
  json *findings = json_get(o, "findings");
  assert_int_equal(json_length(findings), array_size(order));
  for (size_t i = 0; i < array_size(order); i++) assert_string_equal(json_text(json_item(findings, i), "id"), order[i]);
  assert_string_equal(json_text(o, "databaseDate"), "2026-01-02T03:04:05Z");
  assert_string_equal(json_text(o, "scannerVersion"), "0.1");
}

static void digest_of(const char *members, const char *digest, const char *reference) {
  cleanup_free char *text = mem_printf("{\"SchemaVersion\":2,%s}", members);
  cleanup_json json *o = summarize_well(text);
  assert_string_equal(json_text(o, "digest"), digest);
  assert_string_equal(json_text(o, "repoDigest"), reference);
}

static void the_digest_is_the_one_that_was_scanned(void **state) {
  (void)state;
  digest_of(
      "\"ArtifactName\":\"r/a:1\",\"Metadata\":{\"ImageID\":\"sha256:11\",\"RepoDigests\":[\"r/b@sha256:22\",\"r/"
      "a@sha256:33\"]}",
      "sha256:22", "r/b@sha256:22");
  digest_of("\"ArtifactName\":\"r/a@sha256:33\",\"Metadata\":{\"RepoDigests\":[\"r/b@sha256:22\",\"r/a@sha256:33\"]}",
            "sha256:33", "r/a@sha256:33");
  digest_of("\"ArtifactName\":\"r/a@sha256:33\",\"Metadata\":{\"ImageID\":\"sha256:11\"}", "sha256:33",
            "r/a@sha256:33");
  // The hash of an image's configuration is not its digest.
  digest_of("\"ArtifactName\":\"r/a:1\",\"Metadata\":{\"ImageID\":\"sha256:11\",\"RepoDigests\":null}", "", "");
  digest_of("\"Metadata\":{\"RepoDigests\":[5,{},\"odd\",\"r/c@sha256:44\"]}", "sha256:44", "r/c@sha256:44");
}

static void only_the_right_places_count(void **state) {
  (void)state;
  cleanup_json json *o = summarize_well(
      "{\"Vulnerabilities\":[{\"Severity\":\"HIGH\"}],\"SchemaVersion\":2,\"Results\":[{\"Misconfigurations\":[{"
      "\"Severity\":\"HIGH\"}],"
      "\"x\":{\"Vulnerabilities\":[{\"Severity\":\"HIGH\"}]},\"Vulnerabilities\":[{\"Severity\":\"LOW\",\"x\":{"
      "\"Severity\":\"HIGH\"},"
      "\"y\":[{\"Severity\":\"HIGH\"}]}]},{\"Vulnerabilities\":null},{\"Vulnerabilities\":[]},{}]}");
  assert_int_equal(json_int(json_at(o, "counts", "high", NULL), "total", -1), 0);
  assert_int_equal(json_int(json_at(o, "counts", "low", NULL), "total", -1), 1);
}

static void hostile_texts_are_bounded(void **state) {
  (void)state;
  struct str cleanup_str v = STR_INIT(1 << 20);
  str_add(&v, "{\"Severity\":\"CRITICAL\",\"Title\":\"\\u001b[31m\\u202e\xff\xe2\x82\\u0000x\",\"VulnerabilityID\":\"");
  for (int i = 0; i < 20000; i++) str_add(&v, "\\\\\xc3\xa9\\ud83d\\ude00");
  str_add(&v, "\",\"PkgName\":{\"a\":[1,2,{\"b\":null}]},\"InstalledVersion\":5,\"FixedVersion\":[");
  for (int i = 0; i < 20000; i++) str_add(&v, i ? ",1" : "1");
  str_add(&v, "]}");
  cleanup_free char *text = wrap(v.data);
  cleanup_json json *o = summarize_well(text);
  json *finding = json_item(json_get(o, "findings"), 0);
  assert_string_equal(json_text(finding, "severity"), "CRITICAL");
  assert_true(strlen(json_text(finding, "id")) <= 64);
  // A text with a NUL inside counts as none.
  assert_string_equal(json_text(finding, "title"), "");
  assert_string_equal(json_text(finding, "package"), "");
  assert_string_equal(json_text(finding, "fixed"), "");
}

static void controls_are_not_shown(void **state) {
  (void)state;
  cleanup_free char *text = wrap("{\"Title\":\"a\\u001b[31m\\u202e\xff\\n b\"}");
  cleanup_json json *o = summarize_well(text);
  assert_string_equal(json_text(json_item(json_get(o, "findings"), 0), "title"),
                      "a?[31m?"
                      "?? b");
}

static void the_worst_fifty(void **state) {
  (void)state;
  struct str cleanup_str v = STR_INIT(1 << 20);
  for (int i = 0; i < 500; i++) {
    str_add_format(&v, "%s{\"VulnerabilityID\":\"CVE-%03d\",\"Severity\":\"%s\",\"FixedVersion\":\"%s\"}", i ? "," : "",
                   (i * 263) % 500, i % 25 == 7 ? "CRITICAL" : "LOW", i % 2 ? "1" : "");
  }
  cleanup_free char *text = wrap(v.data);
  cleanup_json json *o = summarize_well(text);
  json *findings = json_get(o, "findings");
  assert_int_equal(json_length(findings), REPORT_FINDINGS);
  for (size_t i = 0; i < REPORT_FINDINGS; i++) {
    json *finding = json_item(findings, i);
    assert_string_equal(json_text(finding, "severity"), i < 20 ? "CRITICAL" : "LOW");
    assert_string_equal(json_text(finding, "fixed"), (i < 10 || i >= 20) ? "1" : "");
  }
}

static void what_is_no_report_is_refused(void **state) {
  (void)state;
  static const char *const texts[] = {
      "",
      " ",
      "{}",
      "[]",
      "null",
      "1",
      "\"x\"",
      "{",
      "{\"SchemaVersion\":2",
      "{\"SchemaVersion\":2}x",
      "{\"SchemaVersion\":2}{}",
      "{\"SchemaVersion\":\"2\"}",
      "{\"SchemaVersion\":2,}",
      "{\"SchemaVersion\" 2}",
      "{SchemaVersion:2}",
      "{\"SchemaVersion\":}",
      "{\"SchemaVersion\":2]",
      "{\"SchemaVersion\":02}",
      "{\"SchemaVersion\":2.}",
      "{\"SchemaVersion\":nul}",
      "{\"SchemaVersion\":2,\"a\":\"\n\"}",
      "{\"SchemaVersion\":2,\"a\":\"\\x\"}",
      "{\"SchemaVersion\":2,\"a\":\"\\u12\"}",
      "{\"SchemaVersion\":2,\"a\":[1,]}",
      "{\"SchemaVersion\":2,\"a\":[,1]}",
      "{\"SchemaVersion\":2,\"a\":[1 2]}",
      "{\"SchemaVersion\":2,\"a\":1e}",
      "{\"SchemaVersion\":2,\"a\":-}",
      "\xef\xbb\xbf{\"SchemaVersion\":2}",
  };
  for (size_t i = 0; i < array_size(texts); i++) {
    struct fault f = {0};
    cleanup_json json *o = summarize(texts[i], &f);
    if (o) fail_msg("%s", texts[i]);
    assert_int_equal(f.kind, FAULT_REFUSED);
    assert_string_equal(f.reason, "BadReport");
  }
}

static void depth_is_bounded(void **state) {
  (void)state;
  char text[512] = "{\"SchemaVersion\":2,\"a\":";
  size_t start = strlen(text);
  for (int levels = 62; levels <= 64; levels++) {
    memset(text + start, '[', (size_t)levels);
    memset(text + start + levels, ']', (size_t)levels);
    memcpy(text + start + 2 * levels, "}", 2);
    struct fault f = {0};
    cleanup_json json *o = summarize(text, &f);
    assert_int_equal(o != NULL, levels <= 63);
  }
}

static void a_value_without_end_is_refused(void **state) {
  (void)state;
  struct str cleanup_str v = STR_INIT(4 << 20);
  str_add(&v, "{");
  for (int i = 0; i < 20000; i++) str_add_format(&v, "\"key%d\":%d,", i, i);
  str_add(&v, "\"x\":1}");
  cleanup_free char *text = wrap(v.data);
  struct fault f = {0};
  assert_null(summarize(text, &f));
  assert_string_equal(f.reason, "BadReport");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(counts_and_order),
      cmocka_unit_test(the_digest_is_the_one_that_was_scanned),
      cmocka_unit_test(only_the_right_places_count),
      cmocka_unit_test(hostile_texts_are_bounded),
      cmocka_unit_test(controls_are_not_shown),
      cmocka_unit_test(the_worst_fifty),
      cmocka_unit_test(what_is_no_report_is_refused),
      cmocka_unit_test(depth_is_bounded),
      cmocka_unit_test(a_value_without_end_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
