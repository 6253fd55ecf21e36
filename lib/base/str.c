#include "base/str.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum { FIRST_ROOM = 64 };

void str_done(struct str *s) {
  free(s->data);
  *s = STR_INIT(s->max);
}

// Makes room for `extra` bytes and the NUL; false (and failed) when the maximum forbids it.
static bool reserve(struct str *s, size_t extra) {
  if (s->failed) return false;
  if (extra > s->max - s->length) {
    s->failed = true;
    return false;
  }
  size_t need = s->length + extra + 1;
  if (need <= s->room) return true;
  size_t room = s->room ? s->room : FIRST_ROOM;
  while (room < need) room = room > SIZE_MAX / 2 ? need : room * 2;
  if (s->max < SIZE_MAX && room > s->max + 1) room = s->max + 1;
  s->data = mem_grow(s->data, room, 1);
  s->room = room;
  return true;
}

void str_add(struct str *s, const char *text) {
  if (text) str_add_bytes(s, text, strlen(text));
}

void str_add_bytes(struct str *s, const void *bytes, size_t length) {
  if (length == 0 || !reserve(s, length)) return;
  memcpy(s->data + s->length, bytes, length);
  s->length += length;
  s->data[s->length] = '\0';
}

void str_add_format(struct str *s, const char *format, ...) {
  va_list args;
  va_start(args, format);
  str_add_vformat(s, format, args);
  va_end(args);
}

void str_add_vformat(struct str *s, const char *format, va_list args) {
  va_list again;
  va_copy(again, args);
  int length = vsnprintf(NULL, 0, format, args);
  if (length < 0) {
    s->failed = true;
  } else if (length > 0 && reserve(s, (size_t)length)) {
    vsnprintf(s->data + s->length, (size_t)length + 1, format, again);
    s->length += (size_t)length;
  }
  va_end(again);
}

void str_clear(struct str *s) {
  s->length = 0;
  s->failed = false;
  if (s->data) s->data[0] = '\0';
}

void str_drop_front(struct str *s, size_t count) {
  if (count > s->length) count = s->length;
  if (count == 0) return;
  s->length -= count;
  memmove(s->data, s->data + count, s->length + 1);
}

char *str_take(struct str *s) {
  char *text = s->data ? s->data : mem_strdup("");
  *s = STR_INIT(s->max);
  return text;
}

const char *str_text(const struct str *s) {
  return s->length ? s->data : "";
}

bool text_equal(const char *a, const char *b) {
  return strcmp(a ? a : "", b ? b : "") == 0;
}

bool text_empty(const char *a) {
  return !a || a[0] == '\0';
}

bool text_starts(const char *text, const char *prefix) {
  if (!prefix) return true;
  return text ? strncmp(text, prefix, strlen(prefix)) == 0 : prefix[0] == '\0';
}

// The bytes that the UTF-8 sequence at `text` has, 0 when there is no valid one (overlong forms,
// surrogates and what lies over U+10FFFF are none).
static size_t sequence(const unsigned char *t, size_t left) {
  if (t[0] < 0x80) return 1;
  size_t size = 0;
  if (t[0] >= 0xC2 && t[0] <= 0xDF) size = 2;
  if (t[0] >= 0xE0 && t[0] <= 0xEF) size = 3;
  if (t[0] >= 0xF0 && t[0] <= 0xF4) size = 4;
  if (size == 0 || size > left) return 0;
  for (size_t i = 1; i < size; i++)
    if ((t[i] & 0xC0) != 0x80) return 0;
  if ((t[0] == 0xE0 && t[1] < 0xA0) || (t[0] == 0xED && t[1] > 0x9F)) return 0;
  if ((t[0] == 0xF0 && t[1] < 0x90) || (t[0] == 0xF4 && t[1] > 0x8F)) return 0;
  return size;
}

size_t text_utf8_prefix(const char *text, size_t length) {
  size_t at = 0;
  while (at < length) {
    size_t size = sequence((const unsigned char *)text + at, length - at);
    if (size == 0) break;
    at += size;
  }
  return at;
}

void str_add_utf8(struct str *s, const char *text, size_t length) {
  while (length > 0) {
    size_t valid = text_utf8_prefix(text, length);
    str_add_bytes(s, text, valid);
    if (valid == length) return;
    str_add(s, "\xEF\xBF\xBD");
    text += valid + 1;
    length -= valid + 1;
  }
}

char *text_bounded(const char *text, size_t max) {
  if (!text) return NULL;
  // Repairing never shortens, so that no more than `max` bytes can be needed, and the rest of a character.
  struct str clean = STR_INIT(SIZE_MAX);
  str_add_utf8(&clean, text, strnlen(text, max + 4));
  char *whole = str_take(&clean);
  size_t length = strlen(whole);
  if (length > max) whole[text_utf8_prefix(whole, max)] = '\0';
  return whole;
}

const char *text_double(double n, char ret[TEXT_DOUBLE_SIZE]) {
  if (!isfinite(n)) {
    snprintf(ret, TEXT_DOUBLE_SIZE, "%s", isnan(n) ? "NaN" : n > 0 ? "+Inf" : "-Inf");
    return ret;
  }
  for (int digits = 15; digits <= 17; digits++) {
    snprintf(ret, TEXT_DOUBLE_SIZE, "%.*g", digits, n);
    if (strtod(ret, NULL) == n) break;
  }
  return ret;
}
