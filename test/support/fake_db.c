#include "fake_db.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"

struct db {
  struct fake_question *first;
  db_notify_fn *notify;
  void *notify_context;
};

struct db_rows {
  size_t rows;
  unsigned columns;
  const char *const *cells;
};

static struct db *only;  // one at a time: a call that is cancelled does not say whose it is

struct db *fake_db_new(void) {
  only = mem_alloc(sizeof(struct db));
  return only;
}

void fake_db_free(struct db *d) {
  assert_null(d->first);
  free(d);
}

static void question_free(struct fake_question *q) {
  for (size_t i = 0; i < FAKE_VALUES; i++) free(q->values[i]);
  free(q);
}

static struct fake_question *ask(struct db *d, const char *name, void *done, void *context) {
  struct fake_question *q = mem_alloc(sizeof *q);
  q->name = name;
  q->done = done;
  q->context = context;
  struct fake_question **at = &d->first;
  while (*at != NULL) at = &(*at)->next;
  *at = q;
  return q;
}

const struct fake_question *fake_question(struct db *d) {
  return d->first;
}

size_t fake_questions(const struct db *d) {
  size_t n = 0;
  for (const struct fake_question *q = d->first; q != NULL; q = q->next) n++;
  return n;
}

static void finish(struct db *d, const struct db_rows *rows, const struct error *e) {
  struct fake_question *q = d->first;
  assert_non_null(q);
  d->first = q->next;
  if (q->is_store)
    ((store_done_fn *)q->done)(q->context, e);
  else
    ((db_done_fn *)q->done)(q->context, rows, e, "");
  question_free(q);
}

void fake_answer(struct db *d, size_t rows, unsigned columns, const char *const *cells) {
  const struct db_rows answer = {rows, columns, cells};
  finish(d, &answer, NULL);
}

void fake_fail(struct db *d, enum error_code code) {
  struct error e = {0};
  error_set(&e, code, "the test says so");
  finish(d, NULL, &e);
}

void fake_notify(struct db *d, const char *channel, const char *payload) {
  assert_non_null(d->notify);
  d->notify(d->notify_context, channel, payload);
}

// ---- io/db.h -------------------------------------------------------------------------------------

struct db_call *db_query(struct db *d, const struct db_statement *s, const struct db_value *values, unsigned count,
                         db_done_fn *done, void *context) {
  struct fake_question *q = ask(d, s->name, (void *)done, context);
  assert_true(count <= FAKE_VALUES);
  q->count = count;
  for (unsigned i = 0; i < count; i++) q->values[i] = mem_strdup(values[i].text);
  return (struct db_call *)q;
}

void db_cancel(struct db_call *c) {
  if (c == NULL) return;
  struct fake_question *q = (struct fake_question *)c;
  for (struct fake_question **at = &only->first; *at != NULL; at = &(*at)->next) {
    if (*at != q) continue;
    *at = q->next;
    question_free(q);
    return;
  }
  fail_msg("a call is cancelled that does not run");
}

size_t db_rows_count(const struct db_rows *r) {
  return r->rows;
}

const char *db_rows_text(const struct db_rows *r, size_t row, unsigned column) {
  assert_true(row < r->rows && column < r->columns);
  return r->cells[row * r->columns + column];
}

int64_t db_rows_int(const struct db_rows *r, size_t row, unsigned column, int64_t otherwise) {
  const char *text = db_rows_text(r, row, column);
  return text != NULL ? strtoll(text, NULL, 10) : otherwise;
}

size_t db_rows_length(const struct db_rows *r, size_t row, unsigned column) {
  const char *text = db_rows_text(r, row, column);
  return text != NULL ? strlen(text) : 0;
}

int64_t db_rows_affected(const struct db_rows *r) {
  return (int64_t)r->rows;
}

struct db_listener *db_listen(struct db *d, const char *const *channels, db_notify_fn *fn, void *context) {
  (void)channels;
  d->notify = fn;
  d->notify_context = context;
  return (struct db_listener *)d;
}

void db_listener_free(struct db_listener *l) {
  (void)l;
}

// ---- store.h -------------------------------------------------------------------------------------

static void take(struct db *d, const char *name, char *const *texts, size_t count, store_done_fn *done, void *context) {
  struct fake_question *q = ask(d, name, (void *)done, context);
  q->is_store = true;
  q->count = count;
  for (size_t i = 0; i < count && i < FAKE_VALUES; i++) q->values[i] = mem_strdup(texts[i]);
}

void store_put(struct db *db, enum stored_kind kind, char *const *rows, size_t count, store_done_fn *done,
               void *context) {
  (void)kind;
  take(db, "put", rows, count, done, context);
}

void store_vanished(struct db *db, enum stored_kind kind, char *const *uids, size_t count, store_done_fn *done,
                    void *context) {
  (void)kind;
  take(db, "vanish", uids, count, done, context);
}
