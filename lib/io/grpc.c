#include "io/grpc.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"
#include "base/str.h"

// A frame: one byte "compressed", four bytes length (big endian), the message.
enum { FRAME_HEAD = 5 };
// The server's own answer about the deadline is the better one: it is waited for this long.
enum { GRACE_MS = 1000 };

struct grpc_call {
  struct http_request *request;
  msec due;  // by the monotonic clock; 0: never
  size_t max_response;
  grpc_done_fn *done;
  void *context;
};

enum error_code grpc_unframe(const uint8_t *body, size_t length, size_t max, const uint8_t **ret_message,
                             size_t *ret_length, struct error *e) {
  if (length < FRAME_HEAD) return error_set(e, ERR_INVALID, "no message in a response of %zu bytes", length);
  if (body[0] != 0) return error_set(e, ERR_INVALID, "a compressed message, which was not asked for");
  size_t size = (size_t)body[1] << 24 | (size_t)body[2] << 16 | (size_t)body[3] << 8 | body[4];
  if (size > max) return error_set(e, ERR_INVALID, "a message of %zu bytes, more than the %zu allowed", size, max);
  if (size > length - FRAME_HEAD)
    return error_set(e, ERR_INVALID, "a message cut off after %zu of %zu bytes", length - FRAME_HEAD, size);
  if (size < length - FRAME_HEAD) return error_set(e, ERR_INVALID, "more than one message in a unary response");
  *ret_message = body + FRAME_HEAD;
  *ret_length = size;
  return ERR_NONE;
}

// gRPC's status codes in their order.
static const struct {
  const char *name;
  enum error_code code;
} statuses[] = {
    {"OK", ERR_NONE},
    {"CANCELLED", ERR_CANCELLED},
    {"UNKNOWN", ERR_INTERNAL},
    {"INVALID_ARGUMENT", ERR_INVALID},
    {"DEADLINE_EXCEEDED", ERR_TIMEOUT},
    {"NOT_FOUND", ERR_NOT_FOUND},
    {"ALREADY_EXISTS", ERR_EXISTS},
    {"PERMISSION_DENIED", ERR_FORBIDDEN},
    {"RESOURCE_EXHAUSTED", ERR_BUSY},
    {"FAILED_PRECONDITION", ERR_INVALID},
    {"ABORTED", ERR_CONFLICT},
    {"OUT_OF_RANGE", ERR_INVALID},
    {"UNIMPLEMENTED", ERR_INVALID},
    {"INTERNAL", ERR_INTERNAL},
    {"UNAVAILABLE", ERR_UNAVAILABLE},
    {"DATA_LOSS", ERR_INTERNAL},
    {"UNAUTHENTICATED", ERR_FORBIDDEN},
};

enum error_code grpc_status_to_error(int status, const char *message, struct error *e) {
  if (status == 0) return ERR_NONE;
  if (status < 0 || (size_t)status >= array_size(statuses))
    return error_set(e, ERR_INTERNAL, "gRPC status %d: %s", status, message ? message : "");
  const char *separator = text_empty(message) ? "" : ": ";
  return error_set(e, statuses[status].code, "%s%s%s", statuses[status].name, separator, message ? message : "");
}

// An answer that never reached a gRPC server (a proxy's, say), read as gRPC's documents do.
static enum error_code http_status_to_error(int status, struct error *e) {
  enum error_code code = ERR_INTERNAL;
  if (status == 404) code = ERR_INVALID;
  if (status == 401 || status == 403) code = ERR_FORBIDDEN;
  if (status == 429 || status == 502 || status == 503 || status == 504) code = ERR_UNAVAILABLE;
  return error_set(e, code, "HTTP status %d instead of a gRPC answer", status);
}

static enum error_code read_answer(const struct grpc_call *c, const struct http_response *response,
                                   const uint8_t **ret_message, size_t *ret_length, struct error *e) {
  if (response->grpc_status > 0) return grpc_status_to_error(response->grpc_status, response->grpc_message, e);
  if (response->status != 200) return http_status_to_error(response->status, e);
  // The connection ended between the message and the trailers: whether it worked is not known.
  if (response->grpc_status < 0) return error_set(e, ERR_UNAVAILABLE, "the answer ended without a gRPC status");
  return grpc_unframe((const uint8_t *)response->body, response->length, c->max_response, ret_message, ret_length, e);
}

// The transfer failed. A server may have given its status all the same and then reset the stream, or
// have cut off an overdue call without one.
static enum error_code explain(const struct grpc_call *c, const struct http_response *response, struct error *e) {
  if (response->grpc_status > 0) return grpc_status_to_error(response->grpc_status, response->grpc_message, e);
  if (e->code == ERR_UNAVAILABLE && c->due && clock_monotonic() >= c->due) {
    error_prefix(e, "the deadline has passed");
    e->code = ERR_TIMEOUT;
  }
  return e->code;
}

static void on_done(void *context, const struct http_response *response, const struct error *problem) {
  struct grpc_call *c = context;
  c->request = NULL;
  const uint8_t *message = NULL;
  size_t length = 0;
  struct error e;
  enum error_code code;
  if (problem) {
    e = *problem;
    code = explain(c, response, &e);
  } else {
    code = read_answer(c, response, &message, &length, &e);
  }
  c->done(c->context, message, length, code == ERR_NONE ? NULL : &e);
  free(c);
}

const char *grpc_timeout_text(msec deadline, char ret[GRPC_TIMEOUT_SIZE]) {
  enum { EIGHT_DIGITS = 99999999 };
  if (deadline <= EIGHT_DIGITS)
    snprintf(ret, GRPC_TIMEOUT_SIZE, "%" PRId64 "m", deadline);
  else
    snprintf(ret, GRPC_TIMEOUT_SIZE, "%" PRId64 "S", deadline / 1000 < EIGHT_DIGITS ? deadline / 1000 : EIGHT_DIGITS);
  return ret;
}

struct grpc_call *grpc_start(struct http *h, const char *base_url, const char *method, const uint8_t *message,
                             size_t length, msec deadline, size_t max_response, grpc_done_fn *done, void *context) {
  struct grpc_call *c = mem_alloc(sizeof(*c));
  c->due = deadline > 0 ? clock_monotonic() + deadline : 0;
  c->max_response = max_response;
  c->done = done;
  c->context = context;

  uint8_t *frame = mem_alloc(FRAME_HEAD + length);
  for (size_t i = 0; i < 4; i++) frame[1 + i] = (uint8_t)(length >> (24 - 8 * i));
  if (length > 0) memcpy(frame + FRAME_HEAD, message, length);
  char *url = mem_printf("%s%s", base_url, method);
  char text[GRPC_TIMEOUT_SIZE], timeout[GRPC_TIMEOUT_SIZE + 16];
  snprintf(timeout, sizeof(timeout), "grpc-timeout: %s", grpc_timeout_text(deadline, text));
  const char *const headers[] = {"Content-Type: application/grpc", "TE: trailers", deadline > 0 ? timeout : NULL, NULL};
  c->request = http_start(h, &(struct http_options){
                                 .method = "POST",
                                 .url = url,
                                 .headers = headers,
                                 .body = frame,
                                 .body_length = FRAME_HEAD + length,
                                 .max_response = FRAME_HEAD + max_response,
                                 .timeout = deadline > 0 ? deadline + GRACE_MS : -1,
                                 .h2c = strncasecmp(base_url, "http:", 5) == 0,
                                 .done = on_done,
                                 .context = c,
                             });
  free(url);
  free(frame);
  return c;
}

void grpc_cancel(struct grpc_call *c) {
  if (!c || !c->request) return;  // no request: from inside its own `done`, which frees it
  http_cancel(c->request);
  free(c);
}
