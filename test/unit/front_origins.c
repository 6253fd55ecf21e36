// Whose page may ask, and who asks behind a proxy.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/memory.h"

#include "origins.h"

static void an_origin_is_exactly_one_of_the_list(void **state) {
  (void)state;
  struct origins *o = origins_new("https://arena.example.com, http://localhost:3000 ,");
  assert_true(origins_allow(o, "https://arena.example.com"));
  assert_true(origins_allow(o, "http://localhost:3000"));
  assert_true(origins_allow(o, "HTTPS://Arena.example.com"));
  static const char *const others[] = {"",
                                       "null",
                                       "https://arena.example.com.evil.example",
                                       "https://evil.example/https://arena.example.com",
                                       "http://arena.example.com",
                                       "https://arena.example.com:444",
                                       "https://arena.example.com/",
                                       "http://localhost:30000"};
  for (unsigned i = 0; i < array_size(others); i++) assert_false(origins_allow(o, others[i]));
  origins_free(o);
  o = origins_new(NULL);
  assert_false(origins_allow(o, ""));
  origins_free(o);
}

static void ones_own_origin_is_scheme_and_host(void **state) {
  (void)state;
  assert_true(origin_is_same("http://arena:8080", false, "arena:8080"));
  assert_true(origin_is_same("https://Arena", true, "arena"));
  assert_false(origin_is_same("http://arena", true, "arena"));
  assert_false(origin_is_same("http://arena.evil", false, "arena"));
  assert_false(origin_is_same("http://", false, ""));
  assert_false(origin_is_same("http://a", false, NULL));
}

static void check_client(const char *peer, const char *forwarded, const char *expected) {
  struct proxies *p = proxies_new("10.0.0.0/8,fd00::/8, 192.0.2.7");
  char client[46];
  proxies_client(p, peer, forwarded, client, sizeof(client));
  assert_string_equal(client, expected);
  proxies_free(p);
}

static void only_trusted_proxies_are_believed(void **state) {
  (void)state;
  check_client("203.0.113.5", "1.2.3.4", "203.0.113.5");
  check_client("10.1.2.3", NULL, "10.1.2.3");
  check_client("10.1.2.3", "1.2.3.4", "1.2.3.4");
  check_client("fd00::1", "2001:db8::1", "2001:db8::1");
  check_client("192.0.2.7", "1.2.3.4", "1.2.3.4");
  check_client("192.0.2.8", "1.2.3.4", "192.0.2.8");
  check_client("::ffff:10.1.2.3", "1.2.3.4", "1.2.3.4");
}

static void what_a_stranger_wrote_in_front_says_nothing(void **state) {
  (void)state;
  check_client("10.1.2.3", "6.6.6.6, 1.2.3.4", "1.2.3.4");
  check_client("10.1.2.3", "6.6.6.6, 1.2.3.4, 10.9.9.9", "1.2.3.4");
  check_client("10.1.2.3", "6.6.6.6,unknown", "10.1.2.3");
  check_client("10.1.2.3", "1.2.3.4, ", "10.1.2.3");
  check_client("10.1.2.3", "10.1.1.1, 10.2.2.2", "10.1.1.1");
}

static void an_ipv6_client_has_a_whole_64(void **state) {
  (void)state;
  char group[46];
  address_group("2001:db8:1:2:3:4:5:6", group, sizeof(group));
  assert_string_equal(group, "2001:db8:1:2::");
  address_group("1.2.3.4", group, sizeof(group));
  assert_string_equal(group, "1.2.3.4");
  address_group("::ffff:1.2.3.4", group, sizeof(group));
  assert_string_equal(group, "1.2.3.4");
  address_group("nonsense", group, sizeof(group));
  assert_string_equal(group, "nonsense");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_origin_is_exactly_one_of_the_list),
      cmocka_unit_test(ones_own_origin_is_scheme_and_host),
      cmocka_unit_test(only_trusted_proxies_are_believed),
      cmocka_unit_test(what_a_stranger_wrote_in_front_says_nothing),
      cmocka_unit_test(an_ipv6_client_has_a_whole_64),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
