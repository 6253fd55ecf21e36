// The hub's pieces by themselves: frames that are shared, the line of one reader, topics, what clients say.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/str.h"

#include "hub_frame.h"
#include "hub_message.h"
#include "hub_topics.h"

#define ID "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9"

static void test_frame_text(void **state) {
  (void)state;
  struct frame *f = frame_new("build_log", "{\"lines\":[]}", 42);
  assert_string_equal(f->text, "{\"type\":\"build_log\",\"payload\":{\"lines\":[]},\"id\":42}");
  assert_int_equal(f->length, strlen(f->text));
  frame_drop(f);
  f = frame_new("pong", "{}", -1);
  assert_string_equal(f->text, "{\"type\":\"pong\",\"payload\":{}}");
  frame_drop(f);
  frame_drop(NULL);
}

static void test_one_frame_for_all(void **state) {
  (void)state;
  struct backlog lines[3] = {0};
  struct frame *f = frame_new("x", "1", -1);
  for (unsigned i = 0; i < 3; i++) assert_true(backlog_push(&lines[i], f));
  assert_int_equal(f->references, 4);
  frame_drop(f);
  for (unsigned i = 0; i < 2; i++) {
    assert_ptr_equal(backlog_take(&lines[i]), f);
    frame_drop(f);
  }
  assert_int_equal(f->references, 1);
  backlog_done(&lines[2]);
}

static void test_backlog_is_a_line(void **state) {
  (void)state;
  struct backlog b = {0};
  unsigned put = 0, taken = 0;
  // In and out at different paces, so that the ring turns and grows.
  for (unsigned round = 0; round < 60; round++) {
    for (unsigned i = 0; i < 7; i++) {
      cleanup_free char *payload = mem_printf("%u", put++);
      struct frame *f = frame_new("n", payload, -1);
      assert_true(backlog_push(&b, f));
      frame_drop(f);
    }
    for (unsigned i = 0; i < 6; i++) {
      struct frame *f = backlog_take(&b);
      cleanup_free char *expected = mem_printf("{\"type\":\"n\",\"payload\":%u}", taken++);
      assert_string_equal(f->text, expected);
      frame_drop(f);
    }
  }
  assert_int_equal(b.count, put - taken);
  backlog_done(&b);
  assert_null(backlog_take(&b));
  assert_int_equal(b.bytes, 0);
}

static void test_backlog_is_bounded(void **state) {
  (void)state;
  struct backlog b = {0};
  struct frame *small = frame_new("n", "1", -1);
  for (unsigned i = 0; i < BACKLOG_FRAMES; i++) assert_true(backlog_push(&b, small));
  assert_false(backlog_push(&b, small));
  assert_int_equal(b.count, BACKLOG_FRAMES);
  backlog_push_anyway(&b, small);
  assert_int_equal(b.count, BACKLOG_FRAMES + 1);
  backlog_done(&b);
  assert_int_equal(small->references, 1);
  frame_drop(small);

  char *text = mem_alloc(BACKLOG_BYTES + 3);
  memset(text, '1', BACKLOG_BYTES + 2);
  struct frame *large = frame_new("n", text, -1);
  assert_true(backlog_push(&b, large));  // alone
  assert_false(backlog_push(&b, large));
  backlog_done(&b);
  frame_drop(large);
  free(text);
}

// ---- topics --------------------------------------------------------------------------------------

static void on_changed(void *context, const char *name, bool wanted) {
  struct str *log = context;
  str_add_format(log, "%c%s ", wanted ? '+' : '-', name);
}

static void test_topics(void **state) {
  (void)state;
  struct str log = STR_INIT(1000);
  struct topics *t = topics_new(on_changed, &log);
  struct membership *one = NULL, *two = NULL;
  int a, b;
  assert_true(topics_join(t, &one, &a, "queue:1", "queue:pong"));
  assert_false(topics_join(t, &one, &a, "queue:1", NULL));
  assert_true(topics_join(t, &two, &b, "queue:1", NULL));
  assert_true(topics_join(t, &two, &b, "match:2", "match:2"));
  assert_int_equal(topics_count(t, "queue:1"), 2);
  assert_string_equal(str_text(&log), "+queue:1 +match:2 ");

  assert_false(topics_leave(t, &one, "queue:2"));
  assert_true(topics_leave(t, &one, "queue:pong"));  // by what it was called
  assert_null(one);
  assert_ptr_equal(topics_first(t, "queue:1")->owner, &b);
  assert_null(topics_first(t, "queue:1")->next);
  assert_true(topics_leave(t, &two, "queue:1"));
  assert_int_equal(topics_count(t, "queue:1"), 0);
  topics_leave_all(t, &two);
  assert_null(two);
  assert_string_equal(str_text(&log), "+queue:1 +match:2 -queue:1 -match:2 ");
  topics_free(t);
  str_done(&log);
}

// ---- messages ------------------------------------------------------------------------------------

static enum error_code parse(const char *text, struct message *m, struct error *e) {
  return message_parse(text, strlen(text), m, e);
}

static void test_messages(void **state) {
  (void)state;
  struct message m;
  struct error e = {0};
  assert_int_equal(parse("{\"type\":\"ping\"}", &m, &e), ERR_NONE);
  assert_int_equal(m.type, MESSAGE_PING);
  message_done(&m);

  assert_int_equal(parse("{\"type\":\"auth\",\"token\":\"t\",\"since\":7}", &m, &e), ERR_NONE);
  assert_string_equal(m.token, "t");
  assert_int_equal(m.since, 7);
  message_done(&m);

  // As an existing client sends it, and in capitals.
  assert_int_equal(parse("{\"type\":\"subscribe\",\"payload\":{\"topics\":[\"match:" ID "\",\"QUEUE:Pong\"]}}", &m, &e),
                   ERR_NONE);
  assert_int_equal(m.topic_count, 2);
  assert_int_equal(m.since, -1);
  assert_true(m.topics[0].by_id);
  assert_string_equal(m.topics[1].text, "queue:pong");
  assert_false(m.topics[1].by_id);
  message_done(&m);

  assert_int_equal(parse("{\"type\":\"unsubscribe\",\"topic\":\"build:" ID "\"}", &m, &e), ERR_NONE);
  assert_int_equal(m.topics[0].kind, TOPIC_BUILD);
  message_done(&m);
}

static void test_bad_messages(void **state) {
  (void)state;
  static const char *const bad[] = {
      "",
      "ping",
      "[]",
      "{}",
      "{\"type\":1}",
      "{\"type\":\"hello\"}",
      "{\"type\":\"auth\"}",
      "{\"type\":\"auth\",\"token\":\"\"}",
      "{\"type\":\"auth\",\"token\":\"t\",\"since\":-1}",
      "{\"type\":\"auth\",\"token\":\"t\",\"since\":\"1\"}",
      "{\"type\":\"subscribe\"}",
      "{\"type\":\"subscribe\",\"topics\":[]}",
      "{\"type\":\"subscribe\",\"topics\":\"match\"}",
      "{\"type\":\"subscribe\",\"topics\":[1]}",
      "{\"type\":\"subscribe\",\"topics\":[\"match:1\"]}",
      "{\"type\":\"subscribe\",\"topics\":[\"match\"]}",
      "{\"type\":\"subscribe\",\"topics\":[\"build:pong\"]}",
      "{\"type\":\"subscribe\",\"topics\":[\"agents:pong\"]}",
      "{\"type\":\"subscribe\",\"topics\":[\"queue:\"]}",
      "{\"type\":\"subscribe\",\"topics\":[\"queue:a b\"]}",
      "{\"type\":\"subscribe\",\"topics\":[\"queue:\\\"}\"]}",
      "{\"type\":\"subscribe\",\"topics\":[\"@alice\"]}",
      "{\"type\":\"subscribe\",\"topics\":[\"queue:pong\"],\"since\":1.5}",
  };
  for (size_t i = 0; i < array_size(bad); i++) {
    struct message m;
    struct error e = {0};
    if (parse(bad[i], &m, &e) != ERR_INVALID || e.text[0] == '\0') fail_msg("%s", bad[i]);
    assert_null(m.topics);
    assert_null(m.token);
  }
}

static void test_bounds_of_messages(void **state) {
  (void)state;
  struct message m;
  struct error e = {0};
  struct str text = STR_INIT(100000);
  for (unsigned n = MESSAGE_TOPICS_MAX; n <= MESSAGE_TOPICS_MAX + 1; n++) {
    str_clear(&text);
    str_add(&text, "{\"type\":\"subscribe\",\"topics\":[\"queue:a\"");
    for (unsigned i = 1; i < n; i++) str_add(&text, ",\"queue:a\"");
    str_add(&text, "]}");
    const bool good = n <= MESSAGE_TOPICS_MAX;
    assert_int_equal(parse(str_text(&text), &m, &e), good ? ERR_NONE : ERR_INVALID);
    if (good) message_done(&m);
  }
  str_clear(&text);
  str_add(&text, "{\"type\":\"ping\"}");
  while (text.length <= MESSAGE_BYTES_MAX) str_add(&text, " ");
  assert_int_equal(parse(str_text(&text), &m, &e), ERR_INVALID);
  str_done(&text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_frame_text),
      cmocka_unit_test(test_one_frame_for_all),
      cmocka_unit_test(test_backlog_is_a_line),
      cmocka_unit_test(test_backlog_is_bounded),
      cmocka_unit_test(test_topics),
      cmocka_unit_test(test_messages),
      cmocka_unit_test(test_bad_messages),
      cmocka_unit_test(test_bounds_of_messages),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
