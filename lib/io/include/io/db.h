// PostgreSQL on the loop: libpq without waiting, prepared statements, a small pool, LISTEN.
//
// The only user of libpq. Names are resolved off the loop. A connection that breaks is made again with
// backoff; what was under way on it ends with ERR_UNAVAILABLE and is not repeated here, since nobody
// knows whether it was carried out. Callbacks come from the loop, never from inside a call here. One thread.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "base/clock.h"
#include "base/error.h"
#include "io/metrics.h"

struct db;
struct db_call;

struct db_options {
  const char *url;         // postgresql://..., with password and TLS options; never logged
  unsigned connections;    // 0: 4
  unsigned max_waiting;    // calls that wait for a connection; 0: 4096. More are ERR_BUSY at once
  msec statement_timeout;  // 0: 10 s; the server ends what takes longer (ERR_TIMEOUT)
  const char *application_name;
};
struct db *db_new(uv_loop_t *loop, const struct db_options *o, struct metrics *m /* may be NULL */, struct error *e);
void db_free(struct db *d);         // cancels what runs, without callbacks
bool db_is_up(const struct db *d);  // at least one connection answers

// A statement is static data: prepared under its name on each connection at its first use.
struct db_statement {
  const char *name;
  const char *sql;  // $1... parameters
};
// A parameter in text form; text NULL is SQL's NULL. `bytes`: a bytea of `length` raw bytes.
struct db_value {
  const char *text;
  size_t length;  // used with bytes only
  bool bytes;
};
#define DB_TEXT(t) ((struct db_value){.text = (t)})
#define DB_BYTES(p, n) ((struct db_value){.text = (const char *)(p), .length = (n), .bytes = true})

// A result, borrowed for the callback.
struct db_rows;
size_t db_rows_count(const struct db_rows *r);
const char *db_rows_text(const struct db_rows *r, size_t row, unsigned column);  // NULL for NULL; NUL-terminated
int64_t db_rows_int(const struct db_rows *r, size_t row, unsigned column, int64_t otherwise);
bool db_rows_bool(const struct db_rows *r, size_t row, unsigned column);
size_t db_rows_length(const struct db_rows *r, size_t row, unsigned column);
int64_t db_rows_affected(const struct db_rows *r);
// A bytea column, decoded: heap, caller frees.
void *db_rows_bytes(const struct db_rows *r, size_t row, unsigned column, size_t *ret_length);

// `e` NULL: done, and committed (a statement is a transaction of its own). Codes: ERR_EXISTS unique violation,
// ERR_NOT_FOUND foreign key, ERR_INVALID check violation or a bad value, ERR_CONFLICT serialization or deadlock,
// ERR_TIMEOUT, ERR_UNAVAILABLE no connection. `constraint`: the violated constraint's name, or "".
typedef void db_done_fn(void *context, const struct db_rows *rows, const struct error *e, const char *constraint);

// Parameters are copied. Waits for a free connection while there is room to wait, at most 5 s while PostgreSQL is away.
struct db_call *db_query(struct db *d, const struct db_statement *s, const struct db_value *values, unsigned count,
                         db_done_fn *done, void *context);
// Memory that is freed with the call, however it ends: after `done`, or without it.
void db_call_own(struct db_call *c, void *take_memory);
void db_cancel(struct db_call *c);  // no callback comes after; NULL is fine

// Several statements of one script in one transaction, without parameters (migrations). Nothing here limits its time.
struct db_call *db_script(struct db *d, const char *sql, db_done_fn *done, void *context);

// A connection of its own for LISTEN. `fn` with payload NULL, once for each channel: (again) listening, what came in
// between was missed: read it from the tables. Listeners are freed before their db.
typedef void db_notify_fn(void *context, const char *channel, const char *payload);
struct db_listener;
struct db_listener *db_listen(struct db *d, const char *const *channels /* NULL-ended, static */, db_notify_fn *fn,
                              void *context);
void db_listener_free(struct db_listener *l);
