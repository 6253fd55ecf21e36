// Parts as rows of blob_parts. The last one and the blob's own row come in one statement: all of it is there, or none.
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"

#include "blobs_parts.h"

enum { PART_SIZE = 256 << 10, SLICE_SIZE = 64 << 10, PLACES = 64, NUMBER_SIZE = 24 };

static const char *number_text(int64_t n, char ret[NUMBER_SIZE]) {
  snprintf(ret, NUMBER_SIZE, "%lld", (long long)n);
  return ret;
}

static const struct db_statement statement_part = {
    "blob_part", "INSERT INTO blob_parts (upload, number, bytes) VALUES ($1::uuid, $2::int, $3::bytea)"};

// Of a blob that is there already this says that it was brought again, which keeps the sweep away for an hour; or that
// the sweep was faster, and it is made anew. What was stored for nothing is discarded after.
static const struct db_statement statement_finish = {
    "blob_finish",
    "WITH part AS (INSERT INTO blob_parts (upload, number, bytes) SELECT $4::uuid, $5::int, $6::bytea"
    "              WHERE length($6::bytea) > 0),"
    " made AS (INSERT INTO blobs (sha256, size, media_type, upload) VALUES ($1, $2::bigint, $3, $4::uuid)"
    "          ON CONFLICT (sha256) DO UPDATE SET created_at = now() RETURNING upload)"
    " SELECT count(*) FROM made WHERE upload = $4::uuid"};

static const struct db_statement statement_discard = {
    "blob_discard",
    "DELETE FROM blob_parts WHERE upload = $1::uuid AND NOT EXISTS (SELECT FROM blobs WHERE upload = $1::uuid)"};

static const struct db_statement statement_slice = {
    "blob_slice",
    "SELECT substring(bytes FROM $3::int FOR $4::int) FROM blob_parts WHERE upload = $1::uuid AND number = $2::int"};

static void on_discarded(void *context, const struct db_rows *rows, const struct error *e, const char *constraint) {
  (void)rows, (void)constraint;
  struct blob_chore *c = context;
  c->query = NULL;
  if (e) log_warn("parts of an upload are left for the next cleaning", "upload", c->upload, "error", e->text);
  blob_chore_free(c);
}

static void discard(struct blobs *b, struct blob_writer *w) {
  struct blob_chore *c = blob_chore_new(b, w->upload);
  c->query = db_query(b->db, &statement_discard, (struct db_value[]){DB_TEXT(c->upload)}, 1, on_discarded, c);
}

static void on_put(void *context, const struct db_rows *rows, const struct error *e, const char *constraint) {
  (void)rows, (void)constraint;
  struct blob_writer *w = context;
  w->state_of_store = NULL;
  blob_writer_stored(w, e);
}

static void put(struct blob_writer *w, const void *bytes, size_t length) {
  char number[NUMBER_SIZE];
  const struct db_value values[] = {DB_TEXT(w->upload), DB_TEXT(number_text(w->parts, number)),
                                    DB_BYTES(bytes, length)};
  w->state_of_store = db_query(w->b->db, &statement_part, values, array_size(values), on_put, w);
}

static void on_finished(void *context, const struct db_rows *rows, const struct error *e, const char *constraint) {
  (void)constraint;
  struct blob_writer *w = context;
  w->state_of_store = NULL;
  if (!e && db_rows_int(rows, 0, 0, 0) == 0) discard(w->b, w);  // another upload has brought it
  blob_writer_ended(w, e);
}

static void finish(struct blob_writer *w, const void *bytes, size_t length) {
  char number[NUMBER_SIZE], size[NUMBER_SIZE];
  const struct db_value values[] = {
      DB_TEXT(w->sha256), DB_TEXT(number_text(w->size, size)),    DB_TEXT(w->media_type),
      DB_TEXT(w->upload), DB_TEXT(number_text(w->parts, number)), DB_BYTES(length ? bytes : "", length)};
  w->state_of_store = db_query(w->b->db, &statement_finish, values, array_size(values), on_finished, w);
}

static void forget(struct blob_writer *w) {
  db_cancel(w->state_of_store);
  w->state_of_store = NULL;
}

static void on_slice(void *context, const struct db_rows *rows, const struct error *e, const char *constraint) {
  (void)constraint;
  struct blob_reader *r = context;
  r->query = NULL;
  if (e || db_rows_count(rows) == 0) {
    blob_reader_slice(r, NULL, 0, e);
    return;
  }
  size_t length = 0;
  cleanup_free void *bytes = db_rows_bytes(rows, 0, 0, &length);
  blob_reader_slice(r, bytes, length, NULL);
}

static void slice(struct blob_reader *r, int64_t offset, size_t length) {
  char number[NUMBER_SIZE], from[NUMBER_SIZE], count[NUMBER_SIZE];
  const struct db_value values[] = {DB_TEXT(r->upload), DB_TEXT(number_text(offset / PART_SIZE, number)),
                                    DB_TEXT(number_text(offset % PART_SIZE + 1, from)),
                                    DB_TEXT(number_text((int64_t)length, count))};
  r->query = db_query(r->b->db, &statement_slice, values, array_size(values), on_slice, r);
}

const struct blob_store blob_store_postgres = {
    .part_size = PART_SIZE,
    .slice_size = SLICE_SIZE,
    .places = PLACES,
    .put = put,
    .finish = finish,
    .discard = discard,
    .forget = forget,
    .read = slice,
};
