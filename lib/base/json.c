#include "base/json.h"

#include <assert.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/str.h"

enum { MAX_DEPTH = 64 };

// What ends the array or object that begins at `at`, NULL when the text ends before it.
static const char *container_end(const char *at, const char *end) {
  const char open = *at, close = open == '[' ? ']' : '}';
  size_t depth = 0;
  bool quoted = false;
  for (; at < end; at++) {
    if (quoted) {
      if (*at == '\\')
        at++;
      else if (*at == '"')
        quoted = false;
    } else if (*at == '"') {
      quoted = true;
    } else if (*at == open) {
      depth++;
    } else if (*at == close && --depth == 0) {
      return at;
    }
  }
  return NULL;
}

// The opening of the next array or object with that key, NULL when there is none. Inside a string the key's first quote
// would have a backslash.
static const char *next_of(const char *text, const char *end, const char *key) {
  char wanted[64];
  const int length = snprintf(wanted, sizeof(wanted), "\"%s\":", key);
  assert(length > 0 && (size_t)length < sizeof(wanted));
  for (const char *at = text; (at = memmem(at, (size_t)(end - at), wanted, (size_t)length)) != NULL; at++) {
    const char *opening = at + length;
    if ((at > text && at[-1] == '\\') || opening >= end || (*opening != '[' && *opening != '{')) continue;
    return opening;
  }
  return NULL;
}

enum { SKIPPED_MAX = 4 };

// Of each key, where it stands next: looked for once, and again when that is behind.
struct skipped {
  const char *const *keys;
  const char *next[SKIPPED_MAX];  // the end: nowhere
};

// Finds the next array or object with one of those keys: *ret_from behind its opening, *ret_to its end.
static bool next_skipped(struct skipped *s, const char *rest, const char *end, const char **ret_from,
                         const char **ret_to) {
  const char *first = end;
  for (size_t i = 0; s->keys[i] != NULL; i++) {
    assert(i < SKIPPED_MAX);
    if (s->next[i] == NULL || s->next[i] < rest) {
      const char *found = next_of(rest, end, s->keys[i]);
      s->next[i] = found ? found : end;
    }
    if (s->next[i] < first) first = s->next[i];
  }
  if (first == end) return false;
  *ret_from = first + 1;
  *ret_to = container_end(first, end);
  return *ret_to != NULL;
}

// A piece that is not the last one: 0, or what is wrong at *ret_offset.
static enum json_tokener_error parse_piece(json_tokener *t, const char *text, size_t length, size_t *ret_offset) {
  json *early = json_tokener_parse_ex(t, text, (int)length);
  const enum json_tokener_error problem = json_tokener_get_error(t);
  *ret_offset = json_tokener_get_parse_end(t);
  if (early == NULL) return problem == json_tokener_continue ? json_tokener_success : problem;
  json_object_put(early);
  return json_tokener_error_parse_unexpected;
}

json *json_parse(const char *text, size_t length, struct error *e) {
  return json_parse_without(text, length, (const char *const[]){NULL}, e);
}

json *json_parse_without(const char *text, size_t length, const char *const *keys, struct error *e) {
  if (length > INT_MAX - 1) {
    error_set(e, ERR_TOO_LARGE, "JSON of %zu bytes", length);
    return NULL;
  }
  const char *nul = length ? memchr(text, '\0', length) : NULL;
  if (nul) {
    error_set(e, ERR_INVALID, "JSON: a NUL byte at offset %zu", (size_t)(nul - text));
    return NULL;
  }
  while (length > 0 && strchr(" \t\r\n", text[length - 1])) length--;

  json_tokener *tokener = mem_must(json_tokener_new_ex(MAX_DEPTH));
  json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
  enum json_tokener_error problem = length ? json_tokener_success : json_tokener_error_parse_eof;
  json *o = NULL;
  struct skipped skipped = {.keys = keys};
  size_t offset = 0;
  const char *rest = text, *const end = text + length, *from, *to;
  while (problem == json_tokener_success && next_skipped(&skipped, rest, end, &from, &to)) {
    const char *piece = rest;
    problem = parse_piece(tokener, piece, (size_t)(from - piece), &offset);
    offset += (size_t)(piece - text);
    rest = to;
  }
  if (problem == json_tokener_success) {
    o = json_tokener_parse_ex(tokener, rest, (int)(end - rest));
    problem = json_tokener_get_error(tokener);
    offset = (size_t)(rest - text) + json_tokener_get_parse_end(tokener);
  }
  if (problem == json_tokener_continue) {  // a number at top level ends only where the input does
    o = json_tokener_parse_ex(tokener, "", 1);
    problem = json_tokener_get_error(tokener);
  }
  json_tokener_free(tokener);

  if (problem != json_tokener_success) {
    error_set(e, ERR_INVALID, "JSON: %s at offset %zu", json_tokener_error_desc(problem), offset);
  } else if (!o) {
    error_set(e, ERR_INVALID, "JSON: the document is null");
  }
  return o;
}

void json_put(json **j) {
  if (*j) json_object_put(*j);
  *j = NULL;
}

json *json_get(json *o, const char *key) {
  json *value = NULL;
  if (!json_object_is_type(o, json_type_object)) return NULL;
  json_object_object_get_ex(o, key, &value);
  return value;
}

json *json_at(json *o, ...) {
  va_list keys;
  va_start(keys, o);
  for (const char *key; o && (key = va_arg(keys, const char *)) != NULL;) o = json_get(o, key);
  va_end(keys);
  return o;
}

// A NUL inside ("\u0000") would end the C string early, and what is compared would not be what was
// sent: such a text counts as none.
static const char *text_of(json *value) {
  if (!json_object_is_type(value, json_type_string)) return NULL;
  const char *text = json_object_get_string(value);
  return strlen(text) == (size_t)json_object_get_string_len(value) ? text : NULL;
}

const char *json_text(json *o, const char *key) {
  return text_of(json_get(o, key));
}

char *json_text_copy(json *o, const char *key) {
  return mem_strdup(json_text(o, key));
}

int64_t json_int(json *o, const char *key, int64_t otherwise) {
  json *value = json_get(o, key);
  return json_object_is_type(value, json_type_int) ? json_object_get_int64(value) : otherwise;
}

double json_double(json *o, const char *key, double otherwise) {
  json *value = json_get(o, key);
  if (!json_object_is_type(value, json_type_double) && !json_object_is_type(value, json_type_int)) return otherwise;
  double n = json_object_get_double(value);
  return isfinite(n) ? n : otherwise;
}

bool json_bool(json *o, const char *key, bool otherwise) {
  json *value = json_get(o, key);
  return json_object_is_type(value, json_type_boolean) ? json_object_get_boolean(value) : otherwise;
}

msec json_time(json *o, const char *key) {
  return clock_parse(json_text(o, key));
}

size_t json_length(json *array) {
  return json_object_is_type(array, json_type_array) ? json_object_array_length(array) : 0;
}

json *json_item(json *array, size_t i) {
  return i < json_length(array) ? json_object_array_get_idx(array, i) : NULL;
}

// json-c keeps any bytes; what is sent must be UTF-8.
static json *new_text(const char *text) {
  size_t length = strlen(text);
  if (text_utf8_prefix(text, length) == length) return mem_must(json_object_new_string_len(text, (int)length));
  struct str clean = STR_INIT(SIZE_MAX);
  str_add_utf8(&clean, text, length);
  json *value = mem_must(json_object_new_string_len(str_text(&clean), (int)clean.length));
  str_done(&clean);
  return value;
}

void json_add(json *o, const char *key, json *take_value) {
  if (json_object_object_add(o, key, take_value) != 0) mem_must(NULL);
}

void json_add_text(json *o, const char *key, const char *text) {
  if (text) json_add(o, key, new_text(text));
}

void json_add_int(json *o, const char *key, int64_t n) {
  json_add(o, key, mem_must(json_object_new_int64(n)));
}

// json-c would print 0.1 as 0.10000000000000001: the shortest text that reads back the same is kept beside.
void json_add_double(json *o, const char *key, double n) {
  if (!isfinite(n)) return;
  char text[TEXT_DOUBLE_SIZE];
  json_add(o, key, mem_must(json_object_new_double_s(n, text_double(n, text))));
}

void json_add_bool(json *o, const char *key, bool b) {
  json_add(o, key, mem_must(json_object_new_boolean(b)));
}

void json_add_time(json *o, const char *key, msec t) {
  char text[CLOCK_TEXT_SIZE];
  if (t) json_add_text(o, key, clock_format(t, text));
}

void json_add_micro_time(json *o, const char *key, msec t) {
  char text[CLOCK_TEXT_SIZE];
  if (t) json_add_text(o, key, clock_format_micro(t, text));
}

json *json_new_object(void) {
  return mem_must(json_object_new_object());
}

json *json_new_array(void) {
  return mem_must(json_object_new_array());
}

json *json_add_object(json *o, const char *key) {
  json *value = json_new_object();
  json_add(o, key, value);
  return value;
}

json *json_add_array(json *o, const char *key) {
  json *value = json_new_array();
  json_add(o, key, value);
  return value;
}

void json_push(json *array, json *take_value) {
  if (json_object_array_add(array, take_value) != 0) mem_must(NULL);
}

void json_push_text(json *array, const char *text) {
  if (text) json_push(array, new_text(text));
}

json *json_push_object(json *array) {
  json *value = json_new_object();
  json_push(array, value);
  return value;
}

char *json_print(json *o) {
  return mem_strdup(
      mem_must((char *)json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)));
}
