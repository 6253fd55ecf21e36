// An exchange's life, and what a handler reads of the request.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#include "app.h"
#include "auth.h"
#include "connection.h"
#include "exchange_parts.h"
#include "origins.h"
#include "server.h"
#include "traffic.h"

enum { JSON_MAX = 1024 * 1024 };

struct exchange *exchange_new(struct server *server, struct connection *connection, struct head *take_head) {
  struct exchange *x = mem_alloc(sizeof(*x));
  x->server = server;
  x->connection = connection;
  x->head = *take_head;
  *take_head = (struct head){0};
  const struct peer *peer = connection_peer(connection);
  x->internal = peer->internal;
  x->secure = peer->secure;
  x->is_head = text_equal(x->head.method, "HEAD");
  x->body = STR_INIT(JSON_MAX);
  x->body_step = x->head.content_length == 0 ? BODY_OVER : BODY_AHEAD;
  x->label = "none";
  x->left = -1;
  x->started = clock_monotonic();
  proxies_client(server->proxies, peer->address, exchange_header(x, "x-forwarded-for"), x->client, sizeof(x->client));
  const char *scheme = exchange_header(x, "x-forwarded-proto");
  if (scheme && proxies_trust(server->proxies, peer->address)) x->secure = text_equal(scheme, "https");
  server->in_flight++;
  traffic_begin(server->traffic);
  return x;
}

static void exchange_free(struct exchange *x) {
  struct traffic_request r = {
      .method = x->head.method,
      .path = x->target.path ? x->target.path : "",
      .route = x->label,
      .client = x->client,
      .username = x->username,
      .status = x->status,
      .bytes = x->sent,
      .took = clock_monotonic() - x->started,
      .internal = x->internal,
  };
  traffic_end(x->server->traffic, &r);
  x->server->in_flight--;
  auth_check_cancel(x->auth);
  free(x->head.target);
  pairs_done(&x->head.headers);
  target_done(&x->target);
  pairs_done(&x->parameters);
  pairs_done(&x->answer_headers);
  free(x->user_id);
  free(x->username);
  str_done(&x->body);
  json_put(&x->body_json);
  free(x);
}

void exchange_pin(struct exchange *x) {
  x->pins++;
}

bool exchange_unpin(struct exchange *x) {
  if (--x->pins > 0 || !x->ended) return true;
  exchange_free(x);
  return false;
}

void exchange_finish(struct exchange *x) {
  struct connection *c = x->connection;
  x->connection = NULL;
  x->ended = true;
  x->data = NULL;
  bool stay = x->stay;
  if (c) connection_answered(c, stay);
  exchange_pin(x);
  exchange_unpin(x);
}

void exchange_drained(struct exchange *x) {
  if (x->data && x->body_step == BODY_OVER) {  // of a body that was empty from the start
    exchange_data_fn *data = x->data;
    x->data = NULL;
    data(x->data_context, NULL, 0, true);
    return;
  }
  if (!x->wants_drained || !x->drained) return;
  x->wants_drained = false;
  x->drained(x->flow_context);
}

void exchange_lost(struct exchange *x) {
  x->connection = NULL;
  if (!x->handled) {  // nobody waits for anything
    exchange_finish(x);
    return;
  }
  exchange_pin(x);
  if (x->body_step == BODY_FLOWING) {
    x->body_step = BODY_OVER;
    exchange_data_fn *data = x->data;
    x->data = NULL;
    if (data) data(x->data_context, NULL, 0, false);
  }
  if (!x->ended && x->gone) {
    exchange_flow_fn *gone = x->gone;
    x->gone = NULL;
    gone(x->flow_context);
  }
  exchange_unpin(x);
}

// ---- the request -----------------------------------------------------------------------------------

struct app *exchange_app(const struct exchange *x) {
  return x->server->app;
}

const char *exchange_param(const struct exchange *x, const char *name) {
  return pairs_get(&x->parameters, name);
}

const char *exchange_query(const struct exchange *x, const char *name) {
  const char *value = pairs_get(&x->target.query, name);
  return text_empty(value) ? NULL : value;
}

const char *exchange_header(const struct exchange *x, const char *lower_case_name) {
  return pairs_get(&x->head.headers, lower_case_name);
}

const char *exchange_path(const struct exchange *x) {
  return x->target.path ? x->target.path : "";
}

const char *exchange_client(const struct exchange *x) {
  return x->client;
}

const char *exchange_user_id(const struct exchange *x) {
  return x->user_id;
}

const char *exchange_username(const struct exchange *x) {
  return x->username;
}

json *exchange_body(const struct exchange *x) {
  return x->body_json;
}

int64_t exchange_content_length(const struct exchange *x) {
  return x->head.content_length;
}

bool exchange_query_int(struct exchange *x, const char *name, int64_t otherwise, int64_t least, int64_t most,
                        int64_t *ret) {
  const char *text = exchange_query(x, name);
  if (!text) {
    *ret = otherwise;
    return true;
  }
  char *end;
  errno = 0;
  long long n = strtoll(text, &end, 10);
  if (*end || errno || text[0] == ' ' || text[0] == '+' || n < least || n > most) {
    exchange_fail(x, 400, "invalid_parameter", "query parameter %s must be a whole number from %lld to %lld", name,
                  (long long)least, (long long)most);
    return false;
  }
  *ret = n;
  return true;
}

// ---- a body that is streamed -----------------------------------------------------------------------

void exchange_receive(struct exchange *x, exchange_data_fn *fn, void *context) {
  x->data = fn;
  x->data_context = context;
  if (!x->connection) {
    // The client left before the handler asked: it hears so at once, there is nothing that could come later.
    x->data = NULL;
    fn(context, NULL, 0, false);
    return;
  }
  if (x->body_step == BODY_AHEAD) x->body_step = BODY_FLOWING;
  connection_take_body(x->connection, true);
}

void exchange_pause(struct exchange *x, bool paused) {
  if (x->connection && x->body_step == BODY_FLOWING) connection_take_body(x->connection, !paused);
}
