// Uploaded sources, replays: bytes by their sha256, in PostgreSQL or in an S3-compatible store. Nothing is held whole
// in memory; a blob is visible only when all of it is there.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct app;
struct blobs;
struct blob_writer;
struct blob_reader;

// BLOB_STORE: "postgres", or "s3://bucket[/prefix]" with S3_ENDPOINT, S3_REGION, S3_ACCESS_KEY_ID,
// S3_SECRET_ACCESS_KEY.
struct blobs *blobs_new(struct app *app, struct error *e);
void blobs_free(struct blobs *b);
void blobs_clean(struct blobs *b);  // removes soon what belongs to no blob; it does so every hour by itself

enum { BLOB_SHA256_SIZE = 65 };  // hex and NUL
bool blob_is_sha256(const char *text);

// `ready` comes when more may be written.
struct blob_writer *blob_create(struct blobs *b, const char *media_type, size_t max_bytes, void (*ready)(void *context),
                                void *context);
bool blob_write(struct blob_writer *w, const void *bytes, size_t length);  // copies; false: wait for `ready`
// Ends it; `done` with the sha256 and size, or why not (ERR_TOO_LARGE...). The writer is dead after `done`.
// Why it will not be finished, NULL while all is well: an upload that is too large can be refused before its end.
const struct error *blob_problem(const struct blob_writer *w);
void blob_finish(struct blob_writer *w,
                 void (*done)(void *context, const char *sha256, int64_t size, const struct error *e), void *context);
void blob_abandon(struct blob_writer *w);  // nothing remains; no callback comes

// `data` with bytes NULL and e NULL: the end. e ERR_NOT_FOUND: no such blob. Range: from `offset`, `length` bytes (-1:
// all).
typedef void blob_data_fn(void *context, const void *bytes, size_t length, const struct error *e);
struct blob_reader *blob_open(struct blobs *b, const char *sha256, int64_t offset, int64_t length, blob_data_fn *data,
                              void *context);
void blob_pause(struct blob_reader *r, bool paused);
void blob_close(struct blob_reader *r);  // also after the end
// Size and media type; ERR_NOT_FOUND.
void blob_stat(struct blobs *b, const char *sha256,
               void (*done)(void *context, int64_t size, const char *media_type, const struct error *e), void *context);
