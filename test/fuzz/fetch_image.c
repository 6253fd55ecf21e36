// Any bytes as an image's manifest, as a registry's challenge and as its passwords. An image that is taken is written
// as a manifest that reads as the same image, within the limits.
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/str.h"

#include "challenge.h"
#include "credentials.h"
#include "layout.h"
#include "target.h"

static const int64_t MAX = 1 << 20;

static bool same(const struct blob *a, const struct blob *b) {
  return a->size == b->size && a->media_type == b->media_type && text_equal(a->digest, b->digest);
}

static void check_image(const char *bytes, size_t size) {
  static struct image image, again;
  struct fault f = {0};
  bool taken = image_parse(bytes, size, MAX, &image, &f);
  if (taken != (f.kind == FAULT_NONE)) abort();
  if (!taken) return;
  cleanup_free char *text = image_manifest(&image);
  if (!image_parse(text, strlen(text), MAX, &again, &f)) abort();
  if (!same(&image.config, &again.config) || image.layer_count != again.layer_count) abort();
  int64_t total = image.config.size;
  for (unsigned i = 0; i < image.layer_count; i++) {
    if (!same(&image.layers[i], &again.layers[i]) || !layout_is_digest(image.layers[i].digest)) abort();
    total += image.layers[i].size;
  }
  // The configuration has a limit of its own.
  if (total - image.config.size > MAX || image.config.size > LAYOUT_CONFIG_MAX) abort();
  cleanup_free char *once_more = image_manifest(&again);
  if (!text_equal(text, once_more)) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const char *bytes = (const char *)data;
  check_image(bytes, size);
  char *password = credentials_find(bytes, size, "r.test", "agents/ann");
  free(password);
  cleanup_free char *text = mem_alloc(size + 1);
  if (size > 0) memcpy(text, bytes, size);
  struct challenge c = {0};
  if (challenge_parse(text, &c) && c.kind == CHALLENGE_BEARER) {
    cleanup_free char *url = challenge_url(&c, "agents/ann");
    if (strlen(url) > 32768) abort();
  }
  challenge_done(&c);
  return 0;
}
