// Blobs as objects of an S3-compatible store, named by their upload; PostgreSQL knows which hash is which object.
//
// Before an object is begun, a row in blob_parts (number -1) says so, with S3's id of the multipart upload when there
// is one: whatever dies, the row leads the cleaner to what was left in the store. It goes when the blob's own row
// comes.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/str.h"

#include "blobs_parts.h"
#include "s3_sign.h"

enum {
  PART_SIZE = 5 << 20,  // S3 takes no smaller ones but the last
  SLICE_SIZE = 256 << 10,
  PLACES = 8,
  ID_SIZE = 1024,
  QUERY_MAX = 4096,
  LIST_MAX = 1 << 20,
  NUMBER_SIZE = 24,
  LEFT_AT_ONCE = 50,
  LEFT_PAUSE_MS = 10 * 1000,  // these are gone, or not to be had for now
};

struct upload {
  struct blob_writer *w;
  struct db_call *query;
  struct s3_call *call;
  bool marked;
  char id[ID_SIZE];  // "": no multipart upload yet
  size_t length;     // of what is being sent, from the front of the writer's buffer
  bool last;
  struct str etags;  // of the parts, as the list that ends the upload
  unsigned sent;
};

static struct upload *upload_of(struct blob_writer *w) {
  if (!w->state_of_store) {
    struct upload *u = mem_alloc(sizeof *u);
    u->w = w;
    u->etags = STR_INIT(LIST_MAX);
    w->state_of_store = u;
  }
  return w->state_of_store;
}

static void forget(struct blob_writer *w) {
  struct upload *u = w->state_of_store;
  if (!u) return;
  db_cancel(u->query);
  s3_cancel(u->call);
  str_done(&u->etags);
  free(u);
  w->state_of_store = NULL;
}

// What the store refuses is never the client's doing.
static const struct error *as_ours(const struct error *e, struct error *ret) {
  if (!e || e->code == ERR_UNAVAILABLE || e->code == ERR_TIMEOUT || e->code == ERR_BUSY) return e;
  *ret = *e;
  ret->code = ERR_INTERNAL;
  return ret;
}

static void tell(struct upload *u, const struct error *problem) {
  struct error own;
  const struct error *e = as_ours(problem, &own);
  if (u->last)
    blob_writer_ended(u->w, e);
  else
    blob_writer_stored(u->w, e);
}

// "partNumber=1&uploadId=..." with the first pair left out for 0.
static char *query_of(const char *id, unsigned part) {
  struct str query = STR_INIT(QUERY_MAX);
  if (part) str_add_format(&query, "partNumber=%u&", part);
  str_add(&query, "uploadId=");
  s3_escape(&query, id, false);
  return str_take(&query);
}

// ---- the blob's row ------------------------------------------------------------------------------

static const struct db_statement statement_made = {
    "blob_made_s3",
    "WITH made AS (INSERT INTO blobs (sha256, size, media_type, upload, store)"
    "              VALUES ($1, $2::bigint, $3, $4::uuid, 's3')"
    "              ON CONFLICT (sha256) DO UPDATE SET created_at = now() RETURNING upload),"
    " ours AS (SELECT FROM made WHERE upload = $4::uuid),"
    " gone AS (DELETE FROM blob_parts WHERE upload = $4::uuid AND number = -1 AND EXISTS (SELECT FROM ours))"
    " SELECT count(*) FROM ours"};

static void discard(struct blobs *b, struct blob_writer *w);

static void on_made(void *context, const struct db_rows *rows, const struct error *e, const char *constraint) {
  (void)constraint;
  struct upload *u = context;
  u->query = NULL;
  if (!e && db_rows_int(rows, 0, 0, 0) == 0) discard(u->w->b, u->w);  // another upload has brought it
  tell(u, e);
}

static void make(struct upload *u) {
  char size[NUMBER_SIZE];
  struct blob_writer *w = u->w;
  snprintf(size, sizeof size, "%lld", (long long)w->size);
  const struct db_value values[] = {DB_TEXT(w->sha256), DB_TEXT(size), DB_TEXT(w->media_type), DB_TEXT(w->upload)};
  u->query = db_query(w->b->db, &statement_made, values, array_size(values), on_made, u);
}

// ---- the object ----------------------------------------------------------------------------------

static void on_completed(void *context, const struct http_response *response, const struct error *e) {
  (void)response;
  struct upload *u = context;
  u->call = NULL;
  if (e)
    tell(u, e);
  else
    make(u);
}

static void complete(struct upload *u) {
  struct str cleanup_str body = STR_INIT(LIST_MAX + 256);
  str_add_format(&body, "<CompleteMultipartUpload>%s</CompleteMultipartUpload>", str_text(&u->etags));
  cleanup_free char *query = query_of(u->id, 0);
  u->call =
      s3_start(u->w->b->s3,
               &(struct s3_request){
                   .method = "POST", .key = u->w->upload, .query = query, .body = body.data, .length = body.length},
               on_completed, u);
}

static void add_etag(struct upload *u, const char *etag) {
  str_add_format(&u->etags, "<Part><PartNumber>%u</PartNumber><ETag>", u->sent);
  for (; *etag; etag++) {
    if (*etag == '"')
      str_add(&u->etags, "&quot;");
    else if (*etag != '<' && *etag != '&')
      str_add_bytes(&u->etags, etag, 1);
  }
  str_add(&u->etags, "</ETag></Part>");
}

static void on_sent(void *context, const struct http_response *response, const struct error *e) {
  struct upload *u = context;
  u->call = NULL;
  if (e) {
    tell(u, e);
    return;
  }
  if (*u->id) add_etag(u, response->etag);
  if (!u->last)
    tell(u, NULL);
  else if (*u->id)
    complete(u);
  else
    make(u);
}

static void send_bytes(struct upload *u) {
  if (u->last && *u->id && u->length == 0) {
    complete(u);
    return;
  }
  cleanup_free char *query = *u->id ? query_of(u->id, ++u->sent) : NULL;
  u->call =
      s3_start(u->w->b->s3,
               &(struct s3_request){
                   .method = "PUT", .key = u->w->upload, .query = query, .body = u->w->buffer, .length = u->length},
               on_sent, u);
}

// ---- before its first byte -----------------------------------------------------------------------

static const struct db_statement statement_mark = {
    "blob_mark",
    "INSERT INTO blob_parts (upload, number, bytes) VALUES ($1::uuid, -1, $2::bytea)"
    " ON CONFLICT (upload, number) DO UPDATE SET bytes = excluded.bytes"};

static void on_noted(void *context, const struct db_rows *rows, const struct error *e, const char *constraint) {
  (void)rows, (void)constraint;
  struct upload *u = context;
  u->query = NULL;
  if (e)
    tell(u, e);
  else
    send_bytes(u);
}

static void mark(struct upload *u, db_done_fn *done) {
  const struct db_value values[] = {DB_TEXT(u->w->upload), DB_BYTES(u->id, strlen(u->id))};
  u->query = db_query(u->w->b->db, &statement_mark, values, array_size(values), done, u);
}

static void on_begun(void *context, const struct http_response *response, const struct error *e) {
  struct upload *u = context;
  u->call = NULL;
  struct error problem;
  if (!e) {
    s3_element(response->body, "UploadId", u->id, sizeof u->id);
    if (!*u->id) {
      error_set(&problem, ERR_UNAVAILABLE, "S3 began a multipart upload without an id");
      e = &problem;
    }
  }
  if (e)
    tell(u, e);
  else
    mark(u, on_noted);
}

static void begin_object(struct upload *u) {
  if (u->last || *u->id) {  // a small one goes in one piece
    send_bytes(u);
    return;
  }
  u->call = s3_start(u->w->b->s3, &(struct s3_request){.method = "POST", .key = u->w->upload, .query = "uploads="},
                     on_begun, u);
}

static void on_marked(void *context, const struct db_rows *rows, const struct error *e, const char *constraint) {
  (void)rows, (void)constraint;
  struct upload *u = context;
  u->query = NULL;
  if (e) {
    tell(u, e);
    return;
  }
  u->marked = true;
  begin_object(u);
}

static void start(struct blob_writer *w, size_t length, bool last) {
  struct upload *u = upload_of(w);
  u->length = length;
  u->last = last;
  if (u->marked)
    begin_object(u);
  else
    mark(u, on_marked);
}

static void put(struct blob_writer *w, const void *bytes, size_t length) {
  (void)bytes;  // stay at the front of the writer's buffer, wherever that grows to
  start(w, length, false);
}

static void finish(struct blob_writer *w, const void *bytes, size_t length) {
  (void)bytes;
  start(w, length, true);
}

// ---- what is left of uploads ---------------------------------------------------------------------

static const struct db_statement statement_unmark = {"blob_unmark",
                                                     "DELETE FROM blob_parts WHERE upload = $1::uuid AND number = -1"};

static void on_unmarked(void *context, const struct db_rows *rows, const struct error *e, const char *constraint) {
  (void)rows, (void)e, (void)constraint;
  struct blob_chore *c = context;
  c->query = NULL;
  blob_chore_free(c);
}

static bool is_left(struct blob_chore *c, const struct error *e) {
  c->call = NULL;
  if (!e || e->code == ERR_NOT_FOUND) return false;
  log_warn("an upload is left in S3 for the next cleaning", "upload", c->upload, "error", e->text);
  blob_chore_free(c);
  return true;
}

static void on_deleted(void *context, const struct http_response *response, const struct error *e) {
  (void)response;
  struct blob_chore *c = context;
  if (is_left(c, e)) return;
  c->query = db_query(c->b->db, &statement_unmark, (struct db_value[]){DB_TEXT(c->upload)}, 1, on_unmarked, c);
}

static void delete_object(struct blob_chore *c) {
  c->call = s3_start(c->b->s3, &(struct s3_request){.method = "DELETE", .key = c->upload}, on_deleted, c);
}

static void on_aborted(void *context, const struct http_response *response, const struct error *e) {
  (void)response;
  struct blob_chore *c = context;
  if (!is_left(c, e)) delete_object(c);
}

static void remove_upload(struct blobs *b, const char *upload, const char *id) {
  struct blob_chore *c = blob_chore_new(b, upload);
  if (text_empty(id)) {
    delete_object(c);
    return;
  }
  cleanup_free char *query = query_of(id, 0);
  c->call = s3_start(b->s3, &(struct s3_request){.method = "DELETE", .key = c->upload, .query = query}, on_aborted, c);
}

static void discard(struct blobs *b, struct blob_writer *w) {
  struct upload *u = w->state_of_store;
  remove_upload(b, w->upload, u ? u->id : NULL);
}

static const struct db_statement statement_left = {
    "blob_left_s3",
    "SELECT upload, convert_from(bytes, 'UTF8') FROM blob_parts p WHERE number = -1"
    " AND created_at < now() - interval '1 hour' AND NOT EXISTS (SELECT FROM blobs WHERE upload = p.upload) LIMIT 50"};

static void on_left(void *context, const struct db_rows *rows, const struct error *e, const char *constraint) {
  (void)constraint;
  struct blobs *b = context;
  b->cleaning = NULL;
  for (size_t i = 0; !e && i < db_rows_count(rows); i++)
    remove_upload(b, db_rows_text(rows, i, 0), db_rows_text(rows, i, 1));
  if (!e && db_rows_count(rows) == LEFT_AT_ONCE) timer_set(b->cleaner, LEFT_PAUSE_MS);
}

void blobs_clean_s3(struct blobs *b) {
  b->cleaning = db_query(b->db, &statement_left, NULL, 0, on_left, b);
}

// ---- reading -------------------------------------------------------------------------------------

static void on_got(void *context, const struct http_response *response, const struct error *e) {
  struct blob_reader *r = context;
  r->get = NULL;
  struct error lost;
  if (e && e->code == ERR_NOT_FOUND) {
    error_set(&lost, ERR_INTERNAL, "the object %s of blob %s is gone from S3", r->upload, r->sha256);
    e = &lost;
  }
  struct error own;
  e = as_ours(e, &own);
  blob_reader_slice(r, response->body, e ? 0 : response->length, e);
}

static void slice(struct blob_reader *r, int64_t offset, size_t length) {
  r->get = s3_start(r->b->s3,
                    &(struct s3_request){.method = "GET",
                                         .key = r->upload,
                                         .ranged = true,
                                         .from = offset,
                                         .to = offset + (int64_t)length - 1,
                                         .max_response = length},
                    on_got, r);
}

const struct blob_store blob_store_s3 = {
    .part_size = PART_SIZE,
    .slice_size = SLICE_SIZE,
    .places = PLACES,
    .put = put,
    .finish = finish,
    .discard = discard,
    .forget = forget,
    .read = slice,
};
