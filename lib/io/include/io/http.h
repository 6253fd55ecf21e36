// HTTP client on the uv loop: libcurl's multi_socket behind one door.
//
// Many requests run at once, each with a connection to itself meanwhile, over TLS by HTTP/2. One that times out or is
// cancelled ends its connection. Callbacks come from the loop, never from inside http_start. A request is freed by this
// module right after its `done` callback, or by http_cancel; in both cases the pointer is dead afterwards. One thread.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <uv.h>

#include "base/address.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/str.h"

struct http;          // the client: one for each loop
struct http_request;  // one transfer

struct http *http_new(uv_loop_t *loop);
void http_free(struct http *h);  // cancels what runs, without callbacks

// Asked about every request that is no GET, when its connection is there and it is about to leave; false: it does
// not, and ends with ERR_CANCELLED. It may not start or cancel requests.
typedef bool http_may_fn(void *context);
void http_guard(struct http *h, http_may_fn *may, void *context);

struct http_response {
  int status;          // HTTP status, 0 when there was none
  int retry_after_ms;  // from Retry-After, 0 without one
  const char *body;    // NUL-terminated; borrowed for the callback
  size_t length;
  double seconds;    // from start to end
  const char *etag;  // as it was sent, with its quotes; "" when absent or too long
  // gRPC: trailers (or headers of a trailers-only answer); -1 / "" when absent
  int grpc_status;
  const char *grpc_message;
};

// `e` is NULL when a whole response came, whatever its status; otherwise why there is none
// (UNAVAILABLE, TIMEOUT, TOO_LARGE, ...) and response->status may still be set.
typedef void http_done_fn(void *context, const struct http_response *response, const struct error *e);
// A piece of the body as it arrives. Return false to end the transfer (done gets ERR_CANCELLED).
typedef bool http_data_fn(void *context, const char *bytes, size_t length);

// For URLs that strangers wrote: connects to public addresses and to `allowed` alone, judged when each socket is
// opened, and follows up to 5 redirects under the same rule. What leads elsewhere is ERR_FORBIDDEN. Only on a client of
// its own: a connection that another request opened was not judged.
struct http_guard {
  const struct cidr *allowed;
  size_t allowed_count;
};

struct http_options {
  const char *method;  // "GET"...
  const char *url;
  const char *const *headers;  // "Name: value" strings ended by NULL, copied
  const void *body;            // copied; NULL without one
  size_t body_length;
  size_t max_response;               // bytes of body kept; 0: 4 MiB. More is ERR_TOO_LARGE
  msec timeout;                      // whole transfer; 0: 30 s; -1: none (watches)
  msec idle_timeout;                 // nothing received for so long is ERR_TIMEOUT; 0: none
  msec connect_timeout;              // 0: 10 s
  const char *ca_file;               // NULL: the system's
  const char *cert_file, *key_file;  // client certificate or NULL
  bool insecure;                     // no verification: only when a kubeconfig says so
  bool unguarded;                    // http_guard's function is not asked
  bool http1;                        // no HTTP/2
  bool h2c;                          // HTTP/2 without TLS by prior knowledge, on a connection of its own (gRPC)
  const struct http_guard *guard;    // borrowed until `done`; NULL: any address, no redirects
  http_data_fn *data;  // with it the body of a 2xx answer is streamed and not kept (other answers' bodies are kept)
  http_done_fn *done;
  void *context;
};

struct http_request *http_start(struct http *h, const struct http_options *o);
// Nothing more is received until it is undone; what has arrived may still come, from inside when it is undone.
void http_pause(struct http_request *r, bool paused);
void http_cancel(struct http_request *r);  // no callback comes after; NULL is fine
