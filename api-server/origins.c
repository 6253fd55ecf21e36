#include "origins.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/str.h"

enum { ADDRESS_SIZE = 46, HOPS_MAX = 16 };

struct network {
  unsigned char bytes[16];  // IPv4 as ::ffff:a.b.c.d
  int bits;
};

struct origins {
  char **items;
  size_t count;
};

struct proxies {
  struct network *items;
  size_t count;
};

// The items of a comma list, without blanks and empty ones.
static char *next_item(char **rest) {
  for (char *item; (item = strsep(rest, ",")) != NULL;) {
    while (*item == ' ' || *item == '\t') item++;
    item[strcspn(item, " \t")] = '\0';
    if (*item) return item;
  }
  return NULL;
}

// ---- origins ---------------------------------------------------------------------------------------

struct origins *origins_new(const char *comma_list) {
  struct origins *o = mem_alloc(sizeof(*o));
  cleanup_free char *copy = mem_strdup(comma_list);
  char *rest = copy;
  for (char *item; rest && (item = next_item(&rest)) != NULL;) {
    o->items = mem_grow(o->items, o->count + 1, sizeof(char *));
    o->items[o->count++] = mem_strdup(item);
  }
  return o;
}

void origins_free(struct origins *o) {
  if (!o) return;
  for (size_t i = 0; i < o->count; i++) free(o->items[i]);
  free(o->items);
  free(o);
}

bool origins_allow(const struct origins *o, const char *origin) {
  for (size_t i = 0; i < o->count; i++)
    if (strcasecmp(o->items[i], origin) == 0) return true;
  return false;
}

bool origin_is_same(const char *origin, bool secure, const char *host) {
  const char *scheme = secure ? "https://" : "http://";
  size_t length = strlen(scheme);
  return host && *host && strncasecmp(origin, scheme, length) == 0 && strcasecmp(origin + length, host) == 0;
}

// ---- proxies ---------------------------------------------------------------------------------------

static bool parse_address(const char *text, unsigned char ret[16]) {
  static const unsigned char mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
  if (inet_pton(AF_INET6, text, ret) == 1) return true;
  memcpy(ret, mapped, sizeof(mapped));
  return inet_pton(AF_INET, text, ret + 12) == 1;
}

static bool parse_network(const char *text, struct network *ret) {
  char address[ADDRESS_SIZE];
  size_t length = strcspn(text, "/");
  if (length >= sizeof(address)) return false;
  memcpy(address, text, length);
  address[length] = '\0';
  if (!parse_address(address, ret->bytes)) return false;
  bool v4 = strchr(address, ':') == NULL;
  ret->bits = text[length] ? atoi(text + length + 1) + (v4 ? 96 : 0) : 128;
  return ret->bits <= 128;
}

static bool contains(const struct network *n, const unsigned char address[16]) {
  int whole = n->bits / 8, rest = n->bits % 8;
  if (memcmp(n->bytes, address, (size_t)whole) != 0) return false;
  if (rest == 0) return true;
  unsigned mask = (0xFFU << (8 - rest)) & 0xFFU;
  return (n->bytes[whole] & mask) == (address[whole] & mask);
}

struct proxies *proxies_new(const char *comma_list_of_networks) {
  struct proxies *p = mem_alloc(sizeof(*p));
  cleanup_free char *copy = mem_strdup(comma_list_of_networks);
  char *rest = copy;
  for (char *item; rest && (item = next_item(&rest)) != NULL;) {
    p->items = mem_grow(p->items, p->count + 1, sizeof(*p->items));
    if (parse_network(item, &p->items[p->count])) p->count++;
  }
  return p;
}

void proxies_free(struct proxies *p) {
  if (!p) return;
  free(p->items);
  free(p);
}

bool proxies_trust(const struct proxies *p, const char *address) {
  unsigned char bytes[16];
  if (!parse_address(address, bytes)) return false;
  for (size_t i = 0; i < p->count; i++)
    if (contains(&p->items[i], bytes)) return true;
  return false;
}

void proxies_client(const struct proxies *p, const char *peer, const char *forwarded_for, char *ret, size_t size) {
  snprintf(ret, size, "%s", peer);
  if (!forwarded_for || !proxies_trust(p, peer)) return;
  // Each proxy adds at the end whom it heard it from; what a stranger wrote in front says nothing.
  cleanup_free char *list = mem_strdup(forwarded_for);
  for (int hop = 0; hop < HOPS_MAX; hop++) {
    char *comma = strrchr(list, ',');
    char *item = comma ? comma + 1 : list;
    while (*item == ' ' || *item == '\t') item++;
    item[strcspn(item, " \t")] = '\0';
    unsigned char bytes[16];
    if (!parse_address(item, bytes)) return;
    snprintf(ret, size, "%s", item);
    if (!comma || !proxies_trust(p, item)) return;
    *comma = '\0';
  }
}

void address_group(const char *address, char *ret, size_t size) {
  unsigned char bytes[16];
  if (strchr(address, ':') && inet_pton(AF_INET6, address, bytes) == 1) {
    static const unsigned char mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
    if (memcmp(bytes, mapped, sizeof(mapped)) == 0) {
      snprintf(ret, size, "%d.%d.%d.%d", bytes[12], bytes[13], bytes[14], bytes[15]);
      return;
    }
    memset(bytes + 8, 0, 8);
    char text[ADDRESS_SIZE];
    if (inet_ntop(AF_INET6, bytes, text, sizeof(text))) {
      snprintf(ret, size, "%s", text);
      return;
    }
  }
  snprintf(ret, size, "%s", address);
}
