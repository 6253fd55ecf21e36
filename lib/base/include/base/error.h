// Errors that carry words.
//
// Every function that can fail takes a `struct error *` as its last parameter and returns the
// code. The caller owns the struct; it is written only on failure. On the way up, context is put
// in front (`error_prefix`), so that the text reads from the outside in. An error is logged once,
// where it is handled.
#pragma once

#include <stdbool.h>

enum error_code {
  ERR_NONE = 0,
  ERR_INVALID,      // the input can never work: do not retry
  ERR_NOT_FOUND,    // 404
  ERR_EXISTS,       // 409 AlreadyExists
  ERR_CONFLICT,     // 409 Conflict: read again, decide again
  ERR_FORBIDDEN,    // 401, 403: permissions or credentials
  ERR_TOO_LARGE,    // a bound was exceeded
  ERR_GONE,         // 410: the resource version is too old, list again
  ERR_BUSY,         // 429, RESOURCE_EXHAUSTED: later; see retry_after_ms
  ERR_UNAVAILABLE,  // connection refused or lost, 5xx, UNAVAILABLE: later
  ERR_TIMEOUT,      // a deadline passed
  ERR_CANCELLED,
  ERR_INTERNAL,  // a bug or a broken peer
};

enum { ERROR_TEXT_MAX = 512 };

struct error {
  enum error_code code;
  int retry_after_ms;  // with ERR_BUSY: what the server asked for, otherwise 0
  char text[ERROR_TEXT_MAX];
};

// Sets code and text; returns `code`, so that `return error_set(e, ERR_INVALID, "...")` works.
// `e` may be NULL. Text that does not fit ends in "...".
enum error_code error_set(struct error *e, enum error_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

// Puts "context: " in front of the text; returns e->code.
enum error_code error_prefix(struct error *e, const char *format, ...) __attribute__((format(printf, 2, 3)));

// Whether the same request may succeed later without a change (BUSY, UNAVAILABLE, TIMEOUT, CONFLICT, GONE).
bool error_is_transient(enum error_code code);

// "NotFound", "Timeout"...: one word for logs and metrics.
const char *error_name(enum error_code code);
