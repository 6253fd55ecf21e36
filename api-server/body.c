#include "body.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

struct body *body_new(const char *text, size_t length) {
  struct body *b = mem_alloc(sizeof *b + length + 1);
  b->references = 1;
  b->length = length;
  memcpy(b->text, text, length);
  b->packed = STR_INIT(GZIP_TO);
  if (length < GZIP_FROM || length > GZIP_TO) b->packing = BODY_UNPACKABLE;
  etag_of(text, length, b->etag);
  return b;
}

struct body *body_ref(struct body *b) {
  b->references++;
  return b;
}

void body_unref(struct body *b) {
  if (b == NULL || --b->references > 0) return;
  str_done(&b->packed);
  free(b);
}

const struct str *body_packed(struct body *b) {
  if (b->packing == BODY_PLAIN) b->packing = gzip_bytes(b->text, b->length, &b->packed) ? BODY_PACKED : BODY_UNPACKABLE;
  return b->packing == BODY_PACKED ? &b->packed : NULL;
}
