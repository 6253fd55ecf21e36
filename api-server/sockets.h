// The sockets of both ports, on libwebsockets: it owns the descriptors, TLS and readiness; connection.h has the bytes.
// Its own HTTP is not used: it answers nothing to what it does not like, reads no chunked bodies, believes the first
// of two Content-Lengths, and spins while a request waits for its answer. One thread.
#pragma once

#include "base/clock.h"
#include "base/error.h"

struct server;
struct server_sockets;

struct server_sockets *sockets_new(struct server *server);
// Listens on both ports. After a failure too it is closed and freed as ever.
enum error_code sockets_open(struct server_sockets *s, struct error *e);
void sockets_stop_listening(struct server_sockets *s);
void sockets_drain(struct server_sockets *s);  // connection_drain of all
unsigned sockets_count(const struct server_sockets *s);
void sockets_close(struct server_sockets *s);  // all of them; before the loop ends
void sockets_free(struct server_sockets *s);   // after it
