// Messages of a gRPC stream, however its bytes are cut.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "io/grpc.h"

static bool on_message(void *context, const uint8_t *bytes, size_t length) {
  struct str *log = context;
  str_add(log, "[");
  str_add_bytes(log, bytes, length);
  str_add(log, "]");
  return length != 4;
}

static enum error_code run(const char *bytes, size_t length, size_t piece, size_t max, struct str *log, bool *between) {
  struct grpc_feed f;
  struct error e = {0};
  grpc_feed_init(&f, max, on_message, log);
  while (length > 0 && e.code == ERR_NONE) {
    const size_t n = piece < length ? piece : length;
    grpc_feed_push(&f, bytes, n, &e);
    bytes += n;
    length -= n;
  }
  *between = grpc_feed_is_between(&f);
  grpc_feed_done(&f);
  return e.code;
}

static const struct {
  const char *bytes;
  size_t length;
  size_t max;
  const char *log;
  enum error_code code;
  bool between;
} cases[] = {
    {"", 0, 10, "", ERR_NONE, true},
    {"\0\0\0\0\1a\0\0\0\0\0\0\0\0\0\2bc", 18, 10, "[a][][bc]", ERR_NONE, true},
    {"\0\0\0\0\2b", 6, 10, "", ERR_NONE, false},
    {"\0\0\0", 3, 10, "", ERR_NONE, false},
    {"\0\0\0\0\3abc", 8, 2, "", ERR_TOO_LARGE, false},
    {"\1\0\0\0\1a", 6, 10, "", ERR_INVALID, false},
    {"\0\xff\xff\xff\xff", 5, 10, "", ERR_TOO_LARGE, false},
    {"\0\0\0\0\4stop\0\0\0\0\1a", 15, 10, "[stop]", ERR_CANCELLED, false},
};

static void test_cases(void **state) {
  (void)state;
  for (size_t i = 0; i < array_size(cases); i++) {
    for (size_t piece = 1; piece < 20; piece++) {
      struct str log = STR_INIT(100);
      bool between = false;
      assert_int_equal(run(cases[i].bytes, cases[i].length, piece, cases[i].max, &log, &between), cases[i].code);
      assert_string_equal(str_text(&log), cases[i].log);
      if (cases[i].code == ERR_NONE) assert_int_equal(between, cases[i].between);
      str_done(&log);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_cases)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
