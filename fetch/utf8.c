#include "utf8.h"

#include <stdint.h>

// Decodes one sequence; its length, or 0.
static size_t decode(const char *text, size_t length, uint32_t *ret) {
  if (length == 0) return 0;
  const unsigned char *s = (const unsigned char *)text;
  if (s[0] < 0x80) {
    *ret = s[0];
    return 1;
  }
  size_t n = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
  if (s[0] < 0xc2 || s[0] > 0xf4 || length < n) return 0;
  uint32_t c = s[0] & (0x7fu >> n);
  for (size_t i = 1; i < n; i++) {
    if ((s[i] & 0xc0) != 0x80) return 0;
    c = c << 6 | (s[i] & 0x3fu);
  }
  static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
  if (c < smallest[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff)) return 0;
  *ret = c;
  return n;
}

size_t utf8_sequence(const char *text, size_t length) {
  uint32_t c;
  return decode(text, length, &c);
}

size_t utf8_printable(const char *text, size_t length) {
  uint32_t c;
  size_t n = decode(text, length, &c);
  if (n == 0 || c < 0x20 || (c >= 0x7f && c < 0xa0)) return 0;
  if (c == 0x61c || (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e)) return 0;
  if ((c >= 0x2060 && c <= 0x206f) || c == 0xfeff || (c >= 0xfff9 && c <= 0xfffb)) return 0;
  return n;
}

bool utf8_valid(const char *text, size_t length) {
  for (size_t at = 0; at < length;) {
    size_t n = utf8_sequence(text + at, length - at);
    if (n == 0) return false;
    at += n;
  }
  return true;
}

size_t utf8_cut(const char *text, size_t length) {
  size_t start = length;
  while (start > 0 && length - start < 4) {
    start--;
    if (((unsigned char)text[start] & 0xc0) != 0x80) {  // the last character begins here
      return utf8_sequence(text + start, length - start) == length - start ? length : start;
    }
  }
  return length;
}
