#include "s3.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/str.h"
#include "io/timer.h"

#include "s3_sign.h"

enum {
  TRIES = 4,
  FIRST_WAIT_MS = 200,
  TIMEOUT_MS = 60000,
  RESPONSE_MAX = 64 << 10,
  PATH_MAX_BYTES = 2048,
  HEADER_MAX = 2048,
  WORD_MAX = 64,
};

struct s3 {
  uv_loop_t *loop;
  struct http *http;
  char *endpoint, *host;  // "https://s3.test:9000", "s3.test:9000"
  char *base;             // "/bucket/prefix"
  char *region, *access_key_id, *secret_access_key;
  struct s3_call *calls;
};

struct s3_call {
  struct s3 *s3;
  struct s3_call *next, *previous;
  struct http_request *request;
  struct timer *again;
  char *method, *path, *query, *body, *range;
  size_t length, max_response;
  int tries;
  s3_done_fn *done;
  void *context;
};

// ---- the bucket ----------------------------------------------------------------------------------

static bool is_bucket(const char *text, size_t length) {
  static const char ALLOWED[] = "abcdefghijklmnopqrstuvwxyz0123456789.-";
  if (length < 3 || length > 63) return false;
  for (size_t i = 0; i < length; i++)
    if (!strchr(ALLOWED, text[i])) return false;
  return true;
}

// "/bucket/prefix" escaped, or NULL.
static char *base_of(const char *url) {
  static const char SCHEME[] = "s3://";
  if (!text_starts(url, SCHEME)) return NULL;
  const char *bucket = url + strlen(SCHEME);
  size_t length = strcspn(bucket, "/");
  if (!is_bucket(bucket, length)) return NULL;
  struct str base = STR_INIT(PATH_MAX_BYTES);
  str_add(&base, "/");
  s3_escape(&base, bucket, true);
  while (base.length > 1 && base.data[base.length - 1] == '/') base.data[--base.length] = '\0';
  return str_take(&base);
}

static const char *host_of(const char *endpoint) {
  const char *at = text_starts(endpoint, "https://")  ? endpoint + strlen("https://")
                   : text_starts(endpoint, "http://") ? endpoint + strlen("http://")
                                                      : NULL;
  return at && *at && at[strcspn(at, "@?# ")] == '\0' ? at : NULL;
}

struct s3 *s3_new(uv_loop_t *loop, struct http *http, const struct s3_options *o, struct error *e) {
  const char *host = o->endpoint ? host_of(o->endpoint) : NULL;
  if (!host) {
    error_set(e, ERR_INVALID, "S3_ENDPOINT must be the http:// or https:// address of the store");
    return NULL;
  }
  if (text_empty(o->region) || text_empty(o->access_key_id) || text_empty(o->secret_access_key)) {
    error_set(e, ERR_INVALID, "S3_REGION, S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY must be set for BLOB_STORE=s3://");
    return NULL;
  }
  char *base = base_of(o->url);
  if (!base) {
    error_set(e, ERR_INVALID, "BLOB_STORE must be postgres, or s3:// with a bucket's name and maybe a prefix");
    return NULL;
  }
  struct s3 *s = mem_alloc(sizeof *s);
  size_t length = strcspn(host, "/");
  s->loop = loop;
  s->http = http;
  s->endpoint = mem_strndup(o->endpoint, (size_t)(host - o->endpoint) + length);
  s->host = mem_strndup(host, length);
  s->base = base;
  s->region = mem_strdup(o->region);
  s->access_key_id = mem_strdup(o->access_key_id);
  s->secret_access_key = mem_strdup(o->secret_access_key);
  return s;
}

static void call_free(struct s3_call *c) {
  http_cancel(c->request);
  timer_free(c->again);
  if (c->previous) c->previous->next = c->next;
  if (c->next) c->next->previous = c->previous;
  if (c->s3->calls == c) c->s3->calls = c->next;
  free(c->method);
  free(c->path);
  free(c->query);
  free(c->body);
  free(c->range);
  free(c);
}

void s3_free(struct s3 *s) {
  if (!s) return;
  while (s->calls) call_free(s->calls);
  free(s->endpoint);
  free(s->host);
  free(s->base);
  free(s->region);
  free(s->access_key_id);
  free(s->secret_access_key);
  free(s);
}

// ---- answers -------------------------------------------------------------------------------------

void s3_element(const char *xml, const char *name, char *ret, size_t size) {
  char open[WORD_MAX], close[WORD_MAX];
  snprintf(open, sizeof open, "<%s>", name);
  snprintf(close, sizeof close, "</%s>", name);
  ret[0] = '\0';
  const char *at = strstr(xml, open);
  const char *end = at ? strstr(at, close) : NULL;
  if (!end) return;
  at += strlen(open);
  size_t length = (size_t)(end - at);
  if (length >= size) return;
  memcpy(ret, at, length);
  ret[length] = '\0';
}

static enum error_code code_of(int status) {
  switch (status) {
    case 401:
    case 403: return ERR_FORBIDDEN;
    case 404: return ERR_NOT_FOUND;
    case 408:
    case 429: return ERR_UNAVAILABLE;
    default: return status >= 500 ? ERR_UNAVAILABLE : ERR_INTERNAL;
  }
}

// A completed multipart upload may fail after its status line went out.
static bool is_error(const struct http_response *response) {
  return response->status / 100 != 2 || (response->length > 0 && strstr(response->body, "<Error>") != NULL);
}

static enum error_code judge(const struct s3_call *c, const struct http_response *response, struct error *e) {
  char word[WORD_MAX];
  s3_element(response->body, "Code", word, sizeof word);
  enum error_code code = response->status / 100 == 2 ? ERR_UNAVAILABLE : code_of(response->status);
  return error_set(e, code, "S3 %s: HTTP status %d %s", c->method, response->status, word);
}

static void send_call(void *context);

static void on_answer(void *context, const struct http_response *response, const struct error *problem) {
  struct s3_call *c = context;
  c->request = NULL;
  struct error e;
  const struct error *result = problem;
  bool ranged = c->range != NULL;  // of an object, whose bytes may look like anything
  if (!problem && (ranged ? response->status / 100 != 2 : is_error(response))) {
    judge(c, response, &e);
    result = &e;
  }
  if (result && (result->code == ERR_UNAVAILABLE || result->code == ERR_TIMEOUT) && c->tries < TRIES) {
    timer_set(c->again, (msec)FIRST_WAIT_MS << (c->tries - 1));
    return;
  }
  c->done(c->context, response, result);
  call_free(c);
}

// ---- requests ------------------------------------------------------------------------------------

static void send_call(void *context) {
  struct s3_call *c = context;
  struct s3 *s = c->s3;
  char date[S3_DATE_SIZE], hash[S3_HEX_SIZE];
  s3_date(clock_now(), date);
  s3_sha256(c->body ? c->body : "", c->length, hash);
  struct str cleanup_str authorization = STR_INIT(HEADER_MAX), url = STR_INIT(2 * PATH_MAX_BYTES);
  str_add(&authorization, "Authorization: ");
  s3_authorization(&(struct s3_credentials){s->region, s->access_key_id, s->secret_access_key},
                   &(struct s3_signed){c->method, s->host, c->path, c->query, c->range, hash}, date, &authorization);
  str_add_format(&url, "%s%s%s%s", s->endpoint, c->path, *c->query ? "?" : "", c->query);
  cleanup_free char *date_line = mem_printf("x-amz-date: %s", date);
  cleanup_free char *hash_line = mem_printf("x-amz-content-sha256: %s", hash);
  cleanup_free char *range_line = c->range ? mem_printf("Range: %s", c->range) : NULL;
  const char *headers[] = {str_text(&authorization), date_line, hash_line, range_line, NULL};
  c->tries++;
  c->request = http_start(s->http, &(struct http_options){
                                       .http1 = true,  // what object stores are built for
                                       .method = c->method,
                                       .url = str_text(&url),
                                       .headers = headers,
                                       .body = c->body,
                                       .body_length = c->length,
                                       .max_response = c->max_response,
                                       .timeout = TIMEOUT_MS,
                                       .done = on_answer,
                                       .context = c,
                                   });
}

struct s3_call *s3_start(struct s3 *s, const struct s3_request *r, s3_done_fn *done, void *context) {
  struct s3_call *c = mem_alloc(sizeof *c);
  c->s3 = s;
  c->method = mem_strdup(r->method);
  struct str path = STR_INIT(PATH_MAX_BYTES);
  str_add_format(&path, "%s/", s->base);
  s3_escape(&path, r->key, true);
  c->path = str_take(&path);
  c->query = mem_strdup(r->query ? r->query : "");
  if (r->length > 0) {
    c->body = mem_alloc(r->length);
    memcpy(c->body, r->body, r->length);
    c->length = r->length;
  }
  if (r->ranged) c->range = mem_printf("bytes=%lld-%lld", (long long)r->from, (long long)r->to);
  c->max_response = r->max_response ? r->max_response : RESPONSE_MAX;
  c->done = done;
  c->context = context;
  c->again = timer_new(s->loop, send_call, c);
  c->next = s->calls;
  if (c->next) c->next->previous = c;
  s->calls = c;
  send_call(c);
  return c;
}

void s3_cancel(struct s3_call *c) {
  if (c) call_free(c);
}
