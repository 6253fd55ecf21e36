// A new Submission for a user: a place in the quota, the object, its row, the answer.
#pragma once

#include <stdbool.h>

#include "base/json.h"

#include "exchange.h"

// `take_source` is spec.source. `root`: the first submission with this source, when it is built again; NULL: a new one.
// Answers the exchange with 201 {message, submission}, or with what stood in the way.
void submission_new(struct exchange *x, const char *agent_id, json *take_source, const char *root);

// Whether the user may submit to this agent now: asked early, so that nobody uploads for nothing. `problem` NULL: yes;
// otherwise the exchange is to be answered by it (submission_refuse).
struct submission_refusal {
  int status, retry_seconds;
  const char *word;
  char message[256];
};
typedef void submission_check_fn(void *context, const struct submission_refusal *problem);
struct submission_check;
struct submission_check *submission_check(struct exchange *x, const char *agent_id, submission_check_fn *done,
                                          void *context);
void submission_check_cancel(struct submission_check *c);  // no callback comes after; NULL is fine
void submission_refuse(struct exchange *x, const struct submission_refusal *r);
