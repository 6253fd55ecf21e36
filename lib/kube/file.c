#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/str.h"

static bool read_all(int fd, struct str *s) {
  char piece[4096];
  for (;;) {
    ssize_t n = read(fd, piece, sizeof piece);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return n == 0;
    str_add_bytes(s, piece, (size_t)n);
    if (s->failed) return true;
  }
}

char *file_read(const char *path, size_t max, size_t *ret_length, struct error *e) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    error_set(e, errno == ENOENT ? ERR_NOT_FOUND : ERR_INVALID, "%s: %s", path, strerror(errno));
    return NULL;
  }
  cleanup_str struct str s = STR_INIT(max);
  bool whole = read_all(fd, &s);
  int problem = errno;
  close(fd);
  if (!whole) {
    error_set(e, ERR_INVALID, "%s: %s", path, strerror(problem));
    return NULL;
  }
  if (s.failed) {
    error_set(e, ERR_TOO_LARGE, "%s: larger than %zu bytes", path, max);
    return NULL;
  }
  if (ret_length != NULL) *ret_length = s.length;
  return str_take(&s);
}

static bool write_all(int fd, const char *bytes, size_t length) {
  while (length > 0) {
    ssize_t n = write(fd, bytes, length);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    bytes += n;
    length -= (size_t)n;
  }
  return true;
}

int file_in_memory(const char *name, const void *bytes, size_t length, char **ret_path, struct error *e) {
  int fd = memfd_create(name, MFD_CLOEXEC);
  if (fd < 0 || !write_all(fd, bytes, length)) {
    error_set(e, ERR_INTERNAL, "cannot keep %s in memory: %s", name, strerror(errno));
    if (fd >= 0) close(fd);
    return -1;
  }
  *ret_path = mem_printf("/proc/self/fd/%d", fd);
  return fd;
}

static int base64_value(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  return c == '+' ? 62 : c == '/' ? 63 : -1;
}

unsigned char *file_decode_base64(const char *text, size_t *ret_length) {
  unsigned char *bytes = mem_alloc(strlen(text) / 4 * 3 + 4);
  size_t length = 0, symbols = 0, padding = 0;
  uint32_t bits = 0;
  for (; *text != 0; text++) {
    if (strchr(" \t\r\n", *text) != NULL) continue;
    int value = base64_value(*text);
    if (*text == '=' ? symbols % 4 < 2 : value < 0 || padding > 0) goto malformed;
    if (*text == '=') {
      padding++;
      continue;
    }
    bits = bits << 6 | (uint32_t)value;
    symbols++;
    if (symbols % 4 != 1) bytes[length++] = (unsigned char)(bits >> (6 - 2 * ((symbols - 1) % 4)));
  }
  if ((symbols + padding) % 4 != 0 || padding > 2 || symbols == 0) goto malformed;
  *ret_length = length;
  return bytes;

malformed:
  free(bytes);
  return NULL;
}
