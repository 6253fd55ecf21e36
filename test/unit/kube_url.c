// Addresses: no name, however odd, leaves its place in the path.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"

#include "url.h"

static const struct kube_kind pods = {"", "v1", "pods", "Pod", false};
static const struct kube_kind matches = {"rl-arena.io", "v1alpha1", "matches", "Match", false};

static void test_table(void **state) {
  (void)state;
  static const struct {
    struct kube_request r;
    const char *want;
  } cases[] = {
      {{.kind = &pods, .namespace = "a", .name = "b"}, "/api/v1/namespaces/a/pods/b"},
      {{.kind = &pods, .namespace = "a", .name = "b", .subresource = "log", .query = "container=c&tailLines=5"},
       "/api/v1/namespaces/a/pods/b/log?container=c&tailLines=5"},
      {{.kind = &matches, .namespace = "a"}, "/apis/rl-arena.io/v1alpha1/namespaces/a/matches"},
      {{.kind = &matches, .query = ""}, "/apis/rl-arena.io/v1alpha1/matches"},
      {{.kind = &matches, .namespace = "a", .name = "m", .subresource = "status"},
       "/apis/rl-arena.io/v1alpha1/namespaces/a/matches/m/status"},
      {{.kind = &pods, .namespace = "a", .name = "b/../c?d#e%f g\xc3\xa9"},
       "/api/v1/namespaces/a/pods/b%2F..%2Fc%3Fd%23e%25f%20g%C3%A9"},
      {{.kind = &pods, .namespace = "a", .name = "a.b-c_d~e"}, "/api/v1/namespaces/a/pods/a.b-c_d~e"},
      {{.kind = &pods, .namespace = "a", .name = "..a"}, "/api/v1/namespaces/a/pods/..a"},
      // would delete everything, or climb
      {{.kind = &pods, .namespace = "a", .name = ""}, "/api/v1/namespaces/a/pods/%25"},
      {{.kind = &pods, .namespace = "a", .name = "."}, "/api/v1/namespaces/a/pods/%25%252E"},
      {{.kind = &pods, .namespace = "..", .name = "b"}, "/api/v1/namespaces/%25%252E%252E/pods/b"},
  };
  for (size_t i = 0; i < array_size(cases); i++) {
    struct str url = STR_INIT(1000);
    url_build(&url, "", &cases[i].r);
    assert_string_equal(str_text(&url), cases[i].want);
    str_done(&url);
  }
}

static void test_query(void **state) {
  (void)state;
  struct str query = STR_INIT(1000);
  kube_query_add(&query, "labelSelector", "app=x,b in (c, d)");
  kube_query_add(&query, "continue", "a+b/c==");
  assert_string_equal(str_text(&query), "labelSelector=app%3Dx%2Cb%20in%20%28c%2C%20d%29&continue=a%2Bb%2Fc%3D%3D");
  str_done(&query);
}

static void test_words(void **state) {
  (void)state;
  char text[64], tiny[4];
  assert_string_equal(kube_kind_api_version(&pods, text, sizeof text), "v1");
  assert_string_equal(kube_kind_api_version(&matches, text, sizeof text), "rl-arena.io/v1alpha1");
  assert_true(strlen(kube_kind_api_version(&matches, tiny, sizeof tiny)) < sizeof tiny);
  cleanup_free char *host = url_host("https://10.0.0.1:6443/prefix");
  assert_string_equal(host, "10.0.0.1:6443");
  cleanup_free char *ipv6 = url_host("https://[::1]:6443");
  assert_string_equal(ipv6, "[::1]:6443");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_table),
      cmocka_unit_test(test_query),
      cmocka_unit_test(test_words),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
