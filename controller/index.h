// A secondary index: names of objects by a key (an agent's matches, a submission's Pods).
#pragma once

#include <stddef.h>

struct index;

struct index *index_new(void);
void index_free(struct index *x);
void index_add(struct index *x, const char *key, const char *name);  // twice is once; a NULL key is ignored
void index_remove(struct index *x, const char *key, const char *name);
void index_remove_all(struct index *x, const char *key);
// The names, borrowed until the next change; *ret_count 0 and NULL when none.
const char *const *index_get(const struct index *x, const char *key, size_t *ret_count);
