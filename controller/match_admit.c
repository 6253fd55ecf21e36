// Before a match starts: everything it names must be there, of one environment, ready and free.
#include <stdarg.h>
#include <stdio.h>

#include "arena/names.h"
#include "base/memory.h"
#include "base/str.h"

#include "match.h"

static void waits(struct match_turn *t, const char *reason, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void waits(struct match_turn *t, const char *reason, const char *format, ...) {
  char text[ERROR_TEXT_MAX];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof(text), format, args);
  va_end(args);
  condition_set(&t->next.conditions, "Prepared", CONDITION_FALSE, reason, t->m->meta.generation, t->now, "%s", text);
  match_phase(t, "Pending", reason);
}

static bool has_ready_submission(const struct seat_view *seat) {
  return seat->submission != NULL && seat->submission->meta.deleted == 0 &&
         condition_is_true(&seat->submission->status.conditions, "Ready") && seat->submission->status.image != NULL;
}

// A submission never changes, so one that failed is never Ready; what is wrong with a rejected one is for its queue's
// policy to say, which may change.
static void not_ready(struct match_turn *t, const struct submission *s, const char *asked, const char *agent) {
  const char *reason = s ? condition_reason(&s->status.conditions, "Ready") : NULL;
  if (s == NULL || !condition_is_true(&s->status.conditions, "Stalled")) {
    waits(t, "SubmissionNotReady", "Submission %s of agent %s is %s. The Match starts when it is Ready.", asked, agent,
          s ? "not Ready" : "not there");
  } else if (text_equal(reason, "VulnerabilitiesFound")) {
    waits(
        t, "SubmissionRejected",
        "Submission %s of agent %s was rejected for its vulnerabilities. The Match starts when the scan policy of its "
        "queue lets it play; or delete it, and create one that names another submission.",
        asked, agent);
  } else {
    match_fail(
        t, "SubmissionFailed",
        "Submission %s of agent %s failed (%s): kubectl describe submission %s. Create a Match that names another "
        "one, or none.",
        asked, agent, reason, asked);
  }
}

// Whether the seat can play. What can still come is waited for; what cannot ends the match.
static bool admit_seat(struct match_turn *t, unsigned i) {
  const struct seat_view *seat = &t->v->seats[i];
  const char *name = t->m->participants[i].agent;
  const char *asked = t->m->participants[i].submission;
  if (seat->agent == NULL) {
    waits(t, "AgentNotFound", "Agent %s does not exist. Create it, or delete this Match.", name);
    return false;
  }
  if (!text_equal(seat->agent->environment, t->m->environment)) {
    match_fail(t, "EnvironmentMismatch",
               "Agent %s plays %s, this Match is for %s. Create a Match between agents of one environment.", name,
               seat->agent->environment, t->m->environment);
    return false;
  }
  if (asked != NULL && seat->submission != NULL && !text_equal(seat->submission->agent, name)) {
    match_fail(t, "SubmissionMismatch",
               "Submission %s belongs to agent %s, not to %s. Create a Match that names one of its own, or none.",
               asked, seat->submission->agent, name);
    return false;
  }
  if (asked != NULL && !has_ready_submission(seat)) {
    not_ready(t, seat->submission, asked, name);
    return false;
  }
  if (!has_ready_submission(seat)) {
    waits(t, "AgentNotReady",
          "Agent %s has no Ready submission. The Match starts when it has one: kubectl get submissions.", name);
    return false;
  }
  if (seat->agent->suspended) {
    waits(t, "AgentSuspended", "Agent %s is suspended. The Match starts when its spec.suspended is false.", name);
    return false;
  }
  if (seat->playing >= t->v->queue->max_concurrent_per_agent) {
    waits(t, "AgentBusy", "Agent %s plays in another match. This one starts after it.", name);
    return false;
  }
  return true;
}

static void choose(struct match_turn *t, unsigned i) {
  const struct seat_view *seat = &t->v->seats[i];
  struct participant_status *p = &t->next.participants[i];
  mem_replace(&p->agent, seat->agent->meta.name);
  mem_replace(&p->agent_uid, seat->agent->meta.uid);
  mem_replace(&p->submission, seat->submission->meta.name);
  mem_replace(&p->image, seat->submission->status.image);
  p->version = seat->submission->status.version;
}

// A match begins after its agents' entries in the queue, also by a clock that was set back meanwhile: else an
// entry would never end with its match.
static msec start_of(const struct match_turn *t) {
  msec start = t->now;
  for (unsigned i = 0; i < t->m->participant_count; i++) {
    const msec enqueued = t->v->seats[i].agent->status.queue.enqueued;
    if (start < enqueued) start = enqueued;
  }
  return start;
}

void match_admit(struct match_turn *t) {
  if (t->v->queue == NULL) {
    waits(t, "EnvironmentNotFound",
          "There is no MatchmakingQueue %s: see kubectl get matchmakingqueues. Create it to offer this environment, or "
          "delete this Match.",
          t->m->environment);
    return;
  }
  for (unsigned i = 0; i < t->m->participant_count; i++) {
    if (!admit_seat(t, i)) return;
  }
  t->next.participant_count = t->m->participant_count;
  for (unsigned i = 0; i < t->m->participant_count; i++) choose(t, i);
  t->next.seed = t->m->seed >= 0 ? t->m->seed : name_seed(t->m->meta.uid);
  t->next.attempt = 1;
  t->next.started = start_of(t);
  condition_set(&t->next.conditions, "Prepared", CONDITION_FALSE, "PodsStarting", t->m->meta.generation, t->now,
                "The agents' Pods are starting.");
  match_phase(t, "Preparing", "PodsStarting");
  for (unsigned i = 0; i < t->m->participant_count; i++) {
    if (t->v->seats[i].pod != NULL) continue;
    plan_create(&t->after, &KIND_POD,
                match_agent_pod(t->m, i, &t->next.participants[i], &t->v->queue->match, t->settings));
  }
}
