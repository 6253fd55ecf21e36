// The cache's memory and its rules, without I/O: what a list, a watch event or an own write does
// to what is known. All versions are resourceVersions of one API server, so they can be compared.
//
// The rules, in one place:
//  - `store_version` is the newest version that lists and watches have shown; it never falls.
//  - An object is replaced only by a newer one. So an own write, put in early, survives watch
//    events and lists that are older than it.
//  - An own write that is not newer than store_version is ignored: the watch has shown it already,
//    or something after it.
//  - An own deletion leaves a tombstone until the watch shows the deletion or a list proves it, so
//    that late events cannot bring the object back.
#pragma once

#include "kube/cache.h"

#include "watch_feed.h"

struct store;
typedef void store_change_fn(void *context, const void *before, const void *after);

// `type` must outlive the store. The change function must not change the store.
struct store *store_new(const struct cache_type *type, store_change_fn *change, void *context);
void store_free(struct store *s);  // no change is reported

uint64_t store_version(const struct store *s);
const void *store_get(const struct store *s, const char *name);
size_t store_count(const struct store *s);
const void *store_next(const struct store *s, const void *previous);
size_t store_tombstones(const struct store *s);

// A watch event: ADDED, MODIFIED, DELETED or BOOKMARK (ERROR is the caller's). ERR_INTERNAL when its
// metadata cannot be read, so that the version is unknown: list again.
enum error_code store_event(struct store *s, enum watch_type type, json *object, struct error *e);

// A list of everything, piece by piece. Nothing changes before store_list_end, which compares and reports;
// ERR_CONFLICT from it when the list is older than what was seen: then nothing changed.
void store_list_begin(struct store *s);
void store_list_add(struct store *s, json *item);  // in place of an earlier one of the name
// ADDED, MODIFIED or DELETED while the list is told; ERR_INTERNAL as store_event.
enum error_code store_list_event(struct store *s, enum watch_type type, json *object, struct error *e);
enum error_code store_list_end(struct store *s, uint64_t version, struct error *e);
void store_list_abort(struct store *s);

void store_observe(struct store *s, json *object);
void store_observe_deleted(struct store *s, const char *name, const char *uid);  // uid NULL: whichever is there

// A resourceVersion as a number; 0 when it is none.
uint64_t store_parse_version(const char *text);
uint64_t store_version_of(json *object);  // of its metadata, a list's and a bookmark's too
