#include "repeated.h"

#include <stdint.h>
#include <string.h>

#include "base/memory.h"
#include "base/table.h"

enum {
  LENGTH_MAX = 200,
  KEPT_MAX = 4096,
  // Of the texts that came last: what every object has comes again after a few others. A power of two.
  REMEMBERED = 512,
  // So often in that time: an object that changes a few times in a row is no reason to keep its name.
  OFTEN = 16,
};

struct kept {
  struct table_link link;
  char text[];
};

static struct table *kept;
// By hash; two texts of one hash are no harm: one is kept without need.
static struct {
  uint32_t hash;
  unsigned times;
} remembered[REMEMBERED];

static uint32_t hash_of(const char *text, size_t length) {
  uint32_t hash = 2166136261;  // FNV-1a
  for (size_t i = 0; i < length; i++) hash = (hash ^ (unsigned char)text[i]) * 16777619;
  return hash;
}

const char *repeated(const char *text, size_t length) {
  if (length > LENGTH_MAX) return NULL;
  if (kept == NULL) kept = table_new();
  struct kept *k = (struct kept *)table_get(kept, text);
  if (k != NULL) return k->text;
  if (table_count(kept) == KEPT_MAX) return NULL;
  const uint32_t hash = hash_of(text, length);
  const unsigned place = hash & (REMEMBERED - 1);
  if (remembered[place].hash != hash) {
    remembered[place].hash = hash;
    remembered[place].times = 0;
  }
  if (++remembered[place].times < OFTEN) return NULL;
  k = mem_alloc(sizeof(*k) + length + 1);
  memcpy(k->text, text, length + 1);
  table_add(kept, &k->link, k->text);
  return k->text;
}
