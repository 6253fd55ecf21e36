// Equal questions to PostgreSQL at the same time are asked once.
//
// A question that comes while an equal one is under way is not given that one's answer, which may have been read before
// something that its asker knows of: it joins the next one, which begins when the first has ended. So a crowd that
// reads the same leaderboard costs two statements at a time, and nobody reads what is old. One thread.
#pragma once

#include "io/db.h"

struct reads;

struct reads *reads_new(struct db *db);
void reads_free(struct reads *r);  // no callback comes after; before db_free

// As db_query, for statements that only read and answer with text parameters; the rows are shared by all who asked.
void reads_query(struct reads *r, const struct db_statement *s, const struct db_value *values, unsigned count,
                 db_done_fn *done, void *context);
