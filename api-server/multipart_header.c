#include "multipart_header.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"
#include "base/str.h"

static const char *skip_space(const char *at) {
  return at + strspn(at, " \t");
}

// RFC 9110's token.
static size_t token_length(const char *at) {
  return strspn(at, "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
}

// What a "; name=value" holds, in pieces that the callers judge.
struct parameter {
  const char *name;
  size_t name_length;
  char value[MULTIPART_NAME_MAX + 1];
};

static bool name_is(const struct parameter *p, const char *name) {
  return strlen(name) == p->name_length && strncasecmp(p->name, name, p->name_length) == 0;
}

// A quoted text. Browsers write a quote as %22, others as \"; a backslash before anything else is itself, as in the
// paths that some senders put before a file's name.
static const char *read_quoted(const char *at, struct parameter *p) {
  size_t length = 0;
  for (at++; *at && *at != '"'; at++) {
    if (*at == '\\' && (at[1] == '"' || at[1] == '\\')) at++;
    if (length == MULTIPART_NAME_MAX) return NULL;
    p->value[length++] = *at;
  }
  p->value[length] = '\0';
  return *at == '"' ? at + 1 : NULL;
}

// The next parameter behind `*at`; false at the end, or with *at NULL when there is something else.
static bool next_parameter(const char **at, struct parameter *p) {
  const char *c = skip_space(*at);
  *at = c;
  if (*c == '\0') return false;
  *at = NULL;
  if (*c != ';') return false;
  c = skip_space(c + 1);
  if (*c == '\0') {  // a semicolon at the end
    *at = c;
    return false;
  }
  p->name = c;
  p->name_length = token_length(c);
  c += p->name_length;
  if (p->name_length == 0 || *c != '=') return false;
  c++;
  if (*c == '"') {
    c = read_quoted(c, p);
    if (!c) return false;
  } else {
    size_t length = token_length(c);
    if (length == 0 || length > MULTIPART_NAME_MAX) return false;
    memcpy(p->value, c, length);
    p->value[length] = '\0';
    c += length;
  }
  *at = c;
  return true;
}

static bool is_boundary(const char *text) {
  size_t length = strlen(text);
  if (length == 0 || length > MULTIPART_BOUNDARY_MAX || text[length - 1] == ' ') return false;
  for (; *text; text++)
    if (!isalnum((unsigned char)*text) && !strchr("'()+_,-./:=? ", *text)) return false;
  return true;
}

bool multipart_boundary(const char *content_type, char ret[MULTIPART_BOUNDARY_MAX + 1], struct error *e) {
  static const char TYPE[] = "multipart/form-data";
  const char *at = skip_space(content_type ? content_type : "");
  bool found = false;
  if (strncasecmp(at, TYPE, strlen(TYPE)) != 0 || !strchr(" \t;", at[strlen(TYPE)])) {
    error_set(e, ERR_INVALID, "the body is no multipart/form-data");
    return false;
  }
  at += strlen(TYPE);
  for (struct parameter p; next_parameter(&at, &p);) {
    if (!name_is(&p, "boundary")) continue;
    if (found || !is_boundary(p.value)) {
      at = NULL;
      break;
    }
    memcpy(ret, p.value, strlen(p.value) + 1);
    found = true;
  }
  if (at && found) return true;
  error_set(e, ERR_INVALID, "the Content-Type has no boundary that can be used");
  return false;
}

static int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  c = (char)tolower((unsigned char)c);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// RFC 8187's UTF-8''%41: some libraries write names so that are no ASCII.
static bool decode_extended(const char *value, char ret[MULTIPART_NAME_MAX + 1]) {
  static const char CHARSET[] = "UTF-8'";
  if (strncasecmp(value, CHARSET, strlen(CHARSET)) != 0) return false;
  value = strchr(value + strlen(CHARSET), '\'');
  if (!value) return false;
  size_t length = 0;
  for (value++; *value; value++) {
    char c = *value;
    if (c == '%') {
      int high = hex_digit(value[1]), low = high < 0 ? -1 : hex_digit(value[2]);
      if (low < 0) return false;
      c = (char)(high * 16 + low);
      value += 2;
    }
    ret[length++] = c;
  }
  ret[length] = '\0';
  return strlen(ret) == length;
}

static bool is_plain_text(const char *text) {
  for (const char *c = text; *c; c++)
    if ((unsigned char)*c < ' ' || *c == 0x7F) return false;
  return text_utf8_prefix(text, strlen(text)) == strlen(text);
}

static bool keep(struct multipart_disposition *d, const struct parameter *p) {
  if (name_is(p, "name")) {
    if (d->has_name || p->value[0] == '\0' || !is_plain_text(p->value)) return false;
    d->has_name = true;
    memcpy(d->name, p->value, sizeof d->name);
  } else if (name_is(p, "filename")) {
    if (!is_plain_text(p->value)) return false;
    if (!d->has_filename) memcpy(d->filename, p->value, sizeof d->filename);  // filename* is the better one
    d->has_filename = true;
  } else if (name_is(p, "filename*")) {
    if (!decode_extended(p->value, d->filename) || !is_plain_text(d->filename)) return false;
    d->has_filename = true;
  }
  return true;
}

bool multipart_disposition(const char *value, struct multipart_disposition *ret, struct error *e) {
  struct multipart_disposition d = {0};
  const char *at = skip_space(value);
  size_t length = token_length(at);
  bool form = length == strlen("form-data") && strncasecmp(at, "form-data", length) == 0;
  at += length;
  for (struct parameter p = {0}; form && next_parameter(&at, &p);) {
    if (!keep(&d, &p)) form = false;
  }
  if (form && at && d.has_name) {
    *ret = d;
    return true;
  }
  error_set(e, ERR_INVALID, "a part of the form has a Content-Disposition that is no form-data with a name");
  return false;
}
