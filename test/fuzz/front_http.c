// Any bytes from a client, in pieces of any size: no crash, nothing forgotten, nothing after the end, and no more
// answers than there can be requests. The first byte says how large the pieces are.
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"

#include "exchange.h"
#include "loose_server.h"
#include "target.h"

static struct exchange *waiting;

static void on_hello(struct exchange *x) {
  json *body = json_new_object();
  json_add_text(body, "hello", exchange_query(x, "name"));
  exchange_reply(x, 200, body);
}

static void on_later(struct exchange *x) {
  if (waiting)
    exchange_fail(x, 409, "busy", "one at a time");
  else
    waiting = x;
}

static void on_echo(struct exchange *x) {
  exchange_reply(x, 201, json_object_get(exchange_body(x)));
}

static void take(void *context, const void *bytes, size_t length, bool complete) {
  (void)length, (void)complete;
  if (!bytes) exchange_reply_bytes(context, 200, "text/plain", "taken", 5, false);
}

static void on_upload(struct exchange *x) {
  exchange_receive(x, take, x);
}

static void on_stream(struct exchange *x) {
  exchange_start(x, 200, "text/plain", -1, NULL, NULL, x);
  exchange_write(x, "one", 3);
  exchange_end(x);
}

static const struct route table[] = {
    {.method = "GET", .pattern = "/h", .handler = on_hello, .parameters = {{"name", "{\"type\":\"integer\"}", ""}}},
    {.method = "GET", .pattern = "/l", .handler = on_later},
    {.method = "POST", .pattern = "/l", .handler = on_later},
    {.method = "POST", .pattern = "/e", .handler = on_echo, .body = BODY_JSON, .body_schema = "Error"},
    {.method = "POST", .pattern = "/u", .handler = on_upload, .body = BODY_STREAM},
    {.method = "GET", .pattern = "/s", .handler = on_stream},
    {.method = "GET", .pattern = "/m/{id}", .handler = on_hello, .auth = AUTH_USER},
    {.method = "GET", .pattern = "/r", .handler = on_hello, .limit = LIMIT_AUTH},
};

static void answer_who_waits(void) {
  struct exchange *x = waiting;
  waiting = NULL;
  if (x) exchange_reply_bytes(x, 200, "text/plain", "late", 4, true);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static struct loose_server server;
  static bool begun;
  if (!begun) {
    log_setup(LOG_ERROR, LOG_TEXT);
    loose_server_init(&server, table, array_size(table));
    begun = true;
  }
  if (size < 1) return 0;
  size_t piece = data[0] ? data[0] : size;
  struct loose_socket client;
  loose_socket_open(&client, &server, "192.0.2.1");
  for (size_t at = 1; at < size && !client.killed; at += piece) {
    size_t length = size - at < piece ? size - at : piece;
    loose_socket_send(&client, (const char *)data + at, length);
    if ((at / piece) % 3 == 0) {
      answer_who_waits();
      loose_socket_drain(&client);
    }
  }
  connection_tick(client.connection, clock_monotonic() + 31 * 1000);
  loose_socket_drain(&client);
  loose_socket_close(&client);
  answer_who_waits();
  if (server.server.in_flight != 0) abort();
  return 0;
}
