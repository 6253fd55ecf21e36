// A route is one line of routes.c: where it is, who may, how often, what it takes and what comes back. The router
// obeys it and the OpenAPI document is made from it, so that neither can lie about the other.
#pragma once

#include "exchange.h"

enum route_auth { AUTH_NONE, AUTH_OPTIONAL, AUTH_USER };
enum route_body { BODY_NONE, BODY_JSON, BODY_STREAM };
// Whose allowance a request uses up; the numbers are configuration.
enum route_limit { LIMIT_GENERAL, LIMIT_AUTH, LIMIT_SUBMISSION, LIMIT_MATCH, LIMIT_REPLAY, LIMIT_NOTHING };

typedef void route_handler_fn(struct exchange *x);

// JSON Schema as text, written once in schemas.c and referred to by name ("#/components/schemas/Agent").
struct route_parameter {
  const char *name;    // route_parameter() tells where: path, query or header
  const char *schema;  // inline JSON Schema, {"type":"integer","minimum":1,...}
  const char *description;
};
struct route_answer {
  int status;
  const char *description;
  const char *schema;        // name of a component schema, or NULL
  const char *content_type;  // NULL: application/json
};

struct route {
  const char *method;     // "GET"
  const char *pattern;    // "/api/v1/agents/{id}"; a parameter whose schema has the format uuid must be one, else 404
  const char *operation;  // operationId, "getAgent"
  const char *summary;
  const char *tag;
  enum route_auth auth;
  enum route_limit limit;
  enum route_body body;
  const char *body_schema;  // component name for BODY_JSON: checked before the handler is called (400 names the field)
  const char *body_type;    // BODY_STREAM: "multipart/form-data, application/json"
  const char *form_schema;  // component name: what the parts of a form are
  route_handler_fn *handler;
  struct route_parameter parameters[8];
  struct route_parameter header;   // that only this route looks at; {0}: there is none
  struct route_answer answers[8];  // the good ones; errors are added by what auth, limit and body imply
};

extern const struct route routes[];
extern const unsigned route_count;
extern const struct route internal_routes[];  // of the internal port: metrics, blobs
extern const unsigned internal_route_count;
