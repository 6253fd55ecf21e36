#include "path.h"

#include <string.h>

#include "utf8.h"

static bool bad(struct fault *f, const char *name, const char *what) {
  char quoted[FAULT_QUOTE_SIZE];
  return fault_refuse(f, "UnsafePath", "The name %s in the source %s. Rename it and submit again.",
                      fault_quote(name, quoted), what);
}

// Characters that no part of a name may have.
static bool text_fits(const char *name, size_t length, struct fault *f) {
  if (length > PATH_MAX_BYTES) return bad(f, name, "is longer than 1024 bytes");
  if (!utf8_valid(name, length)) return bad(f, name, "is not valid UTF-8");
  for (size_t i = 0; i < length; i++) {
    if ((unsigned char)name[i] < 0x20 || name[i] == 0x7f) return bad(f, name, "has a control character");
    if (name[i] == '\\') return bad(f, name, "has a backslash");
  }
  return true;
}

bool path_normalize(const char *name, char ret[PATH_MAX_BYTES + 1], struct fault *f) {
  size_t length = strlen(name), used = 0, depth = 0;
  if (length == 0) return bad(f, name, "is empty");
  if (!text_fits(name, length, f)) return false;
  if (name[0] == '/') return bad(f, name, "is absolute (starts with \"/\")");

  char path[PATH_MAX_BYTES + 1];
  for (const char *part = name; *part;) {
    size_t n = strcspn(part, "/");
    bool here = n == 0 || (n == 1 && part[0] == '.');
    if (n == 2 && part[0] == '.' && part[1] == '.') return bad(f, name, "leaves the source by \"..\"");
    if (n > PATH_MAX_COMPONENT) return bad(f, name, "has a part longer than 255 bytes");
    if (!here) {
      if (++depth > PATH_MAX_DEPTH) return bad(f, name, "is more than 32 folders deep");
      if (used > 0) path[used++] = '/';
      memcpy(path + used, part, n);
      used += n;
    }
    part += n;
    while (*part == '/') part++;
  }
  path[used] = '\0';
  memcpy(ret, path, used + 1);
  return true;
}

size_t path_depth(const char *path) {
  size_t depth = *path ? 1 : 0;
  for (; *path; path++) depth += *path == '/';
  return depth;
}

bool path_link_inside(const char *path, const char *target, size_t *ret_climb, struct fault *f) {
  size_t length = strlen(target), climb = 0;
  if (length == 0) return bad(f, path, "is a link to nothing");
  if (!text_fits(target, length, f)) return false;
  if (target[0] == '/') return bad(f, path, "is a link to an absolute path");
  bool descended = false;
  for (const char *part = target; *part;) {
    size_t n = strcspn(part, "/");
    if (n > PATH_MAX_COMPONENT) return bad(f, path, "is a link to a name longer than 255 bytes");
    if (n == 2 && part[0] == '.' && part[1] == '.') {
      if (descended) return bad(f, path, "is a link with \"..\" behind another name");
      climb++;
    } else if (n > 1 || (n == 1 && part[0] != '.')) {
      descended = true;
    }
    part += n;
    while (*part == '/') part++;
  }
  if (climb >= path_depth(path)) return bad(f, path, "is a link that leaves the source");
  *ret_climb = climb;
  return true;
}
