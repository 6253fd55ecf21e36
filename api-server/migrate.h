// Brings the database to this program's version: the files of migrations/, built in, in order, each once and in a
// transaction of its own. Any number of replicas may do it at the same time.
#pragma once

#include <uv.h>

#include "base/error.h"
#include "io/db.h"

// One file, in the order of numbers.
struct migration {
  int version;       // its number
  const char *name;  // "0001_tables.sql"
  const char *sql;
  const char *sha256;
};
extern const struct migration migrations[];  // made at build time
extern const unsigned migration_count;

struct migrate;
// `e` NULL: the database is this program's. Otherwise it never will be as it is: a file that was applied has changed
// since, the database is newer than this program, or a file does not work.
typedef void migrate_done_fn(void *context, const struct error *e);

// Waits for PostgreSQL as long as it is away. `done` comes once, later; the migrate is dead when it returns.
struct migrate *migrate_start(uv_loop_t *loop, struct db *db, migrate_done_fn *done, void *context);
// Others than the built-in ones (tests).
struct migrate *migrate_start_with(uv_loop_t *loop, struct db *db, const struct migration *list, unsigned count,
                                   migrate_done_fn *done, void *context);
void migrate_cancel(struct migrate *m);  // no callback comes after; NULL is fine
