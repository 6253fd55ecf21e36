// A hash map from strings to pointers. Keys are copied; values belong to the
// caller unless a free function was given.
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct map;
typedef void map_free_fn(void *value);

struct map *map_new(map_free_fn *free_value);  // free_value may be NULL
void map_free(struct map *m);
void *map_get(const struct map *m, const char *key);             // NULL when absent
void map_put(struct map *m, const char *key, void *take_value);  // frees a value it replaces
bool map_remove(struct map *m, const char *key);                 // frees the value
void *map_take(struct map *m, const char *key);                  // removes without freeing
size_t map_count(const struct map *m);

// Iteration in insertion order; the current entry may be removed inside the loop.
struct map_entry;
struct map_entry *map_first(const struct map *m);
struct map_entry *map_next(const struct map_entry *e);
const char *map_key(const struct map_entry *e);
void *map_value(const struct map_entry *e);
#define map_each(m, e)                                                            \
  for (struct map_entry *e = map_first(m), *e##_next = e ? map_next(e) : NULL; e; \
       e = e##_next, e##_next = e ? map_next(e) : NULL)
