// Which route a path belongs to. Literal segments go before parameters ("/agents/my" before "/agents/{id}"). Pure.
#pragma once

#include "pairs.h"
#include "route.h"
#include "target.h"

struct router;

// The routes are static data. A table that contradicts itself (two equal routes) ends the program.
struct router *router_new(const struct route *table, unsigned count);
void router_free(struct router *r);

enum routed { ROUTED, ROUTED_NOWHERE, ROUTED_OTHER_METHOD };
enum { ALLOW_SIZE = 64 };
// `method` HEAD finds the route of GET. ROUTED sets ret_route and adds the path's parameters; ROUTED_OTHER_METHOD fills
// `ret_allow` ("GET, HEAD, OPTIONS, PUT"). A parameter that must be a UUID and is none: ROUTED_NOWHERE.
enum routed router_find(const struct router *r, const char *method, const struct target *t,
                        const struct route **ret_route, struct pairs *ret_parameters, char ret_allow[ALLOW_SIZE]);

bool text_is_uuid(const char *text);
// Whether the pattern has "{name}".
bool pattern_has(const char *pattern, const char *name);
// The parameters of a route, its header last; NULL behind it. `ret_place`: "path", "query" or "header", as OpenAPI
// says.
const struct route_parameter *route_parameter(const struct route *r, unsigned index, const char **ret_place);
