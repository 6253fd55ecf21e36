#include "pairing_words.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

struct word {
  const char *text;  // NULL: free
  uint32_t hash, number;
};

// Eight bytes at a time. Equal hashes are told apart by their texts.
static uint32_t hash_of(const char *text) {
  static const uint64_t factor = UINT64_C(0x9e3779b97f4a7c15);
  size_t length = strlen(text);
  uint64_t h = length * factor, chunk;
  for (; length >= sizeof(chunk); length -= sizeof(chunk), text += sizeof(chunk)) {
    memcpy(&chunk, text, sizeof(chunk));
    h = (h ^ chunk) * factor;
    h ^= h >> 32;
  }
  chunk = 0;
  memcpy(&chunk, text, length);
  h = (h ^ chunk) * factor;
  return (uint32_t)(h >> 32);
}

// The slot that has the text, or the free one where it belongs.
static struct word *slot_of(const struct words *w, const char *text, uint32_t hash) {
  size_t i = hash & (w->room - 1);
  while (w->slots[i].text && (w->slots[i].hash != hash || strcmp(w->slots[i].text, text) != 0))
    i = (i + 1) & (w->room - 1);
  return &w->slots[i];
}

static void grow(struct words *w) {
  struct words bigger = {.room = w->room ? 2 * w->room : 64, .count = w->count};
  bigger.slots = mem_alloc(bigger.room * sizeof(*bigger.slots));
  for (size_t i = 0; i < w->room; i++) {
    if (!w->slots[i].text) continue;
    size_t to = w->slots[i].hash & (bigger.room - 1);
    while (bigger.slots[to].text) to = (to + 1) & (bigger.room - 1);
    bigger.slots[to] = w->slots[i];
  }
  free(w->slots);
  *w = bigger;
}

static uint32_t add(struct words *w, const char *text, uint32_t hash) {
  if (2 * (w->count + 1) > w->room) grow(w);
  struct word *slot = slot_of(w, text, hash);
  if (!slot->text) *slot = (struct word){.text = text, .hash = hash, .number = (uint32_t)w->count++};
  return slot->number;
}

uint32_t words_add(struct words *w, const char *text) {
  return add(w, text, hash_of(text));
}

// Of many, the memory of the next ones is fetched meanwhile: a text, then its slot, and when that is there, its text.
enum { FAR = 16, NEAR = 8 };

// ret[i] becomes the hash of texts[i], FAR steps before it is needed.
static void look_ahead(const struct words *w, const char *const *texts, size_t count, size_t i, uint32_t *ret) {
  if (i + FAR < count) __builtin_prefetch(texts[i + FAR]);
  if (i < count) {
    ret[i] = hash_of(texts[i]);
    if (w->room) __builtin_prefetch(&w->slots[ret[i] & (w->room - 1)]);
  }
  if (w->room && i >= NEAR && i - NEAR < count) __builtin_prefetch(w->slots[ret[i - NEAR] & (w->room - 1)].text);
}

void words_add_all(struct words *w, const char *const *texts, size_t count, uint32_t *ret) {
  for (size_t i = 0; i < count + FAR; i++) {
    look_ahead(w, texts, count, i, ret);
    if (i >= FAR) ret[i - FAR] = add(w, texts[i - FAR], ret[i - FAR]);
  }
}

uint32_t words_find(const struct words *w, const char *text) {
  if (w->count == 0) return WORDS_NONE;
  const struct word *slot = slot_of(w, text, hash_of(text));
  return slot->text ? slot->number : WORDS_NONE;
}

void words_find_all(const struct words *w, const char *const *texts, size_t count, uint32_t *ret) {
  for (size_t i = 0; i < count + FAR; i++) {
    look_ahead(w, texts, count, i, ret);
    if (i < FAR) continue;
    const struct word *slot = w->room ? slot_of(w, texts[i - FAR], ret[i - FAR]) : NULL;
    ret[i - FAR] = slot && slot->text ? slot->number : WORDS_NONE;
  }
}

void words_done(struct words *w) {
  free(w->slots);
  *w = (struct words){0};
}
