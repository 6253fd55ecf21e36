// A listening socket on the loop.
#pragma once

#include <uv.h>

#include "base/error.h"

struct listener;
// `fd` is the callee's: non-blocking, without delay.
typedef void listener_fn(void *context, int fd, const char *address);

// "0.0.0.0:8080" or "[::]:8080"; port 0 takes a free one. ERR_INVALID or ERR_UNAVAILABLE (taken).
struct listener *listener_new(uv_loop_t *loop, const char *listen, listener_fn *fn, void *context, struct error *e);
int listener_port(const struct listener *l);
void listener_free(struct listener *l);  // at once; NULL is fine
