// The examples of Amazon's own description of the signature.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"

#include "s3_sign.h"

#define NOTHING "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define HOST "examplebucket.s3.amazonaws.com"

static void the_published_examples(void **state) {
  (void)state;
  static const struct s3_credentials credentials = {"us-east-1", "AKIAIOSFODNN7EXAMPLE",
                                                    "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"};
  static const struct {
    struct s3_signed request;
    const char *signature;
  } cases[] = {
      {{"GET", HOST, "/test.txt", "", "bytes=0-9", NOTHING},
       "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"},
      {{"GET", HOST, "/", "lifecycle=", NULL, NOTHING},
       "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"},
      {{"GET", HOST, "/", "max-keys=2&prefix=J", NULL, NOTHING},
       "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"},
  };
  char date[S3_DATE_SIZE];
  s3_date(clock_parse("2013-05-24T00:00:00Z"), date);
  assert_string_equal(date, "20130524T000000Z");
  for (size_t i = 0; i < array_size(cases); i++) {
    struct str cleanup_str header = STR_INIT(2048);
    s3_authorization(&credentials, &cases[i].request, date, &header);
    assert_non_null(strstr(str_text(&header), "Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"));
    assert_string_equal(strstr(str_text(&header), "Signature=") + strlen("Signature="), cases[i].signature);
  }
}

static void hashes_and_escapes(void **state) {
  (void)state;
  char hex[S3_HEX_SIZE];
  s3_sha256("", 0, hex);
  assert_string_equal(hex, NOTHING);
  struct str cleanup_str path = STR_INIT(256), value = STR_INIT(256);
  s3_escape(&path, "/a b/~c+\xc3\xa4", true);
  assert_string_equal(str_text(&path), "/a%20b/~c%2B%C3%A4");
  s3_escape(&value, "a/b=c", false);
  assert_string_equal(str_text(&value), "a%2Fb%3Dc");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_published_examples),
      cmocka_unit_test(hashes_and_escapes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
