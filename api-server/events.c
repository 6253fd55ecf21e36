#include "events.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/str.h"
#include "io/timer.h"

#include "app.h"

enum { PAGE = 200, RETRY_FIRST_MS = 100, RETRY_MOST_MS = 3000 };

struct events {
  struct app *app;
  event_fn *event;
  event_user_fn *user;
  event_ready_fn *ready;
  void *context;
  struct db_listener *listener;
  struct db_call *call;
  struct timer *again;
  bool more;  // something came while a read was under way
  unsigned failures;
  int64_t last;
};

static const struct db_statement newest = {"events_newest", "SELECT coalesce(max(id), 0) FROM events"};
static const struct db_statement following = {
    "events_following",
    "SELECT id, type, payload, array_to_string(topics, E'\\n'), array_to_string(usernames, E'\\n')"
    " FROM events WHERE id > $1 ORDER BY id LIMIT 200"};

static void read_on(struct events *s);

static void failed(struct events *s, const struct error *e) {
  msec delay = RETRY_FIRST_MS << (s->failures < 5 ? s->failures : 5);
  if (delay > RETRY_MOST_MS) delay = RETRY_MOST_MS;
  if (s->failures++ == 0) log_warn("events cannot be read, trying again", "error", e->text);
  timer_set(s->again, delay);
}

static void on_newest(void *context, const struct db_rows *rows, const struct error *e, const char *constraint) {
  (void)constraint;
  struct events *s = context;
  s->call = NULL;
  if (e != NULL) {
    failed(s, e);
    return;
  }
  s->failures = 0;
  s->last = db_rows_int(rows, 0, 0, 0);
  s->ready(s->context);
  if (s->more) read_on(s);
}

static void on_following(void *context, const struct db_rows *rows, const struct error *e, const char *constraint) {
  (void)constraint;
  struct events *s = context;
  s->call = NULL;
  if (e != NULL) {
    failed(s, e);
    return;
  }
  s->failures = 0;
  const size_t count = db_rows_count(rows);
  for (size_t i = 0; i < count; i++) {
    const struct event event = {
        .id = db_rows_int(rows, i, 0, 0),
        .type = db_rows_text(rows, i, 1),
        .payload = db_rows_text(rows, i, 2),
        .topics = db_rows_text(rows, i, 3),
        .usernames = db_rows_text(rows, i, 4),
    };
    s->last = event.id;
    s->event(s->context, &event);
  }
  if (count == PAGE || s->more) read_on(s);
}

static void read_on(struct events *s) {
  if (s->call != NULL) {
    s->more = true;
    return;
  }
  s->more = false;
  timer_clear(s->again);
  if (s->last < 0) {
    s->call = db_query(s->app->db, &newest, NULL, 0, on_newest, s);
    return;
  }
  char last[24];
  snprintf(last, sizeof last, "%" PRId64, s->last);
  s->call = db_query(s->app->db, &following, &DB_TEXT(last), 1, on_following, s);
}

static void on_again(void *context) {
  read_on(context);
}

static void on_notify(void *context, const char *channel, const char *payload) {
  struct events *s = context;
  if (payload != NULL && text_equal(channel, "arena_users"))
    s->user(s->context, payload);
  else if (!timer_is_set(s->again) || payload == NULL)  // while it fails, the timer's turn comes first
    read_on(s);
}

struct events *events_new(struct app *app, event_fn *event, event_user_fn *user, event_ready_fn *ready, void *context) {
  struct events *s = mem_alloc(sizeof *s);
  s->app = app;
  s->event = event;
  s->user = user;
  s->ready = ready;
  s->context = context;
  s->last = -1;
  s->again = timer_new(app->loop, on_again, s);
  return s;
}

void events_start(struct events *s) {
  static const char *const channels[] = {"arena_events", "arena_users", NULL};
  s->listener = db_listen(s->app->db, channels, on_notify, s);
  read_on(s);
}

void events_free(struct events *s) {
  if (s == NULL) return;
  db_cancel(s->call);
  db_listener_free(s->listener);
  timer_free(s->again);
  free(s);
}

int64_t events_last(const struct events *s) {
  return s->last;
}
