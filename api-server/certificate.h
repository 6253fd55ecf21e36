// A renewed certificate is taken without a restart: its file is looked at every minute.
#pragma once

#include <uv.h>

struct settings;
struct certificate;

struct certificate *certificate_watch(uv_loop_t *loop, void *ssl_ctx, const struct settings *s);
void certificate_free(struct certificate *c);  // NULL is fine
