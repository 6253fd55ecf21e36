#include "mirror_sweep.h"

#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "io/timer.h"

enum { PAGE = 1000, RETRY_MS = 2000, ID_SIZE = 40 };
#define BEFORE_ALL "00000000-0000-0000-0000-000000000000"

struct sweep {
  struct db *db;
  enum stored_kind kind;
  const char *label;
  struct timer *again;
  struct cache *cache;  // NULL: it does not run
  struct writer *writer;
  struct db_call *call;
  char after[ID_SIZE];  // the last id of the pages that are done
  char next[ID_SIZE];   // the last id of this one
  bool last_page;
  size_t marked;
  // A mark cannot be cancelled: its end is waited for, whatever became of the sweep.
  bool marking, restart;
};

static const struct db_statement pages[STORED_KINDS] = {
    [STORED_AGENT] = {"sweep_agents",
                      "SELECT id, resource_version FROM agents WHERE vanished_at IS NULL AND id > $1::uuid"
                      " ORDER BY id LIMIT 1000"},
    [STORED_SUBMISSION] = {"sweep_submissions",
                           "SELECT id, resource_version FROM submissions WHERE vanished_at IS NULL AND id > $1::uuid"
                           " ORDER BY id LIMIT 1000"},
    [STORED_MATCH] = {"sweep_matches",
                      "SELECT id, resource_version FROM matches WHERE vanished_at IS NULL AND id > $1::uuid"
                      " ORDER BY id LIMIT 1000"},
    [STORED_QUEUE] = {"sweep_environments",
                      "SELECT id, resource_version FROM environments WHERE vanished_at IS NULL AND id > $1::uuid"
                      " ORDER BY id LIMIT 1000"},
};

static void read_page(struct sweep *s);

static void try_again(struct sweep *s, const struct error *e) {
  log_debug("the mirror's rows cannot be compared, trying again", "kind", s->label, "error", e->text);
  timer_set(s->again, RETRY_MS);
}

static void page_done(struct sweep *s) {
  memcpy(s->after, s->next, sizeof s->after);
  if (!s->last_page) {
    read_page(s);
    return;
  }
  char marked[LOG_NUMBER_SIZE];
  if (s->marked > 0)
    log_info("rows of objects that are gone were marked", "kind", s->label, "rows",
             log_number((int64_t)s->marked, marked));
  s->cache = NULL;
}

static void on_marked(void *context, const struct error *e) {
  struct sweep *s = context;
  s->marking = false;
  if (s->cache == NULL) return;
  if (s->restart)
    sweep_start(s, s->cache, s->writer);
  else if (e != NULL)
    try_again(s, e);  // the same page
  else
    page_done(s);
}

// An object that is newer than what the cache has seen may be there: a handler has just made it.
static bool is_gone(const struct sweep *s, const char *uid, int64_t version) {
  return !writer_knows(s->writer, uid) && version >= 0 && (uint64_t)version <= cache_version(s->cache);
}

static void on_page(void *context, const struct db_rows *rows, const struct error *e, const char *constraint) {
  (void)constraint;
  struct sweep *s = context;
  s->call = NULL;
  if (e != NULL) {
    try_again(s, e);
    return;
  }
  const size_t count = db_rows_count(rows);
  size_t gone = 0;
  char **uids = mem_alloc((count + 1) * sizeof *uids);
  for (size_t i = 0; i < count; i++) {
    const char *uid = db_rows_text(rows, i, 0);
    if (is_gone(s, uid, db_rows_int(rows, i, 1, -1))) uids[gone++] = mem_strdup(uid);
    if (i + 1 == count) strncpy(s->next, uid, sizeof s->next - 1);
  }
  s->last_page = count < PAGE;
  s->marked += gone;
  if (gone > 0) {
    s->marking = true;
    store_vanished(s->db, s->kind, uids, gone, on_marked, s);
  } else {
    page_done(s);
  }
  for (size_t i = 0; i < gone; i++) free(uids[i]);
  free(uids);
}

static void read_page(struct sweep *s) {
  s->call = db_query(s->db, &pages[s->kind], &DB_TEXT(s->after), 1, on_page, s);
}

static void on_again(void *context) {
  read_page(context);
}

struct sweep *sweep_new(uv_loop_t *loop, struct db *db, enum stored_kind kind, const char *label) {
  struct sweep *s = mem_alloc(sizeof *s);
  s->db = db;
  s->kind = kind;
  s->label = label;
  s->again = timer_new(loop, on_again, s);
  return s;
}

void sweep_free(struct sweep *s) {
  if (s == NULL) return;
  sweep_stop(s);
  timer_free(s->again);
  free(s);
}

void sweep_stop(struct sweep *s) {
  db_cancel(s->call);
  s->call = NULL;
  timer_clear(s->again);
  s->cache = NULL;
}

void sweep_start(struct sweep *s, struct cache *cache, struct writer *writer) {
  sweep_stop(s);
  s->cache = cache;
  s->writer = writer;
  s->restart = s->marking;
  if (s->marking) return;
  strcpy(s->after, BEFORE_ALL);
  strcpy(s->next, BEFORE_ALL);
  s->marked = 0;
  read_page(s);
}

bool sweep_is_running(const struct sweep *s) {
  return s->cache != NULL;
}
