// Any bytes as what a git server says: the first one chooses between its offer and its answer, and the size of the
// pieces.
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#include "git_wire.h"
#include "target.h"

static void feed(bool (*packet)(void *, bool, char *, size_t, struct fault *), void *context, const uint8_t *data,
                 size_t size, size_t piece, struct fault *f) {
  cleanup_free struct git_packets *p = mem_alloc(sizeof *p);
  p->packet = packet;
  p->context = context;
  for (size_t at = 0; at < size; at += piece) {
    size_t n = size - at < piece ? size - at : piece;
    if (!git_packets_feed(p, (const char *)data + at, n, f)) return;
  }
}

static bool count(void *context, const char *bytes, size_t length, struct fault *f) {
  (void)f;
  for (size_t i = 0; i < length; i++) *(size_t *)context += (unsigned char)bytes[i];
  return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0) return 0;
  struct fault f = {0};
  size_t piece = data[0] / 2 + 1, sum = 0;
  if (data[0] % 2) {
    struct git_answer answer = {.pack = count, .context = &sum};
    feed(git_answer_packet, &answer, data + 1, size - 1, piece, &f);
    return 0;
  }
  static const char *const refs[] = {"main", "v1", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
  struct git_offer offer;
  struct git_want want;
  struct str cleanup_str body = STR_INIT(1 << 20);
  git_offer_init(&offer, refs[piece % array_size(refs)]);
  feed(git_offer_packet, &offer, data + 1, size - 1, piece, &f);
  if (f.kind == FAULT_NONE && git_offer_decide(&offer, &want, &f)) {
    git_want_body(&offer, &want, &body);
    if (body.failed || strlen(want.target) != GIT_HEX) abort();
  }
  git_offer_done(&offer);
  return 0;
}
