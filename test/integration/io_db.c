// lib/io/db against a real PostgreSQL (test/support/postgres_peer.py).
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
#include "io/db.h"

#include "peer.h"

struct world {
  struct peer *peer;
  uv_loop_t loop;
  struct db *db;
};

static struct world w;

// One call and its answer.
struct answer {
  bool done;
  unsigned times;
  enum error_code code;
  char error[ERROR_TEXT_MAX];
  char constraint[64];
  size_t count;
  char text[3][256];  // of the first row
  int64_t affected;
};

static void take(void *context, const struct db_rows *rows, const struct error *e, const char *constraint) {
  struct answer *a = context;
  a->done = true;
  a->times++;
  a->code = e ? e->code : ERR_NONE;
  snprintf(a->error, sizeof(a->error), "%s", e ? e->text : "");
  snprintf(a->constraint, sizeof(a->constraint), "%s", constraint);
  if (e) {
    assert_null(rows);
    return;
  }
  a->count = db_rows_count(rows);
  a->affected = db_rows_affected(rows);
  for (unsigned i = 0; i < 3 && a->count > 0; i++) {
    const char *text = db_rows_text(rows, 0, i);
    snprintf(a->text[i], sizeof(a->text[i]), "%s", text ? text : "(null)");
  }
}

static struct db *open_db(const char *url, unsigned connections) {
  struct error e;
  struct db *d = db_new(
      &w.loop, &(struct db_options){.url = url, .connections = connections, .application_name = "test"}, NULL, &e);
  if (!d) fail_msg("%s", e.text);
  return d;
}

static struct answer ask(const struct db_statement *s, const struct db_value *values, unsigned count) {
  struct answer a = {0};
  db_call_own(db_query(w.db, s, values, count, take, &a), mem_alloc(1));  // freed with the call
  assert_false(a.done);
  loop_until(&w.loop, &a.done);
  return a;
}

static struct answer script(const char *sql) {
  struct answer a = {0};
  db_script(w.db, sql, take, &a);
  loop_until(&w.loop, &a.done);
  return a;
}

static void shell(const char *name) {
  if (system(peer_value(w.peer, name)) != 0) fail_msg("%s failed", name);
}

// ---- statements and values ----

static const struct db_statement echo = {"echo", "SELECT $1::text, $2::text, octet_length($3::bytea)"};

static void values_go_there_and_back(void **state) {
  (void)state;
  struct answer a = ask(&echo, (struct db_value[]){DB_TEXT("it's \"ä\"\n"), DB_TEXT(NULL), DB_BYTES("a\0b", 3)}, 3);
  assert_int_equal(a.code, ERR_NONE);
  assert_string_equal(a.text[0], "it's \"ä\"\n");
  assert_string_equal(a.text[1], "(null)");
  assert_string_equal(a.text[2], "3");
  // Prepared by now.
  a = ask(&echo, (struct db_value[]){DB_TEXT(""), DB_TEXT("x"), DB_BYTES("", 0)}, 3);
  assert_string_equal(a.text[0], "");
  assert_string_equal(a.text[1], "x");
  assert_string_equal(a.text[2], "0");
}

static const struct db_statement typed = {
    "typed", "SELECT 9007199254740993::bigint, true, false, NULL::int, '\\x00ff10'::bytea, 'x12'::text"};

static void take_typed(void *context, const struct db_rows *r, const struct error *e, const char *constraint) {
  (void)constraint;
  assert_null(e);
  assert_int_equal(db_rows_count(r), 1);
  assert_int_equal(db_rows_int(r, 0, 0, -1), INT64_C(9007199254740993));
  assert_true(db_rows_bool(r, 0, 1));
  assert_false(db_rows_bool(r, 0, 2));
  assert_false(db_rows_bool(r, 0, 3));
  assert_int_equal(db_rows_int(r, 0, 3, -1), -1);
  assert_int_equal(db_rows_int(r, 0, 5, -2), -2);
  assert_null(db_rows_text(r, 0, 3));
  assert_null(db_rows_text(r, 1, 0));
  assert_null(db_rows_text(r, 0, 6));
  size_t length;
  unsigned char *bytes = db_rows_bytes(r, 0, 4, &length);
  assert_int_equal(length, 3);
  assert_memory_equal(bytes, "\x00\xff\x10", 3);
  free(bytes);
  *(bool *)context = true;
}

static void columns_are_read_by_type(void **state) {
  (void)state;
  bool done = false;
  db_query(w.db, &typed, NULL, 0, take_typed, &done);
  loop_until(&w.loop, &done);
}

static void a_script_is_one_transaction(void **state) {
  (void)state;
  assert_int_equal(script("CREATE TABLE scripts (n int); INSERT INTO scripts VALUES (1)").code, ERR_NONE);
  struct answer a = script("INSERT INTO scripts VALUES (2); SELECT 1/0; INSERT INTO scripts VALUES (3)");
  assert_int_equal(a.code, ERR_INVALID);
  static const struct db_statement count = {"count_scripts", "SELECT count(*) FROM scripts"};
  assert_string_equal(ask(&count, NULL, 0).text[0], "1");
  // An open transaction spoils its connection and no other.
  assert_int_equal(script("BEGIN; INSERT INTO scripts VALUES (4)").code, ERR_NONE);
  for (int i = 0; i < 8; i++) assert_string_equal(ask(&count, NULL, 0).text[0], "1");
}

// ---- errors ----

static void errors_have_codes(void **state) {
  (void)state;
  assert_int_equal(script("CREATE TABLE parents (id int PRIMARY KEY, age int CONSTRAINT grown_up CHECK (age > 17));"
                          "CREATE TABLE children (id int NOT NULL CONSTRAINT known REFERENCES parents (id))")
                       .code,
                   ERR_NONE);
  static const struct db_statement parent = {"parent", "INSERT INTO parents VALUES ($1::int, $2::int)"};
  static const struct db_statement child = {"child", "INSERT INTO children VALUES ($1::int)"};
  static const struct db_statement wrong = {"wrong", "SELECT * FROM no_such_table"};
  static const struct db_statement uuid = {"uuid", "SELECT $1::uuid"};
  struct answer a = ask(&parent, (struct db_value[]){DB_TEXT("1"), DB_TEXT("30")}, 2);
  assert_int_equal(a.code, ERR_NONE);
  assert_int_equal(a.affected, 1);
  a = ask(&parent, (struct db_value[]){DB_TEXT("1"), DB_TEXT("30")}, 2);
  assert_int_equal(a.code, ERR_EXISTS);
  assert_string_equal(a.constraint, "parents_pkey");
  assert_non_null(strstr(a.error, "parent: "));
  a = ask(&parent, (struct db_value[]){DB_TEXT("2"), DB_TEXT("3")}, 2);
  assert_int_equal(a.code, ERR_INVALID);
  assert_string_equal(a.constraint, "grown_up");
  a = ask(&child, (struct db_value[]){DB_TEXT("77")}, 1);
  assert_int_equal(a.code, ERR_NOT_FOUND);
  assert_string_equal(a.constraint, "known");
  a = ask(&child, (struct db_value[]){DB_TEXT(NULL)}, 1);
  assert_int_equal(a.code, ERR_INVALID);
  a = ask(&uuid, (struct db_value[]){DB_TEXT("pong")}, 1);
  assert_int_equal(a.code, ERR_INVALID);
  assert_string_equal(a.constraint, "");
  assert_int_equal(ask(&wrong, NULL, 0).code, ERR_INTERNAL);
  assert_int_equal(ask(&wrong, NULL, 0).code, ERR_INTERNAL);
  assert_int_equal(ask(&uuid, (struct db_value[]){DB_TEXT("00000000-0000-0000-0000-000000000001")}, 1).code, ERR_NONE);
}

static void a_statement_that_takes_too_long_is_ended(void **state) {
  (void)state;
  struct error e;
  db_free(w.db);
  w.db = db_new(&w.loop,
                &(struct db_options){.url = peer_value(w.peer, "url"), .connections = 1, .statement_timeout = 100},
                NULL, &e);
  static const struct db_statement slow = {"slow", "SELECT pg_sleep(600)"};
  struct answer a = ask(&slow, NULL, 0);
  assert_int_equal(a.code, ERR_TIMEOUT);
  static const struct db_statement one = {"one", "SELECT 1"};
  assert_int_equal(ask(&one, NULL, 0).code, ERR_NONE);
}

static void a_changed_schema_needs_only_another_attempt(void **state) {
  (void)state;
  db_free(w.db);
  w.db = open_db(peer_value(w.peer, "socket_url"), 1);
  static const struct db_statement all = {"all", "SELECT * FROM changing"};
  assert_int_equal(script("CREATE TABLE changing (a int); INSERT INTO changing VALUES (7)").code, ERR_NONE);
  assert_string_equal(ask(&all, NULL, 0).text[0], "7");
  assert_int_equal(script("ALTER TABLE changing ALTER a TYPE text").code, ERR_NONE);
  struct answer a = ask(&all, NULL, 0);
  if (a.code != ERR_NONE) {
    assert_int_equal(a.code, ERR_UNAVAILABLE);
    a = ask(&all, NULL, 0);
  }
  assert_int_equal(a.code, ERR_NONE);
  assert_string_equal(a.text[0], "7");
}

static void a_url_that_is_none_is_refused_without_its_password(void **state) {
  (void)state;
  static const char *const urls[] = {"", "mysql://u:secret@h/d", "postgresql://u:secret%zz@h/d",
                                     "postgresql://u:secret@h/d?nonsense=1", "host=h password=secret"};
  for (size_t i = 0; i < array_size(urls); i++) {
    struct error e = {0};
    assert_null(db_new(&w.loop, &(struct db_options){.url = urls[i]}, NULL, &e));
    assert_int_equal(e.code, ERR_INVALID);
    assert_null(strstr(e.text, "secret"));
  }
}

static void a_wrong_password_is_no_connection(void **state) {
  (void)state;
  char url[128];
  snprintf(url, sizeof(url), "postgresql://arena:wrong@localhost:%s/postgres", peer_value(w.peer, "port"));
  db_free(w.db);
  w.db = open_db(url, 1);
  static const struct db_statement one = {"one", "SELECT 1"};
  struct answer a = ask(&one, NULL, 0);
  assert_int_equal(a.code, ERR_UNAVAILABLE);
  assert_false(db_is_up(w.db));
}

static void names_are_looked_up(void **state) {
  (void)state;
  char url[256];
  snprintf(url, sizeof(url), "postgresql://arena:of-the-tests@no-such-host.invalid,localhost:%s/postgres",
           peer_value(w.peer, "port"));
  db_free(w.db);
  w.db = open_db(url, 2);
  static const struct db_statement one = {"one", "SELECT inet_server_port()"};
  struct answer a = ask(&one, NULL, 0);
  assert_int_equal(a.code, ERR_NONE);
  assert_string_equal(a.text[0], peer_value(w.peer, "port"));
}

// ---- many, and none ----

enum { MANY = 500 };

static void many_wait_in_line(void **state) {
  (void)state;
  static const struct db_statement number = {"number", "SELECT $1::int"};
  static struct answer answers[MANY];
  memset(answers, 0, sizeof(answers));
  for (unsigned i = 0; i < MANY; i++) {
    char text[16];
    snprintf(text, sizeof(text), "%u", i);
    db_query(w.db, &number, (struct db_value[]){DB_TEXT(text)}, 1, take, &answers[i]);
  }
  for (unsigned i = 0; i < MANY; i++) {
    loop_until(&w.loop, &answers[i].done);
    assert_int_equal(answers[i].times, 1);
    assert_int_equal(answers[i].code, ERR_NONE);
    assert_int_equal(strtol(answers[i].text[0], NULL, 10), i);
  }
}

static void a_full_line_refuses(void **state) {
  (void)state;
  struct error e;
  db_free(w.db);
  w.db = db_new(&w.loop, &(struct db_options){.url = peer_value(w.peer, "url"), .connections = 1, .max_waiting = 3},
                NULL, &e);
  static const struct db_statement one = {"one", "SELECT 1"};
  struct answer answers[6] = {0};
  for (unsigned i = 0; i < 6; i++) db_query(w.db, &one, NULL, 0, take, &answers[i]);
  for (unsigned i = 0; i < 6; i++) assert_false(answers[i].done);
  for (unsigned i = 0; i < 6; i++) {
    loop_until(&w.loop, &answers[i].done);
    assert_int_equal(answers[i].code, i < 3 ? ERR_NONE : ERR_BUSY);
  }
}

// ---- PostgreSQL goes and comes ----

static const struct db_statement pid = {"pid", "SELECT pg_backend_pid(), 1"};

static void it_connects_again_after_a_crash(void **state) {
  (void)state;
  assert_int_equal(ask(&pid, NULL, 0).code, ERR_NONE);
  static const struct db_statement slow = {"slow", "SELECT pg_sleep(9)"};
  struct answer running = {0};
  db_query(w.db, &slow, NULL, 0, take, &running);
  for (int i = 0; i < 5; i++) assert_int_equal(ask(&pid, NULL, 0).code, ERR_NONE);
  shell("stop");
  loop_until(&w.loop, &running.done);  // what was under way ends, once
  assert_int_equal(running.code, ERR_UNAVAILABLE);
  struct answer away = ask(&pid, NULL, 0);
  assert_int_equal(away.code, ERR_UNAVAILABLE);
  assert_false(db_is_up(w.db));
  struct answer waiting = {0};
  db_query(w.db, &pid, NULL, 0, take, &waiting);
  uv_run(&w.loop, UV_RUN_NOWAIT);
  assert_false(waiting.done);
  shell("start");
  loop_until(&w.loop, &waiting.done);  // who waited is served
  assert_int_equal(waiting.code, ERR_NONE);
  assert_int_equal(running.times, 1);
}

static void it_connects_again_after_an_orderly_end(void **state) {
  (void)state;
  assert_int_equal(ask(&pid, NULL, 0).code, ERR_NONE);
  shell("stop_fast");
  shell("start");
  struct answer a = ask(&pid, NULL, 0);
  if (a.code == ERR_UNAVAILABLE) a = ask(&pid, NULL, 0);  // it met the end of the old connection
  if (a.code == ERR_UNAVAILABLE) a = ask(&pid, NULL, 0);
  assert_int_equal(a.code, ERR_NONE);
}

static void a_terminated_connection_is_made_again(void **state) {
  (void)state;
  static const struct db_statement kill_others = {
      "kill_others",
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
      " AND backend_type = 'client backend'"};
  assert_int_equal(ask(&kill_others, NULL, 0).code, ERR_NONE);
  static const struct db_statement suicide = {"suicide", "SELECT pg_terminate_backend(pg_backend_pid())"};
  assert_int_equal(ask(&suicide, NULL, 0).code, ERR_UNAVAILABLE);
  unsigned good = 0;
  for (int i = 0; i < 20; i++) good += ask(&pid, NULL, 0).code == ERR_NONE;
  assert_true(good >= 16);  // at most one for each connection met its end
}

// ---- cancelling ----

static void a_cancelled_call_says_nothing_and_ends(void **state) {
  (void)state;
  db_free(w.db);
  w.db = open_db(peer_value(w.peer, "url"), 1);
  static const struct db_statement slow = {"slow", "SELECT pg_sleep(8)"};
  struct answer running = {0}, waiting = {0};
  assert_int_equal(ask(&pid, NULL, 0).code, ERR_NONE);
  struct db_call *first = db_query(w.db, &slow, NULL, 0, take, &running);
  struct db_call *second = db_query(w.db, &slow, NULL, 0, take, &waiting);
  for (int i = 0; i < 5; i++) uv_run(&w.loop, UV_RUN_NOWAIT);
  db_cancel(second);
  db_cancel(first);
  db_cancel(NULL);
  uint64_t begun = uv_hrtime();
  for (int i = 0; i < 50; i++) assert_int_equal(ask(&pid, NULL, 0).code, ERR_NONE);  // none of them is hit
  assert_true(uv_hrtime() - begun < UINT64_C(7000000000));
  assert_int_equal(running.times + waiting.times, 0);
}

static void freeing_ends_all_without_a_word(void **state) {
  (void)state;
  static const struct db_statement slow = {"slow", "SELECT pg_sleep(8)"};
  struct answer answers[10] = {0};
  assert_int_equal(ask(&pid, NULL, 0).code, ERR_NONE);
  for (unsigned i = 0; i < 10; i++) db_call_own(db_query(w.db, &slow, NULL, 0, take, &answers[i]), mem_alloc(100));
  db_free(w.db);
  w.db = NULL;
  for (int i = 0; i < 5; i++) uv_run(&w.loop, UV_RUN_NOWAIT);
  for (unsigned i = 0; i < 10; i++) assert_int_equal(answers[i].times, 0);
}

static void take_and_free(void *context, const struct db_rows *rows, const struct error *e, const char *constraint) {
  (void)e, (void)constraint;
  assert_int_equal(db_rows_count(rows), 1);
  db_free(w.db);
  w.db = NULL;
  *(bool *)context = true;
}

static void it_can_be_freed_from_inside(void **state) {
  (void)state;
  bool done = false;
  struct answer other = {0};
  db_query(w.db, &pid, NULL, 0, take_and_free, &done);
  static const struct db_statement slow = {"slow", "SELECT pg_sleep(8)"};
  db_query(w.db, &slow, NULL, 0, take, &other);
  loop_until(&w.loop, &done);
  assert_int_equal(other.times, 0);
}

// ---- LISTEN ----

struct heard {
  unsigned listening, count;
  bool ready, told;
  char channel[32], payload[64];
  struct db_listener *free_it;
};

static void hear(void *context, const char *channel, const char *payload) {
  struct heard *h = context;
  snprintf(h->channel, sizeof(h->channel), "%s", channel);
  if (!payload) {
    h->listening++;
    h->ready = true;
    return;
  }
  h->count++;
  h->told = true;
  snprintf(h->payload, sizeof(h->payload), "%s", payload);
  if (h->free_it) db_listener_free(h->free_it);
}

static const struct db_statement notify = {"notify", "SELECT pg_notify($1::text, $2::text)"};

static void tell(const char *channel, const char *payload) {
  assert_int_equal(ask(&notify, (struct db_value[]){DB_TEXT(channel), DB_TEXT(payload)}, 2).code, ERR_NONE);
}

static const char *const channels[] = {"test_a", "test_b", NULL};

static void what_is_notified_is_heard(void **state) {
  (void)state;
  struct heard h = {0};
  struct db_listener *l = db_listen(w.db, channels, hear, &h);
  loop_until(&w.loop, &h.ready);
  assert_int_equal(h.listening, 2);
  tell("test_b", "12");
  loop_until(&w.loop, &h.told);
  assert_string_equal(h.channel, "test_b");
  assert_string_equal(h.payload, "12");
  tell("test_c", "13");
  h.told = false;
  tell("test_a", "");
  loop_until(&w.loop, &h.told);
  assert_string_equal(h.payload, "");
  assert_int_equal(h.count, 2);
  db_listener_free(l);
}

static void it_listens_again_and_says_so(void **state) {
  (void)state;
  struct heard h = {0};
  struct db_listener *l = db_listen(w.db, channels, hear, &h);
  loop_until(&w.loop, &h.ready);
  h.ready = false;
  shell("stop");
  uv_run(&w.loop, UV_RUN_NOWAIT);
  shell("start");
  loop_until(&w.loop, &h.ready);
  tell("test_a", "again");
  loop_until(&w.loop, &h.told);
  assert_string_equal(h.payload, "again");
  db_listener_free(l);
}

static void a_listener_can_be_freed_from_inside(void **state) {
  (void)state;
  struct heard h = {0};
  h.free_it = db_listen(w.db, channels, hear, &h);
  loop_until(&w.loop, &h.ready);
  assert_int_equal(script("SELECT pg_notify('test_a', '1'), pg_notify('test_a', '2')").code, ERR_NONE);
  loop_until(&w.loop, &h.told);
  uv_run(&w.loop, UV_RUN_NOWAIT);
  assert_int_equal(h.count, 1);
}

// ---- each test has a database client and a loop of its own, all have one server ----

static int setup(void **state) {
  (void)state;
  uv_loop_init(&w.loop);
  w.db = open_db(peer_value(w.peer, "url"), 4);
  return 0;
}

static int teardown(void **state) {
  (void)state;
  db_free(w.db);
  w.db = NULL;
  loop_end(&w.loop);
  return 0;
}

static int start_server(void **state) {
  (void)state;
  w.peer = peer_start("postgres_peer.py");
  return 0;
}

static int stop_server(void **state) {
  (void)state;
  peer_stop(w.peer);
  return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(values_go_there_and_back),
      TEST(columns_are_read_by_type),
      TEST(a_script_is_one_transaction),
      TEST(errors_have_codes),
      TEST(a_statement_that_takes_too_long_is_ended),
      TEST(a_changed_schema_needs_only_another_attempt),
      TEST(a_url_that_is_none_is_refused_without_its_password),
      TEST(a_wrong_password_is_no_connection),
      TEST(names_are_looked_up),
      TEST(many_wait_in_line),
      TEST(a_full_line_refuses),
      TEST(it_connects_again_after_a_crash),
      TEST(it_connects_again_after_an_orderly_end),
      TEST(a_terminated_connection_is_made_again),
      TEST(a_cancelled_call_says_nothing_and_ends),
      TEST(freeing_ends_all_without_a_word),
      TEST(it_can_be_freed_from_inside),
      TEST(what_is_notified_is_heard),
      TEST(it_listens_again_and_says_so),
      TEST(a_listener_can_be_freed_from_inside),
  };
  return cmocka_run_group_tests(tests, start_server, stop_server);
}
