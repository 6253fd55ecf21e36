#include "base/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

static const unsigned char MAPPED[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static bool inside(const unsigned char address[16], const struct cidr *c) {
  int whole = c->bits / 8, rest = c->bits % 8;
  if (memcmp(address, c->bytes, (size_t)whole) != 0) return false;
  return rest == 0 || ((address[whole] ^ c->bytes[whole]) >> (8 - rest)) == 0;
}

// An address of either family as 16 bytes; returns its number of bits as written, 0 when it is none.
static int parse_address(const char *text, unsigned char ret[16]) {
  memcpy(ret, MAPPED, sizeof MAPPED);
  if (inet_pton(AF_INET, text, ret + 12) == 1) return 32;
  return inet_pton(AF_INET6, text, ret) == 1 ? 128 : 0;
}

bool cidr_parse(const char *text, struct cidr *ret) {
  char address[INET6_ADDRSTRLEN];
  size_t length = strcspn(text, "/");
  if (length >= sizeof address) return false;
  memcpy(address, text, length);
  address[length] = '\0';
  struct cidr c;
  int width = parse_address(address, c.bytes);
  if (width == 0) return false;
  c.bits = 128;
  if (text[length] == '/') {
    const char *digits = text + length + 1;
    size_t n = strspn(digits, "0123456789");
    if (n == 0 || n > 3 || digits[n] != '\0') return false;
    int bits = atoi(digits);
    if (bits > width) return false;
    c.bits = 128 - width + bits;
  }
  *ret = c;
  return true;
}

// IANA's special-purpose registries, as far as they are not globally reachable, and multicast.
static const char *const FORBIDDEN_4[] = {
    "0.0.0.0/8",        // this network
    "10.0.0.0/8",       // private
    "100.64.0.0/10",    // carrier-grade NAT; clusters and clouds use it inside
    "127.0.0.0/8",      // loopback
    "169.254.0.0/16",   // link-local: metadata services
    "172.16.0.0/12",    // private
    "192.0.0.0/24",     // protocol assignments
    "192.0.2.0/24",     // documentation
    "192.31.196.0/24",  // AS112
    "192.52.193.0/24",  // AMT
    "192.88.99.0/24",   // 6to4 relays
    "192.168.0.0/16",   // private
    "192.175.48.0/24",  // AS112
    "198.18.0.0/15",    // benchmarks
    "198.51.100.0/24",  // documentation
    "203.0.113.0/24",   // documentation
    "224.0.0.0/4",      // multicast
    "240.0.0.0/4",      // reserved, broadcast
    // One public address that is a cloud's host agent and metadata service all the same.
    "168.63.129.16/32",
};

// Of IPv6 only 2000::/3 is the public internet; these parts of it are not.
static const char *const FORBIDDEN_6[] = {
    "2001::/23",          // protocol assignments: Teredo, ORCHID, benchmarks
    "2001:db8::/32",      // documentation
    "2620:4f:8000::/48",  // AS112
    "3fff::/20",          // documentation
};

static bool in_table(const unsigned char address[16], const char *const *table, size_t count) {
  for (size_t i = 0; i < count; i++) {
    struct cidr c;
    if (!cidr_parse(table[i], &c)) abort();
    if (inside(address, &c)) return true;
  }
  return false;
}

// The IPv4 address that a packet to this IPv6 address may end at, as a mapped address.
static bool embedded_ipv4(const unsigned char a[16], unsigned char ret[16]) {
  static const unsigned char NAT64[12] = {0x00, 0x64, 0xff, 0x9b};
  const unsigned char *from = NULL;
  if (memcmp(a, MAPPED, sizeof MAPPED) == 0 || memcmp(a, NAT64, sizeof NAT64) == 0) from = a + 12;
  if (a[0] == 0x20 && a[1] == 0x02) from = a + 2;  // 6to4
  if (!from) return false;
  unsigned char v4[4];
  memcpy(v4, from, 4);
  memcpy(ret, MAPPED, sizeof MAPPED);
  memcpy(ret + 12, v4, 4);
  return true;
}

static bool is_public(const unsigned char address[16]) {
  if (memcmp(address, MAPPED, sizeof MAPPED) == 0) return !in_table(address, FORBIDDEN_4, array_size(FORBIDDEN_4));
  return (address[0] & 0xe0) == 0x20 && !in_table(address, FORBIDDEN_6, array_size(FORBIDDEN_6));
}

bool address_allowed(const struct sockaddr *peer, const struct cidr *allowed, size_t count) {
  unsigned char address[16], inner[16];
  if (peer->sa_family == AF_INET) {
    memcpy(address, MAPPED, sizeof MAPPED);
    memcpy(address + 12, &((const struct sockaddr_in *)peer)->sin_addr, 4);
  } else if (peer->sa_family == AF_INET6) {
    memcpy(address, &((const struct sockaddr_in6 *)peer)->sin6_addr, 16);
  } else {
    return false;
  }
  const unsigned char *judged = embedded_ipv4(address, inner) ? inner : address;
  for (size_t i = 0; i < count; i++) {
    if (inside(judged, &allowed[i])) return true;
  }
  return is_public(judged);
}
