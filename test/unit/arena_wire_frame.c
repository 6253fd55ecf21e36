// Frames as the executor streams them.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "arena/wire.h"
#include "base/memory.h"

static void test_request(void **state) {
  (void)state;
  size_t length = 0;
  cleanup_free uint8_t *bytes = wire_encode_frames_request("ab", &length);
  assert_int_equal(length, 4);
  assert_memory_equal(bytes,
                      "\x0a\x02"
                      "ab",
                      4);
}

static void test_frame(void **state) {
  (void)state;
  struct wire_frame f = {0};
  struct error e = {0};
  static const char good[] = "\x08\x07\x12\x0a{\"a\": [1]}";
  assert_int_equal(wire_decode_frame((const uint8_t *)good, sizeof good - 1, &f, &e), ERR_NONE);
  assert_int_equal(f.step, 7);
  assert_string_equal(f.json, "{\"a\":[1]}");
  wire_frame_done(&f);
  assert_null(f.json);
}

static void test_bad_frames(void **state) {
  (void)state;
  static const struct {
    const char *bytes;
    size_t length;
  } bad[] = {
      {"", 0},                              // no object
      {"\x12\x02[]", 4},                    // another kind of JSON
      {"\x12\x03{}x", 5},                   // more than JSON
      {"\x12\x05{}", 4},                    // cut
      {"\xff\xff\xff\xff\xff\xff\xff", 7},  // no protobuf
  };
  for (size_t i = 0; i < array_size(bad); i++) {
    struct wire_frame f = {0};
    struct error e = {0};
    assert_int_equal(wire_decode_frame((const uint8_t *)bad[i].bytes, bad[i].length, &f, &e), ERR_INVALID);
    assert_null(f.json);
  }
  uint8_t *large = mem_alloc(WIRE_FRAME_MAX + 1);
  struct wire_frame f = {0};
  assert_int_equal(wire_decode_frame(large, WIRE_FRAME_MAX + 1, &f, NULL), ERR_INVALID);
  free(large);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_request),
      cmocka_unit_test(test_frame),
      cmocka_unit_test(test_bad_frames),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
