// Which addresses are the front's own: those alone get a token.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/str.h"

#include "front.h"

#define OWN "http://api-server.rl-arena-system.svc:8081/internal/v1/sources"
#define HASH "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static void only_what_is_below_is_its_own(void **state) {
  (void)state;
  static const struct {
    const char *front, *url;
    bool own;
  } cases[] = {
      {OWN, OWN "/" HASH, true},
      {OWN "/", OWN "/" HASH, true},
      {OWN, "HTTP://API-Server.rl-arena-system.svc:8081/internal/v1/sources/" HASH, true},
      {"http://front", "http://front:80/" HASH, true},
      {"https://front:443/", "https://front/a/b", true},
      {"http://10.0.0.1:8081/s", "http://10.0.0.1:8081/s/" HASH, true},
      {"http://[fd00::1]:8081/s", "http://[fd00::1]:8081/s/" HASH, true},

      {OWN, OWN, false},
      {OWN, OWN "/", false},
      {OWN, OWN "x/" HASH, false},
      {OWN, "http://api-server.rl-arena-system.svc:8081/internal/v1/" HASH, false},
      {OWN, "https://api-server.rl-arena-system.svc:8081/internal/v1/sources/" HASH, false},
      {OWN, "http://api-server.rl-arena-system.svc/internal/v1/sources/" HASH, false},
      {OWN, "http://api-server.rl-arena-system.svc:80810/internal/v1/sources/" HASH, false},
      {OWN, "http://api-server.rl-arena-system.svc.evil.test:8081/internal/v1/sources/" HASH, false},
      {OWN, "http://api-server.rl-arena-system.svc.:8081/internal/v1/sources/" HASH, false},
      {OWN, "http://evil.test/?" OWN "/" HASH, false},
      {OWN, "http://evil.test/#" OWN "/" HASH, false},
      {OWN, "http://api-server.rl-arena-system.svc:8081@evil.test/internal/v1/sources/" HASH, false},
      {OWN, "http://me@api-server.rl-arena-system.svc:8081/internal/v1/sources/" HASH, false},
      {OWN, "http://evil.test\\@api-server.rl-arena-system.svc:8081/internal/v1/sources/" HASH, false},
      {OWN, OWN "/../replays/x", false},
      {OWN, OWN "/%2e%2e/replays/x", false},
      {OWN, OWN "/..%2freplays", false},
      {OWN, OWN "/./" HASH, false},
      {OWN, OWN "/" HASH "?kind=json", false},
      {OWN, OWN "/" HASH "#x", false},
      {OWN, OWN "/" HASH ".zip", false},
      {OWN, "api-server.rl-arena-system.svc:8081/internal/v1/sources/" HASH, false},
      {OWN, "nonsense", false},
      {"http://front", "http:front/a", false},
      {"no address", "http://front/a", false},
      {NULL, OWN "/" HASH, false},
  };
  for (size_t i = 0; i < array_size(cases); i++) {
    struct front front = {.url = cases[i].front};
    if (front_has(&front, cases[i].url) != cases[i].own)
      fail_msg("%s, %s: not %d", cases[i].front ? cases[i].front : "none", cases[i].url, cases[i].own);
  }
}

static char *with_token(const char *text, size_t length, struct fault *f) {
  char path[] = "/tmp/fetch-front-XXXXXX";
  int fd = mkstemp(path);
  assert_true(fd >= 0);
  assert_int_equal(write(fd, text, length), length);
  close(fd);
  struct front front = {.url = OWN, .token_file = path};
  char *header = front_authorization(&front, f);
  unlink(path);
  return header;
}

static void the_token_of_a_file(void **state) {
  (void)state;
  struct fault f = {0};
  cleanup_free char *header = with_token("abc.DEF-1_2\n", 12, &f);
  assert_string_equal(header, "Authorization: Bearer abc.DEF-1_2");
  static const char *const bad[] = {"", "\n", "a\x01", "\xc3\xa4", "a\"b"};
  for (size_t i = 0; i < array_size(bad); i++) {
    f = (struct fault){0};
    assert_null(with_token(bad[i], strlen(bad[i]), &f));
    assert_int_equal(f.kind, FAULT_TRANSIENT);
  }
  f = (struct fault){0};
  assert_null(front_authorization(&(struct front){.url = OWN, .token_file = "/nowhere/token"}, &f));
  assert_string_equal(f.reason, "NoToken");
  f = (struct fault){0};
  assert_null(front_authorization(&(struct front){.url = OWN}, &f));
}

static void its_answers(void **state) {
  (void)state;
  struct fault f = {0};
  assert_true(front_judge(200, &f));
  assert_false(front_judge(404, &f));
  assert_int_equal(f.kind, FAULT_REFUSED);
  static const long later[] = {301, 401, 403, 429, 500, 503};
  for (size_t i = 0; i < array_size(later); i++) {
    f = (struct fault){0};
    assert_false(front_judge(later[i], &f));
    assert_int_equal(f.kind, FAULT_TRANSIENT);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(only_what_is_below_is_its_own),
      cmocka_unit_test(the_token_of_a_file),
      cmocka_unit_test(its_answers),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
