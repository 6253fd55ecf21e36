// A list of everything, page by page: for API servers that do not stream one. The pages are of one snapshot; none is
// larger than 32 MiB, whatever the objects weigh.
#pragma once

#include "kube/cache.h"

struct pages;
// `item` is borrowed. Comes from the loop, for each object of each page.
typedef void pages_item_fn(void *context, json *item);
// Once for each pages_start, after the last item: the snapshot's resourceVersion, or an error. ERR_GONE: the snapshot
// was compacted before all was told; the next try asks for everything in one answer. pages_start may be called inside.
typedef void pages_done_fn(void *context, uint64_t version, const struct error *e);

// `type` must outlive the pages.
struct pages *pages_new(struct kube_client *client, const struct cache_type *type, const char *namespace,
                        pages_item_fn *item, pages_done_fn *done, void *context);
void pages_start(struct pages *p);   // from the first page on; none may be under way
void pages_cancel(struct pages *p);  // no callback comes after
void pages_free(struct pages *p);    // cancels; NULL is fine
