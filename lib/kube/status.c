#include "status.h"

#include <ctype.h>
#include <string.h>

#include "base/memory.h"
#include "base/str.h"
#include "kube/client.h"

// The reason says more than the HTTP status: 409 is two cases, and 500 can be "try later".
static const struct {
  const char *reason;
  enum error_code code;
} reasons[] = {
    {"AlreadyExists", ERR_EXISTS},
    {"Conflict", ERR_CONFLICT},
    {"NotFound", ERR_NOT_FOUND},
    {"Unauthorized", ERR_FORBIDDEN},
    {"Forbidden", ERR_FORBIDDEN},
    {"Invalid", ERR_INVALID},
    {"BadRequest", ERR_INVALID},
    {"MethodNotAllowed", ERR_INVALID},
    {"NotAcceptable", ERR_INVALID},
    {"UnsupportedMediaType", ERR_INVALID},
    {"RequestEntityTooLarge", ERR_TOO_LARGE},
    {"Gone", ERR_GONE},
    {"Expired", ERR_GONE},
    {"TooManyRequests", ERR_BUSY},
    {"Timeout", ERR_TIMEOUT},
    {"ServerTimeout", ERR_TIMEOUT},
    {"InternalError", ERR_UNAVAILABLE},
    {"ServiceUnavailable", ERR_UNAVAILABLE},
    {"StorageReadError", ERR_UNAVAILABLE},
};

static enum error_code code_of_http(int status) {
  switch (status) {
    case 401:
    case 403: return ERR_FORBIDDEN;
    case 404: return ERR_NOT_FOUND;
    case 408:
    case 504: return ERR_TIMEOUT;
    case 409: return ERR_CONFLICT;
    case 410: return ERR_GONE;
    case 413: return ERR_TOO_LARGE;
    case 429: return ERR_BUSY;
    default:
      if (status >= 400 && status < 500) return ERR_INVALID;
      return status >= 500 && status < 600 ? ERR_UNAVAILABLE : ERR_INTERNAL;
  }
}

static enum error_code code_of(const char *reason, int http_status) {
  for (size_t i = 0; !text_empty(reason) && i < array_size(reasons); i++)
    if (strcmp(reasons[i].reason, reason) == 0) return reasons[i].code;
  return code_of_http(http_status);
}

enum error_code status_object_to_error(json *status, int http_status, int retry_after_ms, struct error *e) {
  if (http_status == 0) http_status = (int)json_int(status, "code", 0);
  enum error_code code = code_of(json_text(status, "reason"), http_status);
  const char *message = json_text(status, "message");
  if (text_empty(message))
    error_set(e, code, "the Kubernetes API answered with status %d", http_status);
  else
    error_set(e, code, "%s", message);

  if (e == NULL) return code;
  e->retry_after_ms = 0;
  if (code != ERR_BUSY) return code;
  int64_t seconds = json_int(json_get(status, "details"), "retryAfterSeconds", 0);
  if (seconds < 0 || seconds > 3600) seconds = 0;
  e->retry_after_ms = retry_after_ms > 0 ? retry_after_ms : (int)seconds * 1000;
  return code;
}

// What a proxy in between has to say is rarely JSON; its first line helps whoever reads the log.
static void first_line(const char *body, size_t length, char *ret, size_t size) {
  size_t n = 0;
  for (size_t i = 0; i < length && n + 1 < size && body[i] != '\n' && body[i] != '\r'; i++)
    ret[n++] = isprint((unsigned char)body[i]) ? body[i] : '?';
  ret[n] = 0;
}

enum error_code kube_status_to_error(int http_status, const char *body, size_t length, int retry_after_ms,
                                     struct error *e) {
  cleanup_json json *status = length > 0 ? json_parse(body, length, NULL) : NULL;
  if (text_equal(json_text(status, "kind"), "Status"))
    return status_object_to_error(status, http_status, retry_after_ms, e);

  enum error_code code = status_object_to_error(NULL, http_status, retry_after_ms, e);
  char line[160];
  first_line(body, length, line, sizeof line);
  if (line[0] == 0) return code;
  error_set(e, code, "the Kubernetes API answered with status %d: %s", http_status, line);
  if (e != NULL) e->retry_after_ms = code == ERR_BUSY ? retry_after_ms : 0;
  return code;
}
