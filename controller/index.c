#include "index.h"

#include <string.h>

#include "base/map.h"
#include "base/memory.h"
#include "base/str.h"

struct names {
  char **items;
  size_t count;
};

struct index {
  struct map *by_key;
};

static void names_free(void *value) {
  struct names *n = value;
  for (size_t i = 0; i < n->count; i++) free(n->items[i]);
  free(n->items);
  free(n);
}

struct index *index_new(void) {
  struct index *x = mem_alloc(sizeof(*x));
  x->by_key = map_new(names_free);
  return x;
}

void index_free(struct index *x) {
  if (x == NULL) return;
  map_free(x->by_key);
  free(x);
}

void index_add(struct index *x, const char *key, const char *name) {
  if (key == NULL) return;
  struct names *n = map_get(x->by_key, key);
  if (n == NULL) {
    n = mem_alloc(sizeof(*n));
    map_put(x->by_key, key, n);
  }
  for (size_t i = 0; i < n->count; i++) {
    if (text_equal(n->items[i], name)) return;
  }
  n->items = mem_grow(n->items, n->count + 1, sizeof(*n->items));
  n->items[n->count++] = mem_strdup(name);
}

void index_remove(struct index *x, const char *key, const char *name) {
  struct names *n = key ? map_get(x->by_key, key) : NULL;
  if (n == NULL) return;
  for (size_t i = 0; i < n->count; i++) {
    if (!text_equal(n->items[i], name)) continue;
    free(n->items[i]);
    n->items[i] = n->items[--n->count];
    break;
  }
  if (n->count == 0) map_remove(x->by_key, key);
}

void index_remove_all(struct index *x, const char *key) {
  map_remove(x->by_key, key);
}

const char *const *index_get(const struct index *x, const char *key, size_t *ret_count) {
  const struct names *n = map_get(x->by_key, key);
  *ret_count = n ? n->count : 0;
  return n ? (const char *const *)n->items : NULL;
}
