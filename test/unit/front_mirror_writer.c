// The way of changed rows into PostgreSQL, which the test plays: nothing is lost, nothing is written twice, nothing
// grows.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/str.h"

#include "fake_db.h"
#include "mirror_writer.h"

struct fixture {
  uv_loop_t loop;
  struct db *db;
  struct metrics *metrics;
  struct writer *writer;
  struct str log;
};

static void on_committed(void *context, const char *name) {
  struct fixture *f = context;
  str_add_format(&f->log, "%s ", name);
}

static void on_failing(void *context, bool failing) {
  struct fixture *f = context;
  str_add(&f->log, failing ? "failing " : "well ");
}

static int setup(void **state) {
  struct fixture *f = mem_alloc(sizeof *f);
  log_setup(LOG_ERROR + 1, LOG_TEXT);
  uv_loop_init(&f->loop);
  f->db = fake_db_new();
  f->metrics = metrics_new();
  f->log = STR_INIT(10000);
  f->writer = writer_new(&f->loop, f->db, STORED_AGENT, "Agent", on_committed, on_failing, f, f->metrics);
  *state = f;
  return 0;
}

static int teardown(void **state) {
  struct fixture *f = *state;
  writer_free(f->writer);
  uv_run(&f->loop, UV_RUN_DEFAULT);
  assert_int_equal(uv_loop_close(&f->loop), 0);
  fake_db_free(f->db);
  metrics_free(f->metrics);
  str_done(&f->log);
  free(f);
  return 0;
}

static void put(struct fixture *f, const char *uid, uint64_t version, const char *row) {
  writer_put(f->writer, uid, version, mem_strdup(row), NULL);
}

// The next question, as "put a,b" or "vanish x".
static void expect(struct fixture *f, const char *question) {
  while (fake_question(f->db) == NULL && uv_run(&f->loop, UV_RUN_ONCE) != 0) {
  }
  const struct fake_question *q = fake_question(f->db);
  assert_non_null(q);
  struct str text = STR_INIT(1000);
  str_add(&text, q->name);
  for (size_t i = 0; i < q->count; i++) str_add_format(&text, "%s%s", i == 0 ? " " : ",", q->values[i]);
  assert_string_equal(str_text(&text), question);
  str_done(&text);
}

static void well(struct fixture *f) {
  fake_answer(f->db, 0, 0, NULL);
}

static void nothing_waits(struct fixture *f) {
  uv_run(&f->loop, UV_RUN_NOWAIT);
  assert_null(fake_question(f->db));
  assert_int_equal(writer_pending(f->writer), 0);
  assert_int_equal(writer_lag(f->writer), 0);
}

static void test_what_changes_together_is_written_together(void **state) {
  struct fixture *f = *state;
  put(f, "1", 5, "a");
  put(f, "2", 6, "b");
  put(f, "1", 7, "a2");  // the newest alone
  put(f, "2", 6, "again");
  put(f, "2", 4, "old");
  assert_int_equal(writer_pending(f->writer), 2);
  expect(f, "put a2,b");
  assert_int_equal(writer_committed(f->writer, "1"), 0);
  well(f);
  assert_int_equal(writer_committed(f->writer, "1"), 7);
  assert_int_equal(writer_committed(f->writer, "2"), 6);
  nothing_waits(f);
}

static void test_news_while_writing(void **state) {
  struct fixture *f = *state;
  put(f, "1", 5, "a");
  expect(f, "put a");
  put(f, "1", 6, "b");
  put(f, "1", 7, "c");
  put(f, "2", 8, "x");
  well(f);
  assert_int_equal(writer_committed(f->writer, "1"), 5);
  expect(f, "put x,c");
  well(f);
  assert_int_equal(writer_committed(f->writer, "1"), 7);
  nothing_waits(f);
}

static void test_what_is_gone(void **state) {
  struct fixture *f = *state;
  put(f, "1", 5, "a");
  put(f, "2", 5, "b");
  expect(f, "put a,b");
  well(f);
  writer_gone(f->writer, "1");
  writer_gone(f->writer, "1");
  writer_gone(f->writer, "unknown");
  assert_true(writer_knows(f->writer, "1"));
  expect(f, "vanish 1");
  well(f);
  assert_false(writer_knows(f->writer, "1"));
  assert_true(writer_knows(f->writer, "2"));
  // Made and gone before it was written: its row first.
  put(f, "3", 8, "c");
  writer_gone(f->writer, "3");
  put(f, "3", 9, "ghost");
  expect(f, "put c");
  well(f);
  expect(f, "vanish 3");
  well(f);
  nothing_waits(f);
}

static void test_gone_while_writing(void **state) {
  struct fixture *f = *state;
  put(f, "1", 5, "a");
  expect(f, "put a");
  writer_gone(f->writer, "1");
  well(f);
  expect(f, "vanish 1");
  fake_fail(f->db, ERR_UNAVAILABLE);
  assert_string_equal(str_text(&f->log), "failing ");
  expect(f, "vanish 1");
  well(f);
  assert_string_equal(str_text(&f->log), "failing well ");
  nothing_waits(f);
}

static void test_gone_while_others_are_marked(void **state) {
  struct fixture *f = *state;
  put(f, "1", 5, "a");
  put(f, "2", 5, "b");
  writer_gone(f->writer, "1");
  expect(f, "put a,b");
  well(f);
  expect(f, "vanish 1");
  writer_gone(f->writer, "2");
  well(f);
  assert_true(writer_knows(f->writer, "2"));
  expect(f, "vanish 2");
  well(f);
  nothing_waits(f);
}

static void test_postgresql_is_away(void **state) {
  struct fixture *f = *state;
  put(f, "1", 5, "a");
  put(f, "2", 5, "b");
  expect(f, "put a,b");
  fake_fail(f->db, ERR_UNAVAILABLE);
  assert_true(writer_is_failing(f->writer));
  for (uint64_t version = 6; version < 1000; version++) put(f, "1", version, "newer");
  writer_gone(f->writer, "2");
  assert_int_equal(writer_pending(f->writer), 2);
  expect(f, "put newer,b");
  fake_fail(f->db, ERR_BUSY);
  expect(f, "put newer,b");
  well(f);
  assert_int_equal(writer_committed(f->writer, "1"), 999);
  expect(f, "vanish 2");
  well(f);
  assert_false(writer_is_failing(f->writer));
  assert_string_equal(str_text(&f->log), "failing well ");
  nothing_waits(f);
}

static void test_one_bad_row_holds_up_no_other(void **state) {
  struct fixture *f = *state;
  static const char *const uids[] = {"1", "2", "3", "4"};
  for (unsigned i = 0; i < 4; i++) put(f, uids[i], 5, i == 2 ? "bad" : uids[i]);
  expect(f, "put 1,2,bad,4");
  fake_fail(f->db, ERR_INVALID);
  unsigned asked = 0;
  while (writer_pending(f->writer) > 0) {
    while (fake_question(f->db) == NULL) uv_run(&f->loop, UV_RUN_ONCE);
    const struct fake_question *q = fake_question(f->db);
    bool bad = false;
    for (size_t i = 0; i < q->count; i++) bad = bad || text_equal(q->values[i], "bad");
    if (bad)
      fake_fail(f->db, ERR_INVALID);
    else
      well(f);
    assert_true(++asked < 20);
  }
  assert_int_equal(writer_committed(f->writer, "4"), 5);
  assert_int_equal(writer_committed(f->writer, "3"), 0);
  assert_true(writer_knows(f->writer, "3"));
  nothing_waits(f);
  put(f, "3", 6, "better");
  expect(f, "put better");
  well(f);
  assert_int_equal(writer_committed(f->writer, "3"), 6);
}

static void test_a_bad_row_that_is_gone(void **state) {
  struct fixture *f = *state;
  put(f, "1", 5, "bad");
  expect(f, "put bad");
  fake_fail(f->db, ERR_EXISTS);
  nothing_waits(f);
  writer_gone(f->writer, "1");
  expect(f, "put bad");  // perhaps now
  fake_fail(f->db, ERR_EXISTS);
  expect(f, "vanish 1");
  well(f);
  assert_false(writer_knows(f->writer, "1"));
  nothing_waits(f);
}

static void test_reports_by_name(void **state) {
  struct fixture *f = *state;
  writer_put(f->writer, "1", 5, mem_strdup("a"), "one");
  expect(f, "put a");
  writer_put(f->writer, "1", 6, mem_strdup("b"), "one");
  well(f);
  assert_string_equal(str_text(&f->log), "");  // not its newest
  expect(f, "put b");
  well(f);
  assert_string_equal(str_text(&f->log), "one ");
  // An object whose row cannot be made has nothing to wait for.
  writer_put(f->writer, "2", 7, NULL, "two");
  assert_int_equal(writer_committed(f->writer, "2"), 7);
  nothing_waits(f);
}

static void test_another_replica_writes(void **state) {
  struct fixture *f = *state;
  put(f, "1", 5, "a");
  expect(f, "put a");
  writer_clear(f->writer);
  assert_int_equal(writer_pending(f->writer), 0);
  assert_false(writer_knows(f->writer, "1"));
  put(f, "1", 6, "b");  // leads again, the old batch is still under way
  well(f);
  assert_int_equal(writer_committed(f->writer, "1"), 0);
  expect(f, "put b");
  writer_clear(f->writer);
  fake_fail(f->db, ERR_INVALID);
  nothing_waits(f);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_what_changes_together_is_written_together),
      TEST(test_news_while_writing),
      TEST(test_what_is_gone),
      TEST(test_gone_while_writing),
      TEST(test_gone_while_others_are_marked),
      TEST(test_postgresql_is_away),
      TEST(test_one_bad_row_holds_up_no_other),
      TEST(test_a_bad_row_that_is_gone),
      TEST(test_reports_by_name),
      TEST(test_another_replica_writes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
