#include "websocket.h"

#include <stdlib.h>
#include <string.h>
#include <wslay/wslay.h>

#include <openssl/evp.h>

#include "base/log.h"
#include "base/memory.h"

#include "app.h"
#include "connection.h"
#include "hub.h"
#include "server.h"
#include "traffic.h"

enum {
  MESSAGE_MAX = 16 * 1024,
  FILL_TO = 64 * 1024,  // bytes waiting for the socket; the hub keeps the rest and drops who is too slow
  QUEUED_MAX = 256,     // pongs and the like that a client may make us owe it
  PING_MS = 30 * 1000,
  SILENCE_MS = 75 * 1000,
  GOODBYE_MS = 10 * 1000,  // for a client to take the last frame, even one that stopped reading
};

struct websocket {
  struct server *server;
  struct connection *connection;
  wslay_event_context_ptr frames;
  struct hub_connection *hub;  // NULL: closed
  const uint8_t *in;           // what wslay may read now
  size_t in_length;
  struct str *out;  // where it may write now
  bool closing, broken;
  msec heard, pinged;
  msec ending_since;  // 0: not yet
};

bool websocket_accept(const char *key, char ret[WEBSOCKET_ACCEPT_SIZE]) {
  static const char constant[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  if (!key || strlen(key) != 24 || strcmp(key + 22, "==") != 0) return false;
  char both[24 + sizeof(constant)];
  memcpy(both, key, 24);
  memcpy(both + 24, constant, sizeof(constant));
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned length = 0;
  if (!EVP_Digest(both, strlen(both), digest, &length, EVP_sha1(), NULL)) return false;
  EVP_EncodeBlock((unsigned char *)ret, digest, (int)length);
  return true;
}

// ---- the hub's side --------------------------------------------------------------------------------

static void hub_writes(void *socket) {
  struct websocket *w = socket;
  connection_wake(w->connection);
}

static void hub_closes(void *socket, int code, const char *reason) {
  websocket_close(socket, code, reason);
}

static const struct hub_socket hub_side = {.write = hub_writes, .close = hub_closes};

// ---- wslay's side ----------------------------------------------------------------------------------

static ssize_t on_read(wslay_event_context_ptr frames, uint8_t *buffer, size_t room, int flags, void *user) {
  (void)flags;
  struct websocket *w = user;
  if (w->in_length == 0) {
    wslay_event_set_error(frames, WSLAY_ERR_WOULDBLOCK);
    return -1;
  }
  size_t n = room < w->in_length ? room : w->in_length;
  memcpy(buffer, w->in, n);
  w->in += n;
  w->in_length -= n;
  return (ssize_t)n;
}

static ssize_t on_write(wslay_event_context_ptr frames, const uint8_t *bytes, size_t length, int flags, void *user) {
  (void)frames, (void)flags;
  struct websocket *w = user;
  str_add_bytes(w->out, bytes, length);
  return (ssize_t)length;
}

static void on_message(wslay_event_context_ptr frames, const struct wslay_event_on_msg_recv_arg *message, void *user) {
  (void)frames;
  struct websocket *w = user;
  if (message->opcode == WSLAY_TEXT_FRAME && w->hub && !w->closing) {
    cleanup_free char *text = mem_strndup((const char *)message->msg, message->msg_length);
    hub_message(w->hub, text, message->msg_length);
  } else if (message->opcode == WSLAY_BINARY_FRAME) {
    websocket_close(w, 1003, "text frames only");
  } else if (message->opcode == WSLAY_CONNECTION_CLOSE) {
    w->closing = true;  // wslay has queued the answer
  }
}

static const struct wslay_event_callbacks callbacks = {
    .recv_callback = on_read, .send_callback = on_write, .on_msg_recv_callback = on_message};

// ---- the connection's side -------------------------------------------------------------------------

struct websocket *websocket_new(struct server *server, struct connection *c, const char *user_id, const char *username,
                                int64_t since) {
  struct websocket *w = mem_alloc(sizeof(*w));
  w->server = server;
  w->connection = c;
  w->heard = w->pinged = clock_monotonic();
  if (wslay_event_context_server_init(&w->frames, &callbacks, w) != 0) mem_must(NULL);
  wslay_event_config_set_max_recv_msg_length(w->frames, MESSAGE_MAX);
  traffic_websockets(server->traffic, 1);
  w->hub = hub_open(server->app->hub, &hub_side, w, user_id, username, since);
  if (!w->hub) websocket_close(w, 1013, "too many connections");
  return w;
}

static void leave_hub(struct websocket *w) {
  struct hub_connection *hub = w->hub;
  w->hub = NULL;
  if (hub) hub_closed(hub);
}

void websocket_free(struct websocket *w) {
  if (!w) return;
  leave_hub(w);
  traffic_websockets(w->server->traffic, -1);
  wslay_event_context_free(w->frames);
  free(w);
}

void websocket_receive(struct websocket *w, const void *bytes, size_t length) {
  w->heard = clock_monotonic();
  w->in = bytes;
  w->in_length = length;
  if (wslay_event_recv(w->frames) != 0) w->broken = true;
  if (wslay_event_get_queued_msg_count(w->frames) > QUEUED_MAX) w->broken = true;
  w->in = NULL;
  w->in_length = 0;
  connection_wake(w->connection);
}

static void flush(struct websocket *w, struct str *out) {
  w->out = out;
  if (wslay_event_want_write(w->frames) && wslay_event_send(w->frames) != 0) w->broken = true;
  w->out = NULL;
}

void websocket_fill(struct websocket *w, struct str *out) {
  flush(w, out);
  while (w->hub && !w->closing && !w->broken && out->length < FILL_TO) {
    size_t length = 0;
    const char *text = hub_next(w->hub, &length);
    if (!text) break;
    struct wslay_event_msg message = {WSLAY_TEXT_FRAME, (const uint8_t *)text, length};
    if (wslay_event_queue_msg(w->frames, &message) != 0) w->broken = true;
    flush(w, out);
  }
}

void websocket_close(struct websocket *w, int code, const char *reason) {
  if (w->closing) return;
  w->closing = true;
  size_t length = strlen(reason);
  if (length > 123) length = text_utf8_prefix(reason, 123);
  wslay_event_queue_close(w->frames, (uint16_t)code, (const uint8_t *)reason, length);
  connection_wake(w->connection);
}

bool websocket_tick(struct websocket *w, msec now) {
  if (now - w->heard > SILENCE_MS && !w->broken) {
    w->broken = true;
    connection_wake(w->connection);
  }
  if (w->closing || w->broken) {
    if (!w->ending_since) w->ending_since = now;
    return now - w->ending_since <= GOODBYE_MS;
  }
  if (now - w->pinged < PING_MS) return true;
  w->pinged = now;
  struct wslay_event_msg ping = {WSLAY_PING, NULL, 0};
  wslay_event_queue_msg(w->frames, &ping);
  connection_wake(w->connection);
  return true;
}

bool websocket_is_over(const struct websocket *w) {
  return w->broken || wslay_event_get_close_sent(w->frames) || !wslay_event_get_write_enabled(w->frames);
}
