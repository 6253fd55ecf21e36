// Kubeconfigs: what is taken from them, and the sentence for what is not.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/memory.h"

#include "config_private.h"
#include "file.h"
#include "yaml_tree.h"

#define HEAD \
  "apiVersion: v1\nkind: Config\ncurrent-context: c\ncontexts:\n- {name: c, context: {cluster: k, user: u}}\n"
#define CLUSTER "clusters:\n- name: k\n  cluster:\n    server: https://h:6443/\n"
#define USER(text) "users:\n- name: u\n  user: " text "\n"

static struct kube_config *parse(const char *text, struct error *e) {
  return kube_config_parse(text, strlen(text), "/dir", e);
}

static void test_whole(void **state) {
  (void)state;
  static const char text[] =
      "current-context: second\n"
      "clusters:\n"
      "- name: other\n  cluster: {server: 'http://other'}\n"
      "- name: k\n  cluster:\n    server: https://10.77.0.1:6443\n    certificate-authority: pki/ca.crt\n"
      "contexts:\n"
      "- name: first\n  context: {cluster: other}\n"
      "- name: second\n  context:\n    cluster: k\n    user: u\n    namespace: rl-arena\n"
      "users:\n"
      "- name: u\n  user:\n    client-certificate: /abs/c.crt\n    client-key: c.key\n    token: ' tok '\n";
  struct error e = {0};
  struct kube_config *c = parse(text, &e);
  assert_non_null(c);
  assert_string_equal(kube_config_server(c), "https://10.77.0.1:6443");
  assert_string_equal(kube_config_namespace(c), "rl-arena");
  assert_string_equal(c->files[CONFIG_CA], "/dir/pki/ca.crt");
  assert_string_equal(c->files[CONFIG_CERT], "/abs/c.crt");
  assert_string_equal(c->files[CONFIG_KEY], "/dir/c.key");
  assert_string_equal(token_get(&c->token, 1), "tok");
  assert_false(token_expire(&c->token));
  assert_false(c->insecure);
  kube_config_free(c);
}

static void test_least(void **state) {
  (void)state;
  static const char text[] =
      "{\"current-context\":\"c\",\"contexts\":[{\"name\":\"c\",\"context\":{\"cluster\":\"k\"}}],"
      "\"clusters\":[{\"name\":\"k\",\"cluster\":{\"server\":\"http://127.0.0.1:8001/\"}}]}";
  struct kube_config *c = parse(text, NULL);
  assert_non_null(c);
  assert_string_equal(kube_config_server(c), "http://127.0.0.1:8001");
  assert_string_equal(kube_config_namespace(c), "default");
  assert_null(c->files[CONFIG_CA]);
  assert_null(token_get(&c->token, 1));
  kube_config_free(c);
}

static void test_data(void **state) {
  (void)state;
  static const char text[] = HEAD
      "clusters:\n- name: k\n  cluster:\n    server: https://h\n    certificate-authority: ignored\n"
      "    certificate-authority-data: aGVsbG8=\n    insecure-skip-tls-verify: true\n" USER(
          "{client-certificate-data: Y2VydA==, client-key-data: a2V5IQ==}");
  struct error e = {0};
  struct kube_config *c = parse(text, &e);
  assert_non_null(c);
  static const char *const want[] = {"hello", "cert", "key!"};
  for (int i = 0; i < CONFIG_FILES; i++) {
    cleanup_free char *got = file_read(c->files[i], 100, NULL, &e);
    assert_string_equal(got, want[i]);
  }
  assert_true(c->insecure);
  char *path = mem_strdup(c->files[CONFIG_KEY]);
  kube_config_free(c);
  assert_int_not_equal(access(path, F_OK), 0);  // nothing is left
  free(path);
}

static void test_refused(void **state) {
  (void)state;
  static const struct {
    const char *text, *part;
  } cases[] = {
      {"", "empty"},
      {"\n# nothing\n", "empty"},
      {"just text", "no current-context"},
      {"[1, 2]", "no current-context"},
      {"a: [1,", "line"},
      {"a: b: c", "line 1"},
      {"\t", "line 1"},
      {"current-context: c\n", "no context \"c\""},
      {"current-context: {a: b}\n", "no current-context"},
      {"current-context: c\ncontexts: nonsense\n", "no context \"c\""},
      {"current-context: c\ncontexts: [a, {name: c}, {name: [x]}]\n", "no context \"c\""},
      {HEAD, "no cluster \"k\""},
      {HEAD "clusters:\n- name: k\n  cluster: {}\n" USER("{}"), "no server"},
      {HEAD "clusters:\n- name: k\n  cluster: {server: 'ftp://x'}\n", "not an http(s)"},
      {HEAD "clusters:\n- name: k\n  cluster: {server: 'https://'}\n", "not an http(s)"},
      {HEAD "clusters:\n- name: k\n  cluster: {server: 'https://a b'}\n", "not an http(s)"},
      {HEAD "clusters:\n- name: k\n  cluster: {server: 'https://u@h'}\n", "not an http(s)"},
      {HEAD "clusters:\n- name: k\n  cluster: {server: 'https://h', proxy-url: 'http://p'}\n", "\"proxy-url\""},
      {HEAD "clusters:\n- name: k\n  cluster: {server: 'https://h', tls-server-name: x}\n", "\"tls-server-name\""},
      {HEAD "clusters:\n- name: k\n  cluster: {server: 'https://h', certificate-authority-data: '*'}\n", "not base64"},
      {HEAD CLUSTER, "no user \"u\""},
      {HEAD CLUSTER USER("{exec: {command: aws}}"), "\"exec\" is not supported: use a client certificate"},
      {HEAD CLUSTER USER("{auth-provider: {name: oidc}}"), "\"auth-provider\" is not supported"},
      {HEAD CLUSTER USER("{username: a, password: b}"), "\"username\" is not supported"},
      {HEAD CLUSTER USER("{token: a, as: admin}"), "\"as\" is not supported"},
      {HEAD CLUSTER USER("{client-certificate: a}"), "need each other"},
      {HEAD CLUSTER USER("{client-key-data: YQ==}"), "need each other"},
      {HEAD CLUSTER USER("{client-key-data: YQ}"), "not base64"},
      {HEAD CLUSTER USER("{token: \"a\\nb\"}"), "no token has"},
      {HEAD CLUSTER USER("{token: \"a\\0b\"}"), "NUL"},
      {HEAD CLUSTER USER("&x {token: *x}"), "aliases"},
      {"{? {a: b} : c}", "key is not a text"},
      {"[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]", "deeper than 16"},
  };
  for (size_t i = 0; i < array_size(cases); i++) {
    struct error e = {0};
    assert_null(parse(cases[i].text, &e));
    if (strstr(e.text, cases[i].part) == NULL) fail_msg("case %zu: \"%s\" lacks \"%s\"", i, e.text, cases[i].part);
    assert_int_not_equal(e.code, ERR_NONE);
    assert_null(parse(cases[i].text, NULL));
  }
}

static void test_bounds(void **state) {
  (void)state;
  struct str s = STR_INIT(4 * 1024 * 1024);
  str_add(&s, "[");
  for (int i = 0; i <= YAML_NODES_MAX; i++) str_add(&s, "1,");
  str_add(&s, "]");
  struct error e = {0};
  assert_null(parse(str_text(&s), &e));
  assert_int_equal(e.code, ERR_TOO_LARGE);
  str_clear(&s);
  while (s.length < 1024 * 1024 + 1) str_add(&s, "#comment\n");
  assert_null(parse(str_text(&s), &e));
  assert_int_equal(e.code, ERR_TOO_LARGE);
  str_done(&s);
}

static void test_merge(void **state) {
  (void)state;
  struct kubeconfig_source sources[] = {
      {.text = "contexts:\n- {name: c, context: {cluster: k, user: u}}\n", .directory = "/a"},
      {.text = "current-context: c\nclusters:\n- {name: k, cluster: {server: https://h, certificate-authority: ca}}\n",
       .directory = "/b"},
      {.text = "current-context: d\n" USER("{tokenFile: t}"), .directory = "/c"},
  };
  for (size_t i = 0; i < array_size(sources); i++) sources[i].length = strlen(sources[i].text);
  struct error e = {0};
  struct kube_config *c = kubeconfig_resolve(sources, array_size(sources), &e);
  assert_non_null(c);
  assert_string_equal(c->files[CONFIG_CA], "/b/ca");
  assert_string_equal(c->token.file, "/c/t");
  kube_config_free(c);
}

static void write_file(const char *directory, const char *name, const char *text) {
  cleanup_free char *path = mem_printf("%s/%s", directory, name);
  FILE *f = fopen(path, "w");
  assert_non_null(f);
  fputs(text, f);
  fclose(f);
}

static void remove_files(const char *directory) {
  static const char *const names[] = {"token", "ca.crt", "namespace", "config"};
  for (size_t i = 0; i < array_size(names); i++) {
    cleanup_free char *path = mem_printf("%s/%s", directory, names[i]);
    unlink(path);
  }
  rmdir(directory);
}

static void test_in_cluster(void **state) {
  (void)state;
  char directory[] = "/tmp/kube-config-XXXXXX";
  assert_non_null(mkdtemp(directory));
  struct error e = {0};
  assert_null(config_in_cluster(directory, "", "443", &e));
  assert_int_equal(e.code, ERR_NOT_FOUND);
  assert_null(config_in_cluster(directory, "10.96.0.1", "443", &e));
  assert_non_null(strstr(e.text, "ca.crt"));
  write_file(directory, "ca.crt", "x");
  write_file(directory, "namespace", "rl-arena-system\n");
  assert_null(config_in_cluster(directory, "10.96.0.1", "443", &e));
  assert_non_null(strstr(e.text, "token"));
  write_file(directory, "token", "first\n");

  struct kube_config *c = config_in_cluster(directory, "fd00::1", "6443", &e);
  assert_non_null(c);
  assert_string_equal(kube_config_server(c), "https://[fd00::1]:6443");
  assert_string_equal(kube_config_namespace(c), "rl-arena-system");
  kube_config_free(c);
  remove_files(directory);
}

static void test_token_is_read_again(void **state) {
  (void)state;
  char directory[] = "/tmp/kube-config-XXXXXX";
  assert_non_null(mkdtemp(directory));
  cleanup_free char *path = mem_printf("%s/token", directory);
  struct token t = {0};
  token_set_file(&t, path);
  log_setup(LOG_ERROR + 1, LOG_TEXT);
  assert_null(token_get(&t, 1));

  static const struct timespec old[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}},
                               new[2] = {{.tv_sec = 2000}, {.tv_sec = 2000}};
  write_file(directory, "token", "first\n");
  utimensat(0, path, old, 0);
  assert_string_equal(token_get(&t, 2), "first");

  write_file(directory, "token", "second");
  utimensat(0, path, old, 0);
  assert_string_equal(token_get(&t, 3), "first");  // looks unchanged
  assert_true(token_expire(&t));                   // but a 401 came
  assert_string_equal(token_get(&t, 4), "second");

  write_file(directory, "token", "third");
  utimensat(0, path, new, 0);
  assert_string_equal(token_get(&t, 5), "third");

  write_file(directory, "token", "fourth");
  utimensat(0, path, new, 0);
  assert_string_equal(token_get(&t, 6), "third");
  assert_string_equal(token_get(&t, 5 + TOKEN_REREAD_MS), "fourth");  // a minute later

  write_file(directory, "token", " \n");
  utimensat(0, path, old, 0);
  assert_string_equal(token_get(&t, 6 + TOKEN_REREAD_MS), "fourth");  // better than nothing
  token_done(&t);
  remove_files(directory);
}

static void test_load(void **state) {
  (void)state;
  char directory[] = "/tmp/kube-config-XXXXXX";
  assert_non_null(mkdtemp(directory));
  write_file(directory, "config", HEAD CLUSTER USER("{token: t}"));
  cleanup_free char *list = mem_printf(":/nowhere/at/all:%s/config:", directory);
  setenv("KUBECONFIG", list, 1);
  struct error e = {0};
  struct kube_config *c = kube_config_load(&e);
  assert_non_null(c);
  assert_string_equal(kube_config_server(c), "https://h:6443");
  kube_config_free(c);

  setenv("KUBECONFIG", "/nowhere/at/all", 1);
  assert_null(kube_config_load(&e));
  assert_int_equal(e.code, ERR_NOT_FOUND);
  setenv("KUBECONFIG", "/nowhere/a:/nowhere/b", 1);
  assert_null(kube_config_load(&e));
  assert_int_equal(e.code, ERR_NOT_FOUND);
  setenv("KUBECONFIG", "a:b:c:d:e:f:g:h:i", 1);
  assert_null(kube_config_load(&e));
  assert_int_equal(e.code, ERR_TOO_LARGE);
  unsetenv("KUBECONFIG");
  unsetenv("KUBERNETES_SERVICE_HOST");
  setenv("HOME", "/nowhere", 1);
  assert_null(kube_config_load(&e));
  assert_non_null(strstr(e.text, "not in a Pod"));
  remove_files(directory);
}

static void test_base64(void **state) {
  (void)state;
  static const struct {
    const char *text, *want;
  } cases[] = {
      {"YQ==", "a"},
      {"YWI=", "ab"},
      {"YWJj", "abc"},
      {"YWJj\nZA==\n", "abcd"},
      {"+/+/", "\xfb\xff\xbf"},
      {"", NULL},
      {"YQ=", NULL},
      {"YQ", NULL},
      {"Y", NULL},
      {"YQ==YQ==", NULL},
      {"Y===", NULL},
      {"=", NULL},
      {"YWJj=", NULL},
      {"YW-j", NULL},
      {"YWJj====", NULL},
      {"====", NULL},
  };
  for (size_t i = 0; i < array_size(cases); i++) {
    size_t length = 0;
    cleanup_free unsigned char *got = file_decode_base64(cases[i].text, &length);
    if (cases[i].want == NULL) {
      assert_null(got);
      continue;
    }
    assert_int_equal(length, strlen(cases[i].want));
    assert_memory_equal(got, cases[i].want, length);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_whole),      cmocka_unit_test(test_least),
      cmocka_unit_test(test_data),       cmocka_unit_test(test_refused),
      cmocka_unit_test(test_bounds),     cmocka_unit_test(test_merge),
      cmocka_unit_test(test_in_cluster), cmocka_unit_test(test_token_is_read_again),
      cmocka_unit_test(test_load),       cmocka_unit_test(test_base64),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
