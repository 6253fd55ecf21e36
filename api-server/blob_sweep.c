#include "blob_sweep.h"

#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "io/db.h"
#include "io/timer.h"

#include "app.h"
#include "blobs.h"

enum { EVERY_MS = 3600 * 1000, FIRST_MS = 5000, PAUSE_MS = 100, RETRY_MS = 60 * 1000 };

struct blob_sweep {
  struct app *app;
  struct timer *timer;
  struct db_call *call;
  bool started;
  char after[BLOB_SHA256_SIZE];  // the last hash of the pages that are done; "": a new walk
  int64_t removed;
};

// An hour: an upload whose submission, or a replay whose row, is about to be made. A week: nothing of a short
// misfortune (a namespace restored, a mirror that was wrong) is lost.
static const struct db_statement statement_replays = {
    "blob_sweep_replays",
    "DELETE FROM replays WHERE (match_id, kind) IN (SELECT match_id, kind FROM replays r"
    " WHERE created_at < now() - interval '7 days' AND NOT EXISTS (SELECT FROM matches WHERE id = r.match_id) LIMIT "
    "500)"};

static const struct db_statement statement_page = {
    "blob_sweep_page",
    "WITH page AS (SELECT sha256 FROM blobs WHERE sha256 > $1 ORDER BY sha256 LIMIT 500),"
    " gone AS (DELETE FROM blobs b USING page p WHERE b.sha256 = p.sha256"
    "          AND b.created_at < now() - interval '1 hour'"
    "          AND NOT EXISTS (SELECT FROM replays WHERE sha256 = b.sha256)"
    "          AND NOT EXISTS (SELECT FROM submissions WHERE code_sha256 = b.sha256"
    "                          AND (vanished_at IS NULL OR vanished_at > now() - interval '7 days'))"
    "          RETURNING b.upload, b.store, b.created_at),"
    " marks AS (INSERT INTO blob_parts (upload, number, bytes, created_at)"
    "           SELECT upload, -1, '', created_at FROM gone WHERE store = 's3')"
    " SELECT (SELECT max(sha256) FROM page), (SELECT count(*) FROM gone)"};

static void try_again(struct blob_sweep *s, const struct error *e) {
  log_debug("blobs that nothing refers to are not removed, trying again", "error", e->text);
  timer_set(s->timer, RETRY_MS);
}

static void walk_done(struct blob_sweep *s) {
  char number[LOG_NUMBER_SIZE];
  if (s->removed > 0) {
    log_info("blobs that nothing refers to removed", "blobs", log_number(s->removed, number));
    blobs_clean(s->app->blobs);
  }
  s->removed = 0;
  s->after[0] = '\0';
  timer_set(s->timer, EVERY_MS);
}

static void on_page(void *context, const struct db_rows *rows, const struct error *e, const char *constraint) {
  (void)constraint;
  struct blob_sweep *s = context;
  s->call = NULL;
  if (e != NULL) {
    try_again(s, e);
    return;
  }
  s->removed += db_rows_int(rows, 0, 1, 0);
  const char *last = db_rows_text(rows, 0, 0);
  if (last == NULL || !blob_is_sha256(last)) {
    walk_done(s);
    return;
  }
  memcpy(s->after, last, sizeof s->after);
  timer_set(s->timer, PAUSE_MS);
}

static void read_page(struct blob_sweep *s) {
  s->call = db_query(s->app->db, &statement_page, &DB_TEXT(s->after), 1, on_page, s);
}

static void on_replays(void *context, const struct db_rows *rows, const struct error *e, const char *constraint) {
  (void)rows, (void)constraint;
  struct blob_sweep *s = context;
  s->call = NULL;
  if (e != NULL)
    try_again(s, e);
  else
    read_page(s);
}

static void on_due(void *context) {
  struct blob_sweep *s = context;
  if (s->after[0] != '\0')
    read_page(s);
  else
    s->call = db_query(s->app->db, &statement_replays, NULL, 0, on_replays, s);
}

struct blob_sweep *blob_sweep_new(struct app *app) {
  struct blob_sweep *s = mem_alloc(sizeof *s);
  s->app = app;
  s->timer = timer_new(app->loop, on_due, s);
  return s;
}

void blob_sweep_start(struct blob_sweep *s) {
  if (s->started) return;
  s->started = true;
  timer_set(s->timer, FIRST_MS);
}

void blob_sweep_stop(struct blob_sweep *s) {
  db_cancel(s->call);
  s->call = NULL;
  timer_clear(s->timer);
  s->started = false;
  s->after[0] = '\0';
}

void blob_sweep_free(struct blob_sweep *s) {
  if (s == NULL) return;
  blob_sweep_stop(s);
  timer_free(s->timer);
  free(s);
}
