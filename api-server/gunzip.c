#include "gunzip.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/memory.h"

enum { GZIP_WINDOW = 15 + 16 };

struct gunzip {
  z_stream stream;
  unsigned char *input;
  size_t room;
  bool failed, over;
};

struct gunzip *gunzip_new(void) {
  struct gunzip *g = mem_alloc(sizeof *g);
  if (inflateInit2(&g->stream, GZIP_WINDOW) != Z_OK) mem_must(NULL);
  return g;
}

void gunzip_free(struct gunzip *g) {
  if (!g) return;
  inflateEnd(&g->stream);
  free(g->input);
  free(g);
}

void gunzip_feed(struct gunzip *g, const void *bytes, size_t length) {
  if (length > g->room) {
    g->input = mem_grow(g->input, length, 1);
    g->room = length;
  }
  memcpy(g->input, bytes, length);
  g->stream.next_in = g->input;
  g->stream.avail_in = (uInt)length;
}

size_t gunzip_next(struct gunzip *g, void *ret, size_t size) {
  if (g->failed || g->over) return 0;
  g->stream.next_out = ret;
  g->stream.avail_out = (uInt)size;
  int result = inflate(&g->stream, Z_NO_FLUSH);
  g->over = result == Z_STREAM_END;
  g->failed = result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR;
  return size - g->stream.avail_out;
}

bool gunzip_failed(const struct gunzip *g) {
  return g->failed;
}
