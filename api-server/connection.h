// One connection's HTTP/1.1: bytes in, exchanges, bytes out. The socket is someone else's (server.c: libwebsockets).
//
// Requests are taken one after the other: what a client sends ahead waits, bounded, until the answer before it is
// complete. http-parser reads them, strictly; what it refuses is answered and ends the connection. One thread.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"

struct connection;
struct exchange;
struct server;

// What a connection asks of its socket. None of these calls back from inside.
struct transport {
  void (*want_write)(void *socket);         // ask connection_next soon
  void (*read)(void *socket, bool wanted);  // back pressure
  void (*shut)(void *socket);               // nothing more will be sent; what comes in still does
  void (*kill)(void *socket);               // close now
};

struct peer {
  char address[46];  // the other end of the socket
  bool secure;       // TLS
  bool internal;     // the internal port
};

struct connection *connection_new(struct server *server, const struct transport *transport, void *socket,
                                  const struct peer *peer);
// The socket's side. connection_gone frees it.
void connection_receive(struct connection *c, const void *bytes, size_t length);
// What can be sent now, borrowed until the next call here; NULL: nothing.
const void *connection_next(struct connection *c, size_t *ret_length);
void connection_sent(struct connection *c, size_t length);
void connection_tick(struct connection *c, msec now);  // about once a second, monotonic: looks at its deadlines
void connection_drain(struct connection *c);           // the server stops: no further request after this one
void connection_gone(struct connection *c);

// The exchange's side.
void connection_write(struct connection *c, const void *bytes, size_t length);
size_t connection_backlog(const struct connection *c);         // bytes written that have not gone out
void connection_take_body(struct connection *c, bool wanted);  // false: no more of it for now
// Whether the connection can go on after an answer now, given how much of the request is still to come.
bool connection_can_stay(const struct connection *c);
void connection_answered(struct connection *c, bool stay);  // the exchange is over
const struct peer *connection_peer(const struct connection *c);
// From now on it is a WebSocket's: its bytes go to websocket.h.
struct websocket;
void connection_upgrade(struct connection *c, struct websocket *take_websocket);
void connection_wake(struct connection *c);  // there is something to write
