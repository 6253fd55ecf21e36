// What a client missed: read from the table in pages, each when the one before has left, by a few at a time.
//
// While a connection replays, new events are not given to it: they are in the table behind its cursor, and it comes to
// them. When nothing is left behind the cursor it is live again.
#include <inttypes.h>
#include <stdio.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/str.h"

#include "hub_parts.h"

enum { REPLAYS_AT_ONCE = 4, PAGE = 50, RETRY_MS = 1000, NUMBER_SIZE = 24, TOPICS_ROOM = 16 * 1024 };

// Topics that were subscribed to with a `since`: their past, up to where the connection as a whole is.
struct replay_job {
  char *topics;
  int64_t since, cursor, bound;
  struct replay_job *next;
};

// $1 < id <= $2 in one of the topics $3; with $5 also what is private for $4, without it none of that: it has come or
// will come by itself. One row at least, for what the table still holds.
static const struct db_statement missed = {
    "hub_missed",
    "SELECT b.oldest, b.newest, e.id, e.type, e.payload"
    " FROM (SELECT coalesce(min(id), 0) AS oldest, coalesce(max(id), 0) AS newest FROM events) b LEFT JOIN LATERAL"
    " (SELECT id, type, payload FROM events WHERE id > $1::bigint AND id <= $2::bigint"
    "  AND CASE WHEN $5::bool THEN topics && $3::text[] OR $4 = ANY (usernames)"
    "      ELSE topics && $3::text[] AND NOT $4 = ANY (usernames) END"
    "  ORDER BY id LIMIT 50) e ON true ORDER BY e.id"};

// ---- whose turn it is ----------------------------------------------------------------------------

static void enqueue(struct hub_connection *c) {
  struct hub *h = c->hub;
  if (c->replay_queued || c->replay_call != NULL || c->draining || c->close_code != 0) return;
  c->replay_queued = true;
  struct replay_turn *turn = mem_alloc(sizeof *turn);
  turn->connection = c;
  *(h->replay_last != NULL ? &h->replay_last->next : &h->replay_first) = turn;
  h->replay_last = turn;
  hub_replay_pump(h);
}

static struct hub_connection *dequeue(struct hub *h) {
  struct replay_turn *turn = h->replay_first;
  if (turn == NULL) return NULL;
  struct hub_connection *c = turn->connection;
  h->replay_first = turn->next;
  if (h->replay_first == NULL) h->replay_last = NULL;
  free(turn);
  if (c != NULL) c->replay_queued = false;
  return c;
}

static void job_free(struct hub_connection *c) {
  struct replay_job *job = c->jobs;
  c->jobs = job->next;
  free(job->topics);
  free(job);
}

// ---- a page --------------------------------------------------------------------------------------

static void say_resumed(struct hub_connection *c, int64_t since) {
  json *o = json_new_object();
  json_add_int(o, "since", since);
  hub_answer(c, "resumed", o, -1);
}

static void say_failed(struct hub_connection *c, int64_t since, int64_t oldest, int64_t newest, int64_t id) {
  json *o = json_new_object();
  json_add_int(o, "since", since);
  json_add_int(o, "oldest", oldest);
  json_add_int(o, "latest", newest);
  json_add_text(o, "message", "what happened since then is not kept any more: read it anew");
  hub_answer(c, "resume_failed", o, id);
}

static void push_row(struct hub_connection *c, const struct db_rows *rows, size_t i) {
  const int64_t id = db_rows_int(rows, i, 2, 0);
  const char *type = db_rows_text(rows, i, 3), *payload = db_rows_text(rows, i, 4);
  const char *types[] = {type, hub_alias(type)};
  for (unsigned k = 0; k < array_size(types) && types[k] != NULL; k++) {
    struct frame *f = frame_new(types[k], payload, id);
    hub_push_anyway(c, f);
    frame_drop(f);
  }
}

// Nothing is left behind the cursor: events are pushed from now on.
static void go_live(struct hub_connection *c) {
  c->replaying = false;
  if (!c->resuming) return;
  c->resuming = false;
  say_resumed(c, c->auth_since);
}

static void go_on(struct hub_connection *c) {
  const int64_t last = events_last(c->hub->events);
  if (c->jobs == NULL && c->cursor >= last) {
    go_live(c);
  } else if (c->backlog.count >= BACKLOG_FRAMES / 10) {
    c->draining = true;
  } else {
    enqueue(c);
  }
}

// Of the job or, without one, of the connection as a whole. False: what was missed is not there any more.
static bool take_page(struct hub_connection *c, const struct db_rows *rows, int64_t *cursor) {
  const int64_t oldest = db_rows_int(rows, 0, 0, 0), newest = db_rows_int(rows, 0, 1, 0);
  // The newest row is never trimmed, so that an id behind it is none of this table's.
  if (*cursor + 1 < oldest || *cursor > newest) return false;
  const size_t count = db_rows_text(rows, 0, 2) != NULL ? db_rows_count(rows) : 0;
  for (size_t i = 0; i < count; i++) push_row(c, rows, i);
  *cursor = count == PAGE ? db_rows_int(rows, count - 1, 2, 0) : c->replay_bound;
  return true;
}

static void on_job_page(struct hub_connection *c, const struct db_rows *rows) {
  struct replay_job *job = c->jobs;
  if (!take_page(c, rows, &job->cursor)) {
    say_failed(c, job->since, db_rows_int(rows, 0, 0, 0), db_rows_int(rows, 0, 1, 0), -1);
    job_free(c);
  } else if (job->cursor >= job->bound) {
    say_resumed(c, job->since);
    job_free(c);
  }
}

static void on_page(void *context, const struct db_rows *rows, const struct error *e, const char *constraint) {
  (void)constraint;
  struct hub_connection *c = context;
  struct hub *h = c->hub;
  c->replay_call = NULL;
  h->replays--;
  if (e != NULL) {
    log_debug("what a WebSocket missed cannot be read, trying again", "error", e->text);
    c->replay_failed = true;
    timer_set(h->replay_again, RETRY_MS);
    return;
  }
  if (c->jobs != NULL) {
    on_job_page(c, rows);
  } else if (!take_page(c, rows, &c->cursor)) {
    const int64_t last = events_last(h->events);  // goes on from here
    say_failed(c, c->cursor, db_rows_int(rows, 0, 0, 0), db_rows_int(rows, 0, 1, 0), last);
    c->resuming = false;
    c->auth_since = -1;
    c->cursor = last;
  }
  go_on(c);
  hub_replay_pump(h);
}

static char *topics_of(const struct hub_connection *c) {
  struct str array = STR_INIT(TOPICS_ROOM);
  str_add(&array, "{");
  for (const struct membership *m = c->memberships; m != NULL; m = m->sibling) {
    const char *name = topic_name(m->topic);
    if (name[0] == '@') continue;
    str_add_format(&array, "%s\"%s\"", array.length > 1 ? "," : "", name);
  }
  str_add(&array, "}");
  return str_take(&array);
}

static void read_page(struct hub_connection *c) {
  const struct replay_job *job = c->jobs;
  cleanup_free char *topics = job != NULL ? mem_strdup(job->topics) : topics_of(c);
  char from[NUMBER_SIZE], to[NUMBER_SIZE];
  c->replay_bound = job != NULL ? job->bound : events_last(c->hub->events);
  if (c->replay_bound < c->cursor && job == NULL) c->replay_bound = c->cursor;  // another replica is ahead of this one
  snprintf(from, sizeof from, "%" PRId64, job != NULL ? job->cursor : c->cursor);
  snprintf(to, sizeof to, "%" PRId64, c->replay_bound);
  const struct db_value values[] = {DB_TEXT(from), DB_TEXT(to), DB_TEXT(topics), DB_TEXT(c->username),
                                    DB_TEXT(job != NULL ? "false" : "true")};
  c->hub->replays++;
  c->replay_call = db_query(c->hub->app->db, &missed, values, array_size(values), on_page, c);
}

void hub_replay_pump(struct hub *h) {
  while (h->replays < REPLAYS_AT_ONCE && events_last(h->events) >= 0 && h->replay_first != NULL) {
    struct hub_connection *c = dequeue(h);
    if (c != NULL && c->close_code == 0) read_page(c);
  }
}

// ---- what begins and ends it ---------------------------------------------------------------------

void hub_replay_all(struct hub_connection *c, int64_t since) {
  c->cursor = since;
  c->replaying = c->resuming = true;
  enqueue(c);
}

void hub_replay_topics(struct hub_connection *c, char *take_topics, int64_t since) {
  if (!c->replaying) {
    const int64_t last = events_last(c->hub->events);
    if (c->cursor < last) c->cursor = last;
    c->replaying = true;
  }
  struct replay_job *job = mem_alloc(sizeof *job);
  *job = (struct replay_job){.topics = take_topics, .since = since, .cursor = since, .bound = c->cursor};
  struct replay_job **at = &c->jobs;
  while (*at != NULL) at = &(*at)->next;
  *at = job;
  enqueue(c);
}

void hub_replay_drained(struct hub_connection *c) {
  c->draining = false;
  enqueue(c);
}

static void on_again(void *context) {
  struct hub *h = context;
  for (struct hub_connection *c = h->connections; c != NULL; c = c->next) {
    if (!c->replay_failed) continue;
    c->replay_failed = false;
    enqueue(c);
  }
}

void hub_replay_init(struct hub *h) {
  h->replay_again = timer_new(h->app->loop, on_again, h);
}

void hub_replay_end(struct hub *h) {
  while (h->replay_first != NULL) dequeue(h);
  timer_free(h->replay_again);
}

void hub_replay_done(struct hub_connection *c) {
  struct hub *h = c->hub;
  for (struct replay_turn *t = h->replay_first; c->replay_queued && t != NULL; t = t->next)
    if (t->connection == c) t->connection = NULL;
  while (c->jobs != NULL) job_free(c);
  if (c->replay_call == NULL) return;
  db_cancel(c->replay_call);
  h->replays--;
  hub_replay_pump(h);
}
