// Unary gRPC calls over io/http: framing, deadline, status to error. Messages are bytes here;
// protobuf stays with the caller.
#pragma once

#include <stdint.h>

#include "io/http.h"

struct grpc_call;

// Whom to call, borrowed for the call that it is given to. http:// is h2c, https:// is TLS with the system's
// authorities. `token` goes along as "authorization: Bearer <token>"; NULL: none.
struct grpc_peer {
  const char *url;
  const char *token;
};

// `e` NULL: `bytes` is the response message. Otherwise the status as an error: RESOURCE_EXHAUSTED is
// BUSY, INVALID_ARGUMENT/FAILED_PRECONDITION/UNIMPLEMENTED INVALID, DEADLINE_EXCEEDED TIMEOUT, ...
typedef void grpc_done_fn(void *context, const uint8_t *bytes, size_t length, const struct error *e);

// POST to the peer's "/package.Service/Method"; deadline in ms is sent as grpc-timeout and kept here too
// (with a second of grace); 0: none. max_response bounds the message.
struct grpc_call *grpc_start(struct http *h, const struct grpc_peer *peer, const char *method, const uint8_t *message,
                             size_t length, msec deadline, size_t max_response, grpc_done_fn *done, void *context);
void grpc_cancel(struct grpc_call *c);  // no callback comes after; the server sees the cancellation

// A call that is answered with a stream. `message` comes for each message as soon as it is whole, borrowed; false from
// it ends the call. Then `done`, without bytes: `e` NULL when the server ended the stream well. No deadline; nothing
// received for idle_timeout (0: none) is ERR_TIMEOUT.
struct grpc_stream;
typedef bool grpc_message_fn(void *context, const uint8_t *bytes, size_t length);
struct grpc_stream *grpc_stream_start(struct http *h, const struct grpc_peer *peer, const char *method,
                                      const uint8_t *message, size_t length, size_t max_message, msec idle_timeout,
                                      grpc_message_fn *each, grpc_done_fn *done, void *context);
void grpc_stream_cancel(struct grpc_stream *s);  // no callback comes after; NULL is fine; not from inside `each`

// Pure: messages out of a stream of bytes, however it is cut. ERR_TOO_LARGE, ERR_INVALID (compressed), or ERR_CANCELLED
// when `each` wants no more; then the feed is dead.
struct grpc_feed {
  struct str partial;
  size_t max_message;
  grpc_message_fn *each;
  void *context;
};
void grpc_feed_init(struct grpc_feed *f, size_t max_message, grpc_message_fn *each, void *context);
void grpc_feed_done(struct grpc_feed *f);
enum error_code grpc_feed_push(struct grpc_feed *f, const char *bytes, size_t length, struct error *e);
bool grpc_feed_is_between(const struct grpc_feed *f);  // no message is cut here

// Pure, for tests and fuzzing: takes one message out of a response body of length-prefixed frames.
// ERR_INVALID when it is not exactly one uncompressed frame of at most `max` bytes.
enum error_code grpc_unframe(const uint8_t *body, size_t length, size_t max, const uint8_t **ret_message,
                             size_t *ret_length, struct error *e);
enum { GRPC_TIMEOUT_SIZE = 24 };
// A positive deadline as grpc-timeout has it, at most eight digits and a unit ("5000m", "200000S"); returns ret.
const char *grpc_timeout_text(msec deadline, char ret[GRPC_TIMEOUT_SIZE]);
enum error_code grpc_status_to_error(int status, const char *message, struct error *e);
