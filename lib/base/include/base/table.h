// A hash table (uthash inside) of structs that bring their own link and key, so that being in it costs no memory
// beside them. map.h is the one for anything else.
#pragma once

#include <stddef.h>

struct table;
struct table_link {
  void *opaque[7];
};

struct table *table_new(void);
void table_free(struct table *t);  // not what is in it
// The key is borrowed, and must not be in the table yet.
void table_add(struct table *t, struct table_link *link, const char *key);
void table_remove(struct table *t, struct table_link *link);
struct table_link *table_get(const struct table *t, const char *key);  // NULL when absent, and for NULL
size_t table_count(const struct table *t);

// In the order in which they were added; the current one may be removed inside the loop.
struct table_link *table_first(const struct table *t);
struct table_link *table_next(const struct table_link *link);
#define table_each(t, e)                                                               \
  for (struct table_link *e = table_first(t), *e##_next = e ? table_next(e) : NULL; e; \
       e = e##_next, e##_next = e ? table_next(e) : NULL)
