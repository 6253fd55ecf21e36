#include "migrate.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/str.h"
#include "io/timer.h"

enum { AGAIN_MS = 500, SCRIPT_MAX = 4 * 1024 * 1024 };

struct migrate {
  struct db *db;
  const struct migration *list;
  unsigned count, next;
  struct timer *again;
  struct db_call *call;
  bool told;  // that it waits
  migrate_done_fn *done;
  void *context;
};

// Whoever runs first makes it; the lock keeps two from making it at once, which IF NOT EXISTS does not.
static const char create[] =
    "SELECT pg_advisory_xact_lock(7361421);"
    "CREATE TABLE IF NOT EXISTS schema_migrations (version int PRIMARY KEY, name text NOT NULL, sha256 text NOT NULL,"
    " applied_at timestamptz NOT NULL DEFAULT now())";
static const struct db_statement applied = {"schema_migrations",
                                            "SELECT version, name, sha256 FROM schema_migrations ORDER BY version"};

static void look(struct migrate *m);
static void apply_next(struct migrate *m);

static void end(struct migrate *m, const struct error *e) {
  migrate_done_fn *done = m->done;
  void *context = m->context;
  struct error copy;
  if (e) copy = *e;
  timer_free(m->again);
  free(m);
  done(context, e ? &copy : NULL);
}

// True: it was an error, and is dealt with.
static bool failed(struct migrate *m, const struct error *e, const char *what) {
  if (!e) return false;
  if (error_is_transient(e->code)) {
    if (!m->told) log_info("waiting for PostgreSQL", "error", e->text);
    m->told = true;
    timer_set(m->again, AGAIN_MS);
    return true;
  }
  struct error copy = *e;
  error_prefix(&copy, "%s", what);
  end(m, &copy);
  return true;
}

// ---- what was applied --------------------------------------------------------------------------

static enum error_code compare(struct migrate *m, const struct db_rows *rows, struct error *e) {
  size_t count = db_rows_count(rows);
  m->next = 0;
  for (size_t i = 0; i < count; i++) {
    int64_t version = db_rows_int(rows, i, 0, -1);
    const char *name = db_rows_text(rows, i, 1);
    if (m->next < m->count && version > m->list[m->next].version)
      return error_set(e, ERR_INVALID,
                       "%s was not applied, but %s was, which comes after it: migrations only go forward, give it a "
                       "higher number",
                       m->list[m->next].name, name);
    if (m->next == m->count || version != m->list[m->next].version)
      return error_set(e, ERR_INVALID,
                       "the database is newer than this program (it has migration %s): run a program that knows it",
                       name);
    if (!text_equal(db_rows_text(rows, i, 2), m->list[m->next].sha256))
      return error_set(e, ERR_INVALID,
                       "%s has changed since it was applied to this database: put it back as it was, and make the "
                       "change in a new file",
                       name);
    m->next++;
  }
  return ERR_NONE;
}

static void on_applied(void *context, const struct db_rows *rows, const struct error *problem, const char *constraint) {
  (void)constraint;
  struct migrate *m = context;
  m->call = NULL;
  if (failed(m, problem, "the table of migrations cannot be read")) return;
  struct error e;
  if (compare(m, rows, &e) != ERR_NONE)
    end(m, &e);
  else
    apply_next(m);
}

static void on_created(void *context, const struct db_rows *rows, const struct error *problem, const char *constraint) {
  (void)rows, (void)constraint;
  struct migrate *m = context;
  m->call = NULL;
  if (failed(m, problem, "the table of migrations cannot be made")) return;
  m->call = db_query(m->db, &applied, NULL, 0, on_applied, m);
}

static void look(struct migrate *m) {
  m->call = db_script(m->db, create, on_created, m);
}

// ---- applying ----------------------------------------------------------------------------------

static void on_file(void *context, const struct db_rows *rows, const struct error *problem, const char *constraint) {
  (void)rows;
  struct migrate *m = context;
  m->call = NULL;
  // Another replica was faster: what it did is looked at again.
  if (problem && problem->code == ERR_EXISTS && text_equal(constraint, "schema_migrations_pkey")) {
    look(m);
    return;
  }
  if (failed(m, problem, m->list[m->next].name)) return;
  log_info("migration applied", "file", m->list[m->next].name);
  m->next++;
  apply_next(m);
}

// The record comes first: it fails when another has applied the file meanwhile, and nothing is done twice. The lock
// makes replicas take turns; all of it is one transaction, as a script without BEGIN is.
static void apply_next(struct migrate *m) {
  if (m->next == m->count) {
    end(m, NULL);
    return;
  }
  const struct migration *file = &m->list[m->next];
  struct str script = STR_INIT(SCRIPT_MAX);
  str_add_format(&script,
                 "SET LOCAL statement_timeout = 0; SELECT pg_advisory_xact_lock(7361421);"
                 "INSERT INTO schema_migrations (version, name, sha256) VALUES (%d, '%s', '%s');\n",
                 file->version, file->name, file->sha256);
  str_add(&script, file->sql);
  if (script.failed) {
    struct error e;
    error_set(&e, ERR_TOO_LARGE, "%s is too large", file->name);
    str_done(&script);
    end(m, &e);
    return;
  }
  m->call = db_script(m->db, str_text(&script), on_file, m);
  str_done(&script);
}

static void on_again(void *context) {
  look(context);
}

struct migrate *migrate_start_with(uv_loop_t *loop, struct db *db, const struct migration *list, unsigned count,
                                   migrate_done_fn *done, void *context) {
  struct migrate *m = mem_alloc(sizeof(*m));
  *m = (struct migrate){.db = db, .list = list, .count = count, .done = done, .context = context};
  m->again = timer_new(loop, on_again, m);
  look(m);
  return m;
}

struct migrate *migrate_start(uv_loop_t *loop, struct db *db, migrate_done_fn *done, void *context) {
  return migrate_start_with(loop, db, migrations, migration_count, done, context);
}

void migrate_cancel(struct migrate *m) {
  if (!m) return;
  db_cancel(m->call);
  timer_free(m->again);
  free(m);
}
