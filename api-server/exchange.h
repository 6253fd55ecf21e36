// One HTTP request and its answer, as a handler sees it.
//
// The server makes it, the router finds its route, checks the token, the limits and the body, and calls the
// route's handler. A handler answers exactly once, at once or later from a callback; the exchange is dead after
// its answer. When the client goes away meanwhile, the answer goes nowhere and the exchange stays valid until
// it is given: a handler never needs to know. One thread.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/json.h"
#include "base/str.h"

struct exchange;
struct app;  // app.h: what handlers share

struct app *exchange_app(const struct exchange *x);

// ---- the request -------------------------------------------------------------------------------
const char *exchange_param(const struct exchange *x,
                           const char *name);  // of the path, decoded; NULL: the route has none
const char *exchange_query(const struct exchange *x, const char *name);              // decoded; NULL when absent
const char *exchange_header(const struct exchange *x, const char *lower_case_name);  // NULL when absent
const char *exchange_path(const struct exchange *x);
const char *exchange_client(const struct exchange *x);  // the address limits go by
// Who asks; NULL without a (valid) token. `user_id` is a UUID text.
const char *exchange_user_id(const struct exchange *x);
const char *exchange_username(const struct exchange *x);
json *exchange_body(const struct exchange *x);  // an object, of a route with BODY_JSON; borrowed
// A whole number of the query within bounds; what is no number or out of bounds is answered with 400 naming the
// field, and false comes back (return at once).
bool exchange_query_int(struct exchange *x, const char *name, int64_t otherwise, int64_t least, int64_t most,
                        int64_t *ret);

// ---- the answer --------------------------------------------------------------------------------
void exchange_add_header(struct exchange *x, const char *name, const char *value);  // before the answer
void exchange_reply(struct exchange *x, int status, json *take_body);
// `content_type` static; the bytes are copied. With `etag` the answer has an ETag of the bytes, and 304 when it is
// known.
void exchange_reply_bytes(struct exchange *x, int status, const char *content_type, const void *bytes, size_t length,
                          bool etag);
// 200 (or 304) with a body that others are given too; borrowed.
struct body;
void exchange_reply_body(struct exchange *x, int status, const char *content_type, struct body *body);
// {"error": short, "message": sentence}. `status` 4xx or 5xx; `error_word` such as "not_found".
void exchange_fail(struct exchange *x, int status, const char *error_word, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
// By code: INVALID 400, FORBIDDEN 403, NOT_FOUND 404, EXISTS/CONFLICT 409, TOO_LARGE 413, BUSY 429,
// UNAVAILABLE/TIMEOUT 503 with Retry-After, else 500 (logged, its text not shown).
void exchange_fail_error(struct exchange *x, const struct error *e);

// ---- a body that is streamed (BODY_STREAM routes): nothing of it is held here -------------------
// `bytes` NULL: the end (complete true), or the client broke off or was too slow (complete false: answer all the same,
// which ends the exchange; nobody reads it).
typedef void exchange_data_fn(void *context, const void *bytes, size_t length, bool complete);
void exchange_receive(struct exchange *x, exchange_data_fn *fn, void *context);  // from the handler, at once
void exchange_pause(struct exchange *x, bool paused);       // no more bytes come until it is undone: back pressure
int64_t exchange_content_length(const struct exchange *x);  // -1: chunked

// ---- an answer that is streamed ----------------------------------------------------------------
// `drained` comes when what was written has gone out and more may be; `gone` when the client left: end it then.
typedef void exchange_flow_fn(void *context);
void exchange_start(struct exchange *x, int status, const char *content_type, int64_t length /* -1: chunked */,
                    exchange_flow_fn *drained, exchange_flow_fn *gone, void *context);
bool exchange_write(struct exchange *x, const void *bytes, size_t length);  // false: wait for `drained` before more
void exchange_end(struct exchange *x);                                      // the exchange is dead after it
