// An informer: one kind of one namespace, listed and watched into typed structs.
//
// It lists (as a stream, or in pages where the API server has no streams), watches with bookmarks, resumes after a
// break, lists again on 410, and never goes back in time. Own writes are put in with cache_observe as soon as the API
// server answered, so that the next decision sees them; an answer that the watch has already overtaken is ignored.
#pragma once

#include "base/map.h"
#include "base/meta.h"
#include "kube/client.h"

// How a kind is kept. The struct starts with a `struct meta`, which the cache decodes itself;
// `decode` reads the rest. decode returning false skips the object, as if it were not there (logged
// once for each version). What was read is packed into one block: `owned` names all that the struct owns, the meta's
// too.
struct cache_type {
  const struct kube_kind *kind;
  size_t size;
  bool (*decode)(json *object, void *ret, struct error *e);
  owned_fn *owned;
  const char *label_selector;  // NULL: all
  unsigned page_limit;         // of a first page, where lists come in pages; larger ones may follow. 0: 500, the most
};

struct cache;
// `before` NULL: added; `after` NULL: deleted; otherwise two states of one object, by its uid: one of the same name
// that was made anew is a deletion and an addition. Both are borrowed; `before` dies after the call. Comes from the
// loop and from inside cache_observe; it must not change or free a cache.
typedef void cache_change_fn(void *context, struct cache *c, const void *before, const void *after);
typedef void cache_synced_fn(void *context, struct cache *c);

struct cache *cache_new(struct kube_client *client, uv_loop_t *loop, const struct cache_type *type,
                        const char *namespace, cache_change_fn *change, cache_synced_fn *synced, void *context);
void cache_start(struct cache *c);
void cache_free(struct cache *c);
bool cache_is_synced(const struct cache *c);
// From now on the cache is current only when it holds all that was there at this resourceVersion, of a write of
// any kind; it lists again when it does not. `synced` comes again then. Versions of stores that are none of
// one another's business can not be compared, so that it gives up after half a minute, with a warning.
void cache_catch_up(struct cache *c, uint64_t version);
bool cache_is_current(const struct cache *c);  // synced, and has caught up
// For how long it has been watched without a break, by the monotonic clock: what did not come in that time did not
// happen. 0: it is not watched right now.
msec cache_followed(const struct cache *c, msec now);
// All that happened up to this resourceVersion is in the cache; 0 before the first list.
uint64_t cache_version(const struct cache *c);
unsigned cache_lists(const struct cache *c);  // how many lists were taken in and told of so far
const struct cache_type *cache_type_of(const struct cache *c);

const void *cache_get(const struct cache *c,
                      const char *name);  // NULL when absent; borrowed until the loop's next turn
size_t cache_count(const struct cache *c);
// Iteration over all objects; no change to the cache inside the loop.
const void *cache_next(const struct cache *c, const void *previous);  // NULL starts / ends
#define cache_each(c, type, var) for (const type *var = NULL; (var = cache_next((c), var)) != NULL;)

// The answer to an own POST, PATCH or PUT: an object of this kind that the label selector takes in.
void cache_observe(struct cache *c, json *object);
// The answer to an own DELETE: 200/404 without an object that remains.
void cache_observe_deleted(struct cache *c, const char *name, const char *uid);
