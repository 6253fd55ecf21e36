// Any bytes as a gRPC answer, after two that say how large a message may be: taken when it is exactly one frame.
#include <stdlib.h>
#include <string.h>

#include "io/grpc.h"

#include "target.h"

enum { HEAD = 5 };

// The promise in other words, to judge by.
static bool well_formed(const uint8_t *body, size_t length, size_t max) {
  if (length < HEAD || body[0]) return false;
  uint64_t size = 0;
  for (int i = 1; i < HEAD; i++) size = size * 256 + body[i];
  return size == length - HEAD && size <= max;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 2) return 0;
  size_t max = (size_t)(data[0] << 8 | data[1]), length = size - 2;
  // Exactly as large as the input: reading beyond it is seen by the sanitizer.
  uint8_t *body = calloc(1, length ? length : 1);
  if (!body) abort();
  if (length) memcpy(body, data + 2, length);
  const uint8_t *message = NULL;
  size_t message_length = 0;
  struct error e = {0};
  enum error_code code = grpc_unframe(body, length, max, &message, &message_length, &e);
  if ((code == ERR_NONE) != well_formed(body, length, max) || code != e.code) abort();
  if (code == ERR_NONE && (message != body + HEAD || message_length != length - HEAD)) abort();
  if (code != ERR_NONE && (message || e.text[0] == 0)) abort();
  free(body);
  return 0;
}
