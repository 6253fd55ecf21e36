// gRPC frames: exactly the well-formed ones are taken, whatever the bytes.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "io/grpc.h"

#include "random.h"

static struct random r;

// Said once more in other words, to judge by.
static bool well_formed(const uint8_t *body, size_t length, size_t max) {
  if (length < 5 || body[0]) return false;
  uint64_t size = 0;
  for (int i = 1; i <= 4; i++) size = size * 256 + body[i];
  return size == length - 5 && size <= max;
}

// On the heap and of the exact size, so that the sanitizer sees a byte read too far.
static void check(const uint8_t *body, size_t length, size_t max) {
  uint8_t *exact = mem_alloc(length);
  memcpy(exact, body, length);
  const uint8_t *message = NULL;
  size_t message_length = 12345;
  struct error e = {0};
  enum error_code code = grpc_unframe(exact, length, max, &message, &message_length, &e);
  if (well_formed(body, length, max)) {
    assert_int_equal(code, ERR_NONE);
    assert_ptr_equal(message, exact + 5);
    assert_int_equal(message_length, length - 5);
    assert_int_equal(e.code, ERR_NONE);
  } else {
    assert_int_equal(code, ERR_INVALID);
    assert_int_equal(e.code, ERR_INVALID);
    assert_null(message);
    assert_int_equal(message_length, 12345);
  }
  free(exact);
}

static size_t frame(uint8_t *ret, size_t size) {
  ret[0] = 0;
  for (int i = 0; i < 4; i++) ret[1 + i] = (uint8_t)(size >> (24 - 8 * i));
  for (size_t i = 0; i < size; i++) ret[5 + i] = (uint8_t)random_below(&r, 256);
  return 5 + size;
}

static void frames_and_damaged_frames(void **state) {
  (void)state;
  static uint8_t body[70000 + 5];
  for (int run = 0; run < 50000; run++) {
    size_t size = random_below(&r, run % 100 ? 300 : 70000);
    size_t length = frame(body, size);
    check(body, length, size);
    check(body, length, size + random_below(&r, 1000));
    if (size > 0) check(body, length, random_below(&r, (unsigned)size));
    check(body, random_below(&r, (unsigned)length), 70000);            // cut
    body[random_below(&r, 5)] ^= (uint8_t)(1 << random_below(&r, 8));  // a damaged head
    check(body, length, 70000);
  }
}

static void two_frames_are_one_too_many(void **state) {
  (void)state;
  uint8_t body[2000];
  for (int run = 0; run < 10000; run++) {
    size_t length = frame(body, random_below(&r, 500));
    length += frame(body + length, random_below(&r, 500));
    check(body, length, sizeof(body));
  }
}

static void noise(void **state) {
  (void)state;
  uint8_t body[64];
  for (int run = 0; run < 100000; run++) {
    size_t length = random_below(&r, sizeof(body));
    for (size_t i = 0; i < length; i++) body[i] = (uint8_t)(random_below(&r, 3) ? 0 : random_below(&r, 64));
    check(body, length, random_below(&r, 64));
  }
}

int main(void) {
  r.state = random_seed();
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(frames_and_damaged_frames),
      cmocka_unit_test(two_frames_are_one_too_many),
      cmocka_unit_test(noise),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
