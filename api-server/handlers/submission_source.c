#include "submission_source.h"

#include <string.h>

#include "base/memory.h"
#include "base/str.h"

#include "app.h"
#include "blobs.h"
#include "fields.h"
#include "settings.h"
#include "upload_kind.h"

enum { URL_MAX = 2048, REF_MAX = 255, PATH_MAX_LENGTH = 255, SHA256_LENGTH = 64 };

json *source_of_text(const char *text, size_t length) {
  if (memchr(text, '\0', length) || text_utf8_prefix(text, length) != length) return NULL;
  json *source = json_new_object();
  cleanup_free char *copy = mem_strndup(text, length);
  json_add_text(json_add_object(json_add_object(source, "inline"), "files"), "agent.py", copy);
  return source;
}

static json *archive(const char *url, const char *sha256, const char *format) {
  json *source = json_new_object();
  json *o = json_add_object(source, "archive");
  json_add_text(o, "url", url);
  json_add_text(o, "sha256", sha256);
  json_add_text(o, "format", format);
  return source;
}

json *source_of_blob(const struct settings *s, const char *sha256, const char *format) {
  cleanup_free char *url = mem_printf("%s/internal/v1/sources/%s", s->internal_url, sha256);
  return archive(url, sha256, format);
}

static bool wrong(struct exchange *x, const char *message) {
  exchange_fail(x, 400, "invalid", "%s", message);
  return false;
}

// Absent or null: *ret NULL. Anything but a text within its bounds is answered.
static bool take_text(struct exchange *x, json *o, const char *key, const char *shown, size_t most, const char **ret) {
  json *value = json_get(o, key);
  *ret = NULL;
  if (!value) return true;
  *ret = json_text(o, key);
  if (*ret && strlen(*ret) <= most) return true;
  exchange_fail(x, 400, "invalid", "%s must be a text of at most %zu bytes.", shown, most);
  return false;
}

static bool is_sha256(const char *text) {
  static const char HEX[] = "0123456789abcdef";
  return strlen(text) == SHA256_LENGTH && text[strspn(text, HEX)] == '\0';
}

// The front's own address is not for authors: whoever knew the hash of somebody's upload could build it.
static bool is_own(const struct exchange *x, const char *url) {
  const char *own = exchange_app(x)->settings->internal_url;
  const char *host = strstr(own, "://"), *asked = strstr(url, "://");
  if (!host || !asked) return false;
  host += 3;
  asked += 3;
  size_t length = strcspn(host, ":/"), asked_length = strcspn(asked, ":/");
  return length == asked_length && strncasecmp(host, asked, length) == 0;
}

static bool check_url(struct exchange *x, const char *key, const char *url) {
  if (!field_is_link(url)) {
    exchange_fail(x, 400, "invalid", "%s must be an http:// or https:// address.", key);
    return false;
  }
  return !is_own(x, url) || wrong(x, "This address is the arena's own. Upload the file instead.");
}

static bool of_url(struct exchange *x, json *body, const char *url, json **ret_source, const char **ret_url,
                   const char **ret_format) {
  const char *sha256, *format;
  if (!check_url(x, "codeUrl", url) || !take_text(x, body, "sha256", "sha256", SHA256_LENGTH, &sha256) ||
      !take_text(x, body, "format", "format", 6, &format))
    return false;
  if (sha256 && !is_sha256(sha256)) return wrong(x, "sha256 must be 64 hexadecimal digits in lower case.");
  if (format && !text_equal(format, "zip") && !text_equal(format, "tar.gz"))
    return wrong(x, "format must be zip or tar.gz.");
  if (!format) format = upload_format_of_url(url);
  if (sha256 && !format) return wrong(x, "format must be zip or tar.gz: codeUrl does not end in either.");
  if (sha256) {
    *ret_source = archive(url, sha256, format);
    return true;
  }
  *ret_url = url;
  *ret_format = format;
  return true;
}

static bool of_git(struct exchange *x, json *git, json **ret_source) {
  const char *url, *ref, *path;
  if (!take_text(x, git, "url", "git.url", URL_MAX, &url) || !take_text(x, git, "ref", "git.ref", REF_MAX, &ref) ||
      !take_text(x, git, "path", "git.path", PATH_MAX_LENGTH, &path))
    return false;
  if (!url) return wrong(x, "git.url must be the repository's address.");
  if (!check_url(x, "git.url", url)) return false;
  if (text_empty(ref)) return wrong(x, "git.ref must be a branch, a tag or a full commit hash.");
  json *source = json_new_object();
  json *o = json_add_object(source, "git");
  json_add_text(o, "url", url);
  json_add_text(o, "ref", ref);
  if (!text_empty(path)) json_add_text(o, "path", path);
  *ret_source = source;
  return true;
}

bool source_of_json(struct exchange *x, json *body, json **ret_source, const char **ret_url, const char **ret_format) {
  const char *url;
  json *git = json_get(body, "git");
  *ret_source = NULL;
  *ret_url = *ret_format = NULL;
  if (!take_text(x, body, "codeUrl", "codeUrl", URL_MAX, &url)) return false;
  if (git && !json_object_is_type(git, json_type_object)) return wrong(x, "git must be an object {url, ref, path}.");
  if ((url != NULL) == (git != NULL)) return wrong(x, "One of codeUrl and git is needed, or a form with a file.");
  return url ? of_url(x, body, url, ret_source, ret_url, ret_format) : of_git(x, git, ret_source);
}
