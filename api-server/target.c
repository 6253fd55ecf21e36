#include "target.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/str.h"

static int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// NULL when it is no proper text.
static char *decode(const char *text, size_t length, bool in_query) {
  char *ret = mem_alloc(length + 1);
  size_t n = 0;
  bool good = true;
  for (size_t i = 0; i < length && good; i++) {
    unsigned char c = (unsigned char)text[i];
    if (c == '%') {
      int high = length - i > 2 ? hex_digit(text[i + 1]) : -1;
      int low = length - i > 2 ? hex_digit(text[i + 2]) : -1;
      if (high < 0 || low < 0) {
        good = false;
        break;
      }
      c = (unsigned char)(high * 16 + low);
      i += 2;
    } else if (c == '+' && in_query) {
      c = ' ';
    } else if (c < ' ' || c == 0x7F) {
      good = false;
    }
    if (c == '\0' || (!in_query && (c < ' ' || c == 0x7F))) good = false;
    ret[n++] = (char)c;
  }
  if (good && text_utf8_prefix(ret, n) == n) return ret;
  free(ret);
  return NULL;
}

static enum error_code parse_path(const char *text, size_t length, struct target *ret, struct error *e) {
  ret->path = decode(text, length, false);
  if (!ret->path) return error_set(e, ERR_INVALID, "the path is not properly encoded");
  const char *end = text + length;
  for (const char *at = text; at < end;) {
    at++;  // the slash
    if (at == end && ret->segment_count == 0) break;
    const char *next = memchr(at, '/', (size_t)(end - at));
    if (!next) next = end;
    if (ret->segment_count == SEGMENTS_MAX) return error_set(e, ERR_NOT_FOUND, "the path has too many parts");
    char *segment = decode(at, (size_t)(next - at), false);
    if (!segment) return error_set(e, ERR_INVALID, "the path is not properly encoded");
    ret->segments[ret->segment_count++] = segment;
    at = next;
  }
  return ERR_NONE;
}

static enum error_code parse_query(const char *text, size_t length, struct pairs *ret, struct error *e) {
  const char *end = text + length;
  while (text < end) {
    const char *next = memchr(text, '&', (size_t)(end - text));
    if (!next) next = end;
    const char *equals = memchr(text, '=', (size_t)(next - text));
    const char *name_end = equals ? equals : next;
    const char *value = equals ? equals + 1 : next;
    if (name_end > text) {
      if (ret->count == QUERY_MAX) return error_set(e, ERR_INVALID, "more than %d query parameters", QUERY_MAX);
      char *name = decode(text, (size_t)(name_end - text), true);
      char *decoded = decode(value, (size_t)(next - value), true);
      if (!name || !decoded) {
        error_set(e, ERR_INVALID, "query parameter %s is not properly encoded", name ? name : "(its name)");
        free(name);
        free(decoded);
        return ERR_INVALID;
      }
      pairs_add(ret, name, decoded);
    }
    text = next == end ? end : next + 1;
  }
  return ERR_NONE;
}

// The absolute form, which proxies send: only its path matters, Host says the rest.
static void skip_authority(const char **text, size_t *length) {
  const char *scheme = *length > 7 && strncasecmp(*text, "http://", 7) == 0    ? *text + 7
                       : *length > 8 && strncasecmp(*text, "https://", 8) == 0 ? *text + 8
                                                                               : NULL;
  if (!scheme) return;
  const char *end = *text + *length;
  const char *slash = memchr(scheme, '/', (size_t)(end - scheme));
  *text = slash ? slash : "/";
  *length = slash ? (size_t)(end - slash) : 1;
}

enum error_code target_parse(const char *text, size_t length, struct target *ret, struct error *e) {
  struct target t = {0};
  skip_authority(&text, &length);
  if (length == 0 || text[0] != '/') return error_set(e, ERR_INVALID, "the request's target must begin with /");
  const char *fragment = memchr(text, '#', length);
  if (fragment) length = (size_t)(fragment - text);
  const char *question = memchr(text, '?', length);
  size_t path_length = question ? (size_t)(question - text) : length;
  enum error_code code = parse_path(text, path_length, &t, e);
  if (code == ERR_NONE && question) code = parse_query(question + 1, length - path_length - 1, &t.query, e);
  if (code) {
    target_done(&t);
    return code;
  }
  *ret = t;
  return ERR_NONE;
}

void target_done(struct target *t) {
  free(t->path);
  for (unsigned i = 0; i < t->segment_count; i++) free(t->segments[i]);
  pairs_done(&t->query);
  *t = (struct target){0};
}
