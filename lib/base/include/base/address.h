// Which addresses an author's URL may lead to: the public internet, and what configuration lists. Everything that could
// be inside the cluster, on the node or in the network around it is refused. Pure.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

struct cidr {
  unsigned char bytes[16];  // IPv4 as ::ffff:a.b.c.d
  int bits;                 // of 128
};

// "10.0.0.0/8", "fd00::/8", or an address alone; false when it is malformed.
bool cidr_parse(const char *text, struct cidr *ret);

// Whether the peer may be connected to. An IPv4 address inside IPv6 (mapped, 6to4, NAT64) is judged as that IPv4
// address.
bool address_allowed(const struct sockaddr *peer, const struct cidr *allowed, size_t count);
