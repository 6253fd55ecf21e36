// The version: 1, 2, 3... for each agent, given once and never twice.
//
// The number is first kept in the agent's status together with the uid it was given to, guarded by
// the agent's resourceVersion; only then does the submission get it. A crash between the two writes
// finds its own uid there and goes on.
#include <stdio.h>

#include "base/memory.h"
#include "base/str.h"

#include "submission_parts.h"

static json *reserve(const struct agent *agent, int32_t highest_sibling, const char *uid) {
  struct agent_status to;
  agent_status_copy(&to, &agent->status);
  int32_t highest = to.latest_version > highest_sibling ? to.latest_version : highest_sibling;
  to.latest_version = highest + 1;
  mem_replace(&to.latest_submission, uid);
  json *patch = agent_status_patch(&agent->status, &to);
  agent_status_done(&to);
  return patch;
}

bool submission_number(struct submission_step *s) {
  const struct submission_view *v = s->view;
  if (s->to.version > 0) return true;
  if (!v->agent || v->agent->meta.deleted) {
    char message[256];
    snprintf(message, sizeof(message),
             "There is no Agent \"%s\" in this namespace yet: apply it, and the build starts.", v->self->agent);
    step_wait(s, "Pending", "AgentNotFound", message);
    return false;
  }
  if (text_equal(v->agent->status.latest_submission, v->self->meta.uid) && v->agent->status.latest_version > 0) {
    s->to.version = v->agent->status.latest_version;
    return true;
  }
  if (v->is_next_unversioned) {
    s->agent_patch = reserve(v->agent, v->highest_sibling_version, v->self->meta.uid);
    step_progress(s, "Pending", "Pending", "It is getting its version number.");
  } else {
    step_progress(s, "Pending", "Pending", "An older Submission of the agent gets its version number first.");
  }
  return false;
}
