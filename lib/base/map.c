#include "base/map.h"

#include <string.h>

#include "base/memory.h"
#include "base/table.h"

struct map_entry {
  struct table_link link;
  void *value;
  char key[];
};

struct map {
  struct table *entries;
  map_free_fn *free_value;
};

struct map *map_new(map_free_fn *free_value) {
  struct map *m = mem_alloc(sizeof(*m));
  m->entries = table_new();
  m->free_value = free_value;
  return m;
}

static struct map_entry *entry_of(struct table_link *link) {
  return (struct map_entry *)link;
}

static struct map_entry *find(const struct map *m, const char *key) {
  return entry_of(table_get(m->entries, key));
}

static void *unlink_entry(struct map *m, struct map_entry *e) {
  void *value = e->value;
  table_remove(m->entries, &e->link);
  free(e);
  return value;
}

void map_free(struct map *m) {
  if (!m) return;
  table_each (m->entries, link) {
    void *value = unlink_entry(m, entry_of(link));
    if (m->free_value) m->free_value(value);
  }
  table_free(m->entries);
  free(m);
}

void *map_get(const struct map *m, const char *key) {
  struct map_entry *e = find(m, key);
  return e ? e->value : NULL;
}

void map_put(struct map *m, const char *key, void *take_value) {
  struct map_entry *e = find(m, key);
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
  table_add(m->entries, &e->link, e->key);
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
  return table_count(m->entries);
}

struct map_entry *map_first(const struct map *m) {
  return entry_of(table_first(m->entries));
}

struct map_entry *map_next(const struct map_entry *e) {
  return entry_of(table_next(&e->link));
}

const char *map_key(const struct map_entry *e) {
  return e->key;
}

void *map_value(const struct map_entry *e) {
  return e->value;
}
