#include "credentials.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "base/json.h"
#include "base/memory.h"
#include "base/str.h"

#include "files.h"

enum { FILE_MAX = 1 << 20 };

// How well an entry's key ("host", "https://host/v1/", "host/path") fits; 0: not at all.
static size_t fits(const char *key, const char *host, const char *repository) {
  if (text_starts(key, "https://")) key += strlen("https://");
  if (text_starts(key, "http://")) key += strlen("http://");
  size_t length = strlen(host);
  if (strncmp(key, host, length) != 0 || (key[length] && key[length] != '/')) return 0;
  const char *path = key + length + (key[length] == '/');
  size_t rest = strlen(path);
  while (rest > 0 && path[rest - 1] == '/') rest--;
  bool whole = rest == 0 || (rest == 2 && (strncmp(path, "v1", 2) == 0 || strncmp(path, "v2", 2) == 0));
  if (whole) return 1;
  bool inside = strncmp(path, repository, rest) == 0 && (repository[rest] == '/' || !repository[rest]);
  return inside ? 1 + rest : 0;
}

static char *decode(const char *base64) {
  size_t length = strlen(base64);
  if (length == 0 || length % 4 != 0) return NULL;
  char *text = mem_alloc(length / 4 * 3 + 1);
  if (EVP_DecodeBlock((unsigned char *)text, (const unsigned char *)base64, (int)length) >= 0)
    return text;  // what was padding is NUL
  free(text);
  return NULL;
}

static char *user_and_password(json *entry) {
  const char *user = json_text(entry, "username"), *password = json_text(entry, "password");
  const char *both = json_text(entry, "auth");
  if (!text_empty(user)) return mem_printf("%s:%s", user, password ? password : "");
  return text_empty(both) ? NULL : decode(both);
}

char *credentials_find(const char *text, size_t length, const char *host, const char *repository) {
  cleanup_json json *o = json_parse(text, length, NULL);
  json *entries = json_get(o, "auths"), *best = NULL;
  if (!json_object_is_type(entries, json_type_object)) return NULL;
  size_t best_fit = 0;
  json_object_object_foreach(entries, key, entry) {
    size_t fit = fits(key, host, repository);
    if (fit > best_fit) {
      best = entry;
      best_fit = fit;
    }
  }
  return best ? user_and_password(best) : NULL;
}

char *credentials_read(const char *path, const char *host, const char *repository, struct fault *f) {
  struct str cleanup_str text = STR_INIT(FILE_MAX);
  if (files_read(path, &text)) return credentials_find(str_text(&text), text.length, host, repository);
  fault_retry(f, "PushFailed", "The registry's Secret cannot be read (%s).",
              text.failed ? "too large" : strerror(errno));
  return NULL;
}
