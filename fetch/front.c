#include "front.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <curl/curl.h>

#include "base/memory.h"
#include "base/str.h"

#include "files.h"

enum { TOKEN_MAX = 16 << 10 };

// The parts of a URL that say which server, and where there.
struct place {
  char *scheme, *host, *port, *path;
};

static void place_done(struct place *p) {
  curl_free(p->scheme);
  curl_free(p->host);
  curl_free(p->port);
  curl_free(p->path);
}

static bool place_of(const char *url, struct place *ret) {
  CURLU *u = curl_url();
  if (!u) abort();
  struct place p = {0};
  char *query = NULL, *fragment = NULL, *user = NULL;
  bool ok = curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK &&
            curl_url_get(u, CURLUPART_SCHEME, &p.scheme, 0) == CURLUE_OK &&
            curl_url_get(u, CURLUPART_HOST, &p.host, 0) == CURLUE_OK &&
            curl_url_get(u, CURLUPART_PORT, &p.port, CURLU_DEFAULT_PORT) == CURLUE_OK &&
            curl_url_get(u, CURLUPART_PATH, &p.path, 0) == CURLUE_OK;
  ok = ok && curl_url_get(u, CURLUPART_QUERY, &query, 0) != CURLUE_OK &&
       curl_url_get(u, CURLUPART_FRAGMENT, &fragment, 0) != CURLUE_OK &&
       curl_url_get(u, CURLUPART_USER, &user, 0) != CURLUE_OK;
  curl_free(query);
  curl_free(fragment);
  curl_free(user);
  curl_url_cleanup(u);
  if (ok)
    *ret = p;
  else
    place_done(&p);
  return ok;
}

// "/a/b" below "/a" or "/a/".
static bool is_below(const char *path, const char *base) {
  size_t length = strlen(base);
  while (length > 0 && base[length - 1] == '/') length--;
  if (strncmp(path, base, length) != 0 || path[length] != '/' || path[length + 1] == '\0') return false;
  for (const char *c = path + length; *c; c++)
    if (!isalnum((unsigned char)*c) && !strchr("/-_", *c)) return false;
  return true;
}

bool front_has(const struct front *front, const char *url) {
  // libcurl reads "http:/host" and "host" as URLs too; those count for strangers'.
  if (!front->url || !strstr(url, "://") || strchr(url, '\\') || strstr(url, "/.")) return false;
  struct place own, asked;
  if (!place_of(front->url, &own)) return false;
  bool same = false;
  if (place_of(url, &asked)) {
    same = strcasecmp(own.scheme, asked.scheme) == 0 && strcasecmp(own.host, asked.host) == 0 &&
           strcmp(own.port, asked.port) == 0 && is_below(asked.path, own.path);
    place_done(&asked);
  }
  place_done(&own);
  return same;
}

static bool is_token(const char *text) {
  for (const char *c = text; *c; c++)
    if (!isalnum((unsigned char)*c) && !strchr("-._~+/=", *c)) return false;
  return *text != '\0';
}

char *front_authorization(const struct front *front, struct fault *f) {
  int cleanup_fd fd = front->token_file ? open(front->token_file, O_RDONLY | O_CLOEXEC) : -1;
  cleanup_free char *token = mem_alloc(TOKEN_MAX + 1);
  ssize_t length = fd < 0 ? -1 : read(fd, token, TOKEN_MAX);
  if (length < 0) {
    fault_retry(f, "NoToken", "The token for the arena's front cannot be read: %s. It will be tried again.",
                front->token_file ? strerror(errno) : "no file is named");
    return NULL;
  }
  token[length] = '\0';
  token[strcspn(token, " \r\n")] = '\0';
  if (!is_token(token)) {
    fault_retry(f, "NoToken", "The file with the token for the arena's front has none. It will be tried again.");
    return NULL;
  }
  return mem_printf("Authorization: Bearer %s", token);
}

bool front_judge(long status, struct fault *f) {
  if (status == 200) return true;
  if (status == 404) {
    return fault_refuse(f, "NotFound", "The arena does not have this upload (any more). Upload the source again.");
  }
  return fault_retry(f, "ServerError",
                     "The arena's front answered with HTTP status %ld for an uploaded source. It will be tried again.",
                     status);
}
