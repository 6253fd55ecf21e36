#include "base/table.h"

#include <assert.h>
#include <string.h>

#include "base/memory.h"

// uthash's usual hash function falls through its cases without a word that clang takes for one.
#define HASH_FUNCTION(key, length, hash) HASH_OAT(key, length, hash)
#define uthash_malloc(size) mem_alloc(size)
#define uthash_free(pointer, size) free(pointer)
#include <uthash.h>

struct member {
  UT_hash_handle hh;
};
static_assert(sizeof(struct member) == sizeof(struct table_link), "a link has uthash's size");

struct table {
  struct member *members;  // the head, which uthash keeps
};

static struct member *member_of(const struct table_link *link) {
  return (struct member *)(uintptr_t)link;
}

static struct table_link *link_of(struct member *m) {
  return (struct table_link *)m;
}

struct table *table_new(void) {
  return mem_alloc(sizeof(struct table));
}

void table_free(struct table *t) {
  if (t == NULL) return;
  HASH_CLEAR(hh, t->members);
  free(t);
}

void table_add(struct table *t, struct table_link *link, const char *key) {
  struct member *m = member_of(link);
  HASH_ADD_KEYPTR(hh, t->members, key, strlen(key), m);
}

void table_remove(struct table *t, struct table_link *link) {
  struct member *m = member_of(link);
  HASH_DEL(t->members, m);
}

static struct member *find(const struct table *t, const char *key) {
  struct member *m = NULL;
  HASH_FIND_STR(t->members, key, m);
  return m;
}

struct table_link *table_get(const struct table *t, const char *key) {
  return key ? link_of(find(t, key)) : NULL;
}

size_t table_count(const struct table *t) {
  return HASH_COUNT(t->members);
}

struct table_link *table_first(const struct table *t) {
  return link_of(t->members);
}

struct table_link *table_next(const struct table_link *link) {
  return member_of(link)->hh.next;
}
