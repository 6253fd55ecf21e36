#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/memory.h"
#include "base/str.h"

#include "answer.h"

enum { LEVEL = 4, GZIP_WINDOW = 15 + 16 };

bool gzip_bytes(const void *bytes, size_t length, struct str *ret) {
  z_stream z = {0};
  if (deflateInit2(&z, LEVEL, Z_DEFLATED, GZIP_WINDOW, 8, Z_DEFAULT_STRATEGY) != Z_OK) return false;
  cleanup_free unsigned char *out = mem_alloc(length + 1);
  z.next_in = (z_const Bytef *)bytes;
  z.avail_in = (uInt)length;
  z.next_out = out;
  z.avail_out = (uInt)length;  // no room for more than there was: then it does not pay
  int result = deflate(&z, Z_FINISH);
  size_t made = z.total_out;
  deflateEnd(&z);
  if (result != Z_STREAM_END) return false;
  str_add_bytes(ret, out, made);
  return !ret->failed;
}

// "gzip", "gzip;q=0.5", "*"; not "gzip;q=0".
bool gzip_accepted(const char *accept_encoding) {
  if (!accept_encoding) return false;
  cleanup_free char *copy = mem_strdup(accept_encoding);
  char *rest = copy;
  bool star = false;
  for (char *item; (item = strsep(&rest, ",")) != NULL;) {
    while (*item == ' ' || *item == '\t') item++;
    size_t name = strcspn(item, "; \t");
    const char *quality = strstr(item + name, "q=");
    bool wanted = !quality || strtod(quality + 2, NULL) > 0;
    if (name == 4 && strncasecmp(item, "gzip", 4) == 0) return wanted;
    if (name == 1 && item[0] == '*') star = wanted;
  }
  return star;
}
