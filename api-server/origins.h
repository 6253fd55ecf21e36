// Who may ask from a browser (CORS), and who asks behind proxies. Pure.
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct origins;
struct proxies;

struct origins *origins_new(const char *comma_list);  // NULL: none
void origins_free(struct origins *o);
bool origins_allow(const struct origins *o, const char *origin);  // exactly one of the list
// Whether `origin` is where the page itself comes from: scheme and Host of this request.
bool origin_is_same(const char *origin, bool secure, const char *host);

struct proxies *proxies_new(const char *comma_list_of_networks);  // NULL: none
void proxies_free(struct proxies *p);
bool proxies_trust(const struct proxies *p, const char *address);
// The client's address: the peer's, or behind trusted proxies the last one of X-Forwarded-For that is none of them.
void proxies_client(const struct proxies *p, const char *peer, const char *forwarded_for, char *ret, size_t size);
// What allowances and connection counts go by: an IPv6 client has a whole /64. `ret` has at least 46 bytes.
void address_group(const char *address, char *ret, size_t size);
