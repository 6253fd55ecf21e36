// A growing string with a maximum and a sticky failure: append freely, check once.
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct str {
  char *data;  // NUL-terminated when length > 0; NULL when nothing was added
  size_t length;
  size_t room;
  size_t max;   // bytes, not counting the NUL
  bool failed;  // something did not fit; nothing was added since
};

#define STR_INIT(maximum) ((struct str){.max = (maximum)})

void str_done(struct str *s);
#define cleanup_str __attribute__((cleanup(str_done)))

void str_add(struct str *s, const char *text);
void str_add_bytes(struct str *s, const void *bytes, size_t length);
void str_add_format(struct str *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
void str_add_vformat(struct str *s, const char *format, va_list args) __attribute__((format(printf, 2, 0)));
// What is no valid UTF-8 becomes U+FFFD: for bytes from outside that go into JSON or a log.
void str_add_utf8(struct str *s, const char *text, size_t length);
void str_clear(struct str *s);  // empties, keeps the room, forgets the failure
void str_drop_front(struct str *s, size_t count);
char *str_take(struct str *s);              // heap string (never NULL), caller frees; s is empty after
const char *str_text(const struct str *s);  // "" when empty

// Comparisons that take NULL as "".
bool text_equal(const char *a, const char *b);
bool text_empty(const char *a);
bool text_starts(const char *text, const char *prefix);

// How many bytes from the start are whole, valid UTF-8 sequences (NUL counts as one).
size_t text_utf8_prefix(const char *text, size_t length);
// A heap copy that is valid UTF-8 and at most `max` bytes long, cut between characters; from 4 on,
// empty only when `text` is. NULL stays NULL.
char *text_bounded(const char *text, size_t max);

enum { TEXT_DOUBLE_SIZE = 32 };
// The shortest decimal that reads back as the same number ("0.1"; "NaN", "+Inf", "-Inf"); returns ret.
const char *text_double(double n, char ret[TEXT_DOUBLE_SIZE]);
