#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "base/memory.h"

#include "http_private.h"

enum { GRPC_MESSAGE_MAX = 1024, RETRY_AFTER_MAX_S = 3600 };

static void heard(struct http_request *r) {
  if (r->idle) timer_set(r->idle, r->idle_timeout);
}

// The value of header `name` in a line that is not NUL-terminated; NULL when it is another one.
static const char *header_value(const char *line, size_t length, const char *name, size_t *ret_length) {
  size_t name_length = strlen(name);
  if (length <= name_length || line[name_length] != ':' || strncasecmp(line, name, name_length) != 0) return NULL;
  const char *start = line + name_length + 1, *end = line + length;
  while (start < end && (*start == ' ' || *start == '\t')) start++;
  while (end > start && strchr(" \t\r\n", end[-1])) end--;
  *ret_length = (size_t)(end - start);
  return start;
}

static int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// grpc-message is percent-encoded UTF-8; what is no escape stays as it is.
static void decode_message(struct str *ret, const char *value, size_t length) {
  if (length > GRPC_MESSAGE_MAX) length = GRPC_MESSAGE_MAX;
  str_clear(ret);
  for (size_t i = 0; i < length; i++) {
    int high = i + 2 < length && value[i] == '%' ? hex_digit(value[i + 1]) : -1;
    int low = high >= 0 ? hex_digit(value[i + 2]) : -1;
    char c = low >= 0 ? (char)(high * 16 + low) : value[i];
    if (low >= 0) i += 2;
    if (c != '\0') str_add_bytes(ret, &c, 1);
  }
}

static int decode_status(const char *value, size_t length) {
  int n = 0;
  if (length == 0 || length > 3) return -1;
  for (size_t i = 0; i < length; i++) {
    if (value[i] < '0' || value[i] > '9') return -1;
    n = n * 10 + (value[i] - '0');
  }
  return n;
}

static void keep_etag(struct http_request *r, const char *value, size_t length) {
  if (length >= sizeof(r->etag)) length = 0;
  memcpy(r->etag, value, length);
  r->etag[length] = '\0';
}

curl_socket_t http_on_open(void *user, curlsocktype purpose, struct curl_sockaddr *address) {
  struct http_request *r = user;
  if (purpose != CURLSOCKTYPE_IPCXN || !address_allowed(&address->addr, r->guard->allowed, r->guard->allowed_count)) {
    r->forbidden = true;
    return CURL_SOCKET_BAD;
  }
  return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

size_t http_on_header(char *bytes, size_t size, size_t count, void *user) {
  struct http_request *r = user;
  size_t length = size * count, value_length;
  if (r->cancelled) return 0;
  heard(r);
  const char *value = header_value(bytes, length, "etag", &value_length);
  if (value) keep_etag(r, value, value_length);
  value = header_value(bytes, length, "grpc-status", &value_length);
  if (value) r->grpc_status = decode_status(value, value_length);
  value = header_value(bytes, length, "grpc-message", &value_length);
  if (value) decode_message(&r->grpc_message, value, value_length);
  return length;
}

static int status_of(const struct http_request *r) {
  long status = 0;
  curl_easy_getinfo(r->easy, CURLINFO_RESPONSE_CODE, &status);
  return (int)status;
}

size_t http_on_body(char *bytes, size_t size, size_t count, void *user) {
  struct http_request *r = user;
  size_t length = size * count;
  if (r->cancelled || r->stopped) return 0;
  heard(r);
  if (r->data && status_of(r) / 100 == 2) {
    r->stopped = !r->data(r->context, bytes, length);
    return r->stopped || r->cancelled ? 0 : length;
  }
  str_add_bytes(&r->body, bytes, length);
  r->too_large = r->body.failed;
  return r->too_large ? 0 : length;
}

static enum error_code code_of(CURLcode result) {
  switch (result) {
    case CURLE_OPERATION_TIMEDOUT: return ERR_TIMEOUT;
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL: return ERR_INVALID;
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE: return ERR_FORBIDDEN;
    case CURLE_FILESIZE_EXCEEDED: return ERR_TOO_LARGE;
    case CURLE_ABORTED_BY_CALLBACK: return ERR_CANCELLED;
    case CURLE_BAD_FUNCTION_ARGUMENT:
    case CURLE_FAILED_INIT:
    case CURLE_BAD_CONTENT_ENCODING:
    case CURLE_WRITE_ERROR: return ERR_INTERNAL;
    case CURLE_OUT_OF_MEMORY: mem_must(NULL); return ERR_INTERNAL;
    // Refused, reset, cut in the middle, no name, no TLS: another try may find it better.
    default: return ERR_UNAVAILABLE;
  }
}

enum error_code http_result_to_error(const struct http_request *r, CURLcode result, struct error *e) {
  if (r->withheld) return error_set(e, ERR_CANCELLED, "not sent: it is no longer ours to write");
  if (r->stopped) return error_set(e, ERR_CANCELLED, "stopped by its reader");
  if (r->too_large) return error_set(e, ERR_TOO_LARGE, "the answer is larger than %zu bytes", r->body.max);
  if (result == CURLE_OK) return ERR_NONE;
  if (r->forbidden && result == CURLE_COULDNT_CONNECT)
    return error_set(e, ERR_FORBIDDEN, "it leads to an address that is private, local or reserved");
  return error_set(e, code_of(result), "%s", r->curl_text[0] ? r->curl_text : curl_easy_strerror(result));
}

void http_name_error(const struct http_request *r, struct error *e) {
  error_prefix(e, "%s %.*s", r->method, (int)strnlen(r->url, strcspn(r->url, "?#")), r->url);
}

struct http_response http_response_of(const struct http_request *r) {
  curl_off_t retry_after = 0, microseconds = 0;
  curl_easy_getinfo(r->easy, CURLINFO_RETRY_AFTER, &retry_after);
  curl_easy_getinfo(r->easy, CURLINFO_TOTAL_TIME_T, &microseconds);
  if (retry_after < 0) retry_after = 0;
  if (retry_after > RETRY_AFTER_MAX_S) retry_after = RETRY_AFTER_MAX_S;
  return (struct http_response){
      .status = status_of(r),
      .retry_after_ms = (int)retry_after * 1000,
      .body = str_text(&r->body),
      .length = r->body.length,
      .seconds = (double)microseconds / 1e6,
      .etag = r->etag,
      .grpc_status = r->grpc_status,
      .grpc_message = str_text(&r->grpc_message),
  };
}
