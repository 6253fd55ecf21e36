// The front's server without sockets and without anything behind it: bytes in, bytes out, with routes of the test's
// own.
#pragma once

#include "base/str.h"

#include "app.h"
#include "connection.h"
#include "route.h"
#include "server.h"
#include "settings.h"

struct loose_server {
  struct settings settings;
  struct app app;
  struct server server;
};

void loose_server_init(struct loose_server *s, const struct route *table, unsigned count);
void loose_server_done(struct loose_server *s);  // fails (abort) when an exchange was forgotten

struct loose_socket {
  struct connection *connection;  // NULL: killed
  struct str out;
  bool wanted, reading, shut, killed;
};

void loose_socket_open(struct loose_socket *s, struct loose_server *server, const char *address);
void loose_socket_send(struct loose_socket *s, const char *bytes, size_t length);  // and takes what comes back
void loose_socket_drain(struct loose_socket *s);  // writes while it is wanted; fails (abort) when that has no end
void loose_socket_close(struct loose_socket *s);
