#include "query.h"

#include <stdio.h>

#include "base/memory.h"

#include "app.h"
#include "reads.h"

enum { PAGES_MAX = 1000000, PAGE_SIZE_MAX = 100 };

struct reading {
  struct exchange *exchange;
  int status;
  const char *missing;
};

void query_fail(struct exchange *x, const struct error *e) {
  struct error own = *e;
  // A value that the statement could not take was checked before: that is our mistake, not the client's.
  if (e->code == ERR_BUSY) error_set(&own, ERR_UNAVAILABLE, "Too many requests wait for the database. Try again.");
  exchange_fail_error(x, &own);
}

static struct reading *reading_new(struct exchange *x, int status, const char *missing) {
  struct reading *r = mem_alloc(sizeof *r);
  *r = (struct reading){.exchange = x, .status = status, .missing = missing};
  return r;
}

static void on_read(void *context, struct body *body, const struct error *e) {
  struct reading r = *(struct reading *)context;
  free(context);
  if (e != NULL)
    query_fail(r.exchange, e);
  else if (body == NULL)
    exchange_fail(r.exchange, 404, "not_found", "There is no such %s.", r.missing);
  else
    exchange_reply_body(r.exchange, r.status, "application/json", body);
}

void query_reply(struct exchange *x, const struct db_statement *s, const struct db_value *values, unsigned count,
                 const char *missing) {
  reads_query(exchange_app(x)->reads, s, values, count, false, on_read, reading_new(x, 200, missing));
}

void query_reply_timed(struct exchange *x, const struct db_statement *s, const struct db_value *values, unsigned count,
                       const char *missing) {
  reads_query(exchange_app(x)->reads, s, values, count, true, on_read, reading_new(x, 200, missing));
}

static void on_changed(void *context, const struct db_rows *rows, const struct error *e, const char *constraint) {
  (void)constraint;
  struct reading r = *(struct reading *)context;
  free(context);
  const char *text = e == NULL && db_rows_count(rows) > 0 ? db_rows_text(rows, 0, 0) : NULL;
  if (e != NULL)
    query_fail(r.exchange, e);
  else if (text == NULL)
    exchange_fail(r.exchange, 404, "not_found", "There is no such %s.", r.missing);
  else
    exchange_reply_bytes(r.exchange, r.status, "application/json", text, db_rows_length(rows, 0, 0), false);
}

void query_change(struct exchange *x, int status, const struct db_statement *s, const struct db_value *values,
                  unsigned count, const char *missing) {
  db_query(exchange_app(x)->db, s, values, count, on_changed, reading_new(x, status, missing));
}

bool query_is_owner(struct exchange *x, const struct db_rows *rows, const struct error *e, const char *what) {
  if (e)
    query_fail(x, e);
  else if (db_rows_count(rows) == 0)
    exchange_fail(x, 404, "not_found", "There is no such %s.", what);
  else if (!db_rows_bool(rows, 0, 0))
    exchange_fail(x, 403, "forbidden", "This %s belongs to somebody else.", what);
  else
    return true;
  return false;
}

bool query_page(struct exchange *x, int64_t size_otherwise, struct page *ret) {
  int64_t number = 1, size = 0;
  if (!exchange_query_int(x, "page", 1, 1, PAGES_MAX, &number)) return false;
  if (!exchange_query_int(x, "pageSize", size_otherwise, 1, PAGE_SIZE_MAX, &size)) return false;
  if (exchange_query(x, "limit") != NULL && !exchange_query_int(x, "limit", size, 1, PAGE_SIZE_MAX, &size))
    return false;
  snprintf(ret->number, sizeof ret->number, "%lld", (long long)number);
  snprintf(ret->size, sizeof ret->size, "%lld", (long long)size);
  snprintf(ret->offset, sizeof ret->offset, "%lld", (long long)((number - 1) * size));
  return true;
}
