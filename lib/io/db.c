#include "io/db.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"

#include "db_private.h"

enum {
  CONNECTIONS = 4,
  CONNECTIONS_MAX = 256,
  WAITING_MAX = 4096,
  STATEMENT_MS = 10000,
  GRACE_MS = 5000,     // the server's own timeout is the better answer: it is waited for this long
  AWAY_MS = 5000,      // a call waits so long while PostgreSQL is away,
  CROWDED_MS = 30000,  // and so long while all connections are busy
  LOOK_MS = 100,       // how exactly those are kept
  VALUES_MAX = 32,
};

struct line {
  struct db_call *first, *last;
};

struct db_call {
  struct db *d;
  struct line *line;  // it is in; NULL: it runs
  struct db_call *next, *previous;
  const struct db_statement *statement;  // NULL: a script
  char *script;
  char *values[VALUES_MAX];  // NULL is NULL
  int lengths[VALUES_MAX], formats[VALUES_MAX];
  unsigned count;
  db_done_fn *done;
  void *context;
  void *owned;
  msec begun;
  struct seat *seat;  // where it runs; NULL: it waits
};

// A connection and the call on it.
struct seat {
  struct db *d;
  struct db_connection *connection;
  struct db_call *call;  // NULL while the connection is not free: cancelled, its answer is awaited
  bool preparing;        // the call's statement; the call itself comes next
};

struct db {
  uv_loop_t *loop;
  struct db_target target;
  struct seat *seats;
  unsigned seat_count;
  struct line line;     // for a free connection
  struct line refused;  // the line was full: told at the loop's next turn
  unsigned waiting, max_waiting;
  msec statement_timeout;
  struct timer *look;
  bool away;  // and the log knows
  struct metric *calls, *seconds, *connections, *depth;
};

const struct db_target *db_target_of(const struct db *d) {
  return &d->target;
}

uv_loop_t *db_loop_of(const struct db *d) {
  return d->loop;
}

// ---- calls -------------------------------------------------------------------------------------

static void free_call(struct db_call *c) {
  for (unsigned i = 0; i < c->count; i++) free(c->values[i]);
  free(c->script);
  free(c->owned);
  free(c);
}

static void enqueue(struct line *l, struct db_call *c) {
  c->line = l;
  c->previous = l->last;
  if (l->last)
    l->last->next = c;
  else
    l->first = c;
  l->last = c;
}

static void dequeue(struct db_call *c) {
  struct line *l = c->line;
  if (c->previous) c->previous->next = c->next;
  if (c->next) c->next->previous = c->previous;
  if (l->first == c) l->first = c->next;
  if (l->last == c) l->last = c->previous;
  c->next = c->previous = NULL;
  c->line = NULL;
}

static void show_waiting(struct db *d, int change) {
  d->waiting = (unsigned)((int)d->waiting + change);
  if (d->depth) metric_set(d->depth, "", d->waiting);
}

static void count_call(const struct db_call *c, const char *outcome) {
  struct db *d = c->d;
  if (!d->calls) return;
  char values[128];
  snprintf(values, sizeof(values), "%s,%s", c->statement ? c->statement->name : "script", outcome);
  metric_add(d->calls, values, 1);
  metric_observe(d->seconds, "", (double)(clock_monotonic() - c->begun) / 1000);
}

// Last thing done: the caller may free everything.
static void end_call(struct db_call *c, PGresult *take_result, const struct error *problem) {
  struct error e;
  const char *constraint = "";
  if (problem) {
    e = *problem;
  } else if (db_result_to_error(take_result, &constraint, &e) == ERR_NONE) {
    e.code = ERR_NONE;
  }
  if (e.code != ERR_NONE) error_prefix(&e, "%s", c->statement ? c->statement->name : "script");
  count_call(c, e.code == ERR_NONE ? "OK" : error_name(e.code));
  struct db_rows rows = {.result = take_result};
  c->done(c->context, e.code == ERR_NONE ? &rows : NULL, e.code == ERR_NONE ? NULL : &e, constraint);
  if (take_result) PQclear(take_result);
  free_call(c);
}

// ---- running -----------------------------------------------------------------------------------

static void execute(struct seat *s) {
  const struct db_call *c = s->call;
  db_connection_execute(s->connection, c->statement, (const char *const *)c->values, c->lengths, c->formats, c->count,
                        s->d->statement_timeout + GRACE_MS);
}

static void start(struct seat *s, struct db_call *c) {
  s->call = c;
  c->seat = s;
  if (!c->statement) {
    db_connection_script(s->connection, c->script, 0);
  } else if (db_connection_has(s->connection, c->statement)) {
    execute(s);
  } else {
    s->preparing = true;
    db_connection_prepare(s->connection, c->statement, s->d->statement_timeout + GRACE_MS);
  }
}

static void pump(struct db *d) {
  for (unsigned i = 0; i < d->seat_count && d->line.first; i++) {
    struct seat *s = &d->seats[i];
    if (!db_connection_is_free(s->connection)) continue;
    struct db_call *c = d->line.first;
    dequeue(c);
    show_waiting(d, -1);
    start(s, c);
  }
}

static void show_connections(struct db *d) {
  unsigned up = 0;
  for (unsigned i = 0; i < d->seat_count; i++) up += db_connection_is_up(d->seats[i].connection);
  if (d->connections) metric_set(d->connections, "", up);
}

// ---- what connections tell ---------------------------------------------------------------------

static void on_up(void *owner, struct db_connection *c) {
  (void)c;
  struct seat *s = owner;
  struct db *d = s->d;
  if (d->away) log_info("PostgreSQL answers");
  d->away = false;
  show_connections(d);
  for (unsigned i = 0; i < d->seat_count; i++) db_connection_hurry(d->seats[i].connection);
  pump(d);
}

static void on_down(void *owner, struct db_connection *c, bool was_up, const struct error *e) {
  (void)c, (void)was_up;
  struct seat *s = owner;
  struct db *d = s->d;
  show_connections(d);
  if (!d->away && !db_is_up(d)) {
    log_warn("PostgreSQL does not answer", "error", e->text);
    d->away = true;
  }
  struct db_call *call = s->call;
  s->call = NULL;
  s->preparing = false;
  if (call) end_call(call, NULL, e);
}

static void on_answered(void *owner, struct db_connection *c, PGresult *take_result) {
  struct seat *s = owner;
  struct db *d = s->d;
  struct db_call *call = s->call;
  bool prepared = s->preparing && PQresultStatus(take_result) == PGRES_COMMAND_OK;
  s->preparing = false;
  if (prepared && call) {
    PQclear(take_result);
    execute(s);
    return;
  }
  if (db_result_spoils(take_result)) {
    struct error e;
    error_set(&e, ERR_UNAVAILABLE, "a session that is of no use any more");
    db_connection_break(c, &e);
  }
  s->call = NULL;
  pump(d);
  if (call)
    end_call(call, take_result, NULL);
  else
    PQclear(take_result);
}

static const struct db_connection_type seat_type = {.up = on_up, .down = on_down, .answered = on_answered};

// ---- calls that wait too long ------------------------------------------------------------------

// One at a time: a callback may change everything.
static void on_look(void *context) {
  struct db *d = context;
  struct error e;
  struct db_call *c = d->refused.first;
  if (c) {
    error_set(&e, ERR_BUSY, "%u calls wait for a connection already", d->max_waiting);
  } else if ((c = d->line.first) != NULL) {
    msec waited = clock_monotonic() - c->begun;
    bool up = db_is_up(d);
    if (waited < (up ? CROWDED_MS : AWAY_MS)) {
      timer_set(d->look, LOOK_MS);
      return;
    }
    if (up)
      error_set(&e, ERR_BUSY, "no connection was free for %d s", CROWDED_MS / 1000);
    else
      error_set(&e, ERR_UNAVAILABLE, "PostgreSQL does not answer");
    show_waiting(d, -1);
  } else {
    return;
  }
  dequeue(c);
  timer_set(d->look, 0);
  end_call(c, NULL, &e);
}

// ---- asking ------------------------------------------------------------------------------------

static struct db_call *begin(struct db *d, struct db_call *c) {
  c->d = d;
  c->begun = clock_monotonic();
  if (d->waiting >= d->max_waiting) {
    enqueue(&d->refused, c);
    timer_set(d->look, 0);
    return c;
  }
  enqueue(&d->line, c);
  show_waiting(d, 1);
  pump(d);
  if (c->line && !timer_is_set(d->look)) timer_set(d->look, LOOK_MS);
  return c;
}

struct db_call *db_query(struct db *d, const struct db_statement *s, const struct db_value *values, unsigned count,
                         db_done_fn *done, void *context) {
  assert(count <= VALUES_MAX);
  struct db_call *c = mem_alloc(sizeof(*c));
  c->statement = s;
  c->count = count;
  c->done = done;
  c->context = context;
  for (unsigned i = 0; i < count; i++) {
    const struct db_value *v = &values[i];
    if (!v->text) continue;
    c->formats[i] = v->bytes;
    c->lengths[i] = (int)(v->bytes ? v->length : 0);
    c->values[i] = v->bytes ? mem_alloc(v->length + 1) : mem_strdup(v->text);
    if (v->bytes && v->length) memcpy(c->values[i], v->text, v->length);
  }
  return begin(d, c);
}

struct db_call *db_script(struct db *d, const char *sql, db_done_fn *done, void *context) {
  struct db_call *c = mem_alloc(sizeof(*c));
  c->script = mem_strdup(sql);
  c->done = done;
  c->context = context;
  return begin(d, c);
}

void db_call_own(struct db_call *c, void *take_memory) {
  free(c->owned);
  c->owned = take_memory;
}

void db_cancel(struct db_call *c) {
  if (!c) return;
  if (c->line) {
    if (c->line == &c->d->line) show_waiting(c->d, -1);
    dequeue(c);
  } else {
    c->seat->call = NULL;
    db_connection_cancel(c->seat->connection);
  }
  count_call(c, error_name(ERR_CANCELLED));
  free_call(c);
}

// ---- the pool ----------------------------------------------------------------------------------

static void make_metrics(struct db *d, struct metrics *m) {
  static const double bounds[] = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10};
  if (!m) return;
  d->calls = metrics_counter(m, "rl_arena_db_calls_total", "Statements run, by result.", "statement,result");
  d->seconds =
      metrics_histogram(m, "rl_arena_db_call_seconds", "Time of statements, waiting for a connection included.", "",
                        bounds, array_size(bounds));
  d->connections = metrics_gauge(m, "rl_arena_db_connections", "Connections to PostgreSQL that are up.", "");
  d->depth = metrics_gauge(m, "rl_arena_db_waiting", "Calls that wait for a connection.", "");
}

struct db *db_new(uv_loop_t *loop, const struct db_options *o, struct metrics *m, struct error *e) {
  struct db_options with = *o;
  if (with.statement_timeout == 0) with.statement_timeout = STATEMENT_MS;
  struct db_target target;
  if (db_target_parse(&with, &target, e) != ERR_NONE) return NULL;
  signal(SIGPIPE, SIG_IGN);  // libpq on a TLS socket that was closed
  struct db *d = mem_alloc(sizeof(*d));
  d->loop = loop;
  d->target = target;
  d->statement_timeout = with.statement_timeout;
  d->max_waiting = o->max_waiting ? o->max_waiting : WAITING_MAX;
  d->look = timer_new(loop, on_look, d);
  make_metrics(d, m);
  d->seat_count = o->connections ? o->connections : CONNECTIONS;
  if (d->seat_count > CONNECTIONS_MAX) d->seat_count = CONNECTIONS_MAX;
  d->seats = mem_alloc(d->seat_count * sizeof(*d->seats));
  for (unsigned i = 0; i < d->seat_count; i++) {
    d->seats[i].d = d;
    d->seats[i].connection = db_connection_new(loop, &d->target, &seat_type, &d->seats[i]);
  }
  return d;
}

static void free_line(struct line *l) {
  while (l->first) {
    struct db_call *c = l->first;
    dequeue(c);
    free_call(c);
  }
}

void db_free(struct db *d) {
  if (!d) return;
  free_line(&d->line);
  free_line(&d->refused);
  for (unsigned i = 0; i < d->seat_count; i++) {
    if (d->seats[i].call) free_call(d->seats[i].call);
    db_connection_free(d->seats[i].connection);
  }
  timer_free(d->look);
  db_target_done(&d->target);
  free(d->seats);
  free(d);
}

bool db_is_up(const struct db *d) {
  for (unsigned i = 0; i < d->seat_count; i++)
    if (db_connection_is_up(d->seats[i].connection)) return true;
  return false;
}
