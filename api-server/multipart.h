// multipart/form-data while it arrives: a part's headers, then its bytes piece by piece. Nothing is kept but one line
// of headers, whatever the sender does. Pure: bytes in, callbacks out.
//
// Strict where leniency would let two readers see two things: one boundary, CRLF, no nesting, no transfer encodings, no
// folded headers, no text behind a boundary. What is wrong is ERR_INVALID in words for the sender.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

enum {
  MULTIPART_BOUNDARY_MAX = 70,
  MULTIPART_LINE_MAX = 1024,
  MULTIPART_LINES_MAX = 16,  // of one part's headers
  MULTIPART_PARTS_MAX = 16,
  MULTIPART_NAME_MAX = 255,
};

struct multipart_part {
  const char *name;
  const char *filename;      // NULL: a plain field
  const char *content_type;  // NULL: not said
};

// Each returns false, with `e` set, to end the parsing.
struct multipart_events {
  bool (*part)(void *context, const struct multipart_part *part, struct error *e);
  bool (*data)(void *context, const char *bytes, size_t length, struct error *e);
  bool (*part_end)(void *context, struct error *e);
};

struct multipart;

// From the request's Content-Type. NULL and ERR_INVALID when it is no multipart/form-data with a usable boundary.
struct multipart *multipart_new(const char *content_type, const struct multipart_events *events, void *context,
                                struct error *e);
void multipart_free(struct multipart *m);

// False: ended, by a mistake in the bytes or by an event; more must not be fed.
bool multipart_feed(struct multipart *m, const char *bytes, size_t length, struct error *e);
// All bytes have been fed: false when the closing boundary is missing.
bool multipart_end(const struct multipart *m, struct error *e);
