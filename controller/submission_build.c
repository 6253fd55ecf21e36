// From source to image: one Job for each attempt, at most maxRetries + 1 of them.
#include <stdio.h>
#include <string.h>

#include "arena/names.h"
#include "base/memory.h"
#include "base/str.h"

#include "submission_parts.h"

enum { EXIT_REFUSED = 10, EXIT_TRANSIENT = 11 };  // of fetch

static int tries_of(const struct submission *self) {
  int tries = self->max_retries + 1;
  return tries < 1 ? 1 : tries > ATTEMPTS_MAX ? ATTEMPTS_MAX : tries;
}

static bool ended_well(const struct container_state *c) {
  return c && c->terminated && c->exit_code == 0;
}

static bool ended_badly(const struct container_state *c) {
  return c && c->terminated && c->exit_code != 0;
}

// ---- while it runs -------------------------------------------------------------------------------

static void note_fetched(struct submission_step *s, const struct pod *pod) {
  if (ended_well(pod_container(pod, "fetch")))
    step_condition(s, FETCHED, CONDITION_TRUE, "Fetched", "The source is there and safe to build.");
  else if (!condition_is_true(&s->to.conditions, FETCHED))
    step_condition(s, FETCHED, CONDITION_UNKNOWN, "Fetching", "The source is being fetched.");
}

static void note_progress(struct submission_step *s, enum job_state state, const struct pod *pod, int number) {
  int tries = tries_of(s->view->self);
  const char *reason = "Building";
  char why[LINE_MAX_BYTES], message[LINE_MAX_BYTES + 128];
  note_fetched(s, pod);
  if (state == JOB_FOREIGN) {
    reason = "JobNameTaken";
    snprintf(message, sizeof(message),
             "Attempt %d of %d waits: the Job of its name belongs to another object. Delete that Job.", number, tries);
  } else if (pod_is_stuck(s, pod, &reason, why)) {
    snprintf(message, sizeof(message), "Attempt %d of %d %s: %s", number, tries,
             text_equal(reason, "Unschedulable") ? "waits for a node" : "cannot start", why[0] ? why : reason);
  } else if (ended_well(pod_container(pod, "build"))) {
    snprintf(message, sizeof(message), "Attempt %d of %d is pushing the image.", number, tries);
  } else if (ended_well(pod_container(pod, "fetch"))) {
    snprintf(message, sizeof(message), "Attempt %d of %d is building the image.", number, tries);
  } else {
    snprintf(message, sizeof(message), "Attempt %d of %d is fetching the source and building the image.", number,
             tries);
  }
  step_condition(s, BUILT, CONDITION_UNKNOWN, reason, "%s", message);
  step_progress(s, "Building", reason, message);
}

// ---- how it ended --------------------------------------------------------------------------------

static void from_fetch(struct submission_step *s, const struct pod *pod, const struct container_state *fetch,
                       struct ending *ret) {
  ret->fetching = true;
  enum ending_kind kind = fetch->exit_code == EXIT_REFUSED ? ENDING_REFUSED : ENDING_FAILURE;
  bool spoke = fetch->exit_code == EXIT_REFUSED || fetch->exit_code == EXIT_TRANSIENT;
  if (spoke && ending_from_fetch(fetch, kind, ret)) return;
  if (kind == ENDING_REFUSED)
    ending_set(ret, kind, "SourceRefused", "the source was refused");
  else
    ending_from_container(s, pod, fetch, "FetchFailed", s->settings->build_memory, ret);
}

// The digest and these words are of a container that the author's steps had no part in.
static void from_push(struct submission_step *s, const struct pod *pod, const struct container_state *push,
                      struct ending *ret) {
  bool spoke = push->exit_code == EXIT_REFUSED || push->exit_code == EXIT_TRANSIENT;
  if (spoke && ending_from_fetch(push, ENDING_FAILURE, ret)) return;
  ending_from_container(s, pod, push, "PushFailed", s->settings->build_memory, ret);
}

static void how_it_ended(struct submission_step *s, const struct job *job, const struct pod *pod, struct ending *ret) {
  const struct container_state *fetch = pod_container(pod, "fetch"), *layers = pod_container(pod, "layers");
  const struct container_state *build = pod_container(pod, "build"), *push = pod_container(pod, "push");
  *ret = (struct ending){0};
  // What was refused stays refused, whatever became of the Pod then.
  bool was_refused = ended_badly(fetch) && fetch->exit_code == EXIT_REFUSED;
  if (!was_refused && ending_from_outside(s, job, pod, BUILT, s->view->self->timeout_seconds, ret)) return;
  if (ended_badly(fetch)) {
    from_fetch(s, pod, fetch, ret);
  } else if (ended_badly(layers) || ended_badly(build)) {
    ending_from_container(s, pod, ended_badly(layers) ? layers : build, "BuildFailed", s->settings->build_memory, ret);
  } else if (ended_badly(push)) {
    from_push(s, pod, push, ret);
  } else if (ended_well(push) && words_is_digest(push->message, ret->digest)) {
    ret->kind = ENDING_SUCCESS;
  } else if (ended_well(push)) {
    ending_set(ret, ENDING_FAILURE, "PushFailed", "the image was pushed, but its digest was not told");
  } else {
    ending_set(ret, ENDING_FAILURE, "PodLost", "the Pod ended before its containers ran");
  }
}

static bool built(struct submission_step *s, struct attempt *attempt, const struct job *job, const char *digest) {
  const struct submission *self = s->view->self;
  char tagged[IMAGE_SIZE], image[IMAGE_SIZE];
  if (!name_image(tagged, s->settings->registry, self->meta.namespace, self->agent, s->to.version, self->meta.uid) ||
      name_image_by_digest(image, tagged, digest) != 0)
    return false;
  attempt_finish(s, attempt, job, "Succeeded", NULL);
  mem_replace(&s->to.image, image);
  mem_replace(&s->to.digest, digest);
  step_condition(s, FETCHED, CONDITION_TRUE, "Fetched", "The source is there and safe to build.");
  step_condition(s, BUILT, CONDITION_TRUE, "Built", "Version %d is in the registry as %s.", s->to.version, image);
  return true;
}

// ---- failure -------------------------------------------------------------------------------------

static const char *stop_of(const char *text) {
  size_t length = strlen(text);
  return length > 0 && strchr(".!?", text[length - 1]) ? "" : ".";
}

static void refused(struct submission_step *s, struct attempt *attempt, const struct job *job, const struct ending *e) {
  attempt_finish(s, attempt, job, e->reason, e->message);
  step_condition(s, FETCHED, CONDITION_FALSE, e->reason, "%s", e->message);
  condition_remove(&s->to.conditions, BUILT);  // nothing was tried
  step_fail(s, "Failed", e->reason, e->message);
}

static void given_up(struct submission_step *s, const struct attempt *last, const struct ending *e) {
  char message[1600];
  bool named = !text_equal(e->reason, "BuildFailed") && !text_equal(e->reason, "PushFailed");
  snprintf(message, sizeof(message), "Attempt %d of %d failed: %s%s%s%s %s", last->number, tries_of(s->view->self),
           named ? e->reason : "", named ? ": " : "", e->message, stop_of(e->message),
           words_advice(e->reason, e->message));
  if (e->fetching) {
    step_condition(s, FETCHED, CONDITION_FALSE, e->reason, "%s", message);
    condition_remove(&s->to.conditions, BUILT);
    step_fail(s, "Failed", e->reason, message);
    return;
  }
  if (!condition_is_true(&s->to.conditions, FETCHED))
    step_condition(s, FETCHED, CONDITION_UNKNOWN, "NotSeen", "The build ended before the source was seen to arrive.");
  const char *what = text_equal(e->reason, "PushFailed") ? "PushFailed" : "BuildFailed";
  step_condition(s, BUILT, CONDITION_FALSE, what, "%s", message);
  step_fail(s, "Failed", what, message);
}

// After a failed attempt that is not the last: waits, then true.
static bool may_try_again(struct submission_step *s, const struct attempt *failed) {
  msec wait = attempt_wait(s, failed);
  if (wait <= 0) return true;
  char message[1600];
  snprintf(message, sizeof(message), "Attempt %d of %d failed and is tried again: %s: %s", failed->number,
           tries_of(s->view->self), failed->reason, failed->message ? failed->message : "");
  step_condition(s, BUILT, CONDITION_UNKNOWN, "Retrying", "%s", message);
  step_progress(s, "Building", "Retrying", message);
  s->again = wait;
  return false;
}

// ---- the stage -----------------------------------------------------------------------------------

enum look { LOOK_RUNS, LOOK_BUILT, LOOK_FAILED, LOOK_OVER };

// What has become of the attempt that was last recorded as running.
static enum look look(struct submission_step *s, struct attempt *attempt) {
  unsigned index = s->to.builds.count - 1;
  const struct job *job = s->view->build_jobs[index];
  const struct pod *pod = pod_of_job(job, s->view->build_pods[index]);
  enum job_state state = job_state_of(s, job);
  struct ending e = {0};
  if (pod) mem_replace(&attempt->pod, pod->meta.name);
  if (state == JOB_ENDED) how_it_ended(s, job, pod, &e);
  switch (e.kind) {
    case ENDING_NONE: break;
    case ENDING_SUCCESS:
      if (built(s, attempt, job, e.digest)) return LOOK_BUILT;
      ending_set(&e, ENDING_FAILURE, "BuildFailed", "the image's name does not fit");
      break;
    case ENDING_FAILURE: note_fetched(s, pod); break;
    case ENDING_REFUSED: refused(s, attempt, job, &e); return LOOK_OVER;
  }
  if (e.kind == ENDING_NONE) {
    if (state == JOB_ABSENT) s->build = (int)index + 1;
    if (state == JOB_RUNNING) step_end_cut_off(s, pod);
    note_progress(s, state, pod, (int)index + 1);
    return LOOK_RUNS;
  }
  attempt_finish(s, attempt, job, e.reason, e.message);
  if (attempt->number < tries_of(s->view->self)) return LOOK_FAILED;
  given_up(s, attempt, &e);
  return LOOK_OVER;
}

static void start(struct submission_step *s) {
  int number = (int)s->to.builds.count + 1;
  char job[NAME_SIZE];
  name_build_job(job, s->view->self->meta.name, number);
  attempt_start(s, &s->to.builds, job);
  look(s, attempt_last(&s->to.builds));
}

bool submission_build(struct submission_step *s) {
  const struct submission *self = s->view->self;
  if (self->source == SOURCE_IMAGE) {
    step_condition(s, FETCHED, CONDITION_TRUE, "ReadyMade", "A ready-made image has no source to fetch.");
    step_condition(s, BUILT, CONDITION_TRUE, "ReadyMade", "A ready-made image is scanned, not built.");
    return true;
  }
  if (condition_is_true(&s->to.conditions, BUILT)) return true;
  struct attempt *last = attempt_last(&s->to.builds);
  if (last && !last->finished) {
    enum look seen = look(s, last);
    if (seen != LOOK_FAILED) return seen == LOOK_BUILT;
  }
  if (last && last->number >= tries_of(self)) {  // a record that was never judged: not by this program
    struct ending e = {.reason = last->reason};
    snprintf(e.message, sizeof(e.message), "%s", last->message ? last->message : "");
    given_up(s, last, &e);
  } else if (!last || may_try_again(s, last)) {
    start(s);
  }
  return false;
}
