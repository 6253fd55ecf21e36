// The two listeners of the front and what all their connections share. libwebsockets does sockets, TLS and the events
// of the loop; connection.h speaks HTTP, exchange.h is what handlers see. One thread.
#pragma once

#include <stdbool.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/str.h"

struct app;
struct connection;
struct server_sockets;

struct server {
  struct app *app;
  struct router *router, *internal_router;
  struct schemas *schemas;
  struct origins *origins;
  struct proxies *proxies;
  struct site *site;         // static files; never NULL
  struct str openapi, docs;  // made once
  struct traffic *traffic;   // metrics and the access log
  struct server_sockets *sockets;
  unsigned in_flight;  // exchanges
  bool draining;
};

struct server *server_new(struct app *app);
// Listens; all of the app must be there. ERR_UNAVAILABLE, ERR_INVALID (a certificate, the page's folder); after a
// failure too it is freed as ever.
enum error_code server_listen(struct server *s, struct error *e);
// No new connections, no further requests on the old ones; `done` when the last is gone or `patience` is over.
void server_stop(struct server *s, msec patience, void (*done)(void *context), void *context);
void server_free(struct server *s);        // closes what is open; before the loop ends
void server_free_after(struct server *s);  // the rest; after the loop has ended

// Ready: PostgreSQL answers and the mirror is level. Otherwise says what is not.
bool server_is_ready(const struct server *s, const char **ret_why);
