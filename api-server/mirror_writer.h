// Changed rows of one kind on their way into PostgreSQL: the newest of each object, in batches, until they are
// committed.
//
// However long PostgreSQL is away, an object waits once, with its newest row. A row that PostgreSQL refuses is put
// aside and told of, so that it holds up no other; it is tried again from time to time. One thread.
#pragma once

#include <stdint.h>

#include <uv.h>

#include "base/clock.h"
#include "io/db.h"
#include "io/metrics.h"

#include "store.h"

struct writer;
// `name`: what writer_put was given as the object's name to report, when its newest row is committed.
typedef void writer_committed_fn(void *context, const char *name);
// PostgreSQL does not take rows (failing), or takes them again.
typedef void writer_failing_fn(void *context, bool failing);

struct writer *writer_new(uv_loop_t *loop, struct db *db, enum stored_kind kind, const char *label,
                          writer_committed_fn *committed, writer_failing_fn *failing, void *context, struct metrics *m);
void writer_free(struct writer *w);
void writer_clear(struct writer *w);  // forgets everything: another replica writes

// `take_row` NULL: an object whose row cannot be made; it is there, and that is all. `name` NULL: no report.
void writer_put(struct writer *w, const char *uid, uint64_t version, char *take_row, const char *name);
void writer_gone(struct writer *w, const char *uid);  // after its newest row it is marked vanished

bool writer_knows(const struct writer *w, const char *uid);          // it is there, or on its way to be marked
uint64_t writer_committed(const struct writer *w, const char *uid);  // the version whose row is committed; 0: none
size_t writer_pending(const struct writer *w);                       // objects whose newest row is not committed
msec writer_lag(const struct writer *w);                             // how long the oldest of them has been waiting
bool writer_is_failing(const struct writer *w);
void writer_tick(struct writer *w);  // about once a second
