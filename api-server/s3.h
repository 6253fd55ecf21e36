// Requests to one bucket of an S3-compatible store, signed; what may pass is tried again. One thread.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "base/error.h"
#include "io/http.h"

struct s3;
struct s3_call;

struct s3_options {
  const char *url;       // BLOB_STORE: s3://bucket[/prefix]
  const char *endpoint;  // http(s)://host[:port]; the bucket becomes the first step of the path
  const char *region, *access_key_id, *secret_access_key;
};
// ERR_INVALID in words when something is missing or malformed. All texts are copied.
struct s3 *s3_new(uv_loop_t *loop, struct http *http, const struct s3_options *o, struct error *e);
void s3_free(struct s3 *s);  // cancels what runs, without callbacks

struct s3_request {
  const char *method;
  const char *key;    // below the prefix
  const char *query;  // escaped and sorted; NULL: none
  const void *body;   // copied
  size_t length;
  bool ranged;
  int64_t from, to;     // both included
  size_t max_response;  // 0: 64 KiB
};

// `e` NULL: done, with status 2xx. ERR_NOT_FOUND, ERR_FORBIDDEN (credentials), ERR_UNAVAILABLE, ...; `body` borrowed.
typedef void s3_done_fn(void *context, const struct http_response *response, const struct error *e);
struct s3_call *s3_start(struct s3 *s, const struct s3_request *r, s3_done_fn *done, void *context);
void s3_cancel(struct s3_call *call);  // no callback comes after; NULL is fine

// Pure: the text of an XML element without attributes, "" when absent; ERR_INVALID is not told: S3 is not trusted to be
// more than a text here.
void s3_element(const char *xml, const char *name, char *ret, size_t size);
