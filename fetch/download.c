#include "download.h"

#include <ctype.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <curl/curl.h>
#include <openssl/evp.h>

#include "base/memory.h"
#include "base/str.h"

#include "authorities.h"
#include "files.h"
#include "progress.h"

enum {
  URL_MAX = 2048,
  REDIRECTS_MAX = 5,
  HEADERS_MAX = 256 << 10,  // libcurl 7.88 bounds a header line, not their number
  CONNECT_SECONDS = 15,
  SLOW_BYTES = 1024,  // a second, over SLOW_SECONDS
  SLOW_SECONDS = 30,
};

struct transfer {
  const struct network *network;
  const struct request *request;
  struct fault *fault;
  CURL *curl;
  bool front;  // the arena's own
  int64_t bytes;
  size_t header_bytes;
  bool forbidden;  // an address was refused
  bool headers_large;
};

bool download_check_url(const char *url, struct fault *f) {
  if (strlen(url) > URL_MAX)
    return fault_refuse(f, "BadUrl", "The URL is longer than 2048 characters. Use a shorter one.");
  for (const char *c = url; *c; c++) {
    if ((unsigned char)*c <= 0x20 || *c == 0x7f)
      return fault_refuse(f, "BadUrl", "The URL has a space or control character. Correct it.");
  }
  CURLU *u = curl_url();
  if (!u) abort();
  char *scheme = NULL, *host = NULL, *user = NULL, *password = NULL;
  bool parsed = curl_url_set(u, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK &&
                curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK;
  bool http = parsed && (text_equal(scheme, "http") || text_equal(scheme, "https"));
  bool has_host = parsed && curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK && !text_empty(host);
  bool secret = parsed && (curl_url_get(u, CURLUPART_USER, &user, 0) == CURLUE_OK ||
                           curl_url_get(u, CURLUPART_PASSWORD, &password, 0) == CURLUE_OK);
  curl_free(scheme);
  curl_free(host);
  curl_free(user);
  curl_free(password);
  curl_url_cleanup(u);
  if (parsed && !http)
    return fault_refuse(f, "BadUrl", "Only http:// and https:// URLs are fetched. Use one of these.");
  if (!has_host) return fault_refuse(f, "BadUrl", "The URL cannot be read. Write it as https://host/path.");
  if (secret) {
    return fault_refuse(
        f, "CredentialsInUrl",
        "The URL has a user or password in it, which everyone who sees the submission could read. Use a public URL.");
  }
  return true;
}

static curl_socket_t open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address) {
  struct transfer *t = context;
  if (purpose != CURLSOCKTYPE_IPCXN ||
      (!t->front && !address_allowed(&address->addr, t->network->allowed, t->network->allowed_count))) {
    t->forbidden = true;
    return CURL_SOCKET_BAD;
  }
  return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static size_t on_header(char *bytes, size_t size, size_t count, void *context) {
  struct transfer *t = context;
  (void)bytes;
  t->header_bytes += size * count;
  if (t->header_bytes <= HEADERS_MAX) return size * count;
  t->headers_large = true;
  return 0;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *context) {
  struct transfer *t = context;
  size_t length = size * count;
  long status = 0;
  curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status);
  if (status != 200) return length;  // an error's page: judged by its status, not kept
  t->bytes += (int64_t)length;
  if (t->bytes > t->request->max_bytes) return 0;
  curl_off_t total = 0;
  curl_easy_getinfo(t->curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &total);
  progress_downloaded(t->bytes, total);
  return t->request->sink(t->request->context, bytes, length, t->fault) ? length : 0;
}

// An error's page may be endless too.
static int on_progress(void *context, curl_off_t total, curl_off_t now, curl_off_t up_total, curl_off_t up_now) {
  const struct transfer *t = context;
  (void)total, (void)up_total, (void)up_now;
  return now > t->request->max_bytes + HEADERS_MAX;
}

static bool too_big(const struct transfer *t, struct fault *f) {
  return fault_refuse(f, "TooBig", "The download is larger than the limit of %.4g MiB. Make the source smaller.",
                      (double)t->request->max_bytes / (1 << 20));
}

static bool judge_status(long status, struct fault *f) {
  if (status == 200) return true;
  if (status == 408 || status == 425 || status == 429 || status >= 500) {
    return fault_retry(f, "ServerError", "The source's server answered with HTTP status %ld. It will be tried again.",
                       status);
  }
  if (status == 401 || status == 403) {
    return fault_refuse(
        f, "NotPublic",
        "The source's server refused access (HTTP status %ld). Make the source public; no credentials are sent.",
        status);
  }
  if (status == 404 || status == 410) {
    return fault_refuse(f, "NotFound",
                        "Nothing is at the source's URL (HTTP status %ld). Correct the URL, or make the source public.",
                        status);
  }
  return fault_refuse(
      f, "BadAnswer",
      "The source's server answered with HTTP status %ld. Use a URL that answers with the source itself.", status);
}

// What went wrong on the way, in words. `detail` is libcurl's own text, for what has no better ones.
static bool judge_transfer(const struct transfer *t, CURLcode code, const char *detail, struct fault *f) {
  char quoted[FAULT_QUOTE_SIZE];
  if (f->kind != FAULT_NONE) return false;  // the sink said it
  if (t->bytes > t->request->max_bytes) return too_big(t, f);
  if (t->headers_large)
    return fault_refuse(f, "BadAnswer", "The source's server sent more than 256 KiB of headers. Use another server.");
  if (t->forbidden && code == CURLE_COULDNT_CONNECT) {
    return fault_refuse(
        f, "ForbiddenAddress",
        "The source's URL, or a redirect from it, leads to an address that is private, local or reserved, which is not "
        "fetched from. Put the source on a public server, or ask the arena's operator to allow this one.");
  }
  switch (code) {
    case CURLE_FILESIZE_EXCEEDED:
    case CURLE_ABORTED_BY_CALLBACK: return too_big(t, f);
    case CURLE_TOO_MANY_REDIRECTS:
      return fault_refuse(f, "TooManyRedirects",
                          "The source's URL is redirected more than %d times. Use the URL that it ends at.",
                          REDIRECTS_MAX);
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT:
      return fault_refuse(f, "BadRedirect",
                          "The source's URL is redirected to something that is not fetched (not http or https, or from "
                          "https to http). Use the URL that it ends at.");
    case CURLE_PEER_FAILED_VERIFICATION:
      return fault_refuse(
          f, "BadCertificate",
          "The certificate of the source's server cannot be verified (%s). Use a server with a valid one.",
          fault_quote(detail, quoted));
    case CURLE_OPERATION_TIMEDOUT:
      return fault_retry(
          f, "Timeout",
          "The source's server was too slow. It will be tried again; use a faster server or a smaller source.");
    case CURLE_PARTIAL_FILE:
      return fault_retry(f, "Incomplete", "The source's server ended the transfer early. It will be tried again.");
    case CURLE_COULDNT_RESOLVE_HOST:
      return fault_retry(f, "HostNotFound",
                         "The name of the source's server cannot be resolved. It will be tried again; check the URL.");
    default:
      return fault_retry(f, "Unreachable", "The source's server cannot be reached (%s). It will be tried again.",
                         fault_quote(detail, quoted));
  }
}

static void set_rules(CURL *c, struct transfer *t, msec left, const struct str *authorities) {
  bool secure = strncasecmp(t->request->url, "https:", 6) == 0;
  curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
  // What was asked for over TLS does not come without.
  curl_easy_setopt(c, CURLOPT_REDIR_PROTOCOLS_STR, secure ? "https" : "http,https");
  curl_easy_setopt(c, CURLOPT_MAXREDIRS, (long)REDIRECTS_MAX);
  curl_easy_setopt(c, CURLOPT_PROXY, "");
  curl_easy_setopt(c, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
  curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(c, CURLOPT_OPENSOCKETFUNCTION, open_socket);
  curl_easy_setopt(c, CURLOPT_OPENSOCKETDATA, t);
  curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_SECONDS);
  curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)left);
  curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, (long)SLOW_BYTES);
  curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, (long)SLOW_SECONDS);
  curl_easy_setopt(c, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)t->request->max_bytes);
  if (authorities->length > 0) {
    struct curl_blob blob = {.data = authorities->data, .len = authorities->length, .flags = CURL_BLOB_NOCOPY};
    curl_easy_setopt(c, CURLOPT_CAINFO_BLOB, &blob);
  }
}

static struct curl_slist *set_request(CURL *c, struct transfer *t, const char *authorization) {
  const struct request *r = t->request;
  curl_easy_setopt(c, CURLOPT_URL, r->url);
  curl_easy_setopt(c, CURLOPT_USERAGENT, "git/2.0 (rl-arena-fetch)");  // hosts answer git only to what calls itself so
  curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt(c, CURLOPT_HEADERDATA, t);
  curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(c, CURLOPT_WRITEDATA, t);
  curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, on_progress);
  curl_easy_setopt(c, CURLOPT_XFERINFODATA, t);
  struct curl_slist *headers = NULL;
  if (r->accept) {
    cleanup_free char *line = mem_printf("Accept: %s", r->accept);
    headers = curl_slist_append(headers, line);
  }
  if (authorization) headers = curl_slist_append(headers, authorization);
  if (r->post) {
    cleanup_free char *line = mem_printf("Content-Type: %s", r->content_type);
    headers = curl_slist_append(headers, line);
    headers = curl_slist_append(headers, "Expect:");
    curl_easy_setopt(c, CURLOPT_POST, 1L);
    curl_easy_setopt(c, CURLOPT_POSTFIELDS, r->post);
    curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->post_length);
  } else if (!t->front) {  // or the token would go along
    curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 1L);
  }
  curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
  return headers;
}

bool download_run(const struct network *network, const struct request *request, char **ret_url, struct fault *f) {
  if (!download_check_url(request->url, f)) return false;
  msec left = network->deadline - clock_monotonic();
  if (left <= 0)
    return fault_retry(f, "Timeout",
                       "Fetching the source took too long. It will be tried again; make the source smaller.");
  struct str cleanup_str authorities = STR_INIT(AUTHORITIES_MAX);
  if (!authorities_read(&authorities, f)) return false;
  bool front = front_has(&network->front, request->url);
  cleanup_free char *authorization = front ? front_authorization(&network->front, f) : NULL;
  if (front && !authorization) return false;
  CURL *c = curl_easy_init();
  if (!c) abort();
  struct transfer t = {.network = network, .request = request, .fault = f, .curl = c, .front = front};
  char detail[CURL_ERROR_SIZE] = "";
  curl_easy_setopt(c, CURLOPT_ERRORBUFFER, detail);
  set_rules(c, &t, left, &authorities);
  struct curl_slist *headers = set_request(c, &t, authorization);

  CURLcode code = curl_easy_perform(c);
  long status = 0;
  char *effective = NULL;
  curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
  curl_easy_getinfo(c, CURLINFO_EFFECTIVE_URL, &effective);
  bool ok = code == CURLE_OK ? front ? front_judge(status, f) : judge_status(status, f)
                             : judge_transfer(&t, code, *detail ? detail : curl_easy_strerror(code), f);
  if (ok && ret_url) *ret_url = mem_strdup(effective);
  curl_slist_free_all(headers);
  curl_easy_cleanup(c);
  return ok;
}

struct file_sink {
  int fd;
  EVP_MD_CTX *digest;
};

static bool write_file(void *context, const char *bytes, size_t length, struct fault *f) {
  struct file_sink *s = context;
  if (EVP_DigestUpdate(s->digest, bytes, length) != 1) abort();
  return files_write(s->fd, bytes, length) || files_fault(f, "write the download");
}

bool download_file(const struct network *network, const char *url, const char *sha256, int64_t max_bytes, int fd,
                   struct fault *f) {
  struct file_sink sink = {.fd = fd, .digest = EVP_MD_CTX_new()};
  if (!sink.digest || EVP_DigestInit_ex(sink.digest, EVP_sha256(), NULL) != 1) abort();
  struct request request = {.url = url, .max_bytes = max_bytes, .sink = write_file, .context = &sink};
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  bool ok = download_run(network, &request, NULL, f);
  if (EVP_DigestFinal_ex(sink.digest, digest, &size) != 1) abort();
  EVP_MD_CTX_free(sink.digest);
  if (!ok) return false;

  char hex[2 * EVP_MAX_MD_SIZE + 1];
  for (unsigned int i = 0; i < size; i++) snprintf(hex + (size_t)2 * i, 3, "%02x", digest[i]);
  if (strcasecmp(hex, sha256) == 0) return true;
  return fault_refuse(f, "HashMismatch",
                      "The download's SHA-256 is %s, but the submission says %s. If the file was meant to change, "
                      "submit again with its new hash.",
                      hex, sha256);
}
