#include "site.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/map.h"
#include "base/memory.h"
#include "base/str.h"

#include "answer.h"
#include "exchange_parts.h"

enum { BYTES_MAX = 64 * 1024 * 1024, FILES_MAX = 10000, DEPTH_MAX = 16 };

struct page {
  char *bytes;
  size_t length;
  struct str packed;  // gzip; empty when that does not pay
  const char *type;
  bool hashed;  // its name changes with its content
  char etag[ETAG_SIZE];
};

struct site {
  struct map *pages;  // "/index.html" -> struct page
  size_t bytes;
};

// ---- what a name says --------------------------------------------------------------------------------

static const struct {
  const char *ending, *type;
} types[] = {
    {".html", "text/html; charset=utf-8"},
    {".js", "text/javascript; charset=utf-8"},
    {".mjs", "text/javascript; charset=utf-8"},
    {".css", "text/css; charset=utf-8"},
    {".json", "application/json"},
    {".map", "application/json"},
    {".webmanifest", "application/manifest+json"},
    {".svg", "image/svg+xml"},
    {".png", "image/png"},
    {".jpg", "image/jpeg"},
    {".jpeg", "image/jpeg"},
    {".gif", "image/gif"},
    {".webp", "image/webp"},
    {".avif", "image/avif"},
    {".ico", "image/x-icon"},
    {".woff", "font/woff"},
    {".woff2", "font/woff2"},
    {".ttf", "font/ttf"},
    {".wasm", "application/wasm"},
    {".txt", "text/plain; charset=utf-8"},
    {".md", "text/plain; charset=utf-8"},
    {".xml", "application/xml"},
    {".pdf", "application/pdf"},
    {".mp4", "video/mp4"},
    {".webm", "video/webm"},
};

static const char *type_of(const char *name) {
  const char *dot = strrchr(name, '.');
  for (unsigned i = 0; dot && i < array_size(types); i++)
    if (strcasecmp(dot, types[i].ending) == 0) return types[i].type;
  return "application/octet-stream";
}

// "index-3fA9c0de.js", "main.0a1b2c3d.css": eight or more letters and digits, some of them digits, before the ending.
static bool is_hashed(const char *name) {
  const char *file = strrchr(name, '/');
  const char *dot = strrchr(name, '.');
  if (!file || !dot || dot < file) return false;
  const char *at = dot;
  unsigned digits = 0;
  while (at > file + 1 && (strchr("-.", at[-1]) == NULL)) {
    at--;
    digits += *at >= '0' && *at <= '9';
  }
  return at > file + 1 && dot - at >= 8 && digits > 0;
}

// ---- reading ---------------------------------------------------------------------------------------

static void page_free(void *value) {
  struct page *p = value;
  str_done(&p->packed);
  free(p->bytes);
  free(p);
}

static void add_page(struct site *s, const char *name, char *take_bytes, size_t length) {
  struct page *p = mem_alloc(sizeof(*p));
  p->bytes = take_bytes;
  p->length = length;
  p->type = type_of(name);
  p->hashed = is_hashed(name);
  etag_of(p->bytes, length, p->etag);
  p->packed = STR_INIT(BYTES_MAX);
  bool packs =
      text_starts(p->type, "text/") || strstr(p->type, "json") || strstr(p->type, "xml") || strstr(p->type, "wasm");
  if (packs && length >= 512 && !gzip_bytes(p->bytes, length, &p->packed)) str_done(&p->packed);
  map_put(s->pages, name, p);
  s->bytes += length;
}

static enum error_code read_file(struct site *s, const char *path, const char *name, size_t size, struct error *e) {
  if (s->bytes + size > BYTES_MAX || map_count(s->pages) >= FILES_MAX)
    return error_set(e, ERR_TOO_LARGE, "more than %d files or %d MiB", FILES_MAX, BYTES_MAX / 1024 / 1024);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return error_set(e, ERR_INVALID, "%s: %s", path, strerror(errno));
  cleanup_free char *bytes = mem_alloc(size + 1);
  size_t length = 0;
  for (ssize_t n; length < size && (n = read(fd, bytes + length, size - length)) > 0;) length += (size_t)n;
  close(fd);
  if (length < size) return error_set(e, ERR_INVALID, "%s cannot be read whole", path);
  add_page(s, name, bytes, length);
  bytes = NULL;
  return ERR_NONE;
}

// Hidden names are left out; so is what a link points at outside of the folder.
static enum error_code read_folder(struct site *s, const char *root, const char *below, int depth, struct error *e) {
  cleanup_free char *folder = mem_printf("%s%s", root, below);
  DIR *dir = opendir(folder);
  if (!dir) return error_set(e, ERR_INVALID, "%s: %s", folder, strerror(errno));
  enum error_code code = ERR_NONE;
  for (struct dirent *entry; code == ERR_NONE && (entry = readdir(dir)) != NULL;) {
    if (entry->d_name[0] == '.') continue;
    cleanup_free char *name = mem_printf("%s/%s", below, entry->d_name);
    cleanup_free char *path = mem_printf("%s%s", root, name);
    cleanup_free char *real = realpath(path, NULL);
    struct stat found;
    size_t length = strlen(root);
    if (!real || strncmp(real, root, length) != 0 || real[length] != '/' || stat(path, &found) != 0) continue;
    if (S_ISREG(found.st_mode))
      code = read_file(s, path, name, (size_t)found.st_size, e);
    else if (S_ISDIR(found.st_mode) && depth < DEPTH_MAX)
      code = read_folder(s, root, name, depth + 1, e);
  }
  closedir(dir);
  return code;
}

static const char own_page[] =
    "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>RL Arena</title>\n"
    "<meta name=\"viewport\" content=\"width=device-width\">\n"
    "<style>body{font:16px/1.5 system-ui,sans-serif;max-width:40em;margin:4em auto;padding:0 1em;color:#222}"
    "a{color:#0645ad}code{background:#f2f2f2;padding:.1em .3em}</style></head>\n"
    "<body><h1>RL Arena</h1>\n<p>Agents of reinforcement learning play here for places on a leaderboard.</p>\n"
    "<ul><li><a href=\"/docs\">What programs can ask here</a>, also as <a href=\"/openapi.json\">OpenAPI</a></li>\n"
    "<li><a href=\"/api/v1/environments\">Environments</a></li>\n"
    "<li><a href=\"/api/v1/leaderboard\">Leaderboard</a></li></ul>\n"
    "<p>A web page of your own goes into the folder that <code>WEB_ROOT</code> names.</p></body></html>\n";

struct site *site_new(const char *web_root, struct error *e) {
  struct site *s = mem_alloc(sizeof(*s));
  s->pages = map_new(page_free);
  if (!web_root) {
    add_page(s, "/index.html", mem_strdup(own_page), strlen(own_page));
    return s;
  }
  cleanup_free char *root = realpath(web_root, NULL);
  enum error_code code = root ? read_folder(s, root, "", 0, e) : error_set(e, ERR_INVALID, "%s", strerror(errno));
  if (code == ERR_NONE) return s;
  error_prefix(e, "WEB_ROOT %s", web_root);
  site_free(s);
  return NULL;
}

void site_free(struct site *s) {
  if (!s) return;
  map_free(s->pages);
  free(s);
}

// ---- answering -------------------------------------------------------------------------------------

static void send_page(struct exchange *x, const struct page *p) {
  exchange_add_header(x, "ETag", p->etag);
  exchange_add_header(x, "Cache-Control", p->hashed ? "public, max-age=31536000, immutable" : "no-cache");
  // Inline scripts: replays are documents with one, shown by the page in a sandboxed frame that has the page's policy.
  exchange_add_header(x, "Content-Security-Policy",
                      "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
                      "img-src 'self' data: blob: https:; font-src 'self' data:; connect-src 'self' ws: wss:; "
                      "frame-src 'self' blob: data:; object-src 'none'; base-uri 'self'; frame-ancestors 'self'");
  bool packed = p->packed.length > 0 && gzip_accepted(exchange_header(x, "accept-encoding"));
  if (packed) exchange_add_header(x, "Content-Encoding", "gzip");
  exchange_reply_bytes(x, 200, p->type, packed ? p->packed.data : p->bytes, packed ? p->packed.length : p->length,
                       false);
}

static const struct page *find_page(const struct site *s, struct exchange *x) {
  const char *path = exchange_path(x);
  size_t length = strlen(path);
  const struct page *p = map_get(s->pages, path);
  if (p) return p;
  cleanup_free char *index = mem_printf("%s%sindex.html", path, length > 0 && path[length - 1] == '/' ? "" : "/");
  p = map_get(s->pages, index);
  if (p) return p;
  const char *accept = exchange_header(x, "accept");
  const char *last = strrchr(path, '/');
  bool page_wanted = accept && strstr(accept, "text/html") && last && !strchr(last, '.');
  return page_wanted ? map_get(s->pages, "/index.html") : NULL;
}

bool site_answer(const struct site *s, struct exchange *x) {
  const struct page *p = find_page(s, x);
  if (!p) return false;
  x->label = "site";
  if (!text_equal(x->head.method, "GET") && !x->is_head) {
    exchange_add_header(x, "Allow", "GET, HEAD");
    exchange_fail(x, 405, "method_not_allowed", "%s is not possible here; there is GET, HEAD", x->head.method);
    return true;
  }
  send_page(x, p);
  return true;
}
