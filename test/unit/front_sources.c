// What an upload is, what S3 says, which names a bucket may have.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/str.h"

#include "blobs.h"
#include "s3.h"
#include "upload_kind.h"

static void by_name_and_content_together(void **state) {
  (void)state;
  static const struct {
    const char *name, *head;
    enum upload_kind kind;
  } cases[] = {
      {"agent.py", "print()", UPLOAD_PYTHON},     {"Agent.PY", "\xef\xbb\xbf# coding", UPLOAD_PYTHON},
      {"a.zip", "PK\x03\x04", UPLOAD_ZIP},        {"a.tar.gz", "\x1f\x8b\x08", UPLOAD_TAR_GZ},
      {"a.tgz", "\x1f\x8b\x08", UPLOAD_TAR_GZ},   {"C:\\me\\a.zip", "PK\x03\x04", UPLOAD_ZIP},
      {"a.zip", "print()", UPLOAD_UNKNOWN},       {"a.zip", "\x1f\x8b\x08", UPLOAD_UNKNOWN},
      {"a.tar.gz", "PK\x03\x04", UPLOAD_UNKNOWN}, {"a.gz", "\x1f\x8b\x08", UPLOAD_UNKNOWN},
      {"a.py", "PK\x03\x04", UPLOAD_UNKNOWN},     {"a.py", "", UPLOAD_UNKNOWN},
      {"py", "print()", UPLOAD_UNKNOWN},          {"", "print()", UPLOAD_UNKNOWN},
      {"a.zip", "PK\x05\x06", UPLOAD_UNKNOWN},    {"a.zip", "PK", UPLOAD_UNKNOWN},
  };
  for (size_t i = 0; i < array_size(cases); i++) {
    const char *problem = NULL;
    enum upload_kind kind = upload_kind_of(cases[i].name, cases[i].head, strlen(cases[i].head), &problem);
    if (kind != cases[i].kind) fail_msg("%s: %d", cases[i].name, kind);
    if (kind == UPLOAD_UNKNOWN) assert_true(problem && strlen(problem) > 10);
  }
  const char *problem = NULL;
  assert_int_equal(upload_kind_of("a.py", "a\0b", 3, &problem), UPLOAD_UNKNOWN);
}

static void by_address(void **state) {
  (void)state;
  assert_string_equal(upload_format_of_url("https://a.test/x.zip"), "zip");
  assert_string_equal(upload_format_of_url("https://a.test/x.tar.gz?download=1.zip"), "tar.gz");
  assert_string_equal(upload_format_of_url("https://a.test/x.TGZ#a"), "tar.gz");
  assert_null(upload_format_of_url("https://a.test/x.py"));
  assert_null(upload_format_of_url("https://a.test/"));
}

static void hashes(void **state) {
  (void)state;
  assert_true(blob_is_sha256("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"));
  assert_false(blob_is_sha256("E3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"));
  assert_false(blob_is_sha256("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b85"));
  assert_false(blob_is_sha256(""));
}

static void what_s3_says(void **state) {
  (void)state;
  char id[16];
  s3_element("<R><UploadId>abc</UploadId></R>", "UploadId", id, sizeof id);
  assert_string_equal(id, "abc");
  s3_element("<R><UploadId>abc", "UploadId", id, sizeof id);
  assert_string_equal(id, "");
  s3_element("<UploadId>0123456789012345</UploadId>", "UploadId", id, sizeof id);
  assert_string_equal(id, "");
  s3_element("", "UploadId", id, sizeof id);
  assert_string_equal(id, "");
}

static void settings_of_a_bucket(void **state) {
  (void)state;
  uv_loop_t loop;
  uv_loop_init(&loop);
  static const struct {
    struct s3_options o;
    const char *wrong;
  } cases[] = {
      {{"s3://bucket", "http://s3.test:9000", "r", "a", "s"}, NULL},
      {{"s3://bucket/a/b/", "https://s3.test/", "r", "a", "s"}, NULL},
      {{"s3://bucket", NULL, "r", "a", "s"}, "S3_ENDPOINT"},
      {{"s3://bucket", "s3.test", "r", "a", "s"}, "S3_ENDPOINT"},
      {{"s3://bucket", "http://me:secret@s3.test", "r", "a", "s"}, "S3_ENDPOINT"},
      {{"s3://bucket", "http://s3.test", "r", NULL, "s"}, "S3_ACCESS_KEY_ID"},
      {{"s3://bucket", "http://s3.test", "r", "a", ""}, "S3_SECRET_ACCESS_KEY"},
      {{"s3://b", "http://s3.test", "r", "a", "s"}, "BLOB_STORE"},
      {{"s3://Bucket", "http://s3.test", "r", "a", "s"}, "BLOB_STORE"},
      {{"s3:///prefix", "http://s3.test", "r", "a", "s"}, "BLOB_STORE"},
      {{"folder", "http://s3.test", "r", "a", "s"}, "BLOB_STORE"},
  };
  for (size_t i = 0; i < array_size(cases); i++) {
    struct error e = {0};
    struct s3 *s = s3_new(&loop, NULL, &cases[i].o, &e);
    if ((s == NULL) != (cases[i].wrong != NULL)) fail_msg("case %zu: %s", i, e.text);
    if (!s) assert_non_null(strstr(e.text, cases[i].wrong));
    if (!s) assert_null(strstr(e.text, "secret@"));
    s3_free(s);
  }
  uv_loop_close(&loop);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(by_name_and_content_together),
      cmocka_unit_test(by_address),
      cmocka_unit_test(hashes),
      cmocka_unit_test(what_s3_says),
      cmocka_unit_test(settings_of_a_bucket),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
