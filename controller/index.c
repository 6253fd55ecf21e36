#include "index.h"

#include <string.h>

#include "base/memory.h"
#include "base/str.h"
#include "base/table.h"

// Most keys have one name: it needs no array.
struct names {
  struct table_link link;  // by the key
  char **items;            // `one`, or an array
  size_t count;
  char *one;
  char key[];
};

struct index {
  struct table *by_key;
};

static struct names *find(const struct index *x, const char *key) {
  return (struct names *)table_get(x->by_key, key);
}

static struct names *names_add(struct index *x, const char *key) {
  const size_t size = strlen(key) + 1;
  struct names *n = mem_alloc(sizeof(*n) + size);
  memcpy(n->key, key, size);
  n->items = &n->one;
  table_add(x->by_key, &n->link, n->key);
  return n;
}

static void names_remove(struct index *x, struct names *n) {
  table_remove(x->by_key, &n->link);
  for (size_t i = 0; i < n->count; i++) free(n->items[i]);
  if (n->items != &n->one) free(n->items);
  free(n);
}

struct index *index_new(void) {
  struct index *x = mem_alloc(sizeof(*x));
  x->by_key = table_new();
  return x;
}

void index_free(struct index *x) {
  if (x == NULL) return;
  table_each (x->by_key, link) names_remove(x, (struct names *)link);
  table_free(x->by_key);
  free(x);
}

void index_add(struct index *x, const char *key, const char *name) {
  if (key == NULL) return;
  struct names *n = find(x, key);
  if (n == NULL) n = names_add(x, key);
  for (size_t i = 0; i < n->count; i++) {
    if (text_equal(n->items[i], name)) return;
  }
  if (n->items != &n->one) {
    n->items = mem_grow(n->items, n->count + 1, sizeof(*n->items));
  } else if (n->count == 1) {
    n->items = mem_grow(NULL, 2, sizeof(*n->items));
    n->items[0] = n->one;
  }
  n->items[n->count++] = mem_strdup(name);
}

void index_remove(struct index *x, const char *key, const char *name) {
  struct names *n = find(x, key);
  if (n == NULL) return;
  for (size_t i = 0; i < n->count; i++) {
    if (!text_equal(n->items[i], name)) continue;
    free(n->items[i]);
    n->items[i] = n->items[--n->count];
    break;
  }
  if (n->count == 0) names_remove(x, n);
}

void index_remove_all(struct index *x, const char *key) {
  struct names *n = find(x, key);
  if (n != NULL) names_remove(x, n);
}

const char *const *index_get(const struct index *x, const char *key, size_t *ret_count) {
  const struct names *n = find(x, key);
  *ret_count = n ? n->count : 0;
  return n ? (const char *const *)n->items : NULL;
}
