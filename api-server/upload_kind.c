#include "upload_kind.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

static bool ends_in(const char *text, size_t length, const char *end) {
  size_t n = strlen(end);
  return length >= n && strncasecmp(text + length - n, end, n) == 0;
}

static bool begins_with(const void *bytes, size_t length, const char *start, size_t n) {
  return length >= n && memcmp(bytes, start, n) == 0;
}

static enum upload_kind by_name(const char *name, size_t length) {
  if (ends_in(name, length, ".py")) return UPLOAD_PYTHON;
  if (ends_in(name, length, ".zip")) return UPLOAD_ZIP;
  if (ends_in(name, length, ".tar.gz") || ends_in(name, length, ".tgz")) return UPLOAD_TAR_GZ;
  return UPLOAD_UNKNOWN;
}

enum upload_kind upload_kind_of(const char *filename, const void *head, size_t length, const char **ret_problem) {
  enum upload_kind named = by_name(filename, strlen(filename));
  enum upload_kind found = UPLOAD_PYTHON;
  if (begins_with(head, length, "PK\x03\x04", 4))
    found = UPLOAD_ZIP;
  else if (begins_with(head, length, "\x1f\x8b", 2))
    found = UPLOAD_TAR_GZ;
  else if (memchr(head, '\0', length))
    found = UPLOAD_UNKNOWN;

  if (length == 0) {
    *ret_problem = "The file is empty.";
  } else if (begins_with(head, length, "PK\x05\x06", 4)) {
    *ret_problem = "The zip archive is empty.";
  } else if (named == UPLOAD_UNKNOWN) {
    *ret_problem = "The file's name must end in .py, .zip or .tar.gz.";
  } else if (named != found) {
    *ret_problem = named == UPLOAD_PYTHON   ? "The file is named .py but is no text."
                   : named == UPLOAD_ZIP    ? "The file is named .zip but is no zip archive."
                   : named == UPLOAD_TAR_GZ ? "The file is named .tar.gz but is not packed by gzip."
                                            : "";
  } else {
    return found;
  }
  return UPLOAD_UNKNOWN;
}

const char *upload_format_of_url(const char *url) {
  size_t length = strcspn(url, "?#");
  switch (by_name(url, length)) {
    case UPLOAD_ZIP: return "zip";
    case UPLOAD_TAR_GZ: return "tar.gz";
    default: return NULL;
  }
}
