#include "base/error.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

// Copies `text` of `length` bytes (what a formatter wanted to write, which may be more than it had
// room for) and marks a cut. The cut never splits a UTF-8 sequence: messages end up in JSON.
static void store(struct error *e, const char *text, size_t length) {
  if (length < ERROR_TEXT_MAX) {
    memcpy(e->text, text, length + 1);
    return;
  }
  size_t keep = ERROR_TEXT_MAX - sizeof("...");
  while (keep > 0 && ((unsigned char)text[keep] & 0xC0) == 0x80) keep--;
  memcpy(e->text, text, keep);
  memcpy(e->text + keep, "...", sizeof("..."));
}

enum error_code error_set(struct error *e, enum error_code code, const char *format, ...) {
  assert(code != ERR_NONE);
  if (!e) return code;
  char text[ERROR_TEXT_MAX];  // not e->text: an argument may point there
  va_list args;
  va_start(args, format);
  int length = vsnprintf(text, sizeof(text), format, args);
  va_end(args);
  e->code = code;
  e->retry_after_ms = 0;
  store(e, text, length < 0 ? 0 : (size_t)length);
  return code;
}

enum error_code error_prefix(struct error *e, const char *format, ...) {
  if (!e) return ERR_INTERNAL;
  char text[2 * ERROR_TEXT_MAX + 2];
  va_list args;
  va_start(args, format);
  int length = vsnprintf(text, ERROR_TEXT_MAX, format, args);
  va_end(args);
  size_t used = length < 0 ? 0 : (size_t)length;
  if (used >= ERROR_TEXT_MAX) used = ERROR_TEXT_MAX - 1;
  length = snprintf(text + used, sizeof(text) - used, ": %s", e->text);
  store(e, text, used + (size_t)length);
  return e->code;
}

bool error_is_transient(enum error_code code) {
  switch (code) {
    case ERR_BUSY:
    case ERR_UNAVAILABLE:
    case ERR_TIMEOUT:
    case ERR_CONFLICT:
    case ERR_GONE: return true;
    case ERR_NONE:
    case ERR_INVALID:
    case ERR_NOT_FOUND:
    case ERR_EXISTS:
    case ERR_FORBIDDEN:
    case ERR_TOO_LARGE:
    case ERR_CANCELLED:
    case ERR_INTERNAL: return false;
  }
  return false;
}

const char *error_name(enum error_code code) {
  switch (code) {
    case ERR_NONE: return "None";
    case ERR_INVALID: return "Invalid";
    case ERR_NOT_FOUND: return "NotFound";
    case ERR_EXISTS: return "Exists";
    case ERR_CONFLICT: return "Conflict";
    case ERR_FORBIDDEN: return "Forbidden";
    case ERR_TOO_LARGE: return "TooLarge";
    case ERR_GONE: return "Gone";
    case ERR_BUSY: return "Busy";
    case ERR_UNAVAILABLE: return "Unavailable";
    case ERR_TIMEOUT: return "Timeout";
    case ERR_CANCELLED: return "Cancelled";
    case ERR_INTERNAL: return "Internal";
  }
  return "Unknown";
}
