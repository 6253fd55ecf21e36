// Custom resources written for users, as the front's own account; that they may is the handlers' to know.
//
// What the API server answers goes into PostgreSQL before `done` comes, so that the next read shows it on every
// replica. A write whose answer was lost is sent once more; nothing is made twice by it. One thread.
#pragma once

#include "base/error.h"
#include "base/json.h"

#include "exchange.h"
#include "store.h"

// With USE_K8S=false nothing can be written: answers 503 and gives false.
bool cluster_is_writable(struct exchange *x);

// {"apiVersion","kind","metadata":{"namespace","name","annotations":{created-by}}} to put a spec into.
json *cluster_new_object(struct app *app, enum stored_kind kind, const char *name);

// `object` as the API server and PostgreSQL have it now, borrowed; NULL after a deletion. Errors as kube/client.h's,
// and store.h's: ERR_UNAVAILABLE may mean that it is written and not stored (the mirror will).
typedef void cluster_done_fn(void *context, json *object, const struct error *e);
void cluster_create(struct app *app, enum stored_kind kind, json *take_object, cluster_done_fn *done, void *context);
// What is read is put into PostgreSQL as well: it may be another request's, not there yet.
void cluster_read(struct app *app, enum stored_kind kind, const char *name, cluster_done_fn *done, void *context);
// A JSON merge patch.
void cluster_patch(struct app *app, enum stored_kind kind, const char *name, json *take_patch, cluster_done_fn *done,
                   void *context);
// Gone already is as good.
void cluster_delete(struct app *app, enum stored_kind kind, const char *name, const char *uid, cluster_done_fn *done,
                    void *context);

// Answers for a write that failed: 400 with the API server's own words where it refused the object, 409, 503.
// `what`: "agent".
void cluster_fail(struct exchange *x, const char *what, const struct error *e);
