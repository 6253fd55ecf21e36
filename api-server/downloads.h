// Code that a URL names, when nobody says its hash: the front brings it itself and keeps it as an upload, so that what
// is built is what was there when it was submitted. Public addresses alone (base/address.h), and few at a time.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct app;
struct downloads;
struct download;

// ERR_INVALID: FETCH_ALLOW_CIDRS is no list of networks.
struct downloads *downloads_new(struct app *app, struct error *e);
void downloads_free(struct downloads *d);  // cancels what runs, without callbacks

// ERR_FORBIDDEN (where it leads), ERR_NOT_FOUND, ERR_TOO_LARGE, ERR_INVALID, ERR_UNAVAILABLE, ... with a sentence for
// the author in `e`; ERR_BUSY when too many are under way. `head`: the first bytes, UPLOAD_HEAD at most.
typedef void download_done_fn(void *context, const char *sha256, int64_t size, const void *head, size_t length,
                              const struct error *e);
void download_start(struct downloads *d, const char *url, download_done_fn *done, void *context);
