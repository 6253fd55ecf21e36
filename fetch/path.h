// What a name in an archive or a git tree may be. Pure: no file is touched.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "fault.h"

enum {
  PATH_MAX_BYTES = 1024,     // a whole name
  PATH_MAX_COMPONENT = 255,  // what Linux file systems take
  PATH_MAX_DEPTH = 32,       // folders inside folders
};

// Checks a name and normalizes it ("./a//b/" becomes "a/b") into `ret`. The root itself ("." or "./") gives "".
// Refuses: empty, absolute, `..`, backslashes, control characters, no UTF-8, too long, too deep.
bool path_normalize(const char *name, char ret[PATH_MAX_BYTES + 1], struct fault *f);

// The number of components of a normalized name.
size_t path_depth(const char *path);

// Whether a symbolic link at the normalized `path` may point to `target`: relative, valid, and never above the tree.
// `..` is allowed only at the start: there it climbs out of real folders, which can be counted; behind the name of
// another link it would climb from wherever that link leads. `ret_climb` is how many folders it climbs.
bool path_link_inside(const char *path, const char *target, size_t *ret_climb, struct fault *f);
