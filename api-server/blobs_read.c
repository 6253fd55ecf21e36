// A blob on its way out: slice after slice, the next one asked for when the last was taken.
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/str.h"

#include "blobs_parts.h"

void blob_reader_free(struct blob_reader *r) {
  if (r->previous) r->previous->next = r->next;
  if (r->next) r->next->previous = r->previous;
  if (r->b->readers == r) r->b->readers = r->next;
  db_cancel(r->query);
  s3_cancel(r->get);
  free(r);
}

// The reader may be closed from inside; false: it is gone.
static bool tell(struct blob_reader *r, const void *bytes, size_t length, const struct error *e) {
  r->calling = true;
  r->data(r->context, bytes, length, e);
  r->calling = false;
  if (!r->closed) return true;
  blob_reader_free(r);
  return false;
}

static void stop(struct blob_reader *r, const struct error *e) {
  r->ended = true;
  tell(r, NULL, 0, e);
}

static void go_on(struct blob_reader *r) {
  if (r->busy || r->paused || r->ended || !r->store) return;
  if (r->left == 0) {
    stop(r, NULL);
    return;
  }
  size_t length = r->store->slice_size;
  int64_t to_part_end = (int64_t)r->store->part_size - r->at % (int64_t)r->store->part_size;
  if ((int64_t)length > to_part_end) length = (size_t)to_part_end;
  if ((int64_t)length > r->left) length = (size_t)r->left;
  r->busy = true;
  r->store->read(r, r->at, length);
}

void blob_reader_slice(struct blob_reader *r, const void *bytes, size_t length, const struct error *e) {
  struct error lost;
  r->busy = false;
  if (!e && ((int64_t)length > r->left || length == 0)) {
    error_set(&lost, ERR_INTERNAL, "blob %s is not whole", r->sha256);
    e = &lost;
  }
  if (e) {
    stop(r, e);
    return;
  }
  r->at += (int64_t)length;
  r->left -= (int64_t)length;
  if (tell(r, bytes, length, NULL)) go_on(r);
}

// ---- where it is ---------------------------------------------------------------------------------

static const struct db_statement statement_find = {
    "blob_find", "SELECT size, media_type, upload, store FROM blobs WHERE sha256 = $1"};

static const struct blob_store *store_of(const struct blobs *b, const char *name) {
  if (text_equal(name, "postgres")) return &blob_store_postgres;
  return b->s3 ? &blob_store_s3 : NULL;
}

static void on_found(void *context, const struct db_rows *rows, const struct error *e, const char *constraint) {
  (void)constraint;
  struct blob_reader *r = context;
  r->query = NULL;
  r->busy = false;
  struct error problem;
  if (!e && db_rows_count(rows) == 0) {
    error_set(&problem, ERR_NOT_FOUND, "there is no such blob");
    e = &problem;
  }
  if (!e && !store_of(r->b, db_rows_text(rows, 0, 3))) {
    error_set(&problem, ERR_INTERNAL, "blob %s is in S3, which is not configured", r->sha256);
    e = &problem;
  }
  if (e) {
    stop(r, e);
    return;
  }
  int64_t size = db_rows_int(rows, 0, 0, 0);
  memcpy(r->upload, db_rows_text(rows, 0, 2), BLOB_UUID_SIZE - 1);
  r->store = store_of(r->b, db_rows_text(rows, 0, 3));
  if (r->at > size) r->at = size;
  if (r->left < 0 || r->left > size - r->at) r->left = size - r->at;
  go_on(r);
}

struct blob_reader *blob_open(struct blobs *b, const char *sha256, int64_t offset, int64_t length, blob_data_fn *data,
                              void *context) {
  struct blob_reader *r = mem_alloc(sizeof *r);
  r->b = b;
  strncat(r->sha256, sha256, BLOB_SHA256_SIZE - 1);
  r->at = offset;
  r->left = length;
  r->data = data;
  r->context = context;
  r->next = b->readers;
  if (r->next) r->next->previous = r;
  b->readers = r;
  r->busy = true;
  r->query = db_query(b->db, &statement_find, (struct db_value[]){DB_TEXT(r->sha256)}, 1, on_found, r);
  return r;
}

void blob_pause(struct blob_reader *r, bool paused) {
  r->paused = paused;
  if (!paused && !r->calling) go_on(r);
}

void blob_close(struct blob_reader *r) {
  if (r->calling)
    r->closed = true;
  else
    blob_reader_free(r);
}

// ---- size and type -------------------------------------------------------------------------------

struct blob_stat_call {
  struct blobs *b;
  struct blob_stat_call *next, *previous;
  struct db_call *query;
  void (*done)(void *context, int64_t size, const char *media_type, const struct error *e);
  void *context;
};

void blob_stat_free(struct blob_stat_call *s) {
  if (s->previous) s->previous->next = s->next;
  if (s->next) s->next->previous = s->previous;
  if (s->b->stats == s) s->b->stats = s->next;
  db_cancel(s->query);
  free(s);
}

static void on_stat(void *context, const struct db_rows *rows, const struct error *e, const char *constraint) {
  (void)constraint;
  struct blob_stat_call *s = context;
  s->query = NULL;
  struct error problem;
  if (!e && db_rows_count(rows) == 0) {
    error_set(&problem, ERR_NOT_FOUND, "there is no such blob");
    e = &problem;
  }
  if (e)
    s->done(s->context, 0, NULL, e);
  else
    s->done(s->context, db_rows_int(rows, 0, 0, 0), db_rows_text(rows, 0, 1), NULL);
  blob_stat_free(s);
}

void blob_stat(struct blobs *b, const char *sha256,
               void (*done)(void *context, int64_t size, const char *media_type, const struct error *e),
               void *context) {
  struct blob_stat_call *s = mem_alloc(sizeof *s);
  s->b = b;
  s->done = done;
  s->context = context;
  s->next = b->stats;
  if (s->next) s->next->previous = s;
  b->stats = s;
  s->query = db_query(b->db, &statement_find, (struct db_value[]){DB_TEXT(sha256)}, 1, on_stat, s);
}
