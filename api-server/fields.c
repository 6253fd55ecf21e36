#include "fields.h"

#include <ctype.h>
#include <string.h>

#include "base/memory.h"
#include "base/str.h"

// ---- characters ---------------------------------------------------------------------------------

// The code point at `at` of valid UTF-8; moves on.
static unsigned next_character(const unsigned char **at) {
  const unsigned char *p = *at;
  const unsigned more = *p < 0x80 ? 0 : *p < 0xE0 ? 1 : *p < 0xF0 ? 2 : 3;
  unsigned c = more == 0 ? *p : *p & (0x3FU >> more);
  for (unsigned i = 1; i <= more; i++) c = c << 6 | (p[i] & 0x3FU);
  *at = p + more + 1;
  return c;
}

static bool is_control(unsigned c) {
  return c < 0x20 || (c >= 0x7F && c < 0xA0);
}

// Embeddings, overrides, isolates, marks: with them a name could rewrite what stands next to it.
static bool turns_direction(unsigned c) {
  return (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069) || c == 0x200E || c == 0x200F || c == 0x061C;
}

static bool breaks_line(unsigned c) {
  return c == 0x2028 || c == 0x2029;
}

static bool is_noncharacter(unsigned c) {
  return (c & 0xFFFE) == 0xFFFE || (c >= 0xFDD0 && c <= 0xFDEF);
}

static const char *problem(const char *text, bool lines) {
  const size_t length = strlen(text);
  if (text_utf8_prefix(text, length) != length) return "valid UTF-8";
  const unsigned char *at = (const unsigned char *)text;
  while (*at != 0) {
    const unsigned c = next_character(&at);
    if (lines && (c == '\n' || c == '\r' || c == '\t')) continue;
    if (is_control(c) || is_noncharacter(c)) return "without control characters";
    if (turns_direction(c)) return "without characters that change the direction of the text";
    if (!lines && breaks_line(c)) return "one line";
  }
  return NULL;
}

const char *field_line_problem(const char *text) {
  return problem(text, false);
}

const char *field_lines_problem(const char *text) {
  return problem(text, true);
}

size_t field_characters(const char *text) {
  size_t n = 0;
  for (; *text; text++) n += ((unsigned char)*text & 0xC0) != 0x80;
  return n;
}

bool field_username(const char *text, char ret[USERNAME_SIZE]) {
  const size_t length = strlen(text);
  if (length < 3 || length >= USERNAME_SIZE) return false;
  for (size_t i = 0; i < length; i++) {
    const char c = text[i];
    const bool upper = c >= 'A' && c <= 'Z', letter = c >= 'a' && c <= 'z', digit = c >= '0' && c <= '9';
    const bool inside = i > 0 && i + 1 < length;
    if (!upper && !letter && !digit && !(inside && (c == '-' || c == '_'))) return false;
    ret[i] = upper ? (char)(c - 'A' + 'a') : c;
  }
  ret[length] = 0;
  return true;
}

// What a mail server would say of the rest is not ours to know: something, one @, and a domain with a dot.
bool field_is_email(const char *text) {
  const size_t length = strlen(text);
  const char *at = strchr(text, '@');
  if (length >= EMAIL_SIZE || at == NULL || at == text || strchr(at + 1, '@') != NULL) return false;
  if (field_line_problem(text) != NULL) return false;
  for (const char *c = text; *c; c++)
    if (isspace((unsigned char)*c) || strchr("<>\",;:\\()[]", *c) != NULL) return false;
  const char *dot = strrchr(at, '.');
  return dot != NULL && dot > at + 1 && dot[1] != 0 && at[1] != '.' && strstr(at, "..") == NULL;
}

bool field_is_link(const char *text) {
  const char *host = text_starts(text, "https://")  ? text + strlen("https://")
                     : text_starts(text, "http://") ? text + strlen("http://")
                                                    : NULL;
  if (host == NULL || !(isalnum((unsigned char)*host) || *host == '[')) return false;
  for (; *host; host++)
    if ((unsigned char)*host <= ' ' || *host == 0x7F || strchr("<>\"\\^`{|}", *host) != NULL) return false;
  return true;
}

// ---- from a request -----------------------------------------------------------------------------

static bool is_blank(unsigned char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static char *trimmed(const char *text) {
  while (is_blank((unsigned char)*text)) text++;
  size_t length = strlen(text);
  while (length > 0 && is_blank((unsigned char)text[length - 1])) length--;
  return mem_strndup(text, length);
}

static bool refuse(struct exchange *x, const struct field *f, const char *what) {
  exchange_fail(x, 400, "invalid", "%s must be %s.", f->key, what);
  return false;
}

static bool absent(struct exchange *x, const struct field *f, char **ret) {
  *ret = NULL;
  if (!f->required) return true;
  exchange_fail(x, 400, "invalid", "%s is missing.", f->key);
  return false;
}

bool field_text(struct exchange *x, const struct field *f, char **ret) {
  json *value = NULL;
  if (!json_object_object_get_ex(exchange_body(x), f->key, &value)) return absent(x, f, ret);
  if (value == NULL) {
    if (f->required || f->least > 0) return absent(x, f, ret);
    *ret = mem_strdup("");
    return true;
  }
  if (!json_object_is_type(value, json_type_string)) return refuse(x, f, "a text");
  const char *text = json_text(exchange_body(x), f->key);
  if (text == NULL) return refuse(x, f, "without NUL characters");
  cleanup_free char *clean = f->raw ? mem_strdup(text) : trimmed(text);
  // A password may hold whatever its owner can type.
  const char *must = f->raw     ? (text_utf8_prefix(clean, strlen(clean)) == strlen(clean) ? NULL : "valid UTF-8")
                     : f->lines ? field_lines_problem(clean)
                                : field_line_problem(clean);
  if (must != NULL) return refuse(x, f, must);
  const size_t count = field_characters(clean);
  if (count < f->least || count > f->most) {
    exchange_fail(x, 400, "invalid", "%s must have %zu to %zu characters.", f->key, f->least, f->most);
    return false;
  }
  *ret = clean;
  clean = NULL;
  return true;
}
