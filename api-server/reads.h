// Questions that only read, each answered as PostgreSQL has it now, but worked out only when something has changed.
//
// Answers are kept with PostgreSQL's snapshot: which transactions have ended. A question that comes is preceded by the
// smallest one there is, for the snapshot as it is now; all that wait at that moment share it. If it is the one that an
// answer was kept with, no transaction has ended meanwhile, nobody's, so that the statement would give the same again.
// So every reader sees every write that was committed before the question came, whichever replica it went through, and
// nothing has to be told that something is out of date. Equal questions of one snapshot are asked once. One thread.
#pragma once

#include <stdbool.h>

#include "io/db.h"

#include "body.h"

struct reads;

struct reads *reads_new(struct db *db, struct metrics *m /* may be NULL */);
void reads_free(struct reads *r);  // no callback comes after; before db_free

// `body` is borrowed for the call; NULL without an error: there was no row, or NULL in it.
typedef void reads_done_fn(void *context, struct body *body, const struct error *e);

// The first column of the first row. The statement reads what is in tables and takes text parameters; `timed`: its
// answer depends on the time too, and is not kept.
void reads_query(struct reads *r, const struct db_statement *s, const struct db_value *values, unsigned count,
                 bool timed, reads_done_fn *done, void *context);
