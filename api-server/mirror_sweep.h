// Rows of objects that went away while nobody looked: the table, page by page, against what the cache has.
#pragma once

#include <uv.h>

#include "io/db.h"
#include "kube/cache.h"

#include "mirror_writer.h"

struct sweep;

struct sweep *sweep_new(uv_loop_t *loop, struct db *db, enum stored_kind kind, const char *label);
void sweep_free(struct sweep *s);
// The cache is synced, the writer knows all of it. One that runs begins again.
void sweep_start(struct sweep *s, struct cache *cache, struct writer *writer);
void sweep_stop(struct sweep *s);  // before the cache goes
bool sweep_is_running(const struct sweep *s);
