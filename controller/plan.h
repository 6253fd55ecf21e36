// What a decision wants done: a list of actions in order, and when to look again.
//
// `decide_*` builds a plan and does nothing else; `apply` carries it out one action after the
// other and stops at the first that fails. A plan owns everything in it.
#pragma once

#include "arena/resources.h"
#include "base/str.h"
#include "kube/client.h"

extern const struct kube_kind KIND_AGENT, KIND_SUBMISSION, KIND_MATCH, KIND_QUEUE, KIND_JOB, KIND_POD, KIND_CONFIG_MAP;

enum action_type {
  ACTION_CREATE,         // POST body; "already exists" is success when its controller owner (or, without
                         // owner in the body, its spec) is ours
  ACTION_DELETE,         // by name, with the uid as precondition, in the background; gone already is success
  ACTION_PATCH_STATUS,   // merge patch of /status, guarded by the resourceVersion that was decided on
  ACTION_CREATE_SOURCE,  // the ConfigMap of an inline submission: read the Submission, put its files in
  ACTION_READ_LOG,       // the end of a container's log, kept for the next decision (see logs.h)
  ACTION_RUN_MATCH,      // start the executor call in the background (see executor.h)
  ACTION_CANCEL_MATCH,   // forget the executor call of this match, cancelling it when it runs
  ACTION_EVENT,          // an Event beyond those that follow from condition changes
};

struct action {
  enum action_type type;
  const struct kube_kind *kind;
  char *name;
  char *uid;         // DELETE: precondition; READ_LOG: the pod's; RUN/CANCEL_MATCH: the match's
  uint64_t version;  // PATCH_STATUS
  json *body;        // CREATE, PATCH_STATUS
  char *container;   // READ_LOG
  uint8_t *bytes;    // RUN_MATCH: the request message
  size_t length;
  msec deadline;           // RUN_MATCH
  int32_t attempt;         // RUN_MATCH
  bool warning;            // EVENT
  char *reason, *message;  // EVENT
};

struct plan {
  struct action *actions;
  unsigned count;
  msec again;  // look again after this long; 0: only when something changes
};

void plan_done(struct plan *p);
#define cleanup_plan __attribute__((cleanup(plan_done)))

// `again` becomes the sooner of what was asked (delay <= 0 counts as 1 ms).
void plan_again(struct plan *p, msec delay);
// Moves everything of `take` to the end of p.
void plan_append(struct plan *p, struct plan *take);
void plan_create(struct plan *p, const struct kube_kind *kind, json *take_body);
void plan_delete(struct plan *p, const struct kube_kind *kind, const struct meta *object);
// Does nothing when take_patch is NULL (no difference).
void plan_patch_status(struct plan *p, const struct kube_kind *kind, const struct meta *object, json *take_patch);
void plan_create_source(struct plan *p, const struct submission *s);
void plan_read_log(struct plan *p, const char *pod_name, const char *pod_uid, const char *container);
void plan_run_match(struct plan *p, const struct match *m, int32_t attempt, uint8_t *take_bytes, size_t length,
                    msec deadline);
void plan_cancel_match(struct plan *p, const struct match *m);
// One Event for each condition whose status or reason differs and that a person wants to hear of
// (types Reconciling and Stalled stay silent, and so does the routine of matches). Warning when the new reason is a
// failure's.
void plan_events(struct plan *p, const struct kube_kind *kind, const struct meta *object,
                 const struct conditions *before, const struct conditions *after);
