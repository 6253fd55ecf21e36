#include "registry.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <curl/curl.h>
#include <openssl/evp.h>

#include "base/json.h"
#include "base/memory.h"

#include "authorities.h"
#include "challenge.h"
#include "credentials.h"
#include "files.h"

enum {
  TRIES = 3,
  CONNECT_SECONDS = 15,
  SILENT_SECONDS = 120,  // registries move a layer to its place before they answer
  ANSWER_MAX = 1 << 20,
  HEADER_MAX = 4096,
  TOKEN_MAX = 64 << 10,
};

struct registry {
  CURL *curl;
  char *base, *host, *name;  // "https://host", "host", "agents/ann"
  char *password;            // "user:password"; NULL: none
  char *authorization;       // the header's value; NULL: none
  struct challenge challenge;
  struct str authorities;
  struct registry_options options;
};

struct call {
  const char *method, *url;
  const char *type, *accept;  // of what is sent; of what is wanted
  const char *text;           // what is sent: a text,
  int fd;                     // or a file's `size` bytes when it is not -1
  int64_t size;
  int into;  // where the answer goes: this file when it is not -1, at most `max` bytes,
  int64_t max;
  // what came
  struct str answer;  // otherwise here
  int64_t sent, got;
  long status;
  char location[HEADER_MAX], challenge[HEADER_MAX];
  CURLcode code;
  char detail[CURL_ERROR_SIZE];
};

#define CALL(method_, url_) ((struct call){.method = (method_), .url = (url_), .fd = -1, .into = -1})

static void call_done(struct call *c) {
  str_done(&c->answer);
}
#define cleanup_call __attribute__((cleanup(call_done)))

// ---- one request ---------------------------------------------------------------------------------

static size_t on_read(char *bytes, size_t size, size_t count, void *context) {
  struct call *c = context;
  size_t room = size * count;
  if ((int64_t)room > c->size - c->sent) room = (size_t)(c->size - c->sent);
  ssize_t n = room > 0 ? pread(c->fd, bytes, room, c->sent) : 0;
  if (n < 0) return CURL_READFUNC_ABORT;
  c->sent += n;
  return (size_t)n;
}

static int on_seek(void *context, curl_off_t offset, int origin) {
  struct call *c = context;
  if (origin != SEEK_SET) return CURL_SEEKFUNC_CANTSEEK;
  c->sent = offset;
  return CURL_SEEKFUNC_OK;
}

static size_t on_write(char *bytes, size_t size, size_t count, void *context) {
  struct call *c = context;
  size_t length = size * count;
  if (c->into < 0) {
    str_add_bytes(&c->answer, bytes, length);
    return c->answer.failed ? 0 : length;
  }
  c->got += (int64_t)length;
  return c->got <= c->max && files_write(c->into, bytes, length) ? length : 0;
}

static void keep_header(const char *line, size_t length, const char *name, char ret[HEADER_MAX]) {
  size_t skip = strlen(name);
  if (length <= skip || strncasecmp(line, name, skip) != 0) return;
  while (skip < length && isspace((unsigned char)line[skip])) skip++;
  while (length > skip && isspace((unsigned char)line[length - 1])) length--;
  if (length - skip >= HEADER_MAX) return;
  memcpy(ret, line + skip, length - skip);
  ret[length - skip] = '\0';
}

static size_t on_header(char *line, size_t size, size_t count, void *context) {
  struct call *c = context;
  size_t length = size * count;
  if (length > 5 && strncasecmp(line, "HTTP/", 5) == 0) c->location[0] = c->challenge[0] = '\0';  // after a redirect
  keep_header(line, length, "location:", c->location);
  keep_header(line, length, "www-authenticate:", c->challenge);
  return length;
}

static void set_rules(struct registry *r, msec left) {
  CURL *c = r->curl;
  bool secure = text_starts(r->base, "https:");
  curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, r->options.insecure ? "http,https" : "https");
  curl_easy_setopt(c, CURLOPT_REDIR_PROTOCOLS_STR, secure ? "https" : "http,https");
  curl_easy_setopt(c, CURLOPT_MAXREDIRS, 5L);
  curl_easy_setopt(c, CURLOPT_PROXY, "");
  curl_easy_setopt(c, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
  curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
  curl_easy_setopt(c, CURLOPT_USERAGENT, "rl-arena-fetch");
  curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_SECONDS);
  curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)left);
  curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, (long)SILENT_SECONDS);
  if (r->options.insecure) {
    curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 0L);
    curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 0L);
  } else if (r->authorities.length > 0) {
    struct curl_blob blob = {.data = r->authorities.data, .len = r->authorities.length, .flags = CURL_BLOB_NOCOPY};
    curl_easy_setopt(c, CURLOPT_CAINFO_BLOB, &blob);
  }
}

static void set_body(CURL *c, struct call *call) {
  if (text_equal(call->method, "HEAD")) {
    curl_easy_setopt(c, CURLOPT_NOBODY, 1L);
  } else if (call->fd >= 0) {
    curl_easy_setopt(c, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(c, CURLOPT_INFILESIZE_LARGE, (curl_off_t)call->size);
    curl_easy_setopt(c, CURLOPT_READFUNCTION, on_read);
    curl_easy_setopt(c, CURLOPT_READDATA, call);
    curl_easy_setopt(c, CURLOPT_SEEKFUNCTION, on_seek);
    curl_easy_setopt(c, CURLOPT_SEEKDATA, call);
  } else if (!text_equal(call->method, "GET")) {
    curl_easy_setopt(c, CURLOPT_POSTFIELDS, call->text ? call->text : "");
    curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, call->method);
  }
  if (text_equal(call->method, "GET") || text_equal(call->method, "HEAD"))
    curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 1L);
}

static struct curl_slist *add_header(struct curl_slist *list, const char *name, const char *value) {
  if (!value) return list;
  cleanup_free char *line = mem_printf("%s: %s", name, value);
  return mem_must(curl_slist_append(list, line));
}

static bool is_own(const struct registry *r, const char *url) {
  size_t length = strlen(r->base);
  return strncmp(url, r->base, length) == 0 && (url[length] == '/' || !url[length]);
}

static void perform(struct registry *r, struct call *call, const char *authorization) {
  msec left = r->options.deadline - clock_monotonic();
  CURL *c = r->curl;
  call->sent = call->got = call->status = 0;
  call->location[0] = call->challenge[0] = call->detail[0] = '\0';
  str_done(&call->answer);
  call->answer = STR_INIT(ANSWER_MAX);
  if (call->into >= 0 && (lseek(call->into, 0, SEEK_SET) != 0 || ftruncate(call->into, 0) != 0)) abort();
  curl_easy_reset(c);
  set_rules(r, left > 0 ? left : 1);
  set_body(c, call);
  struct curl_slist *headers = add_header(NULL, "Expect", "");
  headers = add_header(headers, "Content-Type", call->type ? call->type : "");
  headers = add_header(headers, "Accept", call->accept);
  headers = add_header(headers, "Authorization", authorization);
  curl_easy_setopt(c, CURLOPT_URL, call->url);
  curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt(c, CURLOPT_HEADERDATA, call);
  curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_write);
  curl_easy_setopt(c, CURLOPT_WRITEDATA, call);
  curl_easy_setopt(c, CURLOPT_ERRORBUFFER, call->detail);
  call->code = curl_easy_perform(c);
  curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &call->status);
  if (call->code != CURLE_OK) call->status = 0;
  curl_slist_free_all(headers);
}

// ---- words ---------------------------------------------------------------------------------------

// "CODE: message" of {"errors": [...]}, or the start of what else came.
static const char *said(const struct call *c, char ret[FAULT_QUOTE_SIZE]) {
  cleanup_json json *o = json_parse(str_text(&c->answer), c->answer.length, NULL);
  json *first = json_item(json_get(o, "errors"), 0);
  const char *code = json_text(first, "code"), *message = json_text(first, "message");
  if (!code) return fault_quote_bytes(str_text(&c->answer), c->answer.length, ret);
  cleanup_free char *both = mem_printf("%s: %s", code, message ? message : "");
  return fault_quote(both, ret);
}

static bool failed(const struct call *c, struct fault *f) {
  char quoted[FAULT_QUOTE_SIZE], url[FAULT_QUOTE_SIZE];
  cleanup_free char *request = mem_printf("%s %.*s", c->method, (int)strcspn(c->url, "?"), c->url);
  fault_quote(request, url);
  if (c->code != CURLE_OK)
    return fault_retry(f, "PushFailed", "The registry cannot be reached, %s: %s.", url,
                       fault_quote(c->detail[0] ? c->detail : curl_easy_strerror(c->code), quoted));
  if (c->answer.length == 0)
    return fault_retry(f, "PushFailed", "The registry answered %s with HTTP status %ld.", url, c->status);
  return fault_retry(f, "PushFailed", "The registry answered %s with HTTP status %ld, %s.", url, c->status,
                     said(c, quoted));
}

// ---- who may come in -----------------------------------------------------------------------------

static bool bearer(struct registry *r, const char *basic, struct fault *f) {
  const struct challenge *ch = &r->challenge;
  bool safe = text_starts(ch->realm, "https://") || (r->options.insecure && text_starts(ch->realm, "http://"));
  if (!safe) return fault_retry(f, "PushFailed", "The registry %s sends to no https address for its tokens.", r->host);
  cleanup_free char *url = challenge_url(ch, r->name);
  struct call cleanup_call call = CALL("GET", url);
  perform(r, &call, basic);
  if (call.status != 200) return failed(&call, f);
  cleanup_json json *o = json_parse(str_text(&call.answer), call.answer.length, NULL);
  const char *token = json_text(o, "token");
  if (text_empty(token)) token = json_text(o, "access_token");
  if (text_empty(token) || strlen(token) > TOKEN_MAX || strpbrk(token, "\r\n"))
    return fault_retry(f, "PushFailed", "The registry %s gave no token.", r->host);
  free(r->authorization);
  r->authorization = mem_printf("Bearer %s", token);
  return true;
}

static char *basic_of(const char *password) {
  if (!password) return NULL;
  size_t length = strlen(password);
  cleanup_free char *encoded = mem_alloc(length / 3 * 4 + 5);
  EVP_EncodeBlock((unsigned char *)encoded, (const unsigned char *)password, (int)length);
  return mem_printf("Basic %s", encoded);
}

static bool authenticate(struct registry *r, struct fault *f) {
  cleanup_free char *basic = basic_of(r->password);
  if (r->challenge.kind == CHALLENGE_BEARER) return bearer(r, basic, f);
  free(r->authorization);
  r->authorization = basic ? mem_strdup(basic) : NULL;
  return true;
}

static bool may_pass(const struct call *c) {
  if (c->code == CURLE_WRITE_ERROR || c->code == CURLE_PEER_FAILED_VERIFICATION) return false;
  return c->status == 0 || c->status == 408 || c->status == 425 || c->status == 429 || c->status >= 500;
}

static bool try_again(const struct registry *r, int attempt) {
  if (attempt >= TRIES || clock_monotonic() + attempt * 1000 >= r->options.deadline) return false;
  sleep((unsigned)attempt);
  return true;
}

// Once; a token that has run out is renewed. Nothing is shown to another host than the registry itself.
static bool ask_once(struct registry *r, struct call *c, struct fault *f) {
  const char *own = is_own(r, c->url) ? r->authorization : NULL;
  perform(r, c, own);
  if (c->status != 401 || !own || r->challenge.kind != CHALLENGE_BEARER) return true;
  if (!authenticate(r, f)) return false;
  perform(r, c, r->authorization);
  return true;
}

static bool ask(struct registry *r, struct call *c, struct fault *f) {
  for (int attempt = 1;; attempt++) {
    if (!ask_once(r, c, f)) return false;
    if (!may_pass(c) || !try_again(r, attempt)) return true;
  }
}

// ---- opening -------------------------------------------------------------------------------------

// Whether it wants a password, and which way. 200 or 401, otherwise a fault.
static bool greet(struct registry *r, struct fault *f) {
  cleanup_free char *url = mem_printf("%s/v2/", r->base);
  struct call cleanup_call hello = CALL("GET", url);
  bool perhaps = r->options.insecure && text_starts(r->base, "https:");
  if (!(perhaps ? ask_once : ask)(r, &hello, f)) return false;
  if (perhaps && hello.status == 0) {
    free(r->base);
    r->base = mem_printf("http://%s", r->host);
    return greet(r, f);
  }
  if (hello.status == 200) return true;
  if (hello.status != 401 || !challenge_parse(hello.challenge, &r->challenge)) return failed(&hello, f);
  if (!authenticate(r, f)) return false;
  if (r->challenge.kind == CHALLENGE_BEARER) return true;
  if (!ask(r, &hello, f)) return false;
  return hello.status == 200 || failed(&hello, f);
}

struct registry *registry_open(const char *repository, const struct registry_options *o, struct fault *f) {
  struct registry *r = mem_alloc(sizeof *r);
  size_t host = strcspn(repository, "/");
  r->options = *o;
  r->host = mem_strndup(repository, host);
  r->name = mem_strdup(repository + host + (repository[host] == '/'));
  r->base = mem_printf("https://%s", r->host);
  r->authorities = STR_INIT(AUTHORITIES_MAX);
  r->curl = mem_must(curl_easy_init());
  if (o->credentials) r->password = credentials_read(o->credentials, r->host, r->name, f);
  if (f->kind == FAULT_NONE && authorities_read(&r->authorities, f) && greet(r, f)) return r;
  registry_close(r);
  return NULL;
}

void registry_close(struct registry *r) {
  if (!r) return;
  curl_easy_cleanup(r->curl);
  str_done(&r->authorities);
  challenge_done(&r->challenge);
  free(r->authorization);
  free(r->password);
  free(r->base);
  free(r->host);
  free(r->name);
  free(r);
}

// ---- blobs ---------------------------------------------------------------------------------------

// Where an upload goes on: an address of the registry's or of its storage, with the digest added.
static char *upload_url(const struct registry *r, const char *location, const char *digest) {
  const char *base = location[0] == '/' ? r->base : "";
  return mem_printf("%s%s%cdigest=%s", base, location, strchr(location, '?') ? '&' : '?', digest);
}

static bool upload(struct registry *r, const struct blob *b, int fd, bool *ret_again, struct fault *f) {
  cleanup_free char *start = mem_printf("%s/v2/%s/blobs/uploads/", r->base, r->name);
  struct call cleanup_call post = CALL("POST", start);
  if (!ask(r, &post, f)) return false;
  if (post.status != 202 || !post.location[0]) return failed(&post, f);
  cleanup_free char *url = upload_url(r, post.location, b->digest);
  struct call cleanup_call put = CALL("PUT", url);
  put.type = "application/octet-stream";
  put.fd = fd;
  put.size = b->size;
  if (!ask_once(r, &put, f)) return false;
  if (put.status == 201 || put.status == 204) return true;
  *ret_again = may_pass(&put);
  return *ret_again ? false : failed(&put, f);
}

bool registry_put_blob(struct registry *r, const struct blob *b, int fd, struct fault *f) {
  cleanup_free char *url = mem_printf("%s/v2/%s/blobs/%s", r->base, r->name, b->digest);
  struct call cleanup_call head = CALL("HEAD", url);
  if (!ask(r, &head, f)) return false;
  if (head.status == 200) return true;
  for (int attempt = 1;; attempt++) {  // an upload that broke off is begun anew
    bool again = false;
    if (upload(r, b, fd, &again, f)) return true;
    if (!again || !try_again(r, attempt))
      return fault_retry(f, "PushFailed", "The registry %s broke off while it was sent %s.", r->host, b->digest);
  }
}

bool registry_get_blob(struct registry *r, const struct blob *b, int fd, struct fault *f) {
  cleanup_free char *url = mem_printf("%s/v2/%s/blobs/%s", r->base, r->name, b->digest);
  struct call cleanup_call get = CALL("GET", url);
  get.into = fd;
  get.max = b->size;
  if (!ask(r, &get, f)) return false;
  return (get.status == 200 && get.got == b->size) || failed(&get, f);
}

// ---- manifests -----------------------------------------------------------------------------------

bool registry_put_manifest(struct registry *r, const char *tag, const char *media_type, const char *text,
                           struct fault *f) {
  cleanup_free char *url = mem_printf("%s/v2/%s/manifests/%s", r->base, r->name, tag);
  struct call cleanup_call put = CALL("PUT", url);
  put.type = media_type;
  put.text = text;
  if (!ask(r, &put, f)) return false;
  return put.status == 201 || put.status == 200 || failed(&put, f);
}

bool registry_get_manifest(struct registry *r, const char *reference, const char *accept, struct str *ret,
                           struct fault *f) {
  cleanup_free char *url = mem_printf("%s/v2/%s/manifests/%s", r->base, r->name, reference);
  struct call cleanup_call get = CALL("GET", url);
  get.accept = accept;
  if (!ask(r, &get, f)) return false;
  if (get.status == 404) return true;
  if (get.status != 200) return failed(&get, f);
  str_add_bytes(ret, str_text(&get.answer), get.answer.length);
  return !ret->failed || failed(&get, f);
}
