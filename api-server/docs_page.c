// A page of HTML about the routes, made from their table. No script, nothing from elsewhere.
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/memory.h"

#include "openapi.h"
#include "route.h"
#include "router.h"
#include "schema.h"

static const char top[] =
    "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>RL Arena: REST</title>\n"
    "<meta name=\"viewport\" content=\"width=device-width\"><style>\n"
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60em;margin:2em auto;padding:0 1em;color:#1c1c1c}\n"
    "code,pre{font:14px/1.45 ui-monospace,monospace;background:#f4f4f4}pre{padding:.8em;overflow:auto}\n"
    "details{border:1px solid #ddd;border-radius:4px;margin:.5em 0;padding:.4em .8em}summary{cursor:pointer}\n"
    "table{border-collapse:collapse;width:100%}td,th{border-bottom:1px solid #e4e4e4;padding:.3em .6em;text-align:left;"
    "vertical-align:top}\n"
    ".m{display:inline-block;min-width:4.5em;font-weight:600}.q{color:#666}a{color:#0645ad}\n"
    "@media(prefers-color-scheme:dark){body{background:#161616;color:#ddd}code,pre{background:#242424}a{color:#7aa7ff}"
    "details{border-color:#444}td,th{border-color:#333}.q{color:#999}}\n"
    "</style></head><body>\n<h1>RL Arena: REST and WebSocket</h1>\n"
    "<p>The same for programs: <a href=\"/openapi.json\">/openapi.json</a>. Times are RFC 3339 in UTC, ids are UUIDs; "
    "an "
    "environment may be named by its id or its name. Errors are <code>{\"error\",\"message\"}</code>. "
    "Routes that want a user take <code>Authorization: Bearer</code> with a token of "
    "<code>POST /api/v1/auth/login</code>. Every answer says what is left of the allowance in "
    "<code>X-RateLimit-Limit</code>, "
    "<code>-Remaining</code> and <code>-Reset</code>; a 429 says in <code>Retry-After</code> when to come again.</p>\n";

static void add_escaped(struct str *s, const char *text) {
  for (; text && *text; text++) {
    switch (*text) {
      case '<': str_add(s, "&lt;"); break;
      case '>': str_add(s, "&gt;"); break;
      case '&': str_add(s, "&amp;"); break;
      case '"': str_add(s, "&quot;"); break;
      default: str_add_bytes(s, text, 1);
    }
  }
}

static const char *auth_words(enum route_auth auth) {
  return auth == AUTH_USER ? "for users" : auth == AUTH_OPTIONAL ? "for all; users see more" : "for all";
}

static void add_schema_link(struct str *s, const char *name) {
  str_add_format(s, "<a href=\"#schema-%s\">%s</a>", name, name);
}

static void add_parameters(struct str *s, const struct route *r) {
  const struct route_parameter *p;
  const char *place;
  if (!route_parameter(r, 0, &place)) return;
  str_add(s, "<table><tr><th>parameter</th><th>is</th><th></th></tr>\n");
  for (unsigned i = 0; (p = route_parameter(r, i, &place)) != NULL; i++) {
    str_add(s, "<tr><td><code>");
    add_escaped(s, p->name);
    str_add_format(s, "</code><br><span class=\"q\">%s</span></td><td><code>", place);
    add_escaped(s, p->schema ? p->schema : "any");
    str_add(s, "</code></td><td>");
    add_escaped(s, p->description);
    str_add(s, "</td></tr>\n");
  }
  str_add(s, "</table>\n");
}

static void add_body(struct str *s, const struct route *r) {
  if (r->body == BODY_NONE) return;
  str_add(s, "<p>Body: <code>");
  add_escaped(s, r->body == BODY_JSON ? "application/json" : r->body_type ? r->body_type : "bytes");
  str_add(s, "</code> ");
  if (r->form_schema) {
    add_schema_link(s, r->form_schema);
    str_add(s, " ");
  }
  if (r->body_schema) add_schema_link(s, r->body_schema);
  str_add(s, "</p>\n");
}

static void add_answers(struct str *s, const struct route *r) {
  str_add(s, "<table><tr><th>answer</th><th>means</th><th>body</th></tr>\n");
  for (unsigned i = 0; i < array_size(r->answers) && r->answers[i].status; i++) {
    const struct route_answer *a = &r->answers[i];
    str_add_format(s, "<tr><td>%d</td><td>", a->status);
    add_escaped(s, a->description);
    str_add(s, "</td><td>");
    if (a->schema) add_schema_link(s, a->schema);
    if (a->content_type) add_escaped(s, a->content_type);
    str_add(s, "</td></tr>\n");
  }
  str_add(s, "</table>\n");
}

static void add_route(struct str *s, const struct route *r) {
  str_add_format(s, "<details id=\"%s\"><summary><span class=\"m\">%s</span> <code>", r->operation, r->method);
  add_escaped(s, r->pattern);
  str_add(s, "</code> ");
  add_escaped(s, r->summary);
  str_add_format(s, " <span class=\"q\">(%s)</span></summary>\n", auth_words(r->auth));
  add_parameters(s, r);
  add_body(s, r);
  add_answers(s, r);
  str_add(s, "</details>\n");
}

static bool is_first_of_tag(unsigned index) {
  for (unsigned i = 0; i < index; i++)
    if (text_equal(routes[i].tag, routes[index].tag)) return false;
  return true;
}

static void add_schemas(struct str *s, struct schemas *schemas) {
  str_add(s, "<h2>Objects</h2>\n");
  for (size_t i = 0; i < component_schema_count; i++) {
    const char *name = component_schemas[i].name;
    const char *text = json_object_to_json_string_ext(schemas_json(schemas, name), JSON_C_TO_STRING_PRETTY |
                                                                                       JSON_C_TO_STRING_NOSLASHESCAPE |
                                                                                       JSON_C_TO_STRING_SPACED);
    str_add_format(s, "<h3 id=\"schema-%s\">%s</h3>\n<pre>", name, name);
    add_escaped(s, text);
    str_add(s, "</pre>\n");
  }
}

void docs_print(struct schemas *s, struct str *ret) {
  str_add(ret, top);
  for (unsigned i = 0; i < route_count; i++) {
    if (!is_first_of_tag(i)) continue;
    str_add(ret, "<h2>");
    add_escaped(ret, routes[i].tag ? routes[i].tag : "other");
    str_add(ret, "</h2>\n");
    for (unsigned k = i; k < route_count; k++)
      if (text_equal(routes[k].tag, routes[i].tag)) add_route(ret, &routes[k]);
  }
  add_schemas(ret, s);
  str_add(ret, "</body></html>\n");
}
