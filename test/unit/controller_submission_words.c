// The line of a log that says what went wrong, and the other words made for people.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"

#include "submission_parts.h"

static void the_line_that_says_what_went_wrong_is_found(void **state) {
  (void)state;
  static const char exit_1[] =
      "error building image: error building stage: failed to execute command: waiting for process to exit: exit status "
      "1\n";
  static const struct {
    const char *log, *line;
  } cases[] = {
      {"", ""},
      {"\n\n", ""},
      {"INFO[0001] Taking snapshot of full filesystem...\n", ""},
      {"ERROR: No matching distribution found for nope\n[notice] A new release of pip is available\n",
       "ERROR: No matching distribution found for nope"},
      {"error: subprocess-exited-with-error\nnote: This error originates from a subprocess, and is likely not pip\n"
       "hint: See above for the error\n",
       "error: subprocess-exited-with-error"},
      {"\033[31mERROR\033[0m: \tbroken\r\n", "ERROR: broken"},
      {"ERRO[0012] failed to push\n", "failed to push"},
      {"2026-01-02T03:04:05Z\tFATAL\tFatal error\trun error: image scan error: MANIFEST_UNKNOWN\n",
       "run error: image scan error: MANIFEST_UNKNOWN"},
      {"the cat is on the mat\nWARN[0003] retrying\n", "the cat is on the mat"},
      {"ModuleNotFoundError: No module named 'torch'\nINFO[0009] Running\nthat was it\n",
       "ModuleNotFoundError: No module named 'torch'"},
      {"a line without an end", "a line without an end"},
  };
  char line[LINE_MAX_BYTES];
  for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    words_error_line(cases[i].log, line);
    assert_string_equal(line, cases[i].line);
  }
  words_error_line(exit_1, line);
  assert_true(text_starts(exit_1, line) && line[0]);  // better than nothing
  words_error_line(NULL, line);
  assert_string_equal(line, "");
}

static void a_long_or_hostile_line_is_cut_between_characters(void **state) {
  (void)state;
  char log[4096], line[LINE_MAX_BYTES];
  memset(log, 0, sizeof(log));
  strcpy(log, "error: ");
  for (size_t at = strlen(log); at + 2 < sizeof(log); at += 2) {
    log[at] = '\xC3';
    log[at + 1] = '\xA9';
  }
  words_error_line(log, line);
  assert_true(strlen(line) > LINE_MAX_BYTES - 4);
  assert_int_equal(text_utf8_prefix(line, strlen(line)), strlen(line));
  words_clean("\xFF\xFE error\x01\x7F!", 11, line, sizeof(line));
  assert_int_equal(text_utf8_prefix(line, strlen(line)), strlen(line));
  assert_non_null(strstr(line, "error !"));
}

static void only_a_whole_digest_is_one(void **state) {
  (void)state;
  static const char hex[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
  char ret[DIGEST_SIZE], text[256];
  snprintf(text, sizeof(text), " sha256:%s\n", hex);
  assert_true(words_is_digest(text, ret));
  assert_string_equal(ret + strlen("sha256:"), hex);
  static const char *const wrong[] = {"", "sha256:", "sha256:0123", "sha512:0123456789abcdef", "error: no"};
  for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) assert_false(words_is_digest(wrong[i], ret));
  snprintf(text, sizeof(text), "sha256:%s0", hex);
  assert_false(words_is_digest(text, ret));
  snprintf(text, sizeof(text), "sha256:%s and more", hex);
  assert_false(words_is_digest(text, ret));
  assert_false(words_is_digest(NULL, ret));
}

static void advice_is_for_who_can_follow_it(void **state) {
  (void)state;
  static const char author[] = "Fix the source", operator[] = "tell the arena's operator";
  static const struct {
    const char *reason, *message, *advice;
  } cases[] = {
      {"BuildFailed", "ERROR: No matching distribution found for nope", author},
      {"BuildFailed", "error building image: GET https://r.test/v2/base/manifests/1: UNAUTHORIZED: no", "correct FROM"},
      {"BuildFailed", "Get \"https://r.test/v2/\": tls: x509: certificate signed by unknown authority", operator},
       {"PushFailed", "The registry answered \"GET https://r.test/v2/\" with HTTP status 401.", operator},
        {"BadImage", "What the build left is no image that can be pushed.", "Fix the Dockerfile"},
        {"ImageTooBig", "The image is larger than 4096 MiB.", "Leave out"},
        {
            "PodLost",
            "the Pod is gone",
            operator},
            {"SomethingNew", "", "Apply a new Submission"},
       };
  for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
    assert_non_null(strstr(words_advice(cases[i].reason, cases[i].message), cases[i].advice));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_line_that_says_what_went_wrong_is_found),
      cmocka_unit_test(a_long_or_hostile_line_is_cut_between_characters),
      cmocka_unit_test(only_a_whole_digest_is_one),
      cmocka_unit_test(advice_is_for_who_can_follow_it),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
