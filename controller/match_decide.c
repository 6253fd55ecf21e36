#include <stdarg.h>
#include <stdio.h>

#include "base/memory.h"

#include "match.h"

void match_phase(struct match_turn *t, const char *phase, const char *reason) {
  mem_replace(&t->next.phase, phase);
  mem_replace(&t->next.reason, reason);
}

void match_end(struct match_turn *t) {
  if (t->next.completed != 0) return;
  t->next.completed = t->now > t->next.started ? t->now : t->next.started;
}

void match_fail(struct match_turn *t, const char *reason, const char *format, ...) {
  char text[ERROR_TEXT_MAX];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof(text), format, args);
  va_end(args);
  const int64_t generation = t->m->meta.generation;
  struct conditions *c = &t->next.conditions;
  condition_set(c, "Failed", CONDITION_TRUE, reason, generation, t->now, "%s", text);
  condition_set(c, "Stalled", CONDITION_TRUE, reason, generation, t->now, "%s", text);
  condition_set(c, "Rated", CONDITION_FALSE, "Unrated", generation, t->now, "A failed match changes no rating.");
  if (!condition_is_true(c, "Executed")) {
    condition_set(c, "Executed", CONDITION_FALSE, reason, generation, t->now, "%s", text);
  }
  condition_remove(c, "Reconciling");
  match_end(t);
  match_phase(t, "Failed", reason);
}

void match_retry(struct match_turn *t, const char *reason, const char *message) {
  if (t->next.attempt >= MATCH_ATTEMPTS) {
    match_fail(t, reason, "Attempt %d of %d failed: %s Nobody's rating changes. Create a new Match to play it again.",
               t->next.attempt, MATCH_ATTEMPTS, message);
    return;
  }
  condition_set(&t->next.conditions, "Executed", CONDITION_FALSE, reason, t->m->meta.generation, t->now,
                "Attempt %d of %d failed: %s It is tried again by itself.", t->next.attempt, MATCH_ATTEMPTS, message);
  t->next.attempt++;
  match_phase(t, "Preparing", reason);
  plan_cancel_match(&t->after, t->m);
  plan_again(&t->after, 1);
}

// Also of a match that is deleted and held by a finalizer: its Pods are collected only after it.
static void end_game(const struct match_view *v, struct plan *ret) {
  for (unsigned i = 0; i < v->self->participant_count; i++) {
    const struct pod *pod = v->seats[i].pod;
    if (pod != NULL && pod->meta.deleted == 0) plan_delete(ret, &KIND_POD, &pod->meta);
  }
  if (v->call.state != CALL_NONE) plan_cancel_match(ret, v->self);
}

// After the end: Pods go at once, the object itself when its time is over.
static void clean_up(const struct match_view *v, msec now, struct plan *ret) {
  end_game(v, ret);
  if (v->self->ttl_seconds < 0 || v->self->status.completed == 0) return;
  msec left = v->self->status.completed + (msec)v->self->ttl_seconds * 1000 - now;
  if (left > 0) {
    plan_again(ret, left);
  } else {
    plan_delete(ret, &KIND_MATCH, &v->self->meta);
  }
}

static void reconciling(struct match_turn *t) {
  if (condition_is_true(&t->next.conditions, "Complete") || condition_is_true(&t->next.conditions, "Failed")) return;
  condition_set(&t->next.conditions, "Reconciling", CONDITION_TRUE, "InProgress", t->m->meta.generation, t->now, "%s",
                t->next.phase ? t->next.phase : "Pending");
}

void match_decide(const struct match_view *v, const struct settings *settings, msec now, struct plan *ret) {
  const struct match *m = v->self;
  if (m->meta.deleted != 0) {
    end_game(v, ret);
    return;
  }
  if (match_is_finished(m)) {
    clean_up(v, now, ret);
    return;
  }
  struct match_turn t = {.v = v, .m = m, .settings = settings, .now = now};
  match_status_copy(&t.next, &m->status);
  t.next.observed = m->meta.generation;
  if (condition_is_true(&m->status.conditions, "Executed")) {
    match_rate(&t);
  } else if (m->status.attempt > 0) {
    match_play(&t);
  } else {
    match_admit(&t);
  }
  reconciling(&t);
  plan_append(ret, &t.before);
  plan_patch_status(ret, &KIND_MATCH, &m->meta, match_status_patch(&m->status, &t.next));
  plan_events(ret, &KIND_MATCH, &m->meta, &m->status.conditions, &t.next.conditions);
  plan_append(ret, &t.after);
  match_status_done(&t.next);
}
