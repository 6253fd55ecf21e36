// WebSocket connections: who may hear what. Events are rows of the table `events`, made by triggers; NOTIFY says that
// there are new ones, on every replica. A reader that does not keep up is dropped, never waited for.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct app;
struct hub;
struct hub_connection;

struct hub *hub_new(struct app *app);
void hub_free(struct hub *h);
void hub_start(struct hub *h);  // listens; events older than now are only for those who ask for them (?since=)

// The server's side of a connection. `write` asks the server to call hub_next when the socket takes more.
struct hub_socket {
  void (*write)(void *socket);
  void (*close)(void *socket, int code, const char *reason);
};
// user_id NULL: not authenticated yet (10 s to send {"type":"auth"}). since -1: from now on. At most 20 a user, 10,000
// in all: NULL when there is no room (close code 1013).
struct hub_connection *hub_open(struct hub *h, const struct hub_socket *socket, void *socket_context,
                                const char *user_id, const char *username, int64_t since);
void hub_message(struct hub_connection *c, const char *text, size_t length);  // a whole text frame from the client
// The next frame to send, borrowed until the next call; NULL: none waits.
const char *hub_next(struct hub_connection *c, size_t *ret_length);
void hub_closed(struct hub_connection *c);
