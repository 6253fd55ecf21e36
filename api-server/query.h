// Answers that one statement makes: it gives one row whose first column is the JSON text of the body.
#pragma once

#include "io/db.h"

#include "exchange.h"

// 200 with the row's text and an ETag. No row, or NULL in it: 404, `missing` names what is not there ("agent"). While
// nothing changes, what was answered is answered again (reads.h); `timed` is for what depends on the time too.
void query_reply(struct exchange *x, const struct db_statement *s, const struct db_value *values, unsigned count,
                 const char *missing);
void query_reply_timed(struct exchange *x, const struct db_statement *s, const struct db_value *values, unsigned count,
                       const char *missing);

// The same for a statement that changes something, or that shows what was just changed: never shared, answered with
// `status`, without an ETag.
void query_change(struct exchange *x, int status, const struct db_statement *s, const struct db_value *values,
                  unsigned count, const char *missing);

// `page` (from 1), `pageSize` (1..100) and `limit` (the same under another name, which wins) as texts for LIMIT and
// OFFSET. false: answered with 400.
struct page {
  char number[24], size[24], offset[24];
};
bool query_page(struct exchange *x, int64_t size_otherwise, struct page *ret);

// Of a statement whose first column says whether what was asked for (`what`: "submission") is the user's. false:
// answered, with 404, 403 or query_fail.
bool query_is_owner(struct exchange *x, const struct db_rows *rows, const struct error *e, const char *what);

// Answers for a statement that failed: e is set. By the code; 503 with Retry-After while PostgreSQL is away.
void query_fail(struct exchange *x, const struct error *e);
