// Which addresses fetch may connect to: the table of all special ranges, their edges, and what configuration adds.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/un.h>

#include <cmocka.h>

#include "base/address.h"
#include "base/memory.h"

// Judges an address in text form, IPv6 when it has a colon.
static bool allowed(const char *text, const struct cidr *list, size_t count) {
  struct sockaddr_in6 six = {.sin6_family = AF_INET6};
  struct sockaddr_in four = {.sin_family = AF_INET};
  if (strchr(text, ':')) {
    assert_int_equal(inet_pton(AF_INET6, text, &six.sin6_addr), 1);
    return address_allowed((struct sockaddr *)&six, list, count);
  }
  assert_int_equal(inet_pton(AF_INET, text, &four.sin_addr), 1);
  return address_allowed((struct sockaddr *)&four, list, count);
}

static void public_addresses_are_allowed(void **state) {
  (void)state;
  static const char *const addresses[] = {
      "1.1.1.1",        "8.8.8.8",         "9.255.255.255",   "11.0.0.0",         "100.63.255.255",
      "100.128.0.0",    "126.255.255.255", "128.0.0.0",       "169.253.255.255",  "169.255.0.0",
      "172.15.255.255", "172.32.0.0",      "192.0.1.0",       "192.167.255.255",  "192.169.0.0",
      "198.17.255.255", "198.20.0.0",      "223.255.255.255", "140.82.121.4",     "2606:4700::1111",
      "2a00:1450::1",   "2001:200::1",     "::ffff:8.8.8.8",  "64:ff9b::808:808", "2002:808:808::1",
  };
  for (size_t i = 0; i < array_size(addresses); i++) {
    if (!allowed(addresses[i], NULL, 0)) fail_msg("%s is public", addresses[i]);
  }
}

static void everything_else_is_refused(void **state) {
  (void)state;
  static const char *const addresses[] = {
      // IPv4, each range's first and last address
      "0.0.0.0",
      "0.255.255.255",
      "10.0.0.0",
      "10.255.255.255",
      "100.64.0.0",
      "100.127.255.255",
      "127.0.0.1",
      "127.255.255.255",
      "169.254.0.0",
      "169.254.169.254",
      "169.254.255.255",
      "172.16.0.0",
      "172.31.255.255",
      "192.0.0.0",
      "192.0.0.255",
      "192.0.2.1",
      "192.31.196.1",
      "192.52.193.1",
      "192.88.99.1",
      "192.168.0.0",
      "192.168.255.255",
      "192.175.48.1",
      "198.18.0.0",
      "198.19.255.255",
      "198.51.100.7",
      "203.0.113.7",
      "224.0.0.1",
      "239.255.255.255",
      "240.0.0.0",
      "255.255.255.255",
      "168.63.129.16",
      // IPv6: unspecified, loopback, compatible, discard, local NAT64, unique local, link-local, site-local, multicast
      "::",
      "::1",
      "::8.8.8.8",
      "100::1",
      "64:ff9b:1::808:808",
      "fc00::1",
      "fd12:3456::1",
      "fe80::1",
      "febf::1",
      "fec0::1",
      "ff02::1",
      "4000::1",
      "1fff::1",
      // inside 2000::/3: Teredo, benchmarks, ORCHID, documentation, AS112
      "2001::1",
      "2001:2::1",
      "2001:10::1",
      "2001:20::1",
      "2001:db8::1",
      "2620:4f:8000::1",
      "3fff:fff::1",
      // IPv4 inside IPv6
      "::ffff:127.0.0.1",
      "::ffff:10.0.0.1",
      "::ffff:169.254.169.254",
      "64:ff9b::a00:1",
      "64:ff9b::7f00:1",
      "2002:a00:1::1",
      "2002:7f00:1::",
      "2002:a9fe:a9fe::",
  };
  for (size_t i = 0; i < array_size(addresses); i++) {
    if (allowed(addresses[i], NULL, 0)) fail_msg("%s is not public", addresses[i]);
  }
}

static void other_families_are_refused(void **state) {
  (void)state;
  struct sockaddr_un local = {.sun_family = AF_UNIX};
  struct cidr all[2];
  assert_true(cidr_parse("0.0.0.0/0", &all[0]));
  assert_true(cidr_parse("::/0", &all[1]));
  assert_false(address_allowed((struct sockaddr *)&local, all, 2));
}

static void configuration_adds(void **state) {
  (void)state;
  struct cidr list[4];
  assert_true(cidr_parse("10.77.0.0/16", &list[0]));
  assert_true(cidr_parse("192.168.1.7", &list[1]));
  assert_true(cidr_parse("fd00:1::/33", &list[2]));
  assert_true(cidr_parse("172.16.0.0/13", &list[3]));
  static const struct {
    const char *address;
    bool allowed;
  } cases[] = {
      {"10.77.0.1", true},   {"10.77.255.255", true},    {"10.78.0.0", false},     {"10.76.255.255", false},
      {"192.168.1.7", true}, {"192.168.1.8", false},     {"192.168.1.6", false},   {"172.23.255.255", true},
      {"172.24.0.0", false}, {"fd00:1::1", true},        {"fd00:1:7fff::", true},  {"fd00:1:8000::", false},
      {"fd00:2::1", false},  {"::ffff:10.77.0.1", true}, {"64:ff9b::a4d:1", true}, {"2002:a4d:1::", true},
      {"127.0.0.1", false},  {"8.8.8.8", true},
  };
  for (size_t i = 0; i < array_size(cases); i++) {
    if (allowed(cases[i].address, list, 4) != cases[i].allowed) fail_msg("%s", cases[i].address);
  }
}

static void networks_are_parsed(void **state) {
  (void)state;
  static const char *const good[] = {"0.0.0.0/0", "10.0.0.0/8", "1.2.3.4", "1.2.3.4/32",
                                     "::/0",      "fd00::/8",   "::1/128", "::1"};
  static const char *const bad[] = {"",
                                    "/",
                                    "/8",
                                    "10.0.0.0/",
                                    "10.0.0.0/33",
                                    "10.0.0.0/-1",
                                    "10.0.0/8",
                                    "10.0.0.0/8x",
                                    " 10.0.0.0/8",
                                    "10.0.0.0/ 8",
                                    "::/129",
                                    "::/1000",
                                    "fd00::/8/8",
                                    "localhost",
                                    "10.0.0.0,1.1.1.1",
                                    "1:2:3:4:5:6:7:8:9:10:11:12:13:14:15:16:17:18:19/8"};
  struct cidr c;
  for (size_t i = 0; i < array_size(good); i++) {
    if (!cidr_parse(good[i], &c)) fail_msg("%s is good", good[i]);
  }
  for (size_t i = 0; i < array_size(bad); i++) {
    if (cidr_parse(bad[i], &c)) fail_msg("%s is bad", bad[i]);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(public_addresses_are_allowed), cmocka_unit_test(everything_else_is_refused),
      cmocka_unit_test(other_families_are_refused),   cmocka_unit_test(configuration_adds),
      cmocka_unit_test(networks_are_parsed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
