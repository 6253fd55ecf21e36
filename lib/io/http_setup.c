#include <assert.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "base/memory.h"

#include "http_private.h"

// A peer that vanished without a word (a node that lost power) is noticed after so long, both while
// data waits for its acknowledgement and on a silent connection.
enum { GONE_AFTER_MS = 30000, KEEPALIVE_IDLE_S = 15, KEEPALIVE_INTERVAL_S = 5 };
// libcurl keeps a parsed CA file for a day; a rotated one is to be seen sooner.
enum { CA_CACHE_S = 300 };

static int on_socket_made(void *user, curl_socket_t socket, curlsocktype purpose) {
  (void)user, (void)purpose;
  unsigned limit = GONE_AFTER_MS;
  setsockopt(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, &limit, sizeof(limit));  // best effort
  return CURL_SOCKOPT_OK;
}

static void check(struct http_request *r, CURLcode result) {
  if (result == CURLE_OUT_OF_MEMORY) mem_must(NULL);
  if (result == CURLE_OK || r->early) return;
  r->early = true;
  error_set(&r->problem, ERR_INVALID, "%s", curl_easy_strerror(result));
}

// Variadic like curl_easy_setopt itself, so that its type checks stay.
#define set(r, option, value) check((r), curl_easy_setopt((r)->easy, (option), (value)))

static bool has_header(const struct http_options *o, const char *name) {
  size_t length = strlen(name);
  for (const char *const *h = o->headers; h && *h; h++)
    if (strncasecmp(*h, name, length) == 0 && (*h)[length] == ':') return true;
  return false;
}

static void add_header(struct http_request *r, const char *line) {
  r->headers = mem_must(curl_slist_append(r->headers, line));
}

static void set_method(struct http_request *r, const struct http_options *o) {
  bool carries_body =
      o->body || strcmp(o->method, "POST") == 0 || strcmp(o->method, "PUT") == 0 || strcmp(o->method, "PATCH") == 0;
  if (strcmp(o->method, "HEAD") == 0) {
    set(r, CURLOPT_NOBODY, 1L);
  } else if (carries_body) {
    set(r, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)(o->body ? o->body_length : 0));
    set(r, CURLOPT_COPYPOSTFIELDS, o->body ? o->body : "");
    set(r, CURLOPT_CUSTOMREQUEST, o->method);
    add_header(r, "Expect:");                                            // no second round trip for a large body
    if (!has_header(o, "Content-Type")) add_header(r, "Content-Type:");  // not libcurl's guess of a form
  } else {
    set(r, CURLOPT_HTTPGET, 1L);
    set(r, CURLOPT_CUSTOMREQUEST, o->method);
  }
  for (const char *const *h = o->headers; h && *h; h++) add_header(r, *h);
  set(r, CURLOPT_HTTPHEADER, r->headers);
}

static void set_tls(struct http_request *r, const struct http_options *o) {
  if (o->ca_file) {
    set(r, CURLOPT_CAINFO, o->ca_file);
    set(r, CURLOPT_CAPATH, NULL);  // or the system's authorities would be trusted besides
  }
  set(r, CURLOPT_CA_CACHE_TIMEOUT, (long)CA_CACHE_S);
  if (o->cert_file) set(r, CURLOPT_SSLCERT, o->cert_file);
  if (o->key_file) set(r, CURLOPT_SSLKEY, o->key_file);
  if (o->insecure) {
    set(r, CURLOPT_SSL_VERIFYPEER, 0L);
    set(r, CURLOPT_SSL_VERIFYHOST, 0L);
  }
}

static void set_connection(struct http_request *r, const struct http_options *o) {
  if (o->h2c) {
    // libcurl 7.88 fails every second request on a reused connection of this kind (error 16).
    set(r, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE);
    set(r, CURLOPT_FRESH_CONNECT, 1L);
    set(r, CURLOPT_FORBID_REUSE, 1L);
  } else {
    set(r, CURLOPT_HTTP_VERSION, (long)(o->http1 ? CURL_HTTP_VERSION_1_1 : CURL_HTTP_VERSION_2TLS));
  }
  set(r, CURLOPT_CONNECTTIMEOUT_MS, (long)(o->connect_timeout ? o->connect_timeout : HTTP_DEFAULT_CONNECT_TIMEOUT));
  set(r, CURLOPT_TCP_KEEPALIVE, 1L);
  set(r, CURLOPT_TCP_KEEPIDLE, (long)KEEPALIVE_IDLE_S);
  set(r, CURLOPT_TCP_KEEPINTVL, (long)KEEPALIVE_INTERVAL_S);
  set(r, CURLOPT_SOCKOPTFUNCTION, on_socket_made);
}

enum { REDIRECTS_MAX = 5 };

// The addresses of a stranger's URL, and of what it leads to.
static void set_guard(struct http_request *r, const struct http_options *o) {
  if (!o->guard) return;
  set(r, CURLOPT_OPENSOCKETFUNCTION, http_on_open);
  set(r, CURLOPT_OPENSOCKETDATA, r);
  set(r, CURLOPT_FRESH_CONNECT, 1L);
  set(r, CURLOPT_FORBID_REUSE, 1L);
  set(r, CURLOPT_FOLLOWLOCATION, 1L);
  set(r, CURLOPT_MAXREDIRS, (long)REDIRECTS_MAX);
  // What was asked for over TLS does not come without.
  set(r, CURLOPT_REDIR_PROTOCOLS_STR, strncasecmp(o->url, "https:", 6) == 0 ? "https" : "http,https");
}

// Right before it leaves, also when it is sent again over another connection.
static int on_leaving(void *user, char *their_address, char *our_address, int their_port, int our_port) {
  (void)their_address, (void)our_address, (void)their_port, (void)our_port;
  struct http_request *r = user;
  r->withheld = r->h->may != NULL && !r->h->may(r->h->may_context);
  return r->withheld ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}

void http_setup(struct http_request *r, const struct http_options *o) {
  r->easy = mem_must(curl_easy_init());
  set(r, CURLOPT_PRIVATE, r);
  set(r, CURLOPT_ERRORBUFFER, r->curl_text);
  set(r, CURLOPT_NOSIGNAL, 1L);
  set(r, CURLOPT_URL, o->url);
  set(r, CURLOPT_PROTOCOLS_STR, "http,https");
  set(r, CURLOPT_PROXY, "");  // what the environment says about proxies is meant for other programs
  set(r, CURLOPT_USERAGENT, "rl-arena");
  set(r, CURLOPT_HEADERFUNCTION, http_on_header);
  set(r, CURLOPT_HEADERDATA, r);
  set(r, CURLOPT_WRITEFUNCTION, http_on_body);
  set(r, CURLOPT_WRITEDATA, r);
  if (!o->unguarded && strcmp(o->method, "GET") != 0) {
    set(r, CURLOPT_PREREQFUNCTION, on_leaving);
    set(r, CURLOPT_PREREQDATA, r);
  }
  set_method(r, o);
  set_tls(r, o);
  set_connection(r, o);
  set_guard(r, o);
}
