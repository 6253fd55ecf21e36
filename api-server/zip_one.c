#include "zip_one.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/memory.h"
#include "base/str.h"

enum {
  OUT_SIZE = 16 << 10,
  WINDOW_BITS = -13,  // raw deflate, with less memory than the usual: many uploads at a time
  MEMORY_LEVEL = 6,
  HEADER_MAX = 512,
  VERSION = 20,
  FLAGS = 0x0808,  // sizes come behind the data; the name is UTF-8
  DEFLATED = 8,
  DATE = 0x0021,  // 1980-01-01, the earliest there is
  UNIX_HOST = 3,
};

struct zip_one {
  zip_one_fn *out;
  void *context;
  char *name;
  z_stream stream;
  uint32_t crc;
  uint32_t packed, plain;
  unsigned char buffer[OUT_SIZE];
};

static void add16(struct str *s, unsigned n) {
  str_add_bytes(s, (const unsigned char[]){(unsigned char)n, (unsigned char)(n >> 8)}, 2);
}

static void add32(struct str *s, uint32_t n) {
  add16(s, n & 0xFFFF);
  add16(s, n >> 16);
}

// What both headers of the file have in common.
static void add_description(struct str *s, const struct zip_one *z, bool known) {
  add16(s, VERSION);
  add16(s, FLAGS);
  add16(s, DEFLATED);
  add16(s, 0);
  add16(s, DATE);
  add32(s, known ? z->crc : 0);
  add32(s, known ? z->packed : 0);
  add32(s, known ? z->plain : 0);
  add16(s, (unsigned)strlen(z->name));
  add16(s, 0);
}

struct zip_one *zip_one_new(const char *name, zip_one_fn *out, void *context) {
  struct zip_one *z = mem_alloc(sizeof *z);
  z->out = out;
  z->context = context;
  z->name = mem_strdup(name);
  z->crc = (uint32_t)crc32(0, NULL, 0);
  if (deflateInit2(&z->stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, WINDOW_BITS, MEMORY_LEVEL, Z_DEFAULT_STRATEGY) !=
      Z_OK)
    mem_must(NULL);
  struct str cleanup_str header = STR_INIT(HEADER_MAX);
  add32(&header, 0x04034b50);
  add_description(&header, z, false);
  str_add(&header, name);
  out(context, header.data, header.length);
  return z;
}

static void deflate_all(struct zip_one *z, int flush) {
  do {
    z->stream.next_out = z->buffer;
    z->stream.avail_out = OUT_SIZE;
    deflate(&z->stream, flush);
    size_t length = OUT_SIZE - z->stream.avail_out;
    z->packed += (uint32_t)length;
    if (length > 0) z->out(z->context, z->buffer, length);
  } while (z->stream.avail_out == 0);
}

void zip_one_write(struct zip_one *z, const void *bytes, size_t length) {
  z->crc = (uint32_t)crc32(z->crc, bytes, (uInt)length);
  z->plain += (uint32_t)length;
  z->stream.next_in = (Bytef *)bytes;  // zlib only reads it
  z->stream.avail_in = (uInt)length;
  deflate_all(z, Z_NO_FLUSH);
}

void zip_one_end(struct zip_one *z) {
  z->stream.avail_in = 0;
  deflate_all(z, Z_FINISH);
  size_t name = strlen(z->name);
  uint32_t before = (uint32_t)(30 + name) + z->packed + 16;  // header, data, sizes
  struct str cleanup_str end = STR_INIT(HEADER_MAX);
  add32(&end, 0x08074b50);
  add32(&end, z->crc);
  add32(&end, z->packed);
  add32(&end, z->plain);

  size_t directory = end.length;
  add32(&end, 0x02014b50);
  add16(&end, UNIX_HOST << 8 | VERSION);
  add_description(&end, z, true);
  add16(&end, 0);
  add16(&end, 0);
  add16(&end, 0);
  add32(&end, (uint32_t)0100644 << 16);
  add32(&end, 0);
  str_add(&end, z->name);
  uint32_t directory_length = (uint32_t)(end.length - directory);

  add32(&end, 0x06054b50);
  add32(&end, 0);
  add16(&end, 1);
  add16(&end, 1);
  add32(&end, directory_length);
  add32(&end, before);
  add16(&end, 0);
  z->out(z->context, end.data, end.length);
}

void zip_one_free(struct zip_one *z) {
  if (!z) return;
  deflateEnd(&z->stream);
  free(z->name);
  free(z);
}
