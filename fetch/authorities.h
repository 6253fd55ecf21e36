// Which certificate authorities are trusted: the system's, and those in the file that SSL_CERT_FILE names, which an
// arena with an authority of its own adds.
#pragma once

#include <stdbool.h>

#include "base/str.h"

#include "fault.h"

#define AUTHORITIES_FILE "authorities.crt"

enum { AUTHORITIES_MAX = 8 << 20 };

// PEM texts of both, one behind the other; nothing when SSL_CERT_FILE is not set: then libcurl's default is right.
bool authorities_read(struct str *ret, struct fault *f);

// Writes them as AUTHORITIES_FILE into `folder`, for the programs that a build runs; no file when there is nothing of
// the arena's own.
bool authorities_write(int folder, struct fault *f);
