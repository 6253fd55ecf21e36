// Ranges, what is unpacked on its way out, and lists of accounts.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/str.h"

#include "answer.h"
#include "blob_reply.h"
#include "gunzip.h"
#include "token_review.h"

static void ranges(void **state) {
  (void)state;
  static const struct {
    const char *header;
    int64_t size;
    enum range kind;
    int64_t from, length;
  } cases[] = {
      {NULL, 100, RANGE_NONE, 0, 0},
      {"bytes=0-0", 100, RANGE_PART, 0, 1},
      {"bytes=0-99", 100, RANGE_PART, 0, 100},
      {"bytes=10-", 100, RANGE_PART, 10, 90},
      {"Bytes=10-500", 100, RANGE_PART, 10, 90},
      {"bytes=-10", 100, RANGE_PART, 90, 10},
      {"bytes=-500", 100, RANGE_PART, 0, 100},
      {"bytes=99-99999999999999999999999999", 100, RANGE_PART, 99, 1},
      {"bytes=100-", 100, RANGE_BAD, 0, 0},
      {"bytes=99999999999999999999999999-", 100, RANGE_BAD, 0, 0},
      {"bytes=-0", 100, RANGE_BAD, 0, 0},
      {"bytes=0-", 0, RANGE_BAD, 0, 0},
      {"bytes=-1", 0, RANGE_BAD, 0, 0},
      {"bytes=5-4", 100, RANGE_NONE, 0, 0},
      {"bytes=0-1,5-6", 100, RANGE_NONE, 0, 0},
      {"bytes=-", 100, RANGE_NONE, 0, 0},
      {"bytes=", 100, RANGE_NONE, 0, 0},
      {"bytes=a-b", 100, RANGE_NONE, 0, 0},
      {"bytes=+1-2", 100, RANGE_NONE, 0, 0},
      {"bytes=1--2", 100, RANGE_NONE, 0, 0},
      {"lines=1-2", 100, RANGE_NONE, 0, 0},
  };
  for (size_t i = 0; i < array_size(cases); i++) {
    int64_t from = 0, length = 0;
    enum range kind = range_parse(cases[i].header, cases[i].size, &from, &length);
    if (kind != cases[i].kind || (kind == RANGE_PART && (from != cases[i].from || length != cases[i].length)))
      fail_msg("%s of %d", cases[i].header ? cases[i].header : "none", (int)cases[i].size);
  }
}

static void packed_and_unpacked(void **state) {
  (void)state;
  struct str cleanup_str plain = STR_INIT(1 << 20), packed = STR_INIT(1 << 20);
  for (int i = 0; i < 5000; i++) str_add_format(&plain, "line %d of a replay\n", i);
  assert_true(gzip_bytes(plain.data, plain.length, &packed));
  static const size_t pieces[] = {1, 7, 4096, 1 << 20};
  for (size_t p = 0; p < array_size(pieces); p++) {
    struct str cleanup_str out = STR_INIT(1 << 20);
    struct gunzip *g = gunzip_new();
    for (size_t at = 0; at < packed.length; at += pieces[p]) {
      char bytes[1000];
      gunzip_feed(g, packed.data + at, packed.length - at < pieces[p] ? packed.length - at : pieces[p]);
      for (size_t n; (n = gunzip_next(g, bytes, sizeof bytes)) > 0;) str_add_bytes(&out, bytes, n);
    }
    assert_false(gunzip_failed(g));
    gunzip_free(g);
    assert_int_equal(out.length, plain.length);
    assert_memory_equal(out.data, plain.data, plain.length);
  }
}

static void what_is_no_gzip_fails(void **state) {
  (void)state;
  struct gunzip *g = gunzip_new();
  char bytes[100];
  gunzip_feed(g, "no gzip at all", 14);
  assert_int_equal(gunzip_next(g, bytes, sizeof bytes), 0);
  assert_true(gunzip_failed(g));
  gunzip_free(g);
}

static void accounts(void **state) {
  (void)state;
  assert_true(token_review_list_is_valid(""));
  assert_true(token_review_list_is_valid("rl-arena:fetch"));
  assert_true(token_review_list_is_valid(" a:b , c.d:e-f,"));
  static const char *const bad[] = {"fetch", ":", "a:", ":b", "a:b:c", "A:b", "a:b c", "a/b:c", "a:*"};
  for (size_t i = 0; i < array_size(bad); i++)
    if (token_review_list_is_valid(bad[i])) fail_msg("%s was taken", bad[i]);
  assert_true(token_review_list_has("a:b, c:d", "c:d"));
  assert_true(token_review_list_has("a:b, c:d", "a:b"));
  static const char *const others[] = {"a:bb", "a", "b", "a:b,", "a:b, c:d", "", ":"};
  for (size_t i = 0; i < array_size(others); i++) assert_false(token_review_list_has("a:b, c:d", others[i]));
  assert_false(token_review_list_has(NULL, "a:b"));
  assert_false(token_review_list_has("a:b", NULL));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(ranges),
      cmocka_unit_test(packed_and_unpacked),
      cmocka_unit_test(what_is_no_gzip_fails),
      cmocka_unit_test(accounts),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
