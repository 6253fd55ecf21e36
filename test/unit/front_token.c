// Tokens are good for whom and how long they say, and no other is good at all.
#include <jwt.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/str.h"

#include "auth_token.h"

#define SECRET "a secret of at least thirty-two bytes"
#define NOW 1700000000

static const struct token_claims alice = {.user_id = "0b5f3c9e-52a5-4f0e-9d0a-6c3f8c1b2a3d",
                                          .username = "alice",
                                          .email = "alice@example.com",
                                          .issued = NOW};

static char *token_of_alice(void) {
  struct token_claims c = alice;
  return token_issue(&c, SECRET);
}

static void what_is_issued_is_read(void **state) {
  (void)state;
  cleanup_free char *token = token_of_alice();
  struct token_claims c;
  struct error e = {0};
  assert_int_equal(token_read(token, SECRET, NOW, &c, &e), ERR_NONE);
  assert_string_equal(c.user_id, alice.user_id);
  assert_string_equal(c.username, "alice");
  assert_string_equal(c.email, "alice@example.com");
  assert_int_equal(c.issued, NOW);
  assert_int_equal(c.expires, NOW + 24 * 3600);
}

static void it_ends_after_24_hours(void **state) {
  (void)state;
  cleanup_free char *token = token_of_alice();
  struct token_claims c;
  struct error e = {0};
  assert_int_equal(token_read(token, SECRET, NOW + 24 * 3600 - 1, &c, &e), ERR_NONE);
  assert_int_equal(token_read(token, SECRET, NOW + 24 * 3600, &c, &e), ERR_FORBIDDEN);
  assert_non_null(strstr(e.text, "expired"));
}

static void clocks_may_differ_by_a_minute(void **state) {
  (void)state;
  cleanup_free char *token = token_of_alice();
  struct token_claims c;
  struct error e = {0};
  assert_int_equal(token_read(token, SECRET, NOW - 60, &c, &e), ERR_NONE);
  assert_int_equal(token_read(token, SECRET, NOW - 61, &c, &e), ERR_FORBIDDEN);
}

static void another_secret_is_refused(void **state) {
  (void)state;
  cleanup_free char *token = token_of_alice();
  struct token_claims c;
  struct error e = {0};
  assert_int_equal(token_read(token, SECRET ".", NOW, &c, &e), ERR_FORBIDDEN);
  assert_null(strstr(e.text, SECRET));
}

// Each character of the token, changed: nobody else's claims, and none of another spelling.
static void every_change_is_seen(void **state) {
  (void)state;
  cleanup_free char *token = token_of_alice();
  struct token_claims c;
  struct error e = {0};
  for (size_t i = 0; token[i]; i++) {
    const char was = token[i];
    token[i] = was == 'A' ? 'B' : 'A';
    assert_int_equal(token_read(token, SECRET, NOW, &c, &e), ERR_FORBIDDEN);
    token[i] = was;
  }
  for (size_t length = 0; length < strlen(token); length++) {
    cleanup_free char *cut = mem_strndup(token, length);
    assert_int_equal(token_read(cut, SECRET, NOW, &c, &e), ERR_FORBIDDEN);
  }
  cleanup_free char *longer = mem_printf("%sA", token);
  assert_int_equal(token_read(longer, SECRET, NOW, &c, &e), ERR_FORBIDDEN);
  cleanup_free char *padded = mem_printf("%s=", token);
  assert_int_equal(token_read(padded, SECRET, NOW, &c, &e), ERR_FORBIDDEN);
}

// As libjwt makes it of any algorithm and claims.
static char *token_with(jwt_alg_t alg, const char *claims) {
  jwt_t *jwt = NULL;
  assert_int_equal(jwt_new(&jwt), 0);
  if (alg != JWT_ALG_NONE)
    assert_int_equal(jwt_set_alg(jwt, alg, (const unsigned char *)SECRET, (int)strlen(SECRET)), 0);
  assert_int_equal(jwt_add_grants_json(jwt, claims), 0);
  char *token = jwt_encode_str(jwt);
  assert_non_null(token);
  jwt_free(jwt);
  return token;
}

#define CLAIMS(times) \
  "{\"userId\":\"0b5f3c9e-52a5-4f0e-9d0a-6c3f8c1b2a3d\",\"username\":\"alice\",\"email\":\"a@b.c\"" times "}"
#define TIMES ",\"iat\":1700000000,\"nbf\":1700000000,\"exp\":1700003600"

static enum error_code read_with(jwt_alg_t alg, const char *claims) {
  cleanup_free char *token = token_with(alg, claims);
  struct token_claims c;
  struct error e = {0};
  return token_read(token, SECRET, NOW, &c, &e);
}

static void only_hs256(void **state) {
  (void)state;
  assert_int_equal(read_with(JWT_ALG_HS256, CLAIMS(TIMES)), ERR_NONE);
  assert_int_equal(read_with(JWT_ALG_HS384, CLAIMS(TIMES)), ERR_FORBIDDEN);
  assert_int_equal(read_with(JWT_ALG_HS512, CLAIMS(TIMES)), ERR_FORBIDDEN);
  assert_int_equal(read_with(JWT_ALG_NONE, CLAIMS(TIMES)), ERR_FORBIDDEN);
}

static void every_claim_is_needed(void **state) {
  (void)state;
  static const char *const bad[] = {
      "{}",
      CLAIMS(""),
      CLAIMS(",\"iat\":1700000000,\"nbf\":1700000000"),
      CLAIMS(",\"iat\":1700000000,\"exp\":1700003600"),
      CLAIMS(",\"nbf\":1700000000,\"exp\":1700003600"),
      CLAIMS(",\"iat\":\"1700000000\",\"nbf\":1700000000,\"exp\":1700003600"),
      CLAIMS(",\"iat\":1700000000,\"nbf\":1700000000,\"exp\":1700003600.5"),
      CLAIMS(",\"iat\":1700000000,\"nbf\":1700000000,\"exp\":-1"),
      CLAIMS(",\"iat\":1700000000,\"nbf\":1700000000,\"exp\":9000000000"),  // longer than ours live
      CLAIMS(",\"iat\":1700000000,\"nbf\":1700000100,\"exp\":1700003600"),
      "{\"userId\":7,\"username\":\"alice\",\"email\":\"a@b.c\"" TIMES "}",
      "{\"userId\":\"\",\"username\":\"alice\",\"email\":\"a@b.c\"" TIMES "}",
      "{\"userId\":\"0b5f3c9e-52a5-4f0e-9d0a-6c3f8c1b2a3d-and-more\",\"username\":\"alice\",\"email\":\"a@b.c\"" TIMES
      "}",
  };
  for (size_t i = 0; i < array_size(bad); i++) assert_int_equal(read_with(JWT_ALG_HS256, bad[i]), ERR_FORBIDDEN);
}

static void what_is_no_token_is_refused(void **state) {
  (void)state;
  cleanup_free char *token = token_of_alice();
  cleanup_str struct str longest = STR_INIT(1 << 20);
  str_add(&longest, token);
  while (longest.length <= TOKEN_MAX) str_add(&longest, "A");
  const char *const bad[] = {
      "", ".", "..", "...", "a.b", "a.b.c", "....", "%", "\xFF\xFE", "eyJ9.eyJ9.", str_text(&longest)};
  struct token_claims c;
  struct error e = {0};
  for (size_t i = 0; i < array_size(bad); i++) assert_int_equal(token_read(bad[i], SECRET, NOW, &c, &e), ERR_FORBIDDEN);
  assert_non_null(strstr(e.text, "longer"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_is_issued_is_read),        cmocka_unit_test(it_ends_after_24_hours),
      cmocka_unit_test(clocks_may_differ_by_a_minute), cmocka_unit_test(another_secret_is_refused),
      cmocka_unit_test(every_change_is_seen),          cmocka_unit_test(only_hs256),
      cmocka_unit_test(every_claim_is_needed),         cmocka_unit_test(what_is_no_token_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
