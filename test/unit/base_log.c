#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/log.h"
#include "base/memory.h"

static char output[64 * 1024];
static FILE *file;
static int saved;

static int begin(void **state) {
  (void)state;
  file = tmpfile();
  saved = dup(STDERR_FILENO);
  dup2(fileno(file), STDERR_FILENO);
  log_setup(LOG_INFO, LOG_JSON);
  return 0;
}

static int end(void **state) {
  (void)state;
  dup2(saved, STDERR_FILENO);
  close(saved);
  fclose(file);
  return 0;
}

// What was logged since the last look.
static const char *logged(void) {
  fflush(file);
  rewind(file);
  size_t length = fread(output, 1, sizeof(output) - 1, file);
  output[length] = '\0';
  if (ftruncate(fileno(file), 0) != 0) fail();
  lseek(fileno(file), 0, SEEK_SET);
  return output;
}

// The one line that was logged, which must be JSON.
static json *logged_json(void) {
  const char *text = logged();
  size_t length = strlen(text);
  assert_true(length > 0 && text[length - 1] == '\n');
  assert_ptr_equal(strchr(text, '\n'), text + length - 1);
  struct error e;
  json *o = json_parse(text, length, &e);
  if (!o) fail_msg("%s: %s", e.text, text);
  return o;
}

static void an_event_is_one_json_line(void **state) {
  (void)state;
  log_info("match rated", "match", "m-1", "reason", NULL);
  cleanup_json json *o = logged_json();
  assert_true(json_time(o, "time") > 0);
  assert_string_equal(json_text(o, "level"), "info");
  assert_string_equal(json_text(o, "message"), "match rated");
  assert_string_equal(json_text(o, "match"), "m-1");
  assert_string_equal(json_text(o, "reason"), "");
}

static void anything_can_be_a_value(void **state) {
  (void)state;
  char all[256];
  for (int i = 1; i < 128; i++) all[i - 1] = (char)i;
  all[127] = '\0';
  log_warn("odd", "all", all, "broken", "a\xFF", "euro", "\xE2\x82\xAC");
  cleanup_json json *o = logged_json();
  assert_string_equal(json_text(o, "all"), all);
  assert_string_equal(json_text(o, "broken"), "a\xEF\xBF\xBD");
  assert_string_equal(json_text(o, "euro"), "\xE2\x82\xAC");
}

static void long_values_and_long_lines_are_cut(void **state) {
  (void)state;
  char text[10000];
  memset(text, 'x', sizeof(text) - 1);
  text[sizeof(text) - 1] = '\0';
  log_error("long", "value", text, "next", "1");
  cleanup_json json *o = logged_json();
  assert_int_equal(strlen(json_text(o, "value")), 2048 + 3);
  assert_string_equal(json_text(o, "next"), "1");

  memset(text, '\x01', sizeof(text) - 1);  // each takes six bytes
  log_error("long", "a", text, "b", text, "c", text, "d", "1");
  cleanup_json json *cut = logged_json();
  assert_non_null(json_text(cut, "a"));
  assert_string_equal(json_text(cut, "cut"), "true");
  assert_null(json_text(cut, "d"));
}

static void lower_levels_are_silent(void **state) {
  (void)state;
  log_debug("not wanted");
  assert_string_equal(logged(), "");
  log_setup(LOG_ERROR, LOG_JSON);
  log_warn("not wanted");
  assert_string_equal(logged(), "");
  log_setup(LOG_DEBUG, LOG_JSON);
  log_debug("wanted");
  cleanup_json json *o = logged_json();
  assert_string_equal(json_text(o, "level"), "debug");
}

static void text_is_for_people(void **state) {
  (void)state;
  log_setup(LOG_INFO, LOG_TEXT);
  log_warn("not ready", "pod", "a-1", "why", "no \"node\"\n", "empty", "");
  const char *text = logged();
  assert_int_equal(text[2], ':');
  assert_string_equal(text + strlen("03:04:05.678"),
                      " warn  not ready pod=a-1 why=\"no \\\"node\\\"\\n\" empty=\"\"\n");
}

static void numbers_become_text(void **state) {
  (void)state;
  char text[LOG_NUMBER_SIZE];
  assert_string_equal(log_number(INT64_MIN, text), "-9223372036854775808");
  assert_string_equal(log_number(42, text), "42");
}

#define captured(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void) {
  const struct CMUnitTest tests[] = {
      captured(an_event_is_one_json_line),
      captured(anything_can_be_a_value),
      captured(long_values_and_long_lines_are_cut),
      captured(lower_levels_are_silent),
      captured(text_is_for_people),
      cmocka_unit_test(numbers_become_text),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
