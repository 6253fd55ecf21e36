// The calls to the executor that run now, one for each match at most.
//
// Nothing here is state that matters: after a restart the table is empty, the match is decided on
// again, asks again, and the executor joins the call to the running or finished match.
#pragma once

#include "io/grpc.h"
#include "io/http.h"
#include "io/metrics.h"

#include "match.h"

struct executor;
// A call ended; `match` is the name given to executor_run.
typedef void executor_done_fn(void *context, const char *match);

// The texts of `peer` are borrowed until executor_free.
struct executor *executor_new(struct http *http, const struct grpc_peer *peer, struct metrics *m,
                              executor_done_fn *done, void *context);
void executor_free(struct executor *x);
void executor_run(struct executor *x, const char *match, const char *uid, int32_t attempt, const uint8_t *bytes,
                  size_t length, msec deadline);
// Cancels it when it runs, forgets what it answered.
void executor_forget(struct executor *x, const char *uid);
// Borrowed until the call is forgotten; CALL_NONE without one.
void executor_look(const struct executor *x, const char *uid, struct call_view *ret);
size_t executor_running(const struct executor *x);
