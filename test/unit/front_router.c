// Which route a path belongs to, and that the front's own table is a good one.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/map.h"
#include "base/memory.h"
#include "base/str.h"

#include "router.h"
#include "schema.h"

#define UUID "{\"type\":\"string\",\"format\":\"uuid\"}"
#define ID "0189f7d2-9c1a-7c3e-8a55-0123456789ab"

static const struct route table[] = {
    {.method = "GET", .pattern = "/a/{id}", .operation = "get", .parameters = {{"id", UUID, ""}}},
    {.method = "DELETE", .pattern = "/a/{id}", .operation = "delete", .parameters = {{"id", UUID, ""}}},
    {.method = "GET", .pattern = "/a/my", .operation = "my"},
    {.method = "POST", .pattern = "/a", .operation = "create"},
    {.method = "GET", .pattern = "/a/{name}/b/{id}", .operation = "deep"},
    {.method = "GET", .pattern = "/", .operation = "root"},
};

struct found {
  enum routed routed;
  const struct route *route;
  struct pairs parameters;
  char allow[ALLOW_SIZE];
};

static struct found find(const char *method, const char *path) {
  struct router *r = router_new(table, array_size(table));
  struct target t = {0};
  assert_int_equal(target_parse(path, strlen(path), &t, NULL), ERR_NONE);
  struct found f = {0};
  f.routed = router_find(r, method, &t, &f.route, &f.parameters, f.allow);
  target_done(&t);
  router_free(r);
  return f;
}

static void leads_to(const char *method, const char *path, const char *operation) {
  struct found f = find(method, path);
  assert_int_equal(f.routed, ROUTED);
  assert_string_equal(f.route->operation, operation);
  pairs_done(&f.parameters);
}

static void leads_nowhere(const char *method, const char *path) {
  struct found f = find(method, path);
  assert_int_equal(f.routed, ROUTED_NOWHERE);
  pairs_done(&f.parameters);
}

static void literals_go_before_parameters(void **state) {
  (void)state;
  leads_to("GET", "/a/my", "my");
  leads_to("GET", "/a/" ID, "get");
  leads_to("DELETE", "/a/" ID, "delete");
  leads_to("GET", "/", "root");
}

static void a_parameter_is_found_by_its_name(void **state) {
  (void)state;
  struct found f = find("GET", "/a/x%20y/b/z");
  assert_int_equal(f.routed, ROUTED);
  assert_string_equal(pairs_get(&f.parameters, "name"), "x y");
  assert_string_equal(pairs_get(&f.parameters, "id"), "z");
  assert_null(pairs_get(&f.parameters, "other"));
  pairs_done(&f.parameters);
}

static void what_is_no_uuid_is_nowhere(void **state) {
  (void)state;
  leads_nowhere("GET", "/a/not-a-uuid");
  leads_nowhere("GET", "/a/" ID "0");
  leads_nowhere("GET", "/a/0189f7d2x9c1a-7c3e-8a55-0123456789ab");
  leads_nowhere("GET", "/a/");
  leads_nowhere("GET", "/a//b/z");
  leads_nowhere("GET", "/a/x/b/z/");
  leads_nowhere("GET", "/b");
}

static void head_is_gets(void **state) {
  (void)state;
  leads_to("HEAD", "/a/my", "my");
}

static void another_method_hears_what_is_possible(void **state) {
  (void)state;
  struct found f = find("PUT", "/a/" ID);
  assert_int_equal(f.routed, ROUTED_OTHER_METHOD);
  assert_string_equal(f.allow, "DELETE, GET, HEAD, OPTIONS");
  f = find("GET", "/a");
  assert_int_equal(f.routed, ROUTED_OTHER_METHOD);
  assert_string_equal(f.allow, "POST, OPTIONS");
  f = find("DELETE", "/a/my");  // the literal alone counts
  assert_int_equal(f.routed, ROUTED_OTHER_METHOD);
}

static void a_pattern_knows_its_parameters(void **state) {
  (void)state;
  assert_true(pattern_has("/a/{id}/b", "id"));
  assert_false(pattern_has("/a/{id}/b", "i"));
  assert_false(pattern_has("/a/{identity}/b", "id"));
  assert_false(pattern_has("/a/id", "id"));
}

// What routes.c and schemas.c say of each other.
static void check_table(const struct route *routes_of, unsigned count, bool published) {
  struct map *operations = map_new(NULL);
  struct schemas *schemas = schemas_new(component_schemas, component_schema_count);
  struct router *router = router_new(routes_of, count);
  for (unsigned i = 0; i < count; i++) {
    const struct route *r = &routes_of[i];
    if (!r->operation || !r->summary || !r->handler) fail_msg("%s %s lacks something", r->method, r->pattern);
    if (map_get(operations, r->operation)) fail_msg("operation %s is there twice", r->operation);
    map_put(operations, r->operation, (void *)r);
    if (published && (!r->tag || !r->answers[0].status)) fail_msg("%s has no tag or no answer", r->operation);
    if (r->body == BODY_JSON && (!r->body_schema || !schemas_find(schemas, r->body_schema)))
      fail_msg("%s has no body schema", r->operation);
    if (r->form_schema && !schemas_find(schemas, r->form_schema))
      fail_msg("%s has forms of %s, which is no schema", r->operation, r->form_schema);
    const struct route_parameter *p;
    const char *place;
    for (unsigned k = 0; (p = route_parameter(r, k, &place)) != NULL; k++)
      if (p->schema) assert_non_null(schemas_inline(schemas, p->schema));
    for (unsigned k = 0; k < array_size(r->answers) && r->answers[k].status; k++)
      if (r->answers[k].schema && !schemas_find(schemas, r->answers[k].schema))
        fail_msg("%s answers with %s, which is no schema", r->operation, r->answers[k].schema);
  }
  router_free(router);
  schemas_free(schemas);
  map_free(operations);
}

static void the_fronts_own_routes_are_complete(void **state) {
  (void)state;
  check_table(routes, route_count, true);
  check_table(internal_routes, internal_route_count, false);
}

static void each_parameter_of_a_path_is_described(void **state) {
  (void)state;
  for (unsigned i = 0; i < route_count; i++) {
    const struct route *r = &routes[i];
    unsigned in_path = 0, described = 0;
    for (const char *at = r->pattern; (at = strchr(at, '{')) != NULL; at++) in_path++;
    for (unsigned k = 0; k < array_size(r->parameters) && r->parameters[k].name; k++)
      described += pattern_has(r->pattern, r->parameters[k].name);
    if (in_path != described)
      fail_msg("%s: %u of %u parameters of the path are described", r->operation, described, in_path);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(literals_go_before_parameters),
      cmocka_unit_test(a_parameter_is_found_by_its_name),
      cmocka_unit_test(what_is_no_uuid_is_nowhere),
      cmocka_unit_test(head_is_gets),
      cmocka_unit_test(another_method_hears_what_is_possible),
      cmocka_unit_test(a_pattern_knows_its_parameters),
      cmocka_unit_test(the_fronts_own_routes_are_complete),
      cmocka_unit_test(each_parameter_of_a_path_is_described),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
