// base/str against a plain model, and its UTF-8 and number texts against what they promise.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/str.h"

#include "random.h"

static struct random r;

enum { MODEL_MAX = 300 };

struct model {
  char bytes[MODEL_MAX];
  size_t length;
  size_t max;
  bool failed;
};

static void model_add(struct model *m, const char *bytes, size_t length) {
  if (length > 0 && length > m->max - m->length) m->failed = true;
  if (m->failed) return;
  memcpy(m->bytes + m->length, bytes, length);
  m->length += length;
}

static void model_drop(struct model *m, size_t count) {
  if (count > m->length) count = m->length;
  m->length -= count;
  memmove(m->bytes, m->bytes + count, m->length);
}

static void random_text(char *ret, size_t length) {
  for (size_t i = 0; i < length; i++) ret[i] = (char)('a' + random_below(&r, 26));
  ret[length] = '\0';
}

static void step(struct str *s, struct model *m) {
  char text[64];
  size_t length = random_below(&r, 40);
  random_text(text, length);
  switch (random_below(&r, 8)) {
    case 0:
    case 1:
      str_add(s, text);
      model_add(m, text, length);
      break;
    case 2:
      text[length / 2] = '\0';  // a NUL inside
      str_add_bytes(s, text, length);
      model_add(m, text, length);
      break;
    case 3:
    case 4: {
      char formatted[80];
      unsigned n = random_below(&r, 1000);
      int size = snprintf(formatted, sizeof(formatted), "%u-%s", n, text);
      str_add_format(s, "%u-%s", n, text);
      model_add(m, formatted, (size_t)size);
      break;
    }
    case 5:
      str_drop_front(s, length);
      model_drop(m, length);
      break;
    case 6:
      if (random_below(&r, 4)) break;
      str_clear(s);
      m->length = 0;
      m->failed = false;
      break;
    default: {
      if (random_below(&r, 4)) break;
      cleanup_free char *taken = str_take(s);
      assert_memory_equal(taken, m->bytes, m->length);
      m->length = 0;
      m->failed = false;
      break;
    }
  }
}

static void it_does_what_the_model_does(void **state) {
  (void)state;
  for (int run = 0; run < 2000; run++) {
    struct model m = {.max = random_below(&r, MODEL_MAX)};
    cleanup_str struct str s = STR_INIT(m.max);
    for (int i = 0; i < 60; i++) {
      step(&s, &m);
      assert_int_equal(s.length, m.length);
      assert_int_equal(s.failed, m.failed);
      if (m.length == 0) {
        assert_string_equal(str_text(&s), "");
        continue;
      }
      assert_memory_equal(str_text(&s), m.bytes, m.length);
      assert_int_equal(s.data[s.length], '\0');
      assert_true(s.room > s.length && s.room <= s.max + 1);
    }
  }
}

// A random scalar value as UTF-8; returns its size.
static size_t encode(char *ret) {
  static const unsigned limits[] = {0x80, 0x800, 0x10000, 0x110000};
  unsigned c;
  do {
    c = 1 + random_below(&r, limits[random_below(&r, 4)] - 1);
  } while (c >= 0xD800 && c <= 0xDFFF);
  if (c < 0x80) {
    ret[0] = (char)c;
    return 1;
  }
  size_t size = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
  for (size_t i = size - 1; i > 0; i--, c >>= 6) ret[i] = (char)(0x80 | (c & 0x3F));
  ret[0] = (char)((0xF00 >> size) | c);
  return size;
}

static void valid_text_is_left_alone(void **state) {
  (void)state;
  for (int run = 0; run < 5000; run++) {
    char text[256];
    size_t length = 0;
    for (unsigned n = random_below(&r, 50); n > 0; n--) length += encode(text + length);
    assert_int_equal(text_utf8_prefix(text, length), length);
    cleanup_str struct str s = STR_INIT(1000);
    str_add_utf8(&s, text, length);
    assert_int_equal(s.length, length);
    if (length) assert_memory_equal(s.data, text, length);
  }
}

static void any_bytes_become_valid(void **state) {
  (void)state;
  for (int run = 0; run < 20000; run++) {
    char text[64];
    size_t length = 0;
    while (length < 40) {
      if (random_below(&r, 3) == 0)
        text[length++] = (char)random_below(&r, 256);
      else
        length += encode(text + length);
    }
    if (random_below(&r, 2)) length -= random_below(&r, 4);  // cut somewhere in a character
    cleanup_str struct str s = STR_INIT(1000);
    str_add_utf8(&s, text, length);
    assert_int_equal(text_utf8_prefix(str_text(&s), s.length), s.length);
    size_t valid = text_utf8_prefix(text, length);
    if (valid) assert_memory_equal(str_text(&s), text, valid);
    assert_true(s.length >= length);
  }
}

static void numbers_read_back_the_same(void **state) {
  (void)state;
  for (int run = 0; run < 100000; run++) {
    uint64_t bits = (uint64_t)random_below(&r, UINT32_MAX) << 32 | random_below(&r, UINT32_MAX);
    double n;
    if (run % 2)
      memcpy(&n, &bits, sizeof(n));
    else
      n = (double)(int64_t)bits / (double)(1 + random_below(&r, 1000000));
    if (!isfinite(n)) continue;
    char text[TEXT_DOUBLE_SIZE];
    assert_true(strtod(text_double(n, text), NULL) == n);
  }
}

int main(void) {
  r.state = random_seed();
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(it_does_what_the_model_does),
      cmocka_unit_test(valid_text_is_left_alone),
      cmocka_unit_test(any_bytes_become_valid),
      cmocka_unit_test(numbers_read_back_the_same),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
