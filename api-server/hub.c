// Connections, and who gets which event.
#include "hub.h"

#include <assert.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/str.h"

#include "hub_parts.h"

enum { TICK_MS = 1000, NAME_ROOM = 256 };

// ---- one connection's line -----------------------------------------------------------------------

static void ask_socket(struct hub_connection *c) {
  if (c->asked || c->close_code != 0) return;
  c->asked = true;
  c->socket->write(c->socket_context);
}

void hub_close(struct hub_connection *c, int code, const char *reason) {
  if (c->close_code != 0) return;
  c->close_code = code;
  c->close_reason = reason;
  backlog_done(&c->backlog);
  c->next_closing = c->hub->closing;
  c->hub->closing = c;
  timer_set(c->hub->reaper, 0);
}

static void reap(void *context) {
  struct hub *h = context;
  while (h->closing != NULL) {
    struct hub_connection *c = h->closing;
    h->closing = c->next_closing;
    c->next_closing = NULL;
    c->socket->close(c->socket_context, c->close_code, c->close_reason);  // may come back as hub_closed
  }
}

static void too_slow(struct hub_connection *c) {
  char frames[LOG_NUMBER_SIZE], bytes[LOG_NUMBER_SIZE];
  log_warn("a WebSocket reader is too slow and is closed", "user", c->username, "frames",
           log_number(c->backlog.count, frames), "bytes", log_number((int64_t)c->backlog.bytes, bytes));
  metric_add(c->hub->dropped, "slow", 1);
  hub_close(c, CLOSE_SLOW, "too slow: too much is waiting to be read");
}

void hub_push(struct hub_connection *c, struct frame *f) {
  if (c->close_code != 0) return;
  if (!backlog_push(&c->backlog, f)) {
    too_slow(c);
    return;
  }
  metric_add(c->hub->sent, "", 1);
  ask_socket(c);
}

void hub_push_anyway(struct hub_connection *c, struct frame *f) {
  if (c->close_code != 0) return;
  backlog_push_anyway(&c->backlog, f);
  metric_add(c->hub->sent, "", 1);
  ask_socket(c);
}

void hub_answer(struct hub_connection *c, const char *type, json *take_payload, int64_t id) {
  cleanup_free char *payload = json_print(take_payload);
  json_put(&take_payload);
  struct frame *f = frame_new(type, payload, id);
  hub_push(c, f);
  frame_drop(f);
}

void hub_complain(struct hub_connection *c, const char *word, const char *message, const char *topic) {
  json *o = json_new_object();
  json_add_text(o, "error", word);
  json_add_text(o, "message", message);
  json_add_text(o, "topic", topic);
  hub_answer(c, "error", o, -1);
}

const char *hub_next(struct hub_connection *c, size_t *ret_length) {
  c->asked = false;
  frame_drop(c->sending);
  c->sending = NULL;
  if (c->close_code != 0) return NULL;
  c->sending = backlog_take(&c->backlog);
  if (c->backlog.count > 0) ask_socket(c);
  if (c->draining && c->backlog.count < BACKLOG_FRAMES / 10) hub_replay_drained(c);
  if (c->sending == NULL) return NULL;
  *ret_length = c->sending->length;
  return c->sending->text;
}

// ---- who gets what -------------------------------------------------------------------------------

const char *hub_alias(const char *type) {
  static const char *const pairs[][2] = {
      {"build_status", "submission:status"},
      {"match_created", "match:update"},
      {"match_started", "match:update"},
      {"match_completed", "match:update"},
      {"leaderboard_update", "leaderboard:update"},
  };
  for (unsigned i = 0; i < array_size(pairs); i++)
    if (text_equal(pairs[i][0], type)) return pairs[i][1];
  return NULL;
}

// An event on its way: its frames are made when the first listener is found.
struct delivery {
  struct hub *hub;
  const struct event *event;
  struct frame *frames[2];
};

static void make_frames(struct delivery *d) {
  if (d->frames[0] != NULL) return;
  const char *alias = hub_alias(d->event->type);
  d->frames[0] = frame_new(d->event->type, d->event->payload, d->event->id);
  if (alias != NULL) d->frames[1] = frame_new(alias, d->event->payload, d->event->id);
}

static void deliver_to(struct delivery *d, const char *topic) {
  const struct event *e = d->event;
  for (const struct membership *m = topics_first(d->hub->topics, topic); m != NULL; m = m->next) {
    struct hub_connection *c = m->owner;
    if (c->replaying || e->id <= c->cursor || c->last_event == e->id) continue;
    c->last_event = e->id;
    make_frames(d);
    for (unsigned i = 0; i < array_size(d->frames) && d->frames[i] != NULL; i++) hub_push(c, d->frames[i]);
  }
}

// Each line of `lines`, with `prefix` in front.
static void deliver_lines(struct delivery *d, const char *prefix, const char *lines) {
  while (lines != NULL && *lines != '\0') {
    const size_t length = strcspn(lines, "\n");
    char topic[NAME_ROOM];
    if (length < sizeof topic - 2) {
      const size_t start = strlen(prefix);
      memcpy(topic, prefix, start);
      memcpy(topic + start, lines, length);
      topic[start + length] = '\0';
      deliver_to(d, topic);
    }
    lines += length;
    if (*lines == '\n') lines++;
  }
}

// Which matches run is worth knowing for who watches their frames.
static void tell_frames(struct hub *h, const struct event *e) {
  const bool started = text_equal(e->type, "match_started");
  if (!started && !text_equal(e->type, "match_completed")) return;
  if (!text_starts(e->topics, "match:")) return;
  char id[UUID_SIZE] = "";
  strncpy(id, e->topics + strlen("match:"), sizeof id - 1);
  match_frames_note(h->frames, id, started);
}

static void on_event(void *context, const struct event *e) {
  struct hub *h = context;
  struct delivery d = {.hub = h, .event = e};
  deliver_lines(&d, "@", e->usernames);
  deliver_lines(&d, "", e->topics);
  for (unsigned i = 0; i < array_size(d.frames); i++) frame_drop(d.frames[i]);
  tell_frames(h, e);
}

// A frame of a running match: news that is worthless when it is late. Who is behind does without.
static void on_match_frame(void *context, const char *match_id, const char *payload) {
  struct hub *h = context;
  struct frame *f = NULL;
  char topic[TOPIC_SIZE] = "match:";
  strncat(topic, match_id, sizeof topic - strlen(topic) - 1);
  for (const struct membership *m = topics_first(h->topics, topic); m != NULL; m = m->next) {
    struct hub_connection *c = m->owner;
    if (c->replaying || c->backlog.count > BACKLOG_FRAMES / 10 || c->backlog.bytes > BACKLOG_BYTES / 4) continue;
    if (f == NULL) f = frame_new("match_frame", payload, -1);
    hub_push(c, f);
  }
  frame_drop(f);
}

static void topic_changed(void *context, const char *name, bool wanted) {
  struct hub *h = context;
  if (text_starts(name, "match:")) match_frames_watch(h->frames, name + strlen("match:"), wanted);
}

static void on_ready(void *context) {
  hub_replay_pump(context);
}

// ---- coming and going ----------------------------------------------------------------------------

void hub_greet(struct hub_connection *c, const char *type, int64_t since) {
  json *o = json_new_object();
  json_add_text(o, "userId", c->user_id);
  json_add_text(o, "username", c->username);
  // With what is to come: an id to resume from when nothing else does. Not before a replay, whose ids are older.
  const int64_t last = events_last(c->hub->events);
  hub_answer(c, type, o, since < 0 && last >= 0 ? last : -1);
}

bool hub_admit(struct hub_connection *c, const char *user_id, const char *username) {
  char topic[NAME_ROOM] = "@";
  strncat(topic, username, sizeof topic - 2);
  if (topics_count(c->hub->topics, topic) >= HUB_CONNECTIONS_OF_USER) return false;
  mem_replace(&c->user_id, user_id);
  mem_replace(&c->username, username);
  topics_join(c->hub->topics, &c->memberships, c, topic, NULL);
  return true;
}

static void unlink_connection(struct hub_connection *c) {
  struct hub *h = c->hub;
  *(c->previous != NULL ? &c->previous->next : &h->connections) = c->next;
  if (c->next != NULL) c->next->previous = c->previous;
  for (struct hub_connection **at = &h->closing; *at != NULL; at = &(*at)->next_closing) {
    if (*at != c) continue;
    *at = c->next_closing;
    break;
  }
  metric_set(h->open, "", --h->count);
}

static void connection_free(struct hub_connection *c) {
  unlink_connection(c);
  hub_client_done(c);
  hub_replay_done(c);
  topics_leave_all(c->hub->topics, &c->memberships);
  backlog_done(&c->backlog);
  frame_drop(c->sending);
  free(c->user_id);
  free(c->username);
  free(c);
}

struct hub_connection *hub_open(struct hub *h, const struct hub_socket *socket, void *socket_context,
                                const char *user_id, const char *username, int64_t since) {
  if (h->count >= HUB_CONNECTIONS) {
    metric_add(h->dropped, "full", 1);
    return NULL;
  }
  struct hub_connection *c = mem_alloc(sizeof *c);
  c->hub = h;
  c->socket = socket;
  c->socket_context = socket_context;
  c->opened = clock_monotonic();
  c->cursor = -1;
  c->auth_since = since;
  c->next = h->connections;
  if (c->next != NULL) c->next->previous = c;
  h->connections = c;
  metric_set(h->open, "", ++h->count);
  if (user_id == NULL) return c;
  if (!hub_admit(c, user_id, username)) {
    metric_add(h->dropped, "full", 1);
    connection_free(c);
    return NULL;
  }
  hub_greet(c, "connected", since);
  if (since >= 0) hub_replay_all(c, since);
  return c;
}

void hub_closed(struct hub_connection *c) {
  connection_free(c);
}

// Tokens end, and so does what was opened with one. Who does not say who he is goes sooner.
static void on_tick(void *context) {
  struct hub *h = context;
  const msec now = clock_monotonic();
  for (struct hub_connection *c = h->connections; c != NULL; c = c->next) {
    if (c->user_id == NULL && c->checking == NULL && now - c->opened > HUB_AUTH_MS)
      hub_close(c, CLOSE_UNAUTHENTICATED, "no {\"type\":\"auth\"} came in time");
    else if (now - c->opened > HUB_LIFE_MS)
      hub_close(c, CLOSE_UNAUTHENTICATED, "its token is too old: connect again");
  }
  timer_set(h->tick, TICK_MS);
}

// ---- users who change their password -------------------------------------------------------------

struct recheck {
  struct hub *hub;
  struct db_call *call;
  struct recheck *next;
  char user_id[UUID_SIZE];
};

static void recheck_free(struct recheck *r) {
  for (struct recheck **at = &r->hub->rechecks; *at != NULL; at = &(*at)->next) {
    if (*at != r) continue;
    *at = r->next;
    break;
  }
  free(r);
}

// In doubt they stay: the server refuses the token the next time.
static void on_rechecked(void *context, const struct db_rows *rows, const struct error *e, const char *constraint) {
  (void)constraint;
  struct recheck *r = context;
  for (struct hub_connection *c = r->hub->connections; e == NULL && db_rows_count(rows) > 0 && c != NULL; c = c->next)
    if (text_equal(c->user_id, r->user_id))
      hub_close(c, CLOSE_UNAUTHENTICATED, "the password was changed: sign in again");
  recheck_free(r);
}

static void on_user(void *context, const char *user_id) {
  static const struct db_statement changed = {
      "hub_password_changed",
      "SELECT 1 FROM users WHERE id = $1::uuid AND tokens_after > now() - interval '30 seconds'"};
  struct hub *h = context;
  const struct hub_connection *c = h->connections;
  while (c != NULL && !text_equal(c->user_id, user_id)) c = c->next;
  if (c == NULL || text_empty(user_id)) return;
  struct recheck *r = mem_alloc(sizeof *r);
  r->hub = h;
  strncpy(r->user_id, user_id, sizeof r->user_id - 1);
  r->next = h->rechecks;
  h->rechecks = r;
  r->call = db_query(h->app->db, &changed, &DB_TEXT(r->user_id), 1, on_rechecked, r);
}

// ---- life ----------------------------------------------------------------------------------------

struct hub *hub_new(struct app *app) {
  struct hub *h = mem_alloc(sizeof *h);
  h->app = app;
  h->topics = topics_new(topic_changed, h);
  h->events = events_new(app, on_event, on_user, on_ready, h);
  h->frames = match_frames_new(app, on_match_frame, h);
  h->reaper = timer_new(app->loop, reap, h);
  h->tick = timer_new(app->loop, on_tick, h);
  hub_replay_init(h);
  h->open = metrics_gauge(app->metrics, "rl_arena_websocket_connections", "Open WebSocket connections.", "");
  h->sent = metrics_counter(app->metrics, "rl_arena_websocket_frames_total", "Frames put in line for WebSockets.", "");
  h->dropped = metrics_counter(app->metrics, "rl_arena_websocket_dropped_total",
                               "WebSocket connections closed or refused, by reason.", "reason");
  metric_set(h->open, "", 0);
  return h;
}

void hub_start(struct hub *h) {
  events_start(h->events);
  timer_set(h->tick, TICK_MS);
}

void hub_free(struct hub *h) {
  if (h == NULL) return;
  while (h->connections != NULL) connection_free(h->connections);
  while (h->rechecks != NULL) {
    db_cancel(h->rechecks->call);
    recheck_free(h->rechecks);
  }
  events_free(h->events);
  hub_replay_end(h);
  match_frames_free(h->frames);
  topics_free(h->topics);
  timer_free(h->reaper);
  timer_free(h->tick);
  free(h);
}
