// The decision about a Submission from top to bottom: copy the status, let the stages work on it,
// and turn the difference into a plan.
#include "base/memory.h"

#include "submission_parts.h"

bool submission_has_failed(const struct submission_status *status) {
  return condition_is(&status->conditions, FETCHED, CONDITION_FALSE) ||
         condition_is(&status->conditions, BUILT, CONDITION_FALSE) ||
         condition_is(&status->conditions, SCANNED, CONDITION_FALSE);
}

static void decide(struct submission_step *s) {
  s->to.observed = s->view->self->meta.generation;
  if (submission_has_failed(&s->to)) return;
  if (submission_number(s) && submission_build(s) && submission_scan(s)) submission_verdict(s);
}

// The status goes first: what follows is done only when it was written.
static void emit(struct submission_step *s, struct plan *plan) {
  const struct submission *self = s->view->self;
  plan_patch_status(plan, &KIND_SUBMISSION, &self->meta, submission_status_patch(&self->status, &s->to));
  plan_events(plan, &KIND_SUBMISSION, &self->meta, &self->status.conditions, &s->to.conditions);
  if (s->agent_patch) {
    plan_patch_status(plan, &KIND_AGENT, &s->view->agent->meta, s->agent_patch);
    s->agent_patch = NULL;
  }
  if (s->build) {
    if (self->source == SOURCE_INLINE) plan_create_source(plan, self);
    plan_create(plan, &KIND_JOB, submission_build_job(self, s->to.version, s->build, s->settings));
  }
  if (s->scan) {
    const char *image = self->source == SOURCE_IMAGE ? self->image : s->to.image;
    plan_create(plan, &KIND_JOB, submission_scan_job(self, image, s->scan, s->settings));
  }
  if (s->cut_off) plan_delete(plan, &KIND_POD, &s->cut_off->meta);
  if (s->log) plan_read_log(plan, s->log->meta.name, s->log->meta.uid, s->log_container);
  if (s->again > 0) plan_again(plan, s->again);
}

void submission_decide(const struct submission_view *v, const struct settings *settings, msec now, struct plan *ret) {
  *ret = (struct plan){0};
  if (v->self->meta.deleted) return;  // its children go with it
  struct submission_step s = {.view = v, .settings = settings, .now = now};
  submission_status_copy(&s.to, &v->self->status);
  decide(&s);
  emit(&s, ret);
  submission_status_done(&s.to);
}
