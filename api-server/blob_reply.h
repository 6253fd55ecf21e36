// A blob as an answer: streamed, with an ETag that is its hash, and ranges of it; gzip as it is stored where the client
// takes that, unpacked on the way where it does not.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "exchange.h"

struct blob_answer {
  const char *sha256;
  int64_t size;
  const char *content_type;  // static
  bool gzip;                 // the blob is a gzip of what is asked for
};

// Answers the exchange. Headers of its own have been added before.
void blob_reply(struct exchange *x, const struct blob_answer *a);

// Pure: "bytes=..." of something of `size` bytes. RANGE_NONE: there is none that counts, all of it is the answer.
enum range { RANGE_NONE, RANGE_PART, RANGE_BAD };
enum range range_parse(const char *header, int64_t size, int64_t *ret_from, int64_t *ret_length);
