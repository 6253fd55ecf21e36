// The pure half of io/grpc: frames and statuses.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "io/grpc.h"

static void one_frame_is_one_message(void **state) {
  (void)state;
  const uint8_t body[] = {0, 0, 0, 0, 3, 'a', 'b', 'c'};
  const uint8_t *message;
  size_t length;
  assert_int_equal(grpc_unframe(body, sizeof(body), 3, &message, &length, NULL), ERR_NONE);
  assert_int_equal(length, 3);
  assert_ptr_equal(message, body + 5);
  assert_int_equal(grpc_unframe((const uint8_t[5]){0}, 5, 0, &message, &length, NULL), ERR_NONE);
  assert_int_equal(length, 0);
}

static void anything_else_is_invalid(void **state) {
  (void)state;
  static const struct {
    const char *why;
    uint8_t body[8];
    size_t length;
  } cases[] = {
      {"no message", {0}, 0},
      {"no message", {0}, 4},
      {"compressed", {1, 0, 0, 0, 3, 'a', 'b', 'c'}, 8},
      {"cut off after 2 of 3", {0, 0, 0, 0, 3, 'a', 'b'}, 7},
      {"more than one", {0, 0, 0, 0, 2, 'a', 'b', 'c'}, 8},
      {"more than the 3 allowed", {0, 0, 0, 0, 4, 'a', 'b', 'c'}, 8},
      {"4294967295 bytes", {0, 0xFF, 0xFF, 0xFF, 0xFF, 'a', 'b', 'c'}, 8},
      {"16777216 bytes", {0, 1, 0, 0, 0, 'a', 'b', 'c'}, 8},
  };
  for (size_t i = 0; i < array_size(cases); i++) {
    const uint8_t *message = NULL;
    size_t length = 99;
    struct error e;
    assert_int_equal(grpc_unframe(cases[i].body, cases[i].length, 3, &message, &length, &e), ERR_INVALID);
    if (!strstr(e.text, cases[i].why)) fail_msg("%s: %s", cases[i].why, e.text);
    assert_null(message);
    assert_int_equal(length, 99);
  }
}

static void each_status_has_its_error(void **state) {
  (void)state;
  static const enum error_code codes[] = {
      ERR_NONE,    ERR_CANCELLED, ERR_INTERNAL,    ERR_INVALID,  ERR_TIMEOUT,   ERR_NOT_FOUND,
      ERR_EXISTS,  ERR_FORBIDDEN, ERR_BUSY,        ERR_INVALID,  ERR_CONFLICT,  ERR_INVALID,
      ERR_INVALID, ERR_INTERNAL,  ERR_UNAVAILABLE, ERR_INTERNAL, ERR_FORBIDDEN,
  };
  for (size_t i = 0; i < array_size(codes); i++) {
    struct error e = {0};
    assert_int_equal(grpc_status_to_error((int)i, "words", &e), codes[i]);
    assert_int_equal(e.code, codes[i]);
  }
}

static void the_text_names_the_status(void **state) {
  (void)state;
  struct error e;
  grpc_status_to_error(8, "four matches run", &e);
  assert_string_equal(e.text, "RESOURCE_EXHAUSTED: four matches run");
  grpc_status_to_error(14, "", &e);
  assert_string_equal(e.text, "UNAVAILABLE");
  grpc_status_to_error(5, NULL, &e);
  assert_string_equal(e.text, "NOT_FOUND");
}

static void an_unknown_status_is_a_broken_peer(void **state) {
  (void)state;
  struct error e;
  assert_int_equal(grpc_status_to_error(17, "x", &e), ERR_INTERNAL);
  assert_string_equal(e.text, "gRPC status 17: x");
  assert_int_equal(grpc_status_to_error(-1, NULL, &e), ERR_INTERNAL);
}

static void timeouts_have_eight_digits_at_most(void **state) {
  (void)state;
  char text[GRPC_TIMEOUT_SIZE];
  assert_string_equal(grpc_timeout_text(1, text), "1m");
  assert_string_equal(grpc_timeout_text(99999999, text), "99999999m");
  assert_string_equal(grpc_timeout_text(100000000, text), "100000S");
  assert_string_equal(grpc_timeout_text(INT64_MAX, text), "99999999S");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(timeouts_have_eight_digits_at_most), cmocka_unit_test(one_frame_is_one_message),
      cmocka_unit_test(anything_else_is_invalid),           cmocka_unit_test(each_status_has_its_error),
      cmocka_unit_test(the_text_names_the_status),          cmocka_unit_test(an_unknown_status_is_a_broken_peer),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
