#include "authorities.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <curl/curl.h>

#include "files.h"

static bool add_file(struct str *ret, const char *path) {
  if (!files_read(path, ret)) return false;
  str_add(ret, "\n");
  return !ret->failed;
}

bool authorities_read(struct str *ret, struct fault *f) {
  const char *own = getenv("SSL_CERT_FILE");
  if (!own || !*own) return true;
  const char *system = curl_version_info(CURLVERSION_NOW)->cainfo;
  // Without the system's file there is still the arena's own; without that, nothing of the arena's can be reached.
  if (system && access(system, R_OK) == 0 && !add_file(ret, system)) ret->failed = true;
  if (add_file(ret, own) && !ret->failed) return true;
  return fault_retry(f, "AuthoritiesMissing",
                     "The arena's certificate authorities cannot be read (%s). Tell its operator.",
                     ret->failed ? "too large" : strerror(errno));
}

bool authorities_write(int folder, struct fault *f) {
  struct str cleanup_str text = STR_INIT(AUTHORITIES_MAX);
  if (!authorities_read(&text, f)) return false;
  if (text.length == 0) return true;
  int cleanup_fd out = openat(folder, AUTHORITIES_FILE, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
  return (out >= 0 && files_write(out, text.data, text.length)) || files_fault(f, "write the authorities");
}
