#include "events_trim.h"

#include "base/log.h"
#include "base/memory.h"

enum { EVERY_MS = 30 * 1000, AT_ONCE = 5000, PAUSE_MS = 20 };

struct events_trim {
  struct db *db;
  struct timer *timer;
  struct db_call *call;
};

// From the oldest on without a gap: what is left is all that happened since its first.
static const struct db_statement trim = {
    "events_trim",
    "DELETE FROM events WHERE id IN (SELECT id FROM events WHERE id < greatest("
    " coalesce((SELECT min(id) FROM events WHERE created_at >= now() - interval '15 minutes'),"
    "          (SELECT max(id) FROM events)),"
    " (SELECT max(id) FROM events) - 100000) ORDER BY id LIMIT 5000)"};

static void on_trimmed(void *context, const struct db_rows *rows, const struct error *e, const char *constraint) {
  (void)constraint;
  struct events_trim *t = context;
  t->call = NULL;
  if (e != NULL) log_debug("old events are not removed, trying again", "error", e->text);
  timer_set(t->timer, e == NULL && db_rows_affected(rows) == AT_ONCE ? PAUSE_MS : EVERY_MS);
}

static void on_due(void *context) {
  struct events_trim *t = context;
  t->call = db_query(t->db, &trim, NULL, 0, on_trimmed, t);
}

struct events_trim *events_trim_new(uv_loop_t *loop, struct db *db) {
  struct events_trim *t = mem_alloc(sizeof *t);
  t->db = db;
  t->timer = timer_new(loop, on_due, t);
  return t;
}

void events_trim_start(struct events_trim *t) {
  events_trim_stop(t);
  timer_set(t->timer, PAUSE_MS);
}

void events_trim_stop(struct events_trim *t) {
  db_cancel(t->call);
  t->call = NULL;
  timer_clear(t->timer);
}

void events_trim_free(struct events_trim *t) {
  if (t == NULL) return;
  events_trim_stop(t);
  timer_free(t->timer);
  free(t);
}
