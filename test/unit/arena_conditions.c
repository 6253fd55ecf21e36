#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "arena/conditions.h"
#include "arena/intern.h"
#include "base/str.h"

static const msec noon = INT64_C(1767268800000);

static void test_time_moves_only_with_status(void **state) {
  (void)state;
  struct conditions c = {0};
  condition_set(&c, "Ready", CONDITION_FALSE, "Building", 1, noon + 250, "attempt %d of %d", 1, 3);
  assert_int_equal(condition_find(&c, "Ready")->changed, noon);  // whole seconds
  condition_set(&c, "Ready", CONDITION_FALSE, "Scanning", 2, noon + 5000, "scanning");
  const struct condition *ready = condition_find(&c, "Ready");
  assert_int_equal(ready->changed, noon);
  assert_int_equal(ready->observed, 2);
  assert_string_equal(ready->reason, "Scanning");
  assert_string_equal(ready->message, "scanning");
  condition_set(&c, "Ready", CONDITION_TRUE, "Scanned", 2, noon + 5000, "it may play");
  assert_int_equal(condition_find(&c, "Ready")->changed, noon + 5000);
  assert_int_equal(c.count, 1);
  conditions_done(&c);
}

static void test_questions(void **state) {
  (void)state;
  struct conditions c = {0};
  assert_null(condition_find(&c, "Ready"));
  assert_false(condition_is_true(&c, "Ready"));
  assert_false(condition_is(&c, "Ready", CONDITION_UNKNOWN));  // absent is not Unknown
  assert_string_equal(condition_reason(&c, "Ready"), "");
  condition_set(&c, "Built", CONDITION_TRUE, "Built", 1, noon, "built");
  condition_set(&c, "Ready", CONDITION_UNKNOWN, "Waiting", 1, noon, "waiting");
  assert_true(condition_is_true(&c, "Built"));
  assert_true(condition_is(&c, "Ready", CONDITION_UNKNOWN));
  assert_string_equal(condition_reason(&c, "Ready"), "Waiting");
  condition_remove(&c, "Built");
  condition_remove(&c, "Built");
  assert_null(condition_find(&c, "Built"));
  assert_non_null(condition_find(&c, "Ready"));
  condition_remove(&c, "Ready");
  assert_null(c.items);
}

static void test_long_message_is_cut_between_characters(void **state) {
  (void)state;
  char text[2048];
  memset(text, 'x', sizeof(text));
  memcpy(text + 1023, "\xC3\xA4", 2);  // bytes 1,023 and 1,024
  text[sizeof(text) - 1] = '\0';
  struct conditions c = {0};
  condition_set(&c, "Ready", CONDITION_FALSE, "BuildFailed", 1, noon, "%s", text);
  assert_int_equal(strlen(condition_find(&c, "Ready")->message), 1023);
  condition_set(&c, "Ready", CONDITION_FALSE, "BuildFailed", 1, noon, "%s", "bad \xFF byte");
  assert_string_equal(condition_find(&c, "Ready")->message, "bad \xEF\xBF\xBD byte");
  conditions_done(&c);
}

static void test_reason_from_outside_becomes_acceptable(void **state) {
  (void)state;
  static const char *const bad[] = {"", "no spaces", "9Lives", "Ends:", "Umlaut\xC3\xA4", NULL};
  struct conditions c = {0};
  for (int i = 0; i < 6; i++) {
    condition_set(&c, "Ready", CONDITION_FALSE, bad[i], 1, noon, "why");
    assert_string_equal(condition_reason(&c, "Ready"), "Unknown");
  }
  condition_set(&c, "Ready", CONDITION_FALSE, "OOMKilled", 1, noon, "why");
  assert_string_equal(condition_reason(&c, "Ready"), "OOMKilled");
  conditions_done(&c);
}

static void test_json(void **state) {
  (void)state;
  struct conditions c = {0}, back;
  condition_set(&c, "Ready", CONDITION_TRUE, "Scanned", 3, noon, "it may play");
  condition_set(&c, "Stalled", CONDITION_UNKNOWN, "Odd", 0, noon, "%s", "");
  json *status cleanup_json = json_new_object();
  json_add(status, "conditions", conditions_encode(&c));
  char *text = json_print(status);
  assert_string_equal(
      text,
      "{\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\",\"observedGeneration\":3,"
      "\"lastTransitionTime\":\"2026-01-01T12:00:00Z\",\"reason\":\"Scanned\",\"message\":\"it may play\"},"
      "{\"type\":\"Stalled\",\"status\":\"Unknown\",\"lastTransitionTime\":\"2026-01-01T12:00:00Z\","
      "\"reason\":\"Odd\",\"message\":\"\"}]}");
  free(text);
  conditions_decode(status, &back);
  assert_true(conditions_equal(&c, &back));
  back.items[1].status = CONDITION_TRUE;
  assert_false(conditions_equal(&c, &back));
  conditions_done(&back);
  conditions_copy(&back, &c);
  assert_true(conditions_equal(&c, &back));
  conditions_done(&back);
  conditions_done(&c);
}

static void test_odd_lists_are_put_up_with(void **state) {
  (void)state;
  static const char text[] =
      "{\"conditions\":[7,{},{\"type\":\"\"},{\"type\":\"Ready\",\"status\":\"Maybe\",\"reason\":\"two words\"},"
      "{\"type\":\"Ready\",\"status\":\"True\"},{\"type\":\"A\"},{\"type\":\"B\"},{\"type\":\"C\"},{\"type\":\"D\"},"
      "{\"type\":\"E\"},{\"type\":\"F\"},{\"type\":\"G\"},{\"type\":\"H\"},{\"type\":\"I\"}]}";
  json *status cleanup_json = json_parse(text, strlen(text), NULL);
  struct conditions c;
  conditions_decode(status, &c);
  assert_int_equal(c.count, CONDITIONS_MAX);
  assert_true(condition_is(&c, "Ready", CONDITION_UNKNOWN));  // the first of two counts
  assert_string_equal(condition_reason(&c, "Ready"), "Unknown");
  conditions_done(&c);
}

static void test_intern(void **state) {
  (void)state;
  char word[32] = "Word";
  assert_ptr_equal(intern(word), intern("Word"));
  assert_ptr_not_equal(intern("Word"), intern("word"));
  assert_null(intern(NULL));
  assert_null(intern_input(NULL));
  for (int i = 0; i < 5000; i++) {
    snprintf(word, sizeof(word), "FromOutside%d", i);
    intern_input(word);
  }
  assert_string_equal(intern_input("YetAnother"), "Other");
  assert_ptr_equal(intern_input("Word"), intern("Word"));
  assert_string_equal(intern("YetAnother"), "YetAnother");  // the program's own words always fit
  assert_ptr_equal(intern_input("YetAnother"), intern("YetAnother"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_time_moves_only_with_status),
      cmocka_unit_test(test_questions),
      cmocka_unit_test(test_long_message_is_cut_between_characters),
      cmocka_unit_test(test_reason_from_outside_becomes_acceptable),
      cmocka_unit_test(test_json),
      cmocka_unit_test(test_odd_lists_are_put_up_with),
      cmocka_unit_test(test_intern),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
