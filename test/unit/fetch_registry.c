// What the pusher takes out of a Secret, out of a registry's challenge, and out of a manifest.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/str.h"

#include "challenge.h"
#include "credentials.h"
#include "layout.h"

// ---- credentials ---------------------------------------------------------------------------------

static void assert_found(const char *entries, const char *host, const char *repository, const char *expected) {
  cleanup_free char *text = mem_printf("{\"auths\":{%s}}", entries);
  cleanup_free char *found = credentials_find(text, strlen(text), host, repository);
  if (!text_equal(found, expected)) fail_msg("%s for %s/%s: %s", entries, host, repository, found ? found : "none");
}

static void the_entry_of_the_registry_is_found(void **state) {
  (void)state;
  static const char own[] = "\"r.test:5000\":{\"auth\":\"bWU6cHc=\"}";  // me:pw
  assert_found(own, "r.test:5000", "a/b", "me:pw");
  assert_found(own, "r.test", "a/b", NULL);
  assert_found(own, "r.test:50", "a/b", NULL);
  assert_found("\"https://r.test/v1/\":{\"auth\":\"bWU6cHc=\"}", "r.test", "a/b", "me:pw");
  assert_found("\"r.test/\":{\"username\":\"me\",\"password\":\"a:b\"}", "r.test", "a/b", "me:a:b");
  assert_found("\"r.test.evil\":{\"auth\":\"bWU6cHc=\"}", "r.test", "a/b", NULL);
  static const char several[] =
      "\"r.test\":{\"username\":\"all\"},\"r.test/a\":{\"username\":\"a\"},\"r.test/a/b\":{\"username\":\"ab\"}";
  assert_found(several, "r.test", "a/b", "ab:");
  assert_found(several, "r.test", "a/bc", "a:");
  assert_found(several, "r.test", "ab", "all:");
}

static void what_is_no_entry_is_none(void **state) {
  (void)state;
  assert_found("", "r.test", "a", NULL);
  assert_found("\"r.test\":7", "r.test", "a", NULL);
  assert_found("\"r.test\":{\"auth\":\"%%%%\"}", "r.test", "a", NULL);
  assert_found("\"r.test\":{\"auth\":\"bWU\"}", "r.test", "a", NULL);
  static const char *const texts[] = {"", "[]", "{\"auths\":[]}", "{\"auths\":null}", "nothing"};
  for (unsigned i = 0; i < array_size(texts); i++)
    assert_null(credentials_find(texts[i], strlen(texts[i]), "r.test", "a"));
}

// ---- challenges ----------------------------------------------------------------------------------

static void a_challenge_is_read(void **state) {
  (void)state;
  static const struct {
    const char *header;
    enum challenge_kind kind;
    const char *url;
  } cases[] = {
      {"Basic realm=\"r\"", CHALLENGE_BASIC, NULL},
      {"bearer realm=\"https://t.test/token\",service=\"r.test\"", CHALLENGE_BEARER,
       "https://t.test/token?service=r.test&scope=repository:a/b:pull,push"},
      {"Bearer service=\"a b&c\" , realm=https://t.test/?x=1, error=\"invalid_token\"", CHALLENGE_BEARER,
       "https://t.test/?x=1&service=a%20b%26c&scope=repository:a/b:pull,push"},
      {"Bearer realm=\"https://t.test/\\\"q\"", CHALLENGE_BEARER, "https://t.test/\"q?scope=repository:a/b:pull,push"},
      {"Bearer realm=\"unended", CHALLENGE_BEARER, "unended?scope=repository:a/b:pull,push"},
      {"Bearer service=\"r\"", CHALLENGE_NONE, NULL},
      {"Bearer", CHALLENGE_NONE, NULL},
      {"Negotiate", CHALLENGE_NONE, NULL},
      {"", CHALLENGE_NONE, NULL},
  };
  for (unsigned i = 0; i < array_size(cases); i++) {
    struct challenge c = {0};
    assert_int_equal(challenge_parse(cases[i].header, &c), cases[i].kind != CHALLENGE_NONE);
    assert_int_equal(c.kind, cases[i].kind);
    cleanup_free char *url = cases[i].url ? challenge_url(&c, "a/b") : NULL;
    assert_true(text_equal(url, cases[i].url));
    challenge_done(&c);
  }
}

// ---- manifests -----------------------------------------------------------------------------------

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define CONFIG "{\"mediaType\":\"application/vnd.oci.image.config.v1+json\",\"digest\":\"sha256:" HEX "\",\"size\":10}"
#define LAYER(type, more) "{\"mediaType\":\"" type "\",\"digest\":\"sha256:" HEX "\",\"size\":90" more "}"
#define GZIP "application/vnd.oci.image.layer.v1.tar+gzip"

static bool parse(const char *manifest, int64_t max, struct image *ret, struct fault *f) {
  *f = (struct fault){0};
  return image_parse(manifest, strlen(manifest), max, ret, f);
}

static void a_manifest_is_written_with_what_was_read_and_nothing_else(void **state) {
  (void)state;
  struct image image;
  struct fault f;
  assert_true(parse(
      "{\"layers\":[" LAYER(
          GZIP, ",\"annotations\":{}") "],\"config\":" CONFIG
                                       ",\"subject\":{},\"Layers\":[{\"urls\":[]}],\"annotations\":{\"a\":\"b\"}}",
      100, &image, &f));
  assert_int_equal(image.layer_count, 1);
  cleanup_free char *text = image_manifest(&image);
  assert_string_equal(text,
                      "{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"config\":"
                      "{\"mediaType\":\"application/vnd.oci.image.config.v1+json\",\"size\":10,\"digest\":\"sha256:" HEX
                      "\"},\"layers\":[{\"mediaType\":\"" GZIP "\",\"size\":90,\"digest\":\"sha256:" HEX "\"}]}");
  char digest[LAYOUT_DIGEST];
  layout_digest("abc", 3, digest);
  assert_string_equal(digest, "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void an_image_that_refers_elsewhere_is_refused(void **state) {
  (void)state;
  static const char *const manifests[] = {
      "",
      "[]",
      "{}",
      "{\"config\":" CONFIG ",\"mediaType\":\"application/vnd.oci.image.index.v1+json\"}",
      "{\"config\":" LAYER(GZIP, "") "}",
      "{\"config\":{\"mediaType\":\"application/vnd.oci.image.config.v1+json\",\"digest\":\"sha256:../../"
      "x\",\"size\":1}}",
      "{\"config\":" CONFIG ",\"layers\":[" LAYER(GZIP, ",\"urls\":[\"http://169.254.169.254/\"]") "]}",
      "{\"config\":" CONFIG ",\"layers\":[" LAYER("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", "") "]}",
      "{\"config\":" CONFIG ",\"layers\":[" LAYER("application/vnd.oci.image.layer.nondistributable.v1.tar", "") "]}",
      "{\"config\":" CONFIG ",\"layers\":[{\"mediaType\":\"" GZIP "\",\"digest\":\"sha256:" HEX "\",\"size\":-1}]}",
      "{\"config\":" CONFIG ",\"layers\":[{\"mediaType\":\"" GZIP "\",\"digest\":\"sha256:" HEX "\"}]}",
      "{\"config\":" CONFIG ",\"layers\":[null]}",
  };
  struct image image;
  struct fault f;
  for (unsigned i = 0; i < array_size(manifests); i++) {
    if (parse(manifests[i], 1000, &image, &f)) fail_msg("taken: %s", manifests[i]);
    assert_string_equal(f.reason, "BadImage");
    assert_int_equal(f.kind, FAULT_REFUSED);
  }
}

static void sizes_are_bounded_together(void **state) {
  (void)state;
  struct image image;
  struct fault f;
  static const char two[] = "{\"config\":" CONFIG ",\"layers\":[" LAYER(GZIP, "") "," LAYER(GZIP, "") "]}";
  assert_true(parse(two, 190, &image, &f));
  assert_false(parse(two, 189, &image, &f));
  assert_string_equal(f.reason, "ImageTooBig");
  struct str many = STR_INIT(1 << 20);
  str_add(&many, "{\"config\":" CONFIG ",\"layers\":[");
  for (int i = 0; i <= LAYOUT_LAYERS; i++) str_add_format(&many, "%s%s", i ? "," : "", LAYER(GZIP, ""));
  str_add(&many, "]}");
  assert_false(parse(str_text(&many), INT64_MAX, &image, &f));
  str_done(&many);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_entry_of_the_registry_is_found),
      cmocka_unit_test(what_is_no_entry_is_none),
      cmocka_unit_test(a_challenge_is_read),
      cmocka_unit_test(a_manifest_is_written_with_what_was_read_and_nothing_else),
      cmocka_unit_test(an_image_that_refers_elsewhere_is_refused),
      cmocka_unit_test(sizes_are_bounded_together),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
