// Being asked to stop: SIGTERM and SIGINT as a callback on the loop.
#pragma once

#include <uv.h>

struct stop;
typedef void stop_fn(void *context);

// `fn` comes once, at the first signal. A second signal ends the process at once, with 128 + its number.
struct stop *stop_new(uv_loop_t *loop, stop_fn *fn, void *context);
void stop_free(struct stop *s);  // NULL is fine; signals then end the process as they do without it
