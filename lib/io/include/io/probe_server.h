// The small HTTP server for /healthz, /readyz and /metrics (libmicrohttpd on the loop).
#pragma once

#include <uv.h>

#include "base/error.h"
#include "base/str.h"

struct probe_server;

// Fills `ret_body` and returns the HTTP status; 404 for an unknown path. GET only.
typedef int probe_fn(void *context, const char *path, struct str *ret_body);

// listen: "0.0.0.0:8080" or "[::]:8080"; port 0 takes a free one. At most 64 connections at once, 10 s each
// without a request; more wait. ERR_INVALID or ERR_UNAVAILABLE (taken).
struct probe_server *probe_server_new(uv_loop_t *loop, const char *listen, probe_fn *fn, void *context,
                                      struct error *e);
int probe_server_port(const struct probe_server *s);
// Not from inside its probe_fn.
void probe_server_free(struct probe_server *s);
