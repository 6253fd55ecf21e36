// Reads are as new as the moment they are asked for, and worked out only when something has changed.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/str.h"

#include "fake_db.h"
#include "reads.h"

static const struct db_statement BEST = {"best", "SELECT"};

struct fixture {
  struct db *db;
  struct reads *reads;
  struct str told;  // "asker:answer " in their order
};

static int setup(void **state) {
  struct fixture *f = mem_alloc(sizeof *f);
  f->db = fake_db_new();
  f->reads = reads_new(f->db, NULL);
  f->told = STR_INIT(10000);
  *state = f;
  return 0;
}

static int teardown(void **state) {
  struct fixture *f = *state;
  reads_free(f->reads);
  fake_db_free(f->db);
  str_done(&f->told);
  free(f);
  return 0;
}

struct asker {
  struct fixture *fixture;
  char name;
};

static void on_answer(void *context, struct body *body, const struct error *e) {
  struct asker *a = context;
  str_add_format(&a->fixture->told, "%c:%s ", a->name,
                 e != NULL      ? error_name(e->code)
                 : body != NULL ? body->text
                                : "none");
  free(a);
}

static void ask_for(struct fixture *f, char name, const char *value, bool timed) {
  struct asker *a = mem_alloc(sizeof *a);
  *a = (struct asker){.fixture = f, .name = name};
  reads_query(f->reads, &BEST, &DB_TEXT(value), 1, timed, on_answer, a);
}

static void ask(struct fixture *f, char name, const char *value) {
  ask_for(f, name, value, false);
}

// The oldest question of all is this, and gets that answer.
static void answer(struct fixture *f, const char *question, const char *text) {
  const struct fake_question *q = fake_question(f->db);
  assert_non_null(q);
  struct str asked = STR_INIT(1000);
  str_add(&asked, q->name);
  for (size_t i = 0; i < q->count; i++) str_add_format(&asked, " %s", q->values[i]);
  assert_string_equal(str_text(&asked), question);
  str_done(&asked);
  fake_answer(f->db, text != NULL, 1, &text);
}

static void expect(struct fixture *f, const char *told) {
  assert_string_equal(str_text(&f->told), told);
  assert_int_equal(fake_questions(f->db), 0);
  str_clear(&f->told);
}

static void while_nothing_changes_an_answer_is_given_again(void **state) {
  struct fixture *f = *state;
  ask(f, 'a', "x");
  answer(f, "snapshot", "10:10:");
  answer(f, "best x", "one");
  expect(f, "a:one ");
  ask(f, 'b', "x");
  answer(f, "snapshot", "10:10:");
  expect(f, "b:one ");
}

static void after_a_change_it_is_asked_anew(void **state) {
  struct fixture *f = *state;
  ask(f, 'a', "x");
  answer(f, "snapshot", "10:10:");
  answer(f, "best x", "one");
  ask(f, 'b', "x");
  answer(f, "snapshot", "10:11:10");
  answer(f, "best x", "two");
  ask(f, 'c', "x");
  answer(f, "snapshot", "10:11:10");
  expect(f, "a:one b:two c:two ");
}

static void who_asks_during_a_look_waits_for_the_next_one(void **state) {
  struct fixture *f = *state;
  ask(f, 'a', "x");
  ask(f, 'b', "x");  // the look is under way already: what b knows of may be newer
  answer(f, "snapshot", "10:10:");
  assert_int_equal(fake_questions(f->db), 2);
  answer(f, "snapshot", "11:11:");
  answer(f, "best x", "one");
  answer(f, "best x", "two");
  expect(f, "a:one b:two ");
  ask(f, 'c', "x");
  answer(f, "snapshot", "11:11:");
  expect(f, "c:two ");
}

static void equal_questions_of_one_snapshot_are_asked_once(void **state) {
  struct fixture *f = *state;
  ask(f, 'a', "x");
  ask(f, 'b', "x");
  ask(f, 'c', "x");
  ask(f, 'd', "y");
  answer(f, "snapshot", "10:10:");
  answer(f, "snapshot", "10:10:");
  answer(f, "best x", "one");
  answer(f, "best y", "two");
  expect(f, "a:one b:one c:one d:two ");
}

static void an_answer_that_a_change_overtook_is_not_kept(void **state) {
  struct fixture *f = *state;
  ask(f, 'a', "x");
  answer(f, "snapshot", "10:10:");
  ask(f, 'b', "y");
  fake_answer(f->db, 1, 1, (const char *const[]){"one"});  // of x, read before what comes now
  answer(f, "snapshot", "11:11:");
  answer(f, "best y", "two");
  ask(f, 'c', "x");
  answer(f, "snapshot", "11:11:");
  answer(f, "best x", "three");
  expect(f, "a:one b:two c:three ");
}

static void what_depends_on_the_time_is_not_kept(void **state) {
  struct fixture *f = *state;
  ask_for(f, 'a', "x", true);
  answer(f, "snapshot", "10:10:");
  answer(f, "best x", "one");
  ask_for(f, 'b', "x", true);
  answer(f, "snapshot", "10:10:");
  answer(f, "best x", "two");
  expect(f, "a:one b:two ");
}

static void nothing_is_told_as_nothing_and_asked_anew(void **state) {
  struct fixture *f = *state;
  ask(f, 'a', "x");
  answer(f, "snapshot", "10:10:");
  answer(f, "best x", NULL);
  ask(f, 'b', "x");
  answer(f, "snapshot", "10:10:");
  answer(f, "best x", "one");
  expect(f, "a:none b:one ");
}

static void failures_are_told_to_all_who_wait_and_not_kept(void **state) {
  struct fixture *f = *state;
  ask(f, 'a', "x");
  ask(f, 'b', "x");
  fake_fail(f->db, ERR_UNAVAILABLE);
  answer(f, "snapshot", "10:10:");
  fake_fail(f->db, ERR_TIMEOUT);
  ask(f, 'c', "x");
  answer(f, "snapshot", "10:10:");
  answer(f, "best x", "one");
  expect(f, "a:Unavailable b:Timeout c:one ");
}

static void what_is_kept_has_a_bound(void **state) {
  struct fixture *f = *state;
  enum { LENGTH = 900 * 1000, MANY = 40 };
  cleanup_free char *text = mem_alloc(LENGTH + 1);
  memset(text, 'x', LENGTH);
  for (int i = 0; i < MANY; i++) {
    const char value[] = {(char)('A' + i), '\0'};
    ask(f, 'a', value);
    fake_answer(f->db, 1, 1, (const char *const[]){"10:10:"});
    assert_int_equal(fake_questions(f->db), 1);
    fake_answer(f->db, 1, 1, (const char *const[]){text});
    str_clear(&f->told);
  }
  // The first were forgotten, the last is there.
  const char last[] = {(char)('A' + MANY - 1), '\0'};
  ask(f, 'b', last);
  answer(f, "snapshot", "10:10:");
  assert_int_equal(fake_questions(f->db), 0);
  ask(f, 'c', "A");
  answer(f, "snapshot", "10:10:");
  assert_int_equal(fake_questions(f->db), 1);
  answer(f, "best A", "again");
  str_clear(&f->told);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(while_nothing_changes_an_answer_is_given_again, setup, teardown),
      cmocka_unit_test_setup_teardown(after_a_change_it_is_asked_anew, setup, teardown),
      cmocka_unit_test_setup_teardown(who_asks_during_a_look_waits_for_the_next_one, setup, teardown),
      cmocka_unit_test_setup_teardown(equal_questions_of_one_snapshot_are_asked_once, setup, teardown),
      cmocka_unit_test_setup_teardown(an_answer_that_a_change_overtook_is_not_kept, setup, teardown),
      cmocka_unit_test_setup_teardown(what_depends_on_the_time_is_not_kept, setup, teardown),
      cmocka_unit_test_setup_teardown(nothing_is_told_as_nothing_and_asked_anew, setup, teardown),
      cmocka_unit_test_setup_teardown(failures_are_told_to_all_who_wait_and_not_kept, setup, teardown),
      cmocka_unit_test_setup_teardown(what_is_kept_has_a_bound, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
