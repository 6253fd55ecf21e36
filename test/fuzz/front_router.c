// Any bytes as a request's target: refused with a sentence, or a path and a query of proper text that lead to a route
// or nowhere, the same way twice.
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/str.h"

#include "router.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const methods[] = {"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"};

static void check_text(const char *text, bool in_path) {
  if (text_utf8_prefix(text, strlen(text)) != strlen(text)) abort();
  for (; in_path && *text; text++)
    if ((unsigned char)*text < ' ' || *text == 0x7F) abort();
}

static void check_route(const struct router *r, const struct target *t, const char *method) {
  const struct route *route = NULL, *again = NULL;
  struct pairs parameters = {0}, same = {0};
  char allow[ALLOW_SIZE];
  enum routed found = router_find(r, method, t, &route, &parameters, allow);
  if (found != router_find(r, method, t, &again, &same, allow) || route != again) abort();
  if ((found == ROUTED) != (route != NULL)) abort();
  if (found == ROUTED_OTHER_METHOD && !allow[0]) abort();
  for (size_t i = 0; i < parameters.count; i++) {
    if (!pattern_has(route->pattern, parameters.items[i].name)) abort();
    if (!parameters.items[i].value[0]) abort();
  }
  pairs_done(&parameters);
  pairs_done(&same);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static struct router *router;
  if (!router) router = router_new(routes, route_count);
  struct target t = {0};
  struct error e = {0};
  if (target_parse((const char *)data, size, &t, &e) != ERR_NONE) {
    if (!e.text[0] || t.path) abort();
    return 0;
  }
  check_text(t.path, true);
  for (unsigned i = 0; i < t.segment_count; i++) check_text(t.segments[i], true);
  for (size_t i = 0; i < t.query.count; i++) {
    check_text(t.query.items[i].name, false);
    check_text(t.query.items[i].value, false);
  }
  for (unsigned i = 0; i < array_size(methods); i++) check_route(router, &t, methods[i]);
  target_done(&t);
  return 0;
}
