// A WebSocket on a connection: frames (wslay) between its bytes and the hub.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/str.h"

struct connection;
struct server;
struct websocket;

enum { WEBSOCKET_ACCEPT_SIZE = 29 };
// The value of Sec-WebSocket-Accept; false when the key is none.
bool websocket_accept(const char *key, char ret[WEBSOCKET_ACCEPT_SIZE]);

// user_id NULL: says who it is by its first message. since -1: from now on.
struct websocket *websocket_new(struct server *server, struct connection *c, const char *user_id, const char *username,
                                int64_t since);
void websocket_free(struct websocket *w);  // NULL is fine
void websocket_receive(struct websocket *w, const void *bytes, size_t length);
void websocket_fill(struct websocket *w, struct str *out);  // appends frames while there is not much in it
void websocket_close(struct websocket *w, int code, const char *reason);
bool websocket_tick(struct websocket *w, msec now);  // pings; monotonic; false: its end took too long, cut it off
bool websocket_is_over(const struct websocket *w);   // the last frame was filled in, or nothing more can be
