#include "openapi.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/memory.h"

#include "route.h"
#include "router.h"
#include "schema.h"

#define SCHEMAS "#/components/schemas/"

static const char about[] =
    "Agents of reinforcement learning are submitted, built, scanned, paired, played and ranked here. Times are RFC "
    "3339 "
    "in UTC, ids are UUIDs. An environment may be named by its id or its name. Errors are objects with `error`, a word "
    "for programs, and `message`, a sentence for people. Allowances are for each user, or for each address without a "
    "token; 429 says with Retry-After when to come again.";

static json *parse(const char *text) {
  struct error e = {0};
  return mem_must(json_parse(text, strlen(text), &e));
}

static json *reference_to(const char *component) {
  json *schema = json_new_object();
  cleanup_free char *path = mem_printf(SCHEMAS "%s", component);
  json_add_text(schema, "$ref", path);
  return schema;
}

static void add_content(json *to, const char *type, json *take_schema) {
  json *content = json_get(to, "content");
  if (!content) content = json_add_object(to, "content");
  json_add(json_add_object(content, type), "schema", take_schema);
}

// ---- answers ---------------------------------------------------------------------------------------

static void add_header(json *headers, const char *name) {
  json *header = json_add_object(headers, name);
  cleanup_free char *path = mem_printf("#/components/headers/%s", name);
  json_add_text(header, "$ref", path);
}

// The one there is already, when it comes in several types.
static json *add_response(json *responses, const struct route *r, int status, const char *description) {
  char key[16];
  snprintf(key, sizeof(key), "%d", status);
  json *response = json_get(responses, key);
  if (response) return response;
  response = json_add_object(responses, key);
  json_add_text(response, "description", description);
  json *headers = json_add_object(response, "headers");
  add_header(headers, "X-RateLimit-Limit");
  add_header(headers, "X-RateLimit-Remaining");
  add_header(headers, "X-RateLimit-Reset");
  if (status == 429 || status == 503) add_header(headers, "Retry-After");
  if (status == 200 && text_equal(r->method, "GET")) add_header(headers, "ETag");
  return response;
}

static void add_failure(json *responses, const struct route *r, int status, const char *description) {
  char key[16];
  snprintf(key, sizeof(key), "%d", status);
  if (json_get(responses, key)) return;
  add_content(add_response(responses, r, status, description), "application/json", reference_to("Error"));
}

static bool has_path_parameters(const struct route *r) {
  return strchr(r->pattern, '{') != NULL;
}

static bool has_parameters(const struct route *r) {
  const char *place;
  return route_parameter(r, 0, &place) != NULL;
}

// What follows from how a route is declared.
static void add_implied(json *responses, const struct route *r) {
  if (has_parameters(r) || r->body != BODY_NONE)
    add_failure(responses, r, 400, "A parameter or a field is missing or malformed; the message names it");
  if (r->auth != AUTH_NONE) add_failure(responses, r, 401, "No token, or one that is no good");
  if (has_path_parameters(r)) add_failure(responses, r, 404, "There is no such thing");
  if (r->body != BODY_NONE) {
    add_failure(responses, r, 413, "The body is too large");
    add_failure(responses, r, 415, "The body is of another type");
  }
  if (r->limit != LIMIT_NOTHING) {
    add_failure(responses, r, 429, "Too many requests; Retry-After says when to come again");
    add_failure(responses, r, 503, "Not possible for the moment");
  }
}

static void add_responses(json *operation, const struct route *r) {
  json *responses = json_add_object(operation, "responses");
  for (unsigned i = 0; i < array_size(r->answers) && r->answers[i].status; i++) {
    const struct route_answer *a = &r->answers[i];
    json *response = add_response(responses, r, a->status, a->description);
    if (a->schema || a->content_type)
      add_content(response, a->content_type ? a->content_type : "application/json",
                  a->schema ? reference_to(a->schema) : parse("{\"type\":\"string\"}"));
  }
  if (r->limit != LIMIT_NOTHING && text_equal(r->method, "GET") && r->answers[0].status == 200)
    add_response(responses, r, 304, "As If-None-Match has it already");
  add_implied(responses, r);
}

// ---- requests --------------------------------------------------------------------------------------

static void add_parameters(json *operation, const struct route *r) {
  if (!has_parameters(r)) return;
  json *list = json_add_array(operation, "parameters");
  const struct route_parameter *p;
  const char *place;
  for (unsigned i = 0; (p = route_parameter(r, i, &place)) != NULL; i++) {
    json *parameter = json_push_object(list);
    json_add_text(parameter, "name", p->name);
    json_add_text(parameter, "in", place);
    if (text_equal(place, "path")) json_add_bool(parameter, "required", true);
    json_add_text(parameter, "description", p->description);
    json_add(parameter, "schema", parse(p->schema ? p->schema : "{\"type\":\"string\"}"));
  }
}

static void add_body(json *operation, const struct route *r) {
  if (r->body == BODY_NONE) return;
  json *body = json_add_object(operation, "requestBody");
  json_add_bool(body, "required", true);
  if (r->body == BODY_JSON) {
    add_content(body, "application/json", reference_to(r->body_schema));
    return;
  }
  json *content = json_add_object(body, "content");
  cleanup_free char *types = mem_strdup(r->body_type ? r->body_type : "application/octet-stream");
  char *rest = types;
  for (char *type; (type = strsep(&rest, ", ")) != NULL;) {
    if (!*type) continue;
    const char *schema = strstr(type, "json") ? r->body_schema : strstr(type, "multipart") ? r->form_schema : NULL;
    json_add(json_add_object(content, type), "schema",
             schema ? reference_to(schema) : parse("{\"type\":\"string\",\"format\":\"binary\"}"));
  }
}

static void add_operation(json *paths, const struct route *r) {
  json *path = json_get(paths, r->pattern);
  if (!path) path = json_add_object(paths, r->pattern);
  char method[16];
  unsigned n = 0;
  for (; r->method[n] && n < sizeof(method) - 1; n++) method[n] = (char)tolower((unsigned char)r->method[n]);
  method[n] = '\0';
  json *operation = json_add_object(path, method);
  json_add_text(operation, "operationId", r->operation);
  json_add_text(operation, "summary", r->summary);
  if (r->tag) json_push_text(json_add_array(operation, "tags"), r->tag);
  json *security = json_add_array(operation, "security");
  if (r->auth == AUTH_OPTIONAL) json_push_object(security);
  if (r->auth != AUTH_NONE) json_add_array(json_push_object(security), "bearer");
  add_parameters(operation, r);
  add_body(operation, r);
  add_responses(operation, r);
}

// ---- the document ------------------------------------------------------------------------------------

static void add_components(json *document, struct schemas *s) {
  json *components = json_add_object(document, "components");
  json *schemas = json_add_object(components, "schemas");
  for (size_t i = 0; i < component_schema_count; i++)
    json_add(schemas, component_schemas[i].name, json_object_get(schemas_json(s, component_schemas[i].name)));
  json_add(json_add_object(components, "securitySchemes"), "bearer",
           parse("{\"type\":\"http\",\"scheme\":\"bearer\",\"bearerFormat\":\"JWT\"}"));
  json_add(components, "headers",
           parse("{\"X-RateLimit-Limit\":{\"description\":\"Requests a minute\",\"schema\":{\"type\":\"integer\"}},"
                 "\"X-RateLimit-Remaining\":{\"description\":\"Requests left now\",\"schema\":{\"type\":\"integer\"}},"
                 "\"X-RateLimit-Reset\":{\"description\":\"When all of them are there again: seconds since 1970\","
                 "\"schema\":{\"type\":\"integer\"}},"
                 "\"Retry-After\":{\"description\":\"Seconds to wait\",\"schema\":{\"type\":\"integer\"}},"
                 "\"ETag\":{\"description\":\"For If-None-Match\",\"schema\":{\"type\":\"string\"}}}"));
}

void openapi_print(struct schemas *s, const char *public_url, struct str *ret) {
  cleanup_json json *document = json_new_object();
  json_add_text(document, "openapi", "3.1.0");
  json *info = json_add_object(document, "info");
  json_add_text(info, "title", "RL Arena");
  json_add_text(info, "version", "1.0.0");
  json_add_text(info, "description", about);
  json_add_text(json_push_object(json_add_array(document, "servers")), "url", public_url ? public_url : "/");
  json *paths = json_add_object(document, "paths");
  for (unsigned i = 0; i < route_count; i++) add_operation(paths, &routes[i]);
  add_components(document, s);
  cleanup_free char *text = json_print(document);
  str_add(ret, text);
}
