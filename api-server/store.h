// Custom resources to rows, the one way: what an API server's object says goes into PostgreSQL by its uid, unless a
// newer resourceVersion is there already. The mirror does it in batches, a handler for the object that its own write
// was answered with (so that the next read, on any replica, shows it). Events for WebSockets are made by the tables'
// triggers in the same transaction: once for each change, whoever brought it.
#pragma once

#include "base/error.h"
#include "base/json.h"
#include "io/db.h"
#include "kube/client.h"

enum stored_kind { STORED_AGENT, STORED_SUBMISSION, STORED_MATCH, STORED_QUEUE, STORED_KINDS };

// The columns of a row as compact JSON text, from an object as the API server has it; heap, caller frees. NULL and `e`
// when the object lacks what its schema requires.
char *store_row(enum stored_kind kind, json *object, struct error *e);

// Upserts rows (texts of store_row) in one statement, one transaction.
typedef void store_done_fn(void *context, const struct error *e);
void store_put(struct db *db, enum stored_kind kind, char *const *rows, size_t count, store_done_fn *done,
               void *context);
// One object, by itself: store_row and store_put.
void store_put_object(struct db *db, enum stored_kind kind, json *object, store_done_fn *done, void *context);
// These uids are gone from the API server: marked with vanished_at, never deleted.
void store_vanished(struct db *db, enum stored_kind kind, char *const *uids, size_t count, store_done_fn *done,
                    void *context);
