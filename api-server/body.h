// The body of an answer that several exchanges give: its text, its ETag, and packed once for all who take gzip.
// References are counted; whoever gets one from a function's result owns it, who borrows one takes his own. One thread.
#pragma once

#include <stddef.h>

#include "base/str.h"

#include "answer.h"

struct body {
  unsigned references;
  enum { BODY_PLAIN, BODY_PACKED, BODY_UNPACKABLE } packing;
  struct str packed;
  char etag[ETAG_SIZE];
  size_t length;
  char text[];  // NUL-terminated
};

struct body *body_new(const char *text, size_t length);
struct body *body_ref(struct body *b);
void body_unref(struct body *b);  // NULL is fine
// What goes out to who takes gzip; NULL when that makes it no smaller.
const struct str *body_packed(struct body *b);
