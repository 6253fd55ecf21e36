// A hash is of its password, each is another, and what cannot be read is nobody's.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"

#include "password.h"

static void a_hash_is_of_its_password(void **state) {
  (void)state;
  char hash[PASSWORD_HASH_SIZE], another[PASSWORD_HASH_SIZE];
  password_hash("correct horse", hash);
  password_hash("correct horse", another);
  assert_string_not_equal(hash, another);
  assert_true(password_is("correct horse", hash));
  assert_true(password_is("correct horse", another));
  assert_false(password_is("correct horsf", hash));
  assert_false(password_is("", hash));
  assert_true(strncmp(hash, "$scrypt$ln=15,r=8,p=3$", 22) == 0);
  assert_null(strstr(hash, "horse"));
}

// RFC 7914's second vector has N=1024, r=8, p=16 and a salt of four bytes; this one is from another implementation
// (Python's hashlib.scrypt) with a salt of ours.
static void it_is_scrypt(void **state) {
  (void)state;
  assert_true(password_is("pleaseletmein",
                          "$scrypt$ln=10,r=8,p=2$MDEyMzQ1Njc4OWFiY2RlZg$NHojOb+G+ZuFpX52jQGJPg/AaQpvIbkurmwLMdCIUXs"));
}

static void what_cannot_be_read_is_nobodys(void **state) {
  (void)state;
  // Few: each costs a whole hash.
  static const char *const bad[] = {
      NULL,
      "$scrypt$ln=15,r=8,p=3$AAAAAAAAAAAAAAAAAAAAAA$",
      "$scrypt$ln=15,r=8,p=3$AAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
      "$scrypt$ln=31,r=8,p=3$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
      "$scrypt$ln=15,r=8,p=3$AAAAAAAAAAAAAAAAAAAA!!$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
  };
  for (size_t i = 0; i < array_size(bad); i++) assert_false(password_is("anything", bad[i]));
}

struct answers {
  unsigned hashed, right, wrong;
  char hash[PASSWORD_HASH_SIZE];
};

static void take_hash(void *context, const char *hash) {
  struct answers *a = context;
  a->hashed++;
  snprintf(a->hash, sizeof a->hash, "%s", hash);
}

static void take_check(void *context, bool right) {
  struct answers *a = context;
  right ? a->right++ : a->wrong++;
}

static void several_are_computed_beside_the_loop(void **state) {
  (void)state;
  uv_loop_t loop;
  uv_loop_init(&loop);
  struct work *w = work_new(&loop, 3, 3);
  struct answers a = {0};
  char password[] = "correct horse";
  const char *stored = "$scrypt$ln=10,r=8,p=2$MDEyMzQ1Njc4OWFiY2RlZg$NHojOb+G+ZuFpX52jQGJPg/AaQpvIbkurmwLMdCIUXs";
  assert_true(password_hash_start(w, password, take_hash, &a));
  assert_true(password_check_start(w, password, stored, take_check, &a));
  assert_true(password_check_start(w, "pleaseletmein", stored, take_check, &a));
  assert_true(password_hash_start(w, password, take_hash, &a));
  assert_true(password_check_start(w, password, stored, take_check, &a));
  assert_true(password_check_start(w, "pleaseletmein", stored, take_check, &a));
  assert_false(password_check_start(w, password, stored, take_check, &a));  // the line is full
  memset(password, 'x', sizeof password - 1);                               // theirs are copies
  uv_run(&loop, UV_RUN_DEFAULT);
  assert_int_equal(a.hashed, 2);
  assert_int_equal(a.right, 2);
  assert_int_equal(a.wrong, 2);
  assert_true(password_is("correct horse", a.hash));
  work_free(w);
  assert_int_equal(uv_loop_close(&loop), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_hash_is_of_its_password),
      cmocka_unit_test(it_is_scrypt),
      cmocka_unit_test(what_cannot_be_read_is_nobodys),
      cmocka_unit_test(several_are_computed_beside_the_loop),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
