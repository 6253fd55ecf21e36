// The hub with sockets and a PostgreSQL that the test plays: who gets what, in which order, and who is sent away.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/str.h"

#include "app.h"
#include "auth.h"
#include "fake_db.h"
#include "hub.h"
#include "hub_frame.h"
#include "settings.h"

#define A_MATCH "11111111-1111-1111-1111-111111111111"
#define AN_ENVIRONMENT "22222222-2222-2222-2222-222222222222"
#define A_BUILD "33333333-3333-3333-3333-333333333333"
#define ALICE "44444444-4444-4444-4444-444444444444"
#define BOB "55555555-5555-5555-5555-555555555555"

// Tokens are names here: "alice", "bob", "busy" (PostgreSQL does not say), anything else is no good.
struct auth_check *auth_check(struct auth *a, const char *token, auth_done_fn *done, void *context) {
  (void)a;
  struct error e = {0};
  if (text_equal(token, "alice") || text_equal(token, "bob")) {
    done(context, text_equal(token, "alice") ? ALICE : BOB, token, NULL);
    return NULL;
  }
  error_set(&e, text_equal(token, "busy") ? ERR_UNAVAILABLE : ERR_FORBIDDEN, "no");
  done(context, NULL, NULL, &e);
  return NULL;
}

void auth_check_cancel(struct auth_check *check) {
  assert_null(check);
}

struct fixture {
  uv_loop_t loop;
  struct settings settings;
  struct app app;
  struct hub *hub;
};

struct socket {
  struct hub_connection *c;
  unsigned asked;
  int code;
};

static void socket_write(void *context) {
  struct socket *s = context;
  s->asked++;
}

static void socket_close(void *context, int code, const char *reason) {
  struct socket *s = context;
  assert_non_null(reason);
  assert_int_equal(s->code, 0);
  s->code = code;
}

static const struct hub_socket functions = {.write = socket_write, .close = socket_close};

static int setup(void **state) {
  struct fixture *f = mem_alloc(sizeof *f);
  log_setup(LOG_ERROR, LOG_TEXT);
  uv_loop_init(&f->loop);
  f->app = (struct app){.loop = &f->loop, .settings = &f->settings, .metrics = metrics_new(), .db = fake_db_new()};
  f->hub = hub_new(&f->app);
  hub_start(f->hub);
  assert_string_equal(fake_question(f->app.db)->name, "events_newest");
  fake_answer(f->app.db, 1, 1, (const char *const[]){"100"});
  *state = f;
  return 0;
}

static int teardown(void **state) {
  struct fixture *f = *state;
  hub_free(f->hub);
  uv_run(&f->loop, UV_RUN_DEFAULT);
  assert_int_equal(uv_loop_close(&f->loop), 0);
  fake_db_free(f->app.db);
  metrics_free(f->app.metrics);
  free(f);
  return 0;
}

static void open_socket(struct fixture *f, struct socket *s, const char *user, int64_t since) {
  *s = (struct socket){0};
  const char *id = user == NULL ? NULL : text_equal(user, "alice") ? ALICE : BOB;
  s->c = hub_open(f->hub, &functions, s, id, user, since);
}

static void expect(struct socket *s, const char *frame) {
  size_t length = 0;
  const char *text = hub_next(s->c, &length);
  if (frame == NULL) {
    assert_null(text);
    return;
  }
  assert_non_null(text);
  assert_string_equal(text, frame);
  assert_int_equal(length, strlen(frame));
}

static void say(struct socket *s, const char *text) {
  hub_message(s->c, text, strlen(text));
}

static void turn(struct fixture *f) {
  uv_run(&f->loop, UV_RUN_ONCE);
}

#define GREETING(user, id) \
  "{\"type\":\"connected\",\"payload\":{\"userId\":\"" id "\",\"username\":\"" user "\"},\"id\":100}"

static void open_and_greet(struct fixture *f, struct socket *s, const char *user) {
  open_socket(f, s, user, -1);
  assert_int_equal(s->asked, 1);
  expect(s, text_equal(user, "alice") ? GREETING("alice", ALICE) : GREETING("bob", BOB));
  expect(s, NULL);
}

static void subscribe(struct fixture *f, struct socket *s, const char *topic) {
  cleanup_free char *text = mem_printf("{\"type\":\"subscribe\",\"topics\":[\"%s\"]}", topic);
  cleanup_free char *answer = mem_printf("{\"type\":\"subscribed\",\"payload\":{\"topics\":[\"%s\"]}}", topic);
  say(s, text);
  assert_string_equal(fake_question(f->app.db)->name, "hub_topics");
  fake_answer(f->app.db, 1, 1, &topic);
  expect(s, answer);
}

static void event(struct fixture *f, const char *id, const char *type, const char *payload, const char *topics,
                  const char *usernames) {
  fake_notify(f->app.db, "arena_events", id);
  assert_string_equal(fake_question(f->app.db)->name, "events_following");
  fake_answer(f->app.db, 1, 5, (const char *const[]){id, type, payload, topics, usernames});
}

// ---- who gets what -------------------------------------------------------------------------------

static void test_private_events(void **state) {
  struct fixture *f = *state;
  struct socket a, a2, b;
  open_and_greet(f, &a, "alice");
  open_and_greet(f, &a2, "alice");
  open_and_greet(f, &b, "bob");
  event(f, "101", "build_status", "{\"x\":1}", "", "alice");
  struct socket *both[] = {&a, &a2};
  for (unsigned i = 0; i < 2; i++) {
    expect(both[i], "{\"type\":\"build_status\",\"payload\":{\"x\":1},\"id\":101}");
    expect(both[i], "{\"type\":\"submission:status\",\"payload\":{\"x\":1},\"id\":101}");
    expect(both[i], NULL);
  }
  expect(&b, NULL);
  hub_closed(a.c);
  event(f, "102", "queue_update", "{}", "queue:" AN_ENVIRONMENT, "alice\nbob");
  expect(&a2, "{\"type\":\"queue_update\",\"payload\":{},\"id\":102}");
  expect(&b, "{\"type\":\"queue_update\",\"payload\":{},\"id\":102}");
  hub_closed(a2.c);
  hub_closed(b.c);
}

static void test_topic_and_private_come_once(void **state) {
  struct fixture *f = *state;
  struct socket a, b;
  open_and_greet(f, &a, "alice");
  open_and_greet(f, &b, "bob");
  subscribe(f, &a, "match:" A_MATCH);
  subscribe(f, &b, "match:" A_MATCH);
  event(f, "101", "match_started", "{}", "match:" A_MATCH, "alice");
  struct socket *both[] = {&a, &b};
  for (unsigned i = 0; i < 2; i++) {
    expect(both[i], "{\"type\":\"match_started\",\"payload\":{},\"id\":101}");
    expect(both[i], "{\"type\":\"match:update\",\"payload\":{},\"id\":101}");
    expect(both[i], NULL);
  }
  say(&b, "{\"type\":\"unsubscribe\",\"topics\":[\"match:" A_MATCH "\",\"queue:pong\"]}");
  expect(&b, "{\"type\":\"unsubscribed\",\"payload\":{\"topics\":[\"match:" A_MATCH "\"]}}");
  event(f, "102", "match_completed", "{}", "match:" A_MATCH, "");
  expect(&b, NULL);
  expect(&a, "{\"type\":\"match_completed\",\"payload\":{},\"id\":102}");
}

static void test_topics_are_looked_up(void **state) {
  struct fixture *f = *state;
  struct socket a;
  open_and_greet(f, &a, "alice");
  say(&a, "{\"type\":\"subscribe\",\"topics\":[\"leaderboard:pong\",\"build:" A_BUILD "\"]}");
  const struct fake_question *q = fake_question(f->app.db);
  assert_string_equal(q->values[0], "{\"leaderboard\",\"build\"}");
  assert_string_equal(q->values[1], "{NULL,\"" A_BUILD "\"}");
  assert_string_equal(q->values[2], "{\"pong\",NULL}");
  assert_string_equal(q->values[3], "alice");
  fake_answer(f->app.db, 2, 1, (const char *const[]){"leaderboard:" AN_ENVIRONMENT, NULL});
  expect(
      &a,
      "{\"type\":\"error\",\"payload\":{\"error\":\"not_found\",\"message\":\"there is no such submission of yours\","
      "\"topic\":\"build:" A_BUILD "\"}}");
  expect(&a, "{\"type\":\"subscribed\",\"payload\":{\"topics\":[\"leaderboard:pong\"]}}");
  event(f, "101", "leaderboard_update", "{}", "leaderboard:" AN_ENVIRONMENT, "");
  expect(&a, "{\"type\":\"leaderboard_update\",\"payload\":{},\"id\":101}");
  expect(&a, "{\"type\":\"leaderboard:update\",\"payload\":{},\"id\":101}");
  say(&a, "{\"type\":\"subscribe\",\"topics\":[\"queue:pong\"]}");
  fake_fail(f->app.db, ERR_UNAVAILABLE);
  expect(&a,
         "{\"type\":\"error\",\"payload\":{\"error\":\"unavailable\",\"message\":\"the topics could not be looked up: "
         "subscribe again\"}}");
  say(&a, "{\"type\":\"subscribe\",\"topics\":[\"queue:pong\"]}");
  hub_closed(a.c);  // takes its question along
  assert_null(fake_question(f->app.db));
}

// ---- who may stay --------------------------------------------------------------------------------

static void test_auth_by_message(void **state) {
  struct fixture *f = *state;
  struct socket a, b;
  open_socket(f, &a, NULL, -1);
  expect(&a, NULL);
  say(&a, "{\"type\":\"ping\"}");
  expect(&a, "{\"type\":\"pong\",\"payload\":{}}");
  say(&a, "{\"type\":\"subscribe\",\"topics\":[\"queue:pong\"]}");
  expect(&a,
         "{\"type\":\"error\",\"payload\":{\"error\":\"unauthorized\",\"message\":\"say who you are first: "
         "{\\\"type\\\":\\\"auth\\\",\\\"token\\\":\\\"...\\\"}\"}}");
  say(&a, "{\"type\":\"auth\",\"token\":\"busy\"}");
  expect(&a,
         "{\"type\":\"error\",\"payload\":{\"error\":\"unavailable\",\"message\":\"the token could not be checked: "
         "send it again\"}}");
  say(&a, "{\"type\":\"auth\",\"token\":\"alice\"}");
  expect(&a, "{\"type\":\"authenticated\",\"payload\":{\"userId\":\"" ALICE "\",\"username\":\"alice\"},\"id\":100}");
  event(f, "101", "queue_update", "{}", "", "alice");
  expect(&a, "{\"type\":\"queue_update\",\"payload\":{},\"id\":101}");
  say(&a, "{\"type\":\"auth\",\"token\":\"bob\"}");
  expect(&a,
         "{\"type\":\"error\",\"payload\":{\"error\":\"conflict\",\"message\":\"this connection is somebody's "
         "already: open another one\"}}");

  open_socket(f, &b, NULL, -1);
  say(&b, "{\"type\":\"auth\",\"token\":\"forged\"}");
  assert_int_equal(b.code, 0);  // from the loop, not from inside
  turn(f);
  assert_int_equal(b.code, 4001);
  expect(&b, NULL);
}

static void test_connections_of_one_user(void **state) {
  struct fixture *f = *state;
  struct socket s[21], late;
  for (unsigned i = 0; i < 20; i++) open_and_greet(f, &s[i], "alice");
  open_socket(f, &s[20], "alice", -1);
  assert_null(s[20].c);
  open_socket(f, &late, NULL, -1);
  say(&late, "{\"type\":\"auth\",\"token\":\"alice\"}");
  turn(f);
  assert_int_equal(late.code, 1013);
  hub_closed(s[0].c);
  open_and_greet(f, &s[20], "alice");
}

static void test_slow_reader(void **state) {
  struct fixture *f = *state;
  struct socket a, b;
  open_and_greet(f, &a, "alice");
  open_and_greet(f, &b, "bob");
  a.asked = 0;
  for (unsigned i = 0; i < BACKLOG_FRAMES + 1; i++) {
    cleanup_free char *id = mem_printf("%u", 101 + i);
    event(f, id, "queue_update", "{}", "", "alice\nbob");
    cleanup_free char *frame = mem_printf("{\"type\":\"queue_update\",\"payload\":{},\"id\":%s}", id);
    expect(&b, frame);
  }
  assert_int_equal(a.asked, 1);  // once, until it takes
  turn(f);
  assert_int_equal(a.code, 4008);
  assert_int_equal(b.code, 0);
  expect(&a, NULL);
  event(f, "900", "queue_update", "{}", "", "alice");
  hub_closed(a.c);
}

static void test_talkative_client(void **state) {
  struct fixture *f = *state;
  struct socket a;
  open_and_greet(f, &a, "alice");
  for (unsigned i = 0; i < 200; i++) {
    say(&a, "{\"type\":\"ping\"}");
    expect(&a, "{\"type\":\"pong\",\"payload\":{}}");
  }
  say(&a, "{\"type\":\"ping\"}");
  turn(f);
  assert_int_equal(a.code, 4029);
}

static void test_password_change(void **state) {
  struct fixture *f = *state;
  struct socket a, b;
  open_and_greet(f, &a, "alice");
  open_and_greet(f, &b, "bob");
  fake_notify(f->app.db, "arena_users", ALICE);
  assert_string_equal(fake_question(f->app.db)->name, "hub_password_changed");
  fake_answer(f->app.db, 0, 1, NULL);  // another change of hers
  fake_notify(f->app.db, "arena_users", "66666666-6666-6666-6666-666666666666");
  assert_null(fake_question(f->app.db));  // not connected here
  fake_notify(f->app.db, "arena_users", ALICE);
  fake_answer(f->app.db, 1, 1, (const char *const[]){"1"});
  turn(f);
  assert_int_equal(a.code, 4001);
  assert_int_equal(b.code, 0);
}

// ---- what was missed -----------------------------------------------------------------------------

#define RESUMED(since) "{\"type\":\"resumed\",\"payload\":{\"since\":" since "}}"

static void test_resume(void **state) {
  struct fixture *f = *state;
  struct socket a;
  open_socket(f, &a, "alice", 95);
  expect(&a, "{\"type\":\"connected\",\"payload\":{\"userId\":\"" ALICE "\",\"username\":\"alice\"}}");
  const struct fake_question *q = fake_question(f->app.db);
  assert_string_equal(q->name, "hub_missed");
  assert_string_equal(q->values[0], "95");
  assert_string_equal(q->values[1], "100");
  assert_string_equal(q->values[2], "{}");
  assert_string_equal(q->values[3], "alice");
  assert_string_equal(q->values[4], "true");
  fake_answer(f->app.db, 2, 5,
              (const char *const[]){"10", "100", "97", "queue_update", "{}", "10", "100", "99", "build_log", "{}"});
  expect(&a, "{\"type\":\"queue_update\",\"payload\":{},\"id\":97}");
  expect(&a, "{\"type\":\"build_log\",\"payload\":{},\"id\":99}");
  expect(&a, RESUMED("95"));
  event(f, "101", "queue_update", "{}", "", "alice");
  expect(&a, "{\"type\":\"queue_update\",\"payload\":{},\"id\":101}");
}

static void test_events_while_resuming_come_from_the_table(void **state) {
  struct fixture *f = *state;
  struct socket a;
  open_socket(f, &a, "alice", 95);
  hub_next(a.c, &(size_t){0});
  // Two questions wait: what was missed, and then what is new.
  fake_notify(f->app.db, "arena_events", "101");
  fake_answer(f->app.db, 1, 5, (const char *const[]){"10", "101", NULL, NULL, NULL});  // nothing up to 100
  expect(&a, RESUMED("95"));                                                           // it is live
  fake_answer(f->app.db, 1, 5, (const char *const[]){"101", "queue_update", "{}", "", "alice"});
  expect(&a, "{\"type\":\"queue_update\",\"payload\":{},\"id\":101}");

  struct socket b;
  open_socket(f, &b, "bob", 95);
  hub_next(b.c, &(size_t){0});
  const char *rows[50 * 5];
  char ids[50][8];
  for (unsigned i = 0; i < 50; i++) {
    snprintf(ids[i], sizeof ids[i], "%u", 96 + i / 10);
    const char *row[] = {"10", "101", ids[i], "queue_update", "{}"};
    memcpy(&rows[i * (size_t)5], row, sizeof row);
  }
  fake_answer(f->app.db, 50, 5, rows);  // a full page: there may be more, when these have left
  assert_null(fake_question(f->app.db));
  event(f, "102", "queue_update", "{\"late\":1}", "", "bob");
  for (unsigned i = 0; i < 50; i++) assert_non_null(hub_next(b.c, &(size_t){0}));
  assert_string_equal(fake_question(f->app.db)->values[0], "100");
  assert_string_equal(fake_question(f->app.db)->values[1], "102");
  fake_answer(f->app.db, 1, 5, (const char *const[]){"10", "102", "102", "queue_update", "{\"late\":1}"});
  expect(&b, "{\"type\":\"queue_update\",\"payload\":{\"late\":1},\"id\":102}");
  expect(&b, RESUMED("95"));
}

static void test_what_is_not_kept_any_more(void **state) {
  struct fixture *f = *state;
  struct socket a, b;
  open_socket(f, &a, "alice", 8);
  hub_next(a.c, &(size_t){0});
  fake_answer(f->app.db, 1, 5, (const char *const[]){"10", "100", NULL, NULL, NULL});
  expect(
      &a,
      "{\"type\":\"resume_failed\",\"payload\":{\"since\":8,\"oldest\":10,\"latest\":100,\"message\":\"what happened "
      "since then is not kept any more: read it anew\"},\"id\":100}");
  event(f, "101", "queue_update", "{}", "", "alice");
  expect(&a, "{\"type\":\"queue_update\",\"payload\":{},\"id\":101}");
  open_socket(f, &b, "bob", 5000);  // of another database
  hub_next(b.c, &(size_t){0});
  fake_answer(f->app.db, 1, 5, (const char *const[]){"10", "101", NULL, NULL, NULL});
  size_t length = 0;
  assert_true(text_starts(hub_next(b.c, &length), "{\"type\":\"resume_failed\""));
}

static void test_topics_resume_too(void **state) {
  struct fixture *f = *state;
  struct socket a;
  open_and_greet(f, &a, "alice");
  say(&a, "{\"type\":\"subscribe\",\"topics\":[\"match:" A_MATCH "\"],\"since\":90}");
  fake_answer(f->app.db, 1, 1, (const char *const[]){"match:" A_MATCH});
  expect(&a, "{\"type\":\"subscribed\",\"payload\":{\"topics\":[\"match:" A_MATCH "\"]}}");
  const struct fake_question *q = fake_question(f->app.db);
  assert_string_equal(q->values[0], "90");
  assert_string_equal(q->values[1], "100");
  assert_string_equal(q->values[2], "{\"match:" A_MATCH "\"}");
  assert_string_equal(q->values[4], "false");
  fake_answer(f->app.db, 1, 5, (const char *const[]){"10", "100", "93", "match_created", "{}"});
  expect(&a, "{\"type\":\"match_created\",\"payload\":{},\"id\":93}");
  expect(&a, "{\"type\":\"match:update\",\"payload\":{},\"id\":93}");
  expect(&a, RESUMED("90"));
  event(f, "101", "match_started", "{}", "match:" A_MATCH, "");
  expect(&a, "{\"type\":\"match_started\",\"payload\":{},\"id\":101}");
}

static void test_postgresql_away_while_resuming(void **state) {
  struct fixture *f = *state;
  struct socket a;
  open_socket(f, &a, "alice", 95);
  hub_next(a.c, &(size_t){0});
  fake_fail(f->app.db, ERR_UNAVAILABLE);
  while (fake_question(f->app.db) == NULL) turn(f);
  fake_answer(f->app.db, 1, 5, (const char *const[]){"10", "100", NULL, NULL, NULL});
  expect(&a, RESUMED("95"));
}

static void test_only_a_few_resume_at_once(void **state) {
  struct fixture *f = *state;
  struct socket s[8];
  for (unsigned i = 0; i < 8; i++) open_socket(f, &s[i], i % 2 == 0 ? "alice" : "bob", 95);
  assert_int_equal(fake_questions(f->app.db), 4);
  hub_closed(s[0].c);  // one that is asking
  hub_closed(s[6].c);  // one that waits
  assert_int_equal(fake_questions(f->app.db), 4);
  for (unsigned i = 0; i < 6; i++) fake_answer(f->app.db, 1, 5, (const char *const[]){"10", "100", NULL, NULL, NULL});
  assert_null(fake_question(f->app.db));
  for (unsigned i = 1; i < 6; i++) {
    hub_next(s[i].c, &(size_t){0});
    expect(&s[i], RESUMED("95"));
  }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_private_events),
      TEST(test_topic_and_private_come_once),
      TEST(test_topics_are_looked_up),
      TEST(test_auth_by_message),
      TEST(test_connections_of_one_user),
      TEST(test_slow_reader),
      TEST(test_talkative_client),
      TEST(test_password_change),
      TEST(test_resume),
      TEST(test_events_while_resuming_come_from_the_table),
      TEST(test_what_is_not_kept_any_more),
      TEST(test_topics_resume_too),
      TEST(test_postgresql_away_while_resuming),
      TEST(test_only_a_few_resume_at_once),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
