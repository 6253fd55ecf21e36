#include "upgrade.h"

#include <string.h>

#include "answer.h"
#include "connection.h"
#include "exchange_parts.h"
#include "origins.h"
#include "server.h"
#include "websocket.h"

bool upgrade_is_route(const struct route *r) {
  return r->handler == handle_websocket;
}

void handle_websocket(struct exchange *x) {
  exchange_add_header(x, "Upgrade", "websocket");
  exchange_fail(x, 426, "upgrade_required", "this address is a WebSocket: connect to it with a WebSocket client");
}

// A page of somewhere else must not listen in with what a browser knows. Programs send no Origin.
static bool origin_is_good(struct exchange *x) {
  const char *origin = exchange_header(x, "origin");
  return !origin || origins_allow(x->server->origins, origin) ||
         origin_is_same(origin, x->secure, exchange_header(x, "host"));
}

static bool is_upgrade(const struct exchange *x) {
  const char *upgrade = exchange_header(x, "upgrade");
  return x->head.upgrade && upgrade && strcasecmp(upgrade, "websocket") == 0 && strcmp(x->head.method, "GET") == 0;
}

void upgrade_begin(struct exchange *x) {
  char accept[WEBSOCKET_ACCEPT_SIZE];
  int64_t since;
  if (!is_upgrade(x)) {
    handle_websocket(x);
    return;
  }
  if (!origin_is_good(x)) {
    exchange_fail(x, 403, "forbidden", "this page may not connect here: its origin is not among the allowed ones");
    return;
  }
  const char *version = exchange_header(x, "sec-websocket-version");
  if (!version || strcmp(version, "13") != 0) {
    exchange_add_header(x, "Sec-WebSocket-Version", "13");
    exchange_fail(x, 426, "upgrade_required", "only version 13 of the WebSocket protocol is spoken here");
    return;
  }
  if (!websocket_accept(exchange_header(x, "sec-websocket-key"), accept)) {
    exchange_fail(x, 400, "bad_request", "the Sec-WebSocket-Key is missing or malformed");
    return;
  }
  if (!exchange_query_int(x, "since", -1, -1, INT64_MAX, &since)) return;
  struct connection *c = x->connection;
  struct str head = STR_INIT(512);
  str_add_format(&head,
                 "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                 "Sec-WebSocket-Accept: %s\r\n",
                 accept);
  answer_add_allowance(x, &head);
  str_add(&head, "\r\n");
  connection_write(c, head.data, head.length);
  str_done(&head);
  connection_upgrade(c, websocket_new(x->server, c, x->user_id, x->username, since));
  x->status = 101;
  x->connection = NULL;
  exchange_finish(x);
}
