#include "base/map.h"

#include <string.h>

#include "base/memory.h"

// uthash's usual hash function falls through its cases without a word that clang takes for one.
#define HASH_FUNCTION(key, length, hash) HASH_OAT(key, length, hash)
#define uthash_malloc(size) mem_alloc(size)
#define uthash_free(pointer, size) free(pointer)
#include <uthash.h>

struct map_entry {
  UT_hash_handle hh;
  void *value;
  char key[];
};

struct map {
  struct map_entry *entries;  // the head, which uthash keeps
  map_free_fn *free_value;
};

struct map *map_new(map_free_fn *free_value) {
  struct map *m = mem_alloc(sizeof(*m));
  m->free_value = free_value;
  return m;
}

static struct map_entry *find_key(const struct map *m, const char *key) {
  struct map_entry *e = NULL;
  HASH_FIND_STR(m->entries, key, e);
  return e;
}

static struct map_entry *find(const struct map *m, const char *key) {
  return key ? find_key(m, key) : NULL;
}

static void *unlink_entry(struct map *m, struct map_entry *e) {
  void *value = e->value;
  HASH_DEL(m->entries, e);
  free(e);
  return value;
}

void map_free(struct map *m) {
  if (!m) return;
  struct map_entry *e, *next;
  HASH_ITER(hh, m->entries, e, next) {
    void *value = unlink_entry(m, e);
    if (m->free_value) m->free_value(value);
  }
  free(m);
}

void *map_get(const struct map *m, const char *key) {
  struct map_entry *e = find(m, key);
  return e ? e->value : NULL;
}

void map_put(struct map *m, const char *key, void *take_value) {
  struct map_entry *e = find_key(m, key);
  if (e) {
    void *old = e->value;
    e->value = take_value;
    if (m->free_value && old != take_value) m->free_value(old);
    return;
  }
  size_t length = strlen(key);
  e = mem_alloc(sizeof(*e) + length + 1);
  memcpy(e->key, key, length + 1);
  e->value = take_value;
  HASH_ADD_KEYPTR(hh, m->entries, e->key, length, e);
}

bool map_remove(struct map *m, const char *key) {
  struct map_entry *e = find(m, key);
  if (!e) return false;
  void *value = unlink_entry(m, e);
  if (m->free_value) m->free_value(value);
  return true;
}

void *map_take(struct map *m, const char *key) {
  struct map_entry *e = find(m, key);
  return e ? unlink_entry(m, e) : NULL;
}

size_t map_count(const struct map *m) {
  return HASH_COUNT(m->entries);
}

struct map_entry *map_first(const struct map *m) {
  return m->entries;
}

struct map_entry *map_next(const struct map_entry *e) {
  return e->hh.next;
}

const char *map_key(const struct map_entry *e) {
  return e->key;
}

void *map_value(const struct map_entry *e) {
  return e->value;
}
