#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/fault.h"
#include "base/memory.h"
#include "base/str.h"

#include "grpc_private.h"

// The server's own answer about the deadline is the better one: it is waited for this long.
enum { GRACE_MS = 1000 };

struct grpc_call {
  struct http_request *request;
  char *method;
  msec due;  // by the monotonic clock; 0: never
  size_t max_response;
  grpc_done_fn *done;
  void *context;
};

enum error_code grpc_unframe(const uint8_t *body, size_t length, size_t max, const uint8_t **ret_message,
                             size_t *ret_length, struct error *e) {
  if (length < GRPC_FRAME_HEAD) return error_set(e, ERR_INVALID, "no message in a response of %zu bytes", length);
  if (body[0] != 0) return error_set(e, ERR_INVALID, "a compressed message, which was not asked for");
  size_t size = (size_t)body[1] << 24 | (size_t)body[2] << 16 | (size_t)body[3] << 8 | body[4];
  if (size > max) return error_set(e, ERR_INVALID, "a message of %zu bytes, more than the %zu allowed", size, max);
  if (size > length - GRPC_FRAME_HEAD)
    return error_set(e, ERR_INVALID, "a message cut off after %zu of %zu bytes", length - GRPC_FRAME_HEAD, size);
  if (size < length - GRPC_FRAME_HEAD) return error_set(e, ERR_INVALID, "more than one message in a unary response");
  *ret_message = body + GRPC_FRAME_HEAD;
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

static void call_free(struct grpc_call *c) {
  free(c->method);
  free(c);
}

static void on_done(void *context, const struct http_response *response, const struct error *problem) {
  struct grpc_call *c = context;
  c->request = NULL;
  grpc_passed(c->method);
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
  call_free(c);
}

const char *grpc_timeout_text(msec deadline, char ret[GRPC_TIMEOUT_SIZE]) {
  enum { EIGHT_DIGITS = 99999999 };
  if (deadline <= EIGHT_DIGITS)
    snprintf(ret, GRPC_TIMEOUT_SIZE, "%" PRId64 "m", deadline);
  else
    snprintf(ret, GRPC_TIMEOUT_SIZE, "%" PRId64 "S", deadline / 1000 < EIGHT_DIGITS ? deadline / 1000 : EIGHT_DIGITS);
  return ret;
}

// "RunMatch" of "/executor.Executor/RunMatch"
static const char *short_name(const char *method) {
  const char *slash = strrchr(method, '/');
  return slash ? slash + 1 : method;
}

void grpc_passed(const char *method) {
  fault_point("after", short_name(method), method);
}

void grpc_abandon(const char *method, struct http_request *r) {
  char what[64];
  snprintf(what, sizeof(what), "cancel %s", short_name(method));
  fault_point("before", what, method);
  http_cancel(r);
  fault_point("after", what, method);
}

struct http_request *grpc_send(struct http *h, const struct grpc_peer *peer, const char *method, const uint8_t *message,
                               size_t length, msec deadline, struct http_options *rest) {
  cleanup_free uint8_t *frame = mem_alloc(GRPC_FRAME_HEAD + length);
  for (size_t i = 0; i < 4; i++) frame[1 + i] = (uint8_t)(length >> (24 - 8 * i));
  if (length > 0) memcpy(frame + GRPC_FRAME_HEAD, message, length);
  cleanup_free char *url = mem_printf("%s%s", peer->url, method);
  cleanup_free char *token = peer->token ? mem_printf("authorization: Bearer %s", peer->token) : NULL;
  const char *headers[5] = {"Content-Type: application/grpc", "TE: trailers"};
  size_t count = 2;
  char text[GRPC_TIMEOUT_SIZE], timeout[GRPC_TIMEOUT_SIZE + 16];
  snprintf(timeout, sizeof(timeout), "grpc-timeout: %s", grpc_timeout_text(deadline, text));
  if (deadline > 0) headers[count++] = timeout;
  if (token) headers[count++] = token;
  rest->method = "POST";
  rest->url = url;
  rest->headers = headers;
  rest->body = frame;
  rest->body_length = GRPC_FRAME_HEAD + length;
  rest->h2c = strncasecmp(peer->url, "http:", 5) == 0;
  fault_point("before", short_name(method), method);
  struct http_request *r = http_start(h, rest);
  if (token) explicit_bzero(token, strlen(token));
  return r;
}

struct grpc_call *grpc_start(struct http *h, const struct grpc_peer *peer, const char *method, const uint8_t *message,
                             size_t length, msec deadline, size_t max_response, grpc_done_fn *done, void *context) {
  struct grpc_call *c = mem_alloc(sizeof(*c));
  *c = (struct grpc_call){.method = mem_strdup(method),
                          .due = deadline > 0 ? clock_monotonic() + deadline : 0,
                          .max_response = max_response,
                          .done = done,
                          .context = context};
  c->request = grpc_send(h, peer, method, message, length, deadline,
                         &(struct http_options){.max_response = GRPC_FRAME_HEAD + max_response,
                                                .timeout = deadline > 0 ? deadline + GRACE_MS : -1,
                                                .done = on_done,
                                                .context = c});
  return c;
}

void grpc_cancel(struct grpc_call *c) {
  if (!c || !c->request) return;  // no request: from inside its own `done`, which frees it
  grpc_abandon(c->method, c->request);
  call_free(c);
}
