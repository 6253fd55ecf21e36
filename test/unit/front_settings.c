// The front's environment: defaults, what is refused and in which words, and that the documentation knows all of it.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/str.h"

#include "settings.h"

#define SECRET "0123456789abcdef0123456789abcdef"

static int setup(void **state) {
  (void)state;
  const char *ignored;
  for (unsigned i = 0; settings_variable(i, &ignored); i++) unsetenv(settings_variable(i, &ignored));
  setenv("DATABASE_URL", "postgresql://arena:hidden@db/arena", 1);
  setenv("JWT_SECRET", SECRET, 1);
  return 0;
}

static void what_is_not_set_has_a_default(void **state) {
  (void)state;
  struct settings s;
  assert_int_equal(settings_load(&s, NULL), ERR_NONE);
  assert_string_equal(s.listen_address, "0.0.0.0:8080");
  assert_string_equal(s.internal_listen_address, "0.0.0.0:8081");
  assert_string_equal(s.namespace, "rl-arena");
  assert_string_equal(s.blob_store, "postgres");
  assert_int_equal(s.max_upload_bytes, 50 * 1024 * 1024);
  assert_int_equal(s.password_min, 8);
  assert_int_equal(s.rate_auth, 5);
  assert_int_equal(s.rate_general, 60);
  assert_true(s.use_k8s);
  assert_null(s.allowed_origins);
  assert_null(s.public_url);
  assert_null(s.web_root);
  assert_non_null(s.pod_name);
  assert_int_equal(s.log_level, LOG_INFO);
  settings_done(&s);
}

static void what_is_set_is_taken(void **state) {
  (void)state;
  setenv("LISTEN_ADDRESS", "[::]:80", 1);
  setenv("ALLOWED_ORIGINS", "https://a.example, http://localhost:3000", 1);
  setenv("TRUSTED_PROXIES", "10.0.0.0/8, fd00::/8,192.0.2.1", 1);
  setenv("PUBLIC_URL", "https://arena.example/", 1);
  setenv("USE_K8S", "false", 1);
  setenv("RATE_AUTH", "100", 1);
  setenv("PASSWORD_MIN", "6", 1);
  setenv("WEB_ROOT", "/", 1);
  struct settings s;
  struct error e = {0};
  if (settings_load(&s, &e) != ERR_NONE) fail_msg("%s", e.text);
  assert_string_equal(s.public_url, "https://arena.example");
  assert_string_equal(s.listen_address, "[::]:80");
  assert_false(s.use_k8s);
  assert_int_equal(s.rate_auth, 100);
  assert_int_equal(s.password_min, 6);
  settings_done(&s);
}

static void what_is_wrong_is_named(void **state) {
  (void)state;
  static const char *const wrong[][2] = {
      {"LISTEN_ADDRESS", "8080"},
      {"LISTEN_ADDRESS", "localhost:8080"},
      {"LISTEN_ADDRESS", "[::1:80"},
      {"DATABASE_URL", "mysql://x"},
      {"JWT_SECRET", "short"},
      {"ALLOWED_ORIGINS", "*"},
      {"ALLOWED_ORIGINS", "https://a/b"},
      {"TRUSTED_PROXIES", "10.0.0.0/33"},
      {"TRUSTED_PROXIES", "proxy.example"},
      {"RATE_AUTH", "0"},
      {"RATE_AUTH", "-1"},
      {"RATE_AUTH", "5x"},
      {"MAX_UPLOAD_BYTES", "1"},
      {"BLOB_STORE", "minio"},
      {"FETCH_USERS", "fetch"},
      {"WEB_ROOT", "/no/such/folder"},
      {"TLS_CERT_FILE", "/no/such/file"},
      {"PASSWORD_MIN", "5"},
      {"LOG_LEVEL", "loud"},
      {"PUBLIC_URL", "arena.example"},
  };
  for (unsigned i = 0; i < array_size(wrong); i++) {
    setup(NULL);
    setenv(wrong[i][0], wrong[i][1], 1);
    struct settings s;
    struct error e = {0};
    assert_int_equal(settings_load(&s, &e), ERR_INVALID);
    if (strncmp(e.text, wrong[i][0], strlen(wrong[i][0])) != 0) fail_msg("%s=%s: %s", wrong[i][0], wrong[i][1], e.text);
  }
}

static void what_must_be_set_is_asked_for(void **state) {
  (void)state;
  struct settings s;
  struct error e = {0};
  unsetenv("JWT_SECRET");
  assert_int_equal(settings_load(&s, &e), ERR_INVALID);
  assert_string_equal(e.text, "JWT_SECRET is not set; it must be at least 32 bytes that nobody can guess");
}

static void a_secret_is_never_shown(void **state) {
  (void)state;
  static const char *const secret[][2] = {
      {"JWT_SECRET", "hidden"}, {"DATABASE_URL", "hidden"}, {"PUBLIC_URL", "ftp://user:hidden@host"}};
  for (unsigned i = 0; i < array_size(secret); i++) {
    setup(NULL);
    setenv(secret[i][0], secret[i][1], 1);
    struct settings s;
    struct error e = {0};
    assert_int_equal(settings_load(&s, &e), ERR_INVALID);
    assert_null(strstr(e.text, "hidden"));
  }
}

static void what_belongs_together_is_set_together(void **state) {
  (void)state;
  struct settings s;
  struct error e = {0};
  setenv("TLS_CERT_FILE", "/dev/null", 1);
  assert_int_equal(settings_load(&s, &e), ERR_INVALID);
  setup(NULL);
  setenv("BLOB_STORE", "s3://blobs", 1);
  assert_int_equal(settings_load(&s, &e), ERR_INVALID);
  assert_non_null(strstr(e.text, "S3_ENDPOINT"));
}

static void the_documentation_has_every_variable_with_its_default(void **state) {
  (void)state;
  const char *root = getenv("ARENA_SOURCE_ROOT");
  assert_non_null(root);
  cleanup_free char *path = mem_printf("%s/docs/configuration.md", root);
  FILE *file = fopen(path, "r");
  if (!file) fail_msg("%s cannot be read", path);
  struct str text = STR_INIT(1 << 20);
  char bytes[4096];
  for (size_t n; (n = fread(bytes, 1, sizeof(bytes), file)) > 0;) str_add_bytes(&text, bytes, n);
  fclose(file);
  const char *front = strstr(str_text(&text), "\n## The front");
  if (!front) fail_msg("docs/configuration.md has no part about the front");
  struct str missing = STR_INIT(4096);
  const char *otherwise;
  for (unsigned i = 0; settings_variable(i, &otherwise); i++) {
    const char *name = settings_variable(i, &otherwise);
    cleanup_free char *shown = !otherwise    ? mem_strdup("required")
                               : !*otherwise ? mem_strdup("none")
                                             : mem_printf("`%s`", otherwise);
    cleanup_free char *row = mem_printf("\n| `%s` | %s |", name, shown);
    if (!strstr(front, row)) str_add(&missing, row);
  }
  if (missing.length) fail_msg("docs/configuration.md lacks%s", str_text(&missing));
  str_done(&missing);
  str_done(&text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup(what_is_not_set_has_a_default, setup),
      cmocka_unit_test_setup(what_is_set_is_taken, setup),
      cmocka_unit_test_setup(what_is_wrong_is_named, setup),
      cmocka_unit_test_setup(what_must_be_set_is_asked_for, setup),
      cmocka_unit_test_setup(a_secret_is_never_shown, setup),
      cmocka_unit_test_setup(what_belongs_together_is_set_together, setup),
      cmocka_unit_test_setup(the_documentation_has_every_variable_with_its_default, setup),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
