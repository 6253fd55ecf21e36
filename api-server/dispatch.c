// A request's way to its handler: preflight, route, token, allowance, parameters, body.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#include "answer.h"
#include "app.h"
#include "auth.h"
#include "connection.h"
#include "exchange_parts.h"
#include "origins.h"
#include "router.h"
#include "schema.h"
#include "server.h"
#include "settings.h"
#include "site.h"
#include "traffic.h"
#include "upgrade.h"

enum { FIELD_MAX = 128 };

static void admit(struct exchange *x);
static void take_body(struct exchange *x);

// ---- the handler -----------------------------------------------------------------------------------

static void handle(struct exchange *x) {
  x->handled = true;
  x->route->handler(x);
}

// ---- CORS ------------------------------------------------------------------------------------------

// Before everything else: a browser asks without the token, and for routes that want one.
static void answer_preflight(struct exchange *x) {
  const char *origin = exchange_header(x, "origin");
  x->label = "preflight";
  if (origin && origins_allow(x->server->origins, origin)) {
    exchange_add_header(x, "Access-Control-Allow-Methods", "GET, HEAD, POST, PUT, DELETE, OPTIONS");
    exchange_add_header(x, "Access-Control-Allow-Headers",
                        "Authorization, Content-Type, If-None-Match, Range, Idempotency-Key");
    exchange_add_header(x, "Access-Control-Max-Age", "600");
  }
  answer_head(x, 204, NULL, 0);
  exchange_finish(x);
}

// ---- the route -------------------------------------------------------------------------------------

static bool is_api(const char *path) {
  return text_starts(path, "/api/") || text_starts(path, "/internal/") || text_equal(path, "/ws");
}

static void route(struct exchange *x) {
  char allow[ALLOW_SIZE];
  const struct router *router = x->internal ? x->server->internal_router : x->server->router;
  switch (router_find(router, x->head.method, &x->target, &x->route, &x->parameters, allow)) {
    case ROUTED:
      x->label = x->route->pattern;
      admit(x);
      return;
    case ROUTED_OTHER_METHOD:
      x->label = "other method";
      exchange_add_header(x, "Allow", allow);
      if (text_equal(x->head.method, "OPTIONS")) {
        answer_head(x, 204, NULL, 0);
        exchange_finish(x);
      } else {
        exchange_fail(x, 405, "method_not_allowed", "%s is not possible here; there is %s", x->head.method, allow);
      }
      return;
    case ROUTED_NOWHERE: break;
  }
  x->label = "nowhere";
  if (!x->internal && !is_api(exchange_path(x)) && site_answer(x->server->site, x)) return;
  exchange_fail(x, 404, "not_found", "there is nothing at this address");
}

void exchange_begin(struct exchange *x) {
  exchange_pin(x);
  struct error e = {0};
  if (text_equal(x->head.method, "OPTIONS") && x->head.target_length == 1 && x->head.target[0] == '*') {
    x->label = "preflight";
    answer_head(x, 204, NULL, 0);
    exchange_finish(x);
  } else if (target_parse(x->head.target, x->head.target_length, &x->target, &e) != ERR_NONE) {
    x->label = "refused";
    exchange_fail(x, e.code == ERR_NOT_FOUND ? 404 : 400, e.code == ERR_NOT_FOUND ? "not_found" : "bad_request", "%s",
                  e.text);
  } else if (text_equal(x->head.method, "OPTIONS") && exchange_header(x, "access-control-request-method")) {
    answer_preflight(x);
  } else {
    route(x);
  }
  exchange_unpin(x);
}

// ---- who asks --------------------------------------------------------------------------------------

static const char *const limit_names[] = {
    [LIMIT_GENERAL] = "general", [LIMIT_AUTH] = "auth",     [LIMIT_SUBMISSION] = "submission",
    [LIMIT_MATCH] = "match",     [LIMIT_REPLAY] = "replay", [LIMIT_NOTHING] = "nothing"};

// Takes one of the allowance that goes by; false: answered with 429.
static bool take_allowance(struct exchange *x) {
  if (x->internal || x->counted) return true;
  char group[46];
  address_group(x->client, group, sizeof(group));
  enum route_limit kind = x->route->limit;
  // Guessing passwords is limited by where it comes from, whoever is guessed.
  const char *who = x->user_id && kind != LIMIT_AUTH ? x->user_id : group;
  msec now = clock_now();
  bool allowed = limits_take(x->server->app->limits, kind, who, now, &x->allowance);
  x->counted = true;
  if (allowed) return true;
  traffic_limited(x->server->traffic, limit_names[kind]);
  long long seconds = (x->allowance.next_at - now + 999) / 1000;
  char text[24];
  snprintf(text, sizeof(text), "%lld", seconds);
  exchange_add_header(x, "Retry-After", text);
  exchange_fail(x, 429, "rate_limited", "that is more than %d requests a minute; please wait %lld second%s",
                x->allowance.limit, seconds, seconds == 1 ? "" : "s");
  return false;
}

static const char *parameter_value(const struct exchange *x, const char *place, const char *name) {
  if (text_equal(place, "path")) return exchange_param(x, name);
  if (text_equal(place, "query")) return pairs_get(&x->target.query, name);
  return pairs_get_any_case(&x->head.headers, name);
}

static bool check_parameters(struct exchange *x) {
  const struct route_parameter *p;
  const char *place;
  for (unsigned i = 0; (p = route_parameter(x->route, i, &place)) != NULL; i++) {
    const char *value = parameter_value(x, place, p->name);
    if (!value || !p->schema) continue;
    struct str why = STR_INIT(SCHEMA_WHY_MAX);
    bool good = schema_check_text(schemas_inline(x->server->schemas, p->schema), value, &why);
    if (!good && text_equal(place, "path"))
      exchange_fail(x, 404, "not_found", "there is nothing at this address");
    else if (!good)
      exchange_fail(x, 400, "invalid_parameter", "%s %s %s", text_equal(place, "query") ? "query parameter" : place,
                    p->name, str_text(&why));
    str_done(&why);
    if (!good) return false;
  }
  return true;
}

static void admitted(struct exchange *x) {
  if (!take_allowance(x)) return;
  if (!check_parameters(x)) return;
  if (upgrade_is_route(x->route)) {
    upgrade_begin(x);
    return;
  }
  take_body(x);
}

static void know_user(void *context, const char *user_id, const char *username, const struct error *e) {
  struct exchange *x = context;
  x->auth = NULL;
  if (!e) {
    x->user_id = mem_strdup(user_id);
    x->username = mem_strdup(username);
    admitted(x);
  } else if (e->code == ERR_FORBIDDEN && x->route->auth == AUTH_OPTIONAL && !upgrade_is_route(x->route)) {
    admitted(x);  // as anybody: a page that is for all does not close with the end of a token
  } else if (e->code == ERR_FORBIDDEN) {
    // Tokens that are no good use up the address' allowance: nobody tries many.
    if (take_allowance(x)) exchange_fail(x, 401, "unauthorized", "%s", e->text);
  } else {
    exchange_fail_error(x, e);
  }
}

static void check_token(struct exchange *x, const char *token) {
  exchange_pin(x);
  struct auth_check *check = auth_check(x->server->app->auth, token, know_user, x);
  if (!x->ended) x->auth = check;
  exchange_unpin(x);
}

static void admit(struct exchange *x) {
  const char *header = exchange_header(x, "authorization");
  const char *token = NULL;
  if (header && strncasecmp(header, "Bearer ", 7) == 0) {
    token = header + 7;
    while (*token == ' ') token++;
  }
  if (!token && upgrade_is_route(x->route)) token = exchange_query(x, "token");  // browsers' sockets have no headers
  if (x->route->auth == AUTH_NONE || (x->route->auth == AUTH_OPTIONAL && !token && !header)) {
    admitted(x);
  } else if (token && x->server->app->auth) {
    check_token(x, token);
  } else if (take_allowance(x)) {
    exchange_fail(x, 401, "unauthorized", "%s",
                  header ? "the Authorization header must be: Bearer, a blank, your token" : "please log in first");
  }
}

// ---- the body --------------------------------------------------------------------------------------

// "application/json; charset=utf-8" is application/json.
static bool type_is(const char *content_type, const char *wanted, size_t length) {
  size_t own = strcspn(content_type, "; \t");
  return own == length && strncasecmp(content_type, wanted, length) == 0;
}

static bool type_fits(const char *content_type, const char *comma_list) {
  for (const char *at = comma_list; *at;) {
    at += strspn(at, ", ");
    size_t length = strcspn(at, ", ");
    if (length && type_is(content_type, at, length)) return true;
    at += length;
  }
  return false;
}

static void take_body(struct exchange *x) {
  const char *type = exchange_header(x, "content-type");
  if (x->route->body == BODY_NONE) {
    handle(x);
    return;
  }
  const char *wanted = x->route->body == BODY_JSON ? "application/json" : x->route->body_type;
  // A body without a type can only be JSON where only JSON is taken.
  bool fits = type ? !wanted || type_fits(type, wanted) : x->route->body == BODY_JSON || !wanted;
  if (!fits) {
    exchange_fail(x, 415, "unsupported_media_type", "the Content-Type must be %s", wanted);
    return;
  }
  if (x->route->body == BODY_STREAM) {
    handle(x);
    return;
  }
  if (x->head.content_length > (int64_t)x->body.max) {
    exchange_fail(x, 413, "too_large", "the body is larger than 1 MiB");
    return;
  }
  if (x->body_step == BODY_OVER) {
    exchange_took_all(x);
    return;
  }
  x->body_step = BODY_COLLECTING;
  connection_take_body(x->connection, true);
}

static void check_json(struct exchange *x) {
  struct error e = {0};
  if (x->body.length == 0) {
    exchange_fail(x, 400, "invalid_body", "the request needs a body: a JSON object");
    return;
  }
  x->body_json = json_parse(x->body.data, x->body.length, &e);
  str_done(&x->body);
  if (!x->body_json) {
    exchange_fail(x, 400, "invalid_body", "the body is no JSON: %s", e.text);
    return;
  }
  struct str field = STR_INIT(FIELD_MAX), why = STR_INIT(SCHEMA_WHY_MAX);
  bool good = schema_check(schemas_find(x->server->schemas, x->route->body_schema), x->body_json, &field, &why);
  if (good)
    handle(x);
  else if (field.length == 0)
    exchange_fail(x, 400, "invalid_body", "the body %s", str_text(&why));
  else
    exchange_fail(x, 400, "invalid_field", "%s %s", str_text(&field), str_text(&why));
  str_done(&field);
  str_done(&why);
}

void exchange_take(struct exchange *x, const void *bytes, size_t length) {
  if (x->body_step == BODY_FLOWING && x->data) {
    exchange_pin(x);
    x->data(x->data_context, bytes, length, false);
    exchange_unpin(x);
  } else if (x->body_step == BODY_COLLECTING) {
    str_add_bytes(&x->body, bytes, length);
    if (x->body.failed) exchange_fail(x, 413, "too_large", "the body is larger than 1 MiB");
  }
}

void exchange_took_all(struct exchange *x) {
  enum body_step before = x->body_step;
  x->body_step = BODY_OVER;
  exchange_pin(x);
  if (before == BODY_FLOWING) {
    exchange_data_fn *data = x->data;
    x->data = NULL;
    if (data) data(x->data_context, NULL, 0, true);
  } else if (before == BODY_COLLECTING || (x->route && x->route->body == BODY_JSON && x->status == 0)) {
    check_json(x);
  }
  exchange_unpin(x);
}

void exchange_broken_off(struct exchange *x, int status, const char *why) {
  if (!x->handled) {
    x->head.keep_alive = false;
    exchange_fail(x, status, status == 408 ? "timeout" : "bad_request", "%s", why);
    return;
  }
  exchange_pin(x);
  struct connection *c = x->connection;
  bool answered = x->status != 0;
  x->connection = NULL;  // whatever the handler still says comes too late
  if (x->body_step == BODY_FLOWING) {
    x->body_step = BODY_OVER;
    exchange_data_fn *data = x->data;
    x->data = NULL;
    if (data) data(x->data_context, NULL, 0, false);
  }
  if (answered)
    connection_answered(c, false);
  else
    answer_refuse(x->server, c, status, why);
  exchange_unpin(x);
}
