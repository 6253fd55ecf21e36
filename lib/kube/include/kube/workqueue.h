// A queue of keys that wait to be looked at. A key is in it once; while it is being processed a
// new wish for it is remembered and comes after. Failures back off per key, 5 ms doubling to
// a minute, so that what was away is noticed soon after it is back; success forgets. Keys are "Kind/name".
#pragma once

#include <uv.h>

#include "base/clock.h"
#include "io/metrics.h"

struct workqueue;
// Called once for each key that is due; the handler must call workqueue_done later (or at once).
typedef void workqueue_fn(void *context, const char *key);

struct workqueue *workqueue_new(uv_loop_t *loop, const char *name, unsigned concurrency, workqueue_fn *fn,
                                void *context, struct metrics *m);
void workqueue_free(struct workqueue *q);
void workqueue_start(struct workqueue *q);  // before it keys are only collected
void workqueue_stop(struct workqueue *q);   // no key is handed out any more
void workqueue_add(struct workqueue *q, const char *key);
void workqueue_add_after(struct workqueue *q, const char *key, msec delay);  // the earliest of several wins
// result: failed -> backoff (at least min_delay, which wishes that come meanwhile wait for too); otherwise forgotten,
// and looked at again after `again` ms when > 0.
void workqueue_done(struct workqueue *q, const char *key, bool failed, msec min_delay, msec again);
size_t workqueue_depth(const struct workqueue *q);
size_t workqueue_busy(const struct workqueue *q);  // keys being processed

// Pure: the delay after `failures` in a row.
msec workqueue_backoff(unsigned failures);
