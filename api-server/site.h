// The web page: files of WEB_ROOT, read once at start. A request never touches the file system, so that no path can
// leave the folder and an answer is one look-up. Without a folder: a small page that says what is here.
#pragma once

#include <stdbool.h>

#include "base/error.h"

struct exchange;
struct site;

// At most 64 MiB in 10,000 files. ERR_TOO_LARGE, ERR_INVALID (cannot be read).
struct site *site_new(const char *web_root /* may be NULL */, struct error *e);
void site_free(struct site *s);
// Answers when there is something at the path (then true). A path without a file is the page itself, for what its
// script makes of it, when a browser asks for a page.
bool site_answer(const struct site *s, struct exchange *x);
