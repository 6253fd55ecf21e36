// From what a handler says to bytes: status line, headers that every answer has, ETag, gzip.
#include "answer.h"

#include <ctype.h>
#include <http_parser.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/evp.h>

#include "base/log.h"
#include "base/memory.h"

#include "app.h"
#include "body.h"
#include "connection.h"
#include "exchange_parts.h"
#include "origins.h"
#include "server.h"
#include "traffic.h"

enum { HEAD_MAX = 16 * 1024, MESSAGE_MAX = 1024 };

// ---- ETag ------------------------------------------------------------------------------------------

void etag_of(const void *bytes, size_t length, char ret[ETAG_SIZE]) {
  unsigned char digest[EVP_MAX_MD_SIZE] = {0};
  unsigned size = 0;
  EVP_Digest(bytes, length, digest, &size, EVP_sha256(), NULL);
  // Weak: the same thing may go out compressed or not.
  int n = snprintf(ret, ETAG_SIZE, "W/\"");
  for (int i = 0; i < 16; i++) n += snprintf(ret + n, (size_t)(ETAG_SIZE - n), "%02x", digest[i]);
  snprintf(ret + n, (size_t)(ETAG_SIZE - n), "\"");
}

static const char *strong_part(const char *etag) {
  return text_starts(etag, "W/") ? etag + 2 : etag;
}

bool etag_listed(const char *if_none_match, const char *etag) {
  if (!if_none_match) return false;
  const char *wanted = strong_part(etag);
  size_t length = strlen(wanted);
  for (const char *at = if_none_match; *at;) {
    while (*at == ' ' || *at == '\t' || *at == ',') at++;
    if (*at == '*') return true;
    at = strong_part(at);
    if (strncmp(at, wanted, length) == 0 && (at[length] == '\0' || strchr(", \t", at[length]))) return true;
    at += strcspn(at, ",");
  }
  return false;
}

// ---- the head --------------------------------------------------------------------------------------

const char *exchange_answer_header(const struct exchange *x, const char *name) {
  for (size_t i = 0; i < x->answer_headers.count; i++)
    if (strcasecmp(x->answer_headers.items[i].name, name) == 0) return x->answer_headers.items[i].value;
  return NULL;
}

void exchange_add_header(struct exchange *x, const char *name, const char *value) {
  // A line break would make headers, or an answer, of someone else's.
  cleanup_free char *clean = mem_strdup(value);
  for (char *at = clean; *at; at++)
    if ((unsigned char)*at < ' ' || *at == 0x7F) *at = ' ';
  pairs_add(&x->answer_headers, mem_strdup(name), mem_strdup(clean));
}

static void add_date(struct str *head) {
  static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  time_t now = (time_t)(clock_now() / 1000);
  struct tm t;
  gmtime_r(&now, &t);
  str_add_format(head, "Date: %s, %02d %s %d %02d:%02d:%02d GMT\r\n", days[t.tm_wday], t.tm_mday, months[t.tm_mon],
                 t.tm_year + 1900, t.tm_hour, t.tm_min, t.tm_sec);
}

static void add_unless_there(struct exchange *x, struct str *head, const char *name, const char *value) {
  if (!exchange_answer_header(x, name)) str_add_format(head, "%s: %s\r\n", name, value);
}

static void add_origin(struct exchange *x, struct str *head) {
  const char *origin = exchange_header(x, "origin");
  str_add(head, "Vary: Origin, Accept-Encoding\r\n");
  if (!origin || !origins_allow(x->server->origins, origin)) return;
  str_add_format(head,
                 "Access-Control-Allow-Origin: %s\r\n"
                 "Access-Control-Allow-Credentials: true\r\n"
                 "Access-Control-Expose-Headers: ETag, Retry-After, X-RateLimit-Limit, X-RateLimit-Remaining, "
                 "X-RateLimit-Reset, Content-Disposition\r\n",
                 origin);
}

void answer_add_allowance(struct exchange *x, struct str *head) {
  if (x->internal) return;
  if (!x->counted) {
    char group[46];
    address_group(x->client, group, sizeof(group));
    limits_take(x->server->app->limits, LIMIT_NOTHING, x->user_id ? x->user_id : group, clock_now(), &x->allowance);
    x->counted = true;
  }
  const struct allowance *a = &x->allowance;
  str_add_format(head,
                 "X-RateLimit-Limit: %d\r\n"
                 "X-RateLimit-Remaining: %d\r\n"
                 "X-RateLimit-Reset: %lld\r\n",
                 a->limit, a->remaining, (long long)((a->full_at + 999) / 1000));
}

static void add_safety(struct exchange *x, struct str *head) {
  add_unless_there(x, head, "X-Content-Type-Options", "nosniff");
  add_unless_there(x, head, "Referrer-Policy", "strict-origin-when-cross-origin");
  add_unless_there(x, head, "X-Frame-Options", "SAMEORIGIN");
  add_unless_there(x, head, "Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'");
  if (x->secure) add_unless_there(x, head, "Strict-Transport-Security", "max-age=31536000");
  add_unless_there(x, head, "Cache-Control",
                   x->route && x->route->auth != AUTH_NONE ? "private, no-cache" : "no-cache");
}

void answer_head(struct exchange *x, int status, const char *content_type, long long length) {
  x->status = status;
  bool bodiless = status == 204 || status == 304;
  struct connection *c = x->connection;
  if (!c) return;
  x->chunked = length < 0 && !bodiless && x->head.minor > 0;
  x->stay = x->head.keep_alive && connection_can_stay(c) && (length >= 0 || x->chunked || bodiless);
  struct str head = STR_INIT(HEAD_MAX);
  str_add_format(&head, "HTTP/1.1 %d %s\r\n", status, http_status_str((enum http_status)status));
  add_date(&head);
  if (content_type && !bodiless) str_add_format(&head, "Content-Type: %s\r\n", content_type);
  if (x->chunked)
    str_add(&head, "Transfer-Encoding: chunked\r\n");
  else if (length >= 0 && !bodiless)
    str_add_format(&head, "Content-Length: %lld\r\n", length);
  if (!x->stay)
    str_add(&head, "Connection: close\r\n");
  else if (x->head.minor == 0)
    str_add(&head, "Connection: keep-alive\r\n");
  add_origin(x, &head);
  answer_add_allowance(x, &head);
  add_safety(x, &head);
  for (size_t i = 0; i < x->answer_headers.count; i++)
    str_add_format(&head, "%s: %s\r\n", x->answer_headers.items[i].name, x->answer_headers.items[i].value);
  str_add(&head, "\r\n");
  connection_write(c, str_text(&head), head.length);
  str_done(&head);
}

// ---- whole answers -----------------------------------------------------------------------------------

static bool is_text(const char *content_type) {
  return text_starts(content_type, "text/") || text_starts(content_type, "application/json") ||
         text_starts(content_type, "application/javascript") || text_starts(content_type, "image/svg") ||
         text_starts(content_type, "application/openapi") || text_starts(content_type, "application/wasm");
}

// Whether the client has it already: then that is the answer.
static bool answer_known(struct exchange *x, int status) {
  const char *known = exchange_answer_header(x, "ETag");
  if (!known || status != 200 || !etag_listed(exchange_header(x, "if-none-match"), known)) return false;
  answer_head(x, 304, NULL, 0);
  exchange_finish(x);
  return true;
}

static bool takes_gzip(const struct exchange *x) {
  return !exchange_answer_header(x, "Content-Encoding") && gzip_accepted(exchange_header(x, "accept-encoding"));
}

// `packed`: the same with gzip; NULL: goes out as it is.
static void answer_with(struct exchange *x, int status, const char *content_type, const void *bytes, size_t length,
                        const struct str *packed) {
  if (packed) {
    exchange_add_header(x, "Content-Encoding", "gzip");
    bytes = packed->data;
    length = packed->length;
  }
  answer_head(x, status, content_type, (long long)length);
  if (x->connection && !x->is_head && status != 204 && status != 304) {
    connection_write(x->connection, bytes, length);
    x->sent = length;
  }
  exchange_finish(x);
}

void answer_bytes(struct exchange *x, int status, const char *content_type, const void *bytes, size_t length,
                  bool etag) {
  char tag[ETAG_SIZE];
  if (etag && !exchange_answer_header(x, "ETag")) {
    etag_of(bytes, length, tag);
    exchange_add_header(x, "ETag", tag);
  }
  if (answer_known(x, status)) return;
  struct str packed = STR_INIT(GZIP_TO);
  bool packs = length >= GZIP_FROM && length <= GZIP_TO && is_text(content_type) && takes_gzip(x) &&
               gzip_bytes(bytes, length, &packed);
  answer_with(x, status, content_type, bytes, length, packs ? &packed : NULL);
  str_done(&packed);
}

static void must_be_unanswered(const struct exchange *x) {
  if (x->status == 0) return;
  fprintf(stderr, "%s %s is answered twice\n", x->head.method, exchange_path(x));
  abort();
}

void exchange_reply_bytes(struct exchange *x, int status, const char *content_type, const void *bytes, size_t length,
                          bool etag) {
  must_be_unanswered(x);
  answer_bytes(x, status, content_type, bytes, length, etag);
}

void exchange_reply_body(struct exchange *x, int status, const char *content_type, struct body *body) {
  must_be_unanswered(x);
  exchange_add_header(x, "ETag", body->etag);
  if (answer_known(x, status)) return;
  answer_with(x, status, content_type, body->text, body->length, takes_gzip(x) ? body_packed(body) : NULL);
}

void exchange_reply(struct exchange *x, int status, json *take_body) {
  must_be_unanswered(x);
  cleanup_free char *text = json_print(take_body);
  json_put(&take_body);
  bool polled = status == 200 && text_equal(x->head.method, "GET");
  answer_bytes(x, status, "application/json", text, strlen(text), polled || (status == 200 && x->is_head));
}

// ---- failures ----------------------------------------------------------------------------------------

static char *failure_text(const char *error_word, const char *message) {
  cleanup_json json *body = json_new_object();
  json_add_text(body, "error", error_word);
  json_add_text(body, "message", message);
  return json_print(body);
}

void exchange_fail(struct exchange *x, int status, const char *error_word, const char *format, ...) {
  must_be_unanswered(x);
  struct str message = STR_INIT(MESSAGE_MAX);
  va_list args;
  va_start(args, format);
  str_add_vformat(&message, format, args);
  va_end(args);
  cleanup_free char *text = failure_text(error_word, message.failed ? "the request was refused" : str_text(&message));
  str_done(&message);
  if (status == 503 && !exchange_answer_header(x, "Retry-After")) exchange_add_header(x, "Retry-After", "5");
  if (status == 401) exchange_add_header(x, "WWW-Authenticate", "Bearer realm=\"rl-arena\"");
  answer_bytes(x, status, "application/json", text, strlen(text), false);
}

void exchange_fail_error(struct exchange *x, const struct error *e) {
  switch (e->code) {
    case ERR_INVALID: exchange_fail(x, 400, "invalid", "%s", e->text); return;
    case ERR_FORBIDDEN: exchange_fail(x, 403, "forbidden", "%s", e->text); return;
    case ERR_NOT_FOUND: exchange_fail(x, 404, "not_found", "%s", e->text); return;
    case ERR_EXISTS: exchange_fail(x, 409, "exists", "%s", e->text); return;
    case ERR_CONFLICT: exchange_fail(x, 409, "conflict", "%s", e->text); return;
    case ERR_TOO_LARGE: exchange_fail(x, 413, "too_large", "%s", e->text); return;
    case ERR_BUSY: {
      char seconds[16];
      snprintf(seconds, sizeof(seconds), "%d", e->retry_after_ms > 0 ? (e->retry_after_ms + 999) / 1000 : 1);
      exchange_add_header(x, "Retry-After", seconds);
      exchange_fail(x, 429, "busy", "%s", e->text);
      return;
    }
    case ERR_UNAVAILABLE:
    case ERR_TIMEOUT:
      log_warn("request failed for now", "route", x->label, "error", e->text);
      exchange_fail(x, 503, "unavailable", "this is not possible for the moment, please try again in some seconds");
      return;
    case ERR_NONE:
    case ERR_GONE:
    case ERR_CANCELLED:
    case ERR_INTERNAL: break;
  }
  log_error("request failed", "route", x->label, "error", e->text);
  exchange_fail(x, 500, "internal", "something went wrong here; it has been written down");
}

static const char *word_of(int status) {
  switch (status) {
    case 405: return "method_not_allowed";
    case 408: return "timeout";
    case 414: return "uri_too_long";
    case 431: return "headers_too_large";
    case 501: return "not_implemented";
    case 505: return "version_not_supported";
    default: return "bad_request";
  }
}

void answer_refuse(struct server *server, struct connection *c, int status, const char *why) {
  struct head head = {.method = "-", .minor = 1};
  struct exchange *x = exchange_new(server, c, &head);
  x->label = "refused";
  x->handled = true;
  if (status == 405) exchange_add_header(x, "Allow", "GET, HEAD, POST, PUT, DELETE, OPTIONS");
  exchange_fail(x, status, word_of(status), "%s", why);
}
