#include "blobs.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/rand.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/str.h"

#include "app.h"
#include "blobs_parts.h"
#include "settings.h"

enum { FIRST_CLEANING_MS = 10000, CLEANING_MS = 3600000, CLEANING_PAUSE_MS = 500, CLEANED_AT_ONCE = 200 };

// ---- small things --------------------------------------------------------------------------------

void blob_uuid(char ret[BLOB_UUID_SIZE]) {
  unsigned char b[16];
  if (RAND_bytes(b, sizeof b) != 1) abort();
  b[6] = (unsigned char)((b[6] & 0x0F) | 0x40);  // version 4: random
  b[8] = (unsigned char)((b[8] & 0x3F) | 0x80);
  char *at = ret;
  for (size_t i = 0; i < sizeof b; i++) {
    if (i == 4 || i == 6 || i == 8 || i == 10) *at++ = '-';
    at += snprintf(at, 3, "%02x", b[i]);
  }
}

bool blob_is_sha256(const char *text) {
  static const char HEX[] = "0123456789abcdef";
  return strlen(text) == BLOB_SHA256_SIZE - 1 && text[strspn(text, HEX)] == '\0';
}

struct blob_chore *blob_chore_new(struct blobs *b, const char *upload) {
  struct blob_chore *c = mem_alloc(sizeof *c);
  c->b = b;
  strncat(c->upload, upload, sizeof c->upload - 1);
  c->next = b->chores;
  if (c->next) c->next->previous = c;
  b->chores = c;
  return c;
}

void blob_chore_free(struct blob_chore *c) {
  if (c->previous) c->previous->next = c->next;
  if (c->next) c->next->previous = c->previous;
  if (c->b->chores == c) c->b->chores = c->next;
  db_cancel(c->query);
  s3_cancel(c->call);
  free(c);
}

// ---- cleaning: parts of uploads whose program died, and of blobs that were swept (blob_sweep.h) ----

static const struct db_statement statement_clean = {
    "blob_clean",
    "DELETE FROM blob_parts WHERE (upload, number) IN (SELECT upload, number FROM blob_parts p WHERE number >= 0"
    " AND created_at < now() - interval '1 hour' AND NOT EXISTS (SELECT FROM blobs WHERE upload = p.upload)"
    " LIMIT $1::int)"
    " AND pg_try_advisory_xact_lock(7262616, 1)"};

static void on_cleaned(void *context, const struct db_rows *rows, const struct error *e, const char *constraint) {
  (void)constraint;
  struct blobs *b = context;
  char number[LOG_NUMBER_SIZE];
  const int64_t parts = e ? 0 : db_rows_affected(rows);
  b->cleaning = NULL;
  if (e) log_warn("parts that belong to no blob could not be removed", "error", e->text);
  if (parts > 0) log_info("parts that belong to no blob removed", "parts", log_number(parts, number));
  if (parts == CLEANED_AT_ONCE) timer_set(b->cleaner, CLEANING_PAUSE_MS);
  if (b->s3) blobs_clean_s3(b);
}

static void clean(void *context) {
  struct blobs *b = context;
  char most[LOG_NUMBER_SIZE];
  const struct db_value values[] = {DB_TEXT(log_number(CLEANED_AT_ONCE, most))};
  timer_set(b->cleaner, CLEANING_MS);
  if (!b->cleaning) b->cleaning = db_query(b->db, &statement_clean, values, 1, on_cleaned, b);
}

void blobs_clean(struct blobs *b) {
  timer_set(b->cleaner, CLEANING_PAUSE_MS);
}

// ---- all of it -----------------------------------------------------------------------------------

static void on_turn(void *context) {
  blob_writer_turn(context);
}

struct blobs *blobs_new(struct app *app, struct error *e) {
  const struct settings *s = app->settings;
  bool in_s3 = !text_equal(s->blob_store, "postgres");
  struct s3 *s3 = NULL;
  if (in_s3) {
    struct s3_options options = {
        .url = s->blob_store,
        .endpoint = s->s3_endpoint,
        .region = s->s3_region,
        .access_key_id = s->s3_access_key_id,
        .secret_access_key = s->s3_secret_access_key,
    };
    s3 = s3_new(app->loop, app->http, &options, e);
    if (!s3) return NULL;
  }
  struct blobs *b = mem_alloc(sizeof *b);
  b->app = app;
  b->db = app->db;
  b->s3 = s3;
  b->store = in_s3 ? &blob_store_s3 : &blob_store_postgres;
  b->turn = timer_new(app->loop, on_turn, b);
  b->cleaner = timer_new(app->loop, clean, b);
  timer_set(b->cleaner, FIRST_CLEANING_MS);
  return b;
}

void blobs_free(struct blobs *b) {
  if (!b) return;
  timer_free(b->cleaner);
  db_cancel(b->cleaning);
  while (b->readers) blob_reader_free(b->readers);
  while (b->stats) blob_stat_free(b->stats);
  b->first_waiting = NULL;
  while (b->writers) blob_writer_free(b->writers);
  while (b->chores) blob_chore_free(b->chores);
  timer_free(b->turn);
  s3_free(b->s3);
  free(b);
}
