#include "store.h"

#include <stdlib.h>

#include "base/memory.h"
#include "base/str.h"

enum { ARRAY_MAX = 64 * 1024 * 1024, UIDS_MAX = 4 * 1024 * 1024 };

// The statements are functions of the database (migrations/0005_store.sql, 0014).
static const struct db_statement put[STORED_KINDS] = {
    [STORED_AGENT] = {"store_agents", "SELECT store_agents($1::jsonb)"},
    [STORED_SUBMISSION] = {"store_submissions", "SELECT store_submissions($1::jsonb)"},
    [STORED_MATCH] = {"store_matches", "SELECT store_matches($1::jsonb)"},
    [STORED_QUEUE] = {"store_environments", "SELECT store_environments($1::jsonb)"},
};
#define VANISH(table, also) \
  "UPDATE " table " SET vanished_at = now()" also " WHERE id = ANY ($1::uuid[]) AND vanished_at IS NULL"
// Nobody will hear of its end otherwise.
#define MATCH_ENDS                                                                                             \
  ", error_message = CASE WHEN status IN ('pending', 'running') THEN 'It was deleted before it was finished.'" \
  " ELSE error_message END, status = CASE WHEN status IN ('pending', 'running') THEN 'failed' ELSE status END"
static const struct db_statement vanish[STORED_KINDS] = {
    [STORED_AGENT] = {"vanish_agents", VANISH("agents", "")},
    [STORED_SUBMISSION] = {"vanish_submissions", VANISH("submissions", "")},
    [STORED_MATCH] = {"vanish_matches", VANISH("matches", MATCH_ENDS)},
    [STORED_QUEUE] = {"vanish_environments", VANISH("environments", "")},
};

struct storing {
  store_done_fn *done;
  void *context;
};

static void on_done(void *context, const struct db_rows *rows, const struct error *e, const char *constraint) {
  (void)rows, (void)constraint;
  const struct storing *s = context;
  s->done(s->context, e);
}

static void run(struct db *db, const struct db_statement *statement, const char *value, store_done_fn *done,
                void *context) {
  struct storing *s = mem_alloc(sizeof(*s));
  *s = (struct storing){.done = done, .context = context};
  db_call_own(db_query(db, statement, &DB_TEXT(value), 1, on_done, s), s);
}

void store_put(struct db *db, enum stored_kind kind, char *const *rows, size_t count, store_done_fn *done,
               void *context) {
  struct str array = STR_INIT(ARRAY_MAX);
  str_add(&array, "[");
  for (size_t i = 0; i < count; i++) {
    if (i) str_add(&array, ",");
    str_add(&array, rows[i]);
  }
  str_add(&array, "]");
  // Half an array is none: PostgreSQL refuses it.
  run(db, &put[kind], str_text(&array), done, context);
  str_done(&array);
}

void store_vanished(struct db *db, enum stored_kind kind, char *const *uids, size_t count, store_done_fn *done,
                    void *context) {
  struct str array = STR_INIT(UIDS_MAX);
  str_add(&array, "{");
  for (size_t i = 0; i < count; i++) str_add_format(&array, "%s%s", i ? "," : "", uids[i]);
  str_add(&array, "}");
  run(db, &vanish[kind], str_text(&array), done, context);
  str_done(&array);
}

// ---- one object --------------------------------------------------------------------------------

// What has no row is told from the loop too, never from inside: by a statement that does nothing.
struct refusal {
  struct error problem;
  store_done_fn *done;
  void *context;
};

static void on_refused(void *context, const struct db_rows *rows, const struct error *e, const char *constraint) {
  (void)rows, (void)e, (void)constraint;
  const struct refusal *r = context;
  r->done(r->context, &r->problem);
}

void store_put_object(struct db *db, enum stored_kind kind, json *object, store_done_fn *done, void *context) {
  struct error e;
  char *row = store_row(kind, object, &e);
  if (row) {
    store_put(db, kind, &row, 1, done, context);
    free(row);
    return;
  }
  static const struct db_statement nothing = {"nothing", "SELECT 1"};
  struct refusal *r = mem_alloc(sizeof(*r));
  *r = (struct refusal){.problem = e, .done = done, .context = context};
  db_call_own(db_query(db, &nothing, NULL, 0, on_refused, r), r);
}
