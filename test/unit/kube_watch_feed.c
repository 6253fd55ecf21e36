// Watch events from bytes: what is an event, what is refused, and where it stops.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"

#include "watch_feed.h"

struct seen {
  struct str text;
  int stop_after;  // events; 0: never
  int count;
};

static const char *const skipped[] = {"managedFields", NULL};

static bool on_event(void *context, enum watch_type type, json *object) {
  struct seen *s = context;
  str_add_format(&s->text, "%d:%s ", (int)type, json_text(object, "n"));
  return ++s->count != s->stop_after;
}

static enum error_code feed(struct seen *s, size_t max, const char *bytes, enum error_code *ret_end) {
  struct watch_feed f;
  struct error e = {0};
  s->text = STR_INIT(10000);
  s->count = 0;
  watch_feed_init(&f, max, skipped, on_event, s);
  enum error_code code = watch_feed_push(&f, bytes, strlen(bytes), &e);
  *ret_end = watch_feed_end(&f, NULL);
  if (code != ERR_NONE) assert_int_equal(watch_feed_push(&f, "x", 1, NULL), code);
  watch_feed_done(&f);
  return code;
}

#define EVENT(type, n) "{\"type\":\"" type "\",\"object\":{\"n\":\"" n "\"}}"

static void test_table(void **state) {
  (void)state;
  static const struct {
    const char *bytes;
    enum error_code code, end;
    const char *want;
  } cases[] = {
      {"", ERR_NONE, ERR_NONE, ""},
      {"\n\r\n  \n", ERR_NONE, ERR_NONE, ""},
      {EVENT("ADDED", "a") "\n" EVENT("MODIFIED", "b") "\r\n" EVENT("DELETED", "c") "\n", ERR_NONE, ERR_NONE,
       "0:a 1:b 2:c "},
      {EVENT("BOOKMARK", "a") "\n" EVENT("ERROR", "b") "\n", ERR_NONE, ERR_NONE, "3:a 4:b "},
      {EVENT("ADDED", "a") "\n" EVENT("ADDED", "b"), ERR_NONE, ERR_UNAVAILABLE, "0:a "},
      {EVENT("ADDED", "a") "\nnonsense\n" EVENT("ADDED", "b") "\n", ERR_INTERNAL, ERR_INTERNAL, "0:a "},
      {EVENT("RENAMED", "a") "\n", ERR_INTERNAL, ERR_INTERNAL, ""},
      {"{\"type\":\"ADDED\"}\n", ERR_INTERNAL, ERR_INTERNAL, ""},
      {"{\"type\":\"ADDED\",\"object\":[]}\n", ERR_INTERNAL, ERR_INTERNAL, ""},
      {"{\"object\":{}}\n", ERR_INTERNAL, ERR_INTERNAL, ""},
      {"[]\n", ERR_INTERNAL, ERR_INTERNAL, ""},
      {"null\n", ERR_INTERNAL, ERR_INTERNAL, ""},
      {EVENT("ADDED", "a") EVENT("ADDED", "b") "\n", ERR_INTERNAL, ERR_INTERNAL, ""},
  };
  for (size_t i = 0; i < array_size(cases); i++) {
    struct seen s = {0};
    enum error_code end;
    assert_int_equal(feed(&s, 1000, cases[i].bytes, &end), cases[i].code);
    assert_int_equal(end, cases[i].end);
    assert_string_equal(str_text(&s.text), cases[i].want);
    str_done(&s.text);
  }
}

static void test_bound(void **state) {
  (void)state;
  const char line[] = EVENT("ADDED", "a");
  struct seen s = {0};
  enum error_code end;
  assert_int_equal(feed(&s, strlen(line), EVENT("ADDED", "a") "\n", &end), ERR_NONE);  // just fits
  assert_string_equal(str_text(&s.text), "0:a ");
  str_done(&s.text);
  assert_int_equal(feed(&s, strlen(line) - 1, EVENT("ADDED", "a") "\n", &end), ERR_TOO_LARGE);
  str_done(&s.text);
  assert_int_equal(feed(&s, 10, "xxxxxxxxxxx", &end), ERR_TOO_LARGE);  // without waiting for the end
  str_done(&s.text);
}

static void test_stop(void **state) {
  (void)state;
  struct seen s = {.stop_after = 2};
  enum error_code end;
  assert_int_equal(feed(&s, 1000, EVENT("ADDED", "a") "\n" EVENT("ADDED", "b") "\n" EVENT("ADDED", "c") "\n", &end),
                   ERR_CANCELLED);
  assert_string_equal(str_text(&s.text), "0:a 0:b ");
  str_done(&s.text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_table),
      cmocka_unit_test(test_bound),
      cmocka_unit_test(test_stop),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
