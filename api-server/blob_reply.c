#include "blob_reply.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/str.h"

#include "answer.h"
#include "app.h"
#include "blobs.h"
#include "gunzip.h"

enum { TAG_SIZE = BLOB_SHA256_SIZE + 8, RANGE_SIZE = 80 };

struct reply {
  struct exchange *x;
  struct blob_reader *reader;
  struct gunzip *gunzip;  // NULL: the bytes go out as they are
  int status;
  const char *content_type;
  int64_t length;  // -1: not known before its end
  bool started;
  bool waiting;  // for the client
  bool at_end;   // nothing more comes from the blob
};

// ---- which bytes ---------------------------------------------------------------------------------

// Digits at *at; -1 without any. What is beyond all sizes is as large as can be.
static int64_t number_at(const char **at) {
  if (!isdigit((unsigned char)**at)) return -1;
  char *end;
  errno = 0;
  long long n = strtoll(*at, &end, 10);
  *at = end;
  return errno ? INT64_MAX : n;
}

enum range range_parse(const char *header, int64_t size, int64_t *ret_from, int64_t *ret_length) {
  if (!header || strncasecmp(header, "bytes=", 6) != 0) return RANGE_NONE;
  const char *at = header + 6;
  int64_t first = number_at(&at);
  if (*at++ != '-') return RANGE_NONE;
  int64_t last = number_at(&at);
  // Several ranges, or nonsense: all of it is an answer, too.
  if (*at != '\0' || (first < 0 && last < 0) || (first >= 0 && last >= 0 && last < first)) return RANGE_NONE;
  if (first < 0) {  // the last bytes
    if (last == 0 || size == 0) return RANGE_BAD;
    first = last >= size ? 0 : size - last;
    last = size - 1;
  }
  if (first >= size) return RANGE_BAD;
  if (last < 0 || last >= size) last = size - 1;
  *ret_from = first;
  *ret_length = last - first + 1;
  return RANGE_PART;
}

// ---- on its way ----------------------------------------------------------------------------------

static void end(struct reply *r) {
  struct exchange *x = r->x;
  blob_close(r->reader);
  gunzip_free(r->gunzip);
  free(r);
  exchange_end(x);
}

static void on_gone(void *context) {
  end(context);
}

// Unpacks as much as the client takes. False: the reply is over.
static bool unpack(struct reply *r) {
  unsigned char bytes[16 << 10];
  while (!r->waiting) {
    size_t length = gunzip_next(r->gunzip, bytes, sizeof bytes);
    if (length == 0) break;
    r->waiting = !exchange_write(r->x, bytes, length);
  }
  if (r->waiting || (!r->at_end && !gunzip_failed(r->gunzip))) return true;
  if (gunzip_failed(r->gunzip)) log_error("a stored replay cannot be unpacked", "path", exchange_path(r->x));
  end(r);
  return false;
}

static void on_drained(void *context) {
  struct reply *r = context;
  r->waiting = false;
  if (r->gunzip && !unpack(r)) return;
  if (!r->waiting) blob_pause(r->reader, false);
}

static void on_data(void *context, const void *bytes, size_t length, const struct error *e) {
  struct reply *r = context;
  if (e && !r->started) {
    struct exchange *x = r->x;
    blob_close(r->reader);
    gunzip_free(r->gunzip);
    free(r);
    exchange_fail_error(x, e);
    return;
  }
  if (!r->started) {
    r->started = true;
    exchange_start(r->x, r->status, r->content_type, r->length, on_drained, on_gone, r);
  }
  if (!bytes) {  // the end; after an error less than was promised has gone out
    if (e) log_error("a blob could not be read to its end", "path", exchange_path(r->x), "error", e->text);
    r->at_end = true;
    if (!r->gunzip || e)
      end(r);
    else
      unpack(r);
    return;
  }
  if (r->gunzip) {
    gunzip_feed(r->gunzip, bytes, length);
    if (!unpack(r)) return;
  } else {
    r->waiting = !exchange_write(r->x, bytes, length);
  }
  if (r->waiting) blob_pause(r->reader, true);
}

// ---- the answer ----------------------------------------------------------------------------------

static void reply_empty(struct exchange *x, int status, const char *content_type) {
  exchange_start(x, status, content_type, 0, NULL, NULL, NULL);
  exchange_end(x);
}

void blob_reply(struct exchange *x, const struct blob_answer *a) {
  bool packed = a->gzip && gzip_accepted(exchange_header(x, "accept-encoding"));
  bool unpacked = a->gzip && !packed;
  char tag[TAG_SIZE], range[RANGE_SIZE];
  snprintf(tag, sizeof tag, "\"%s%s\"", a->sha256, packed ? "-gzip" : "");
  exchange_add_header(x, "ETag", tag);
  if (!unpacked) exchange_add_header(x, "Accept-Ranges", "bytes");
  if (etag_listed(exchange_header(x, "if-none-match"), tag)) {
    reply_empty(x, 304, a->content_type);
    return;
  }
  int64_t from = 0, length = a->size;
  int status = 200;
  const char *condition = exchange_header(x, "if-range");
  enum range kind = unpacked || (condition && !text_equal(condition, tag))
                        ? RANGE_NONE
                        : range_parse(exchange_header(x, "range"), a->size, &from, &length);
  if (kind == RANGE_BAD) {
    snprintf(range, sizeof range, "bytes */%lld", (long long)a->size);
    exchange_add_header(x, "Content-Range", range);
    exchange_fail(x, 416, "range_not_satisfiable", "There are %lld bytes.", (long long)a->size);
    return;
  }
  if (packed) exchange_add_header(x, "Content-Encoding", "gzip");
  if (kind == RANGE_PART) {
    status = 206;
    snprintf(range, sizeof range, "bytes %lld-%lld/%lld", (long long)from, (long long)(from + length - 1),
             (long long)a->size);
    exchange_add_header(x, "Content-Range", range);
  }
  struct reply *r = mem_alloc(sizeof *r);
  r->x = x;
  r->status = status;
  r->content_type = a->content_type;
  r->length = unpacked ? -1 : length;
  r->gunzip = unpacked ? gunzip_new() : NULL;
  r->reader = blob_open(exchange_app(x)->blobs, a->sha256, from, length, on_data, r);
}
