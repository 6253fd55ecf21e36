#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/sha.h>

#include "arena/resources.h"
#include "base/map.h"
#include "base/memory.h"
#include "base/str.h"

enum {
  CONTENT_MAX = 16 << 20,
  KEY_SIZE = 2 * SHA256_DIGEST_LENGTH + 1
};  // the first far beyond what decoders let through

struct shared {
  size_t references;
  char key[KEY_SIZE];
  struct findings list;
};

static struct map *known;  // by a hash of its content: struct shared; NULL while there is none

static struct shared *shared_of(const struct findings *f) {
  return (struct shared *)((char *)f - offsetof(struct shared, list));
}

static void finding_done(struct finding *f) {
  free(f->id);
  free(f->package);
  free(f->installed);
  free(f->fixed);
  free(f->title);
}

// With its length, so that no two lists have one key; an absent text is none of any length.
static void add_text(struct str *key, const char *text) {
  if (text == NULL)
    str_add(key, "-");
  else
    str_add_format(key, "%zu:%s", strlen(text), text);
}

static void key_of(const struct finding *items, unsigned count, char ret[KEY_SIZE]) {
  struct str content = STR_INIT(CONTENT_MAX);
  for (unsigned i = 0; i < count; i++) {
    const struct finding *f = &items[i];
    const char *const texts[] = {f->id, f->package, f->installed, f->fixed, f->title};
    for (unsigned k = 0; k < array_size(texts); k++) add_text(&content, texts[k]);
    str_add_format(&content, "/%d", (int)f->severity);
  }
  assert(!content.failed);
  unsigned char hash[SHA256_DIGEST_LENGTH];
  SHA256((const unsigned char *)str_text(&content), content.length, hash);
  for (unsigned i = 0; i < sizeof(hash); i++) snprintf(ret + (size_t)2 * i, 3, "%02x", hash[i]);
  str_done(&content);
}

const struct findings *findings_share(struct finding *take_items, unsigned count) {
  if (count == 0) return NULL;
  char key[KEY_SIZE];
  key_of(take_items, count, key);
  if (known == NULL) known = map_new(NULL);
  struct shared *s = map_get(known, key);
  if (s == NULL) {
    s = mem_alloc(sizeof(*s) + count * sizeof(*take_items));
    memcpy(s->key, key, sizeof(key));
    s->list.count = count;
    memcpy(s->list.items, take_items, count * sizeof(*take_items));
    map_put(known, key, s);
  } else {
    for (unsigned i = 0; i < count; i++) finding_done(&take_items[i]);
  }
  s->references++;
  return &s->list;
}

const struct findings *findings_again(const struct findings *f) {
  if (f != NULL) shared_of(f)->references++;
  return f;
}

void findings_done(const struct findings *f) {
  if (f == NULL) return;
  struct shared *s = shared_of(f);
  if (--s->references > 0) return;
  map_remove(known, s->key);
  for (unsigned i = 0; i < s->list.count; i++) finding_done(&s->list.items[i]);
  free(s);
  if (map_count(known) > 0) return;
  map_free(known);
  known = NULL;
}
