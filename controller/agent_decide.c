#include <stdarg.h>
#include <stdio.h>

#include "arena/pairing.h"
#include "arena/rating.h"
#include "base/memory.h"

#include "agent.h"

// Why an agent is not Ready that waits for nothing: only a change helps.
#define FAILED "SubmissionFailed"
#define PINNED_FAILED "PinnedSubmissionFailed"

enum { DAY_MS = 24 * 3600 * 1000, CLOCKS_DIFFER_MS = 60 * 1000 };

struct agent_turn {
  const struct agent_view *v;
  const struct agent *a;
  msec now;
  struct agent_status next;
  const struct submission *active;
  struct agent_record record;
  struct plan *plan;
};

static void ready(struct agent_turn *t, enum condition_status status, const char *reason, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static void ready(struct agent_turn *t, enum condition_status status, const char *reason, const char *format, ...) {
  char text[ERROR_TEXT_MAX];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof(text), format, args);
  va_end(args);
  condition_set(&t->next.conditions, "Ready", status, reason, t->a->meta.generation, t->now, "%s", text);
}

static bool is_ready(const struct submission *s) {
  return s->meta.deleted == 0 && s->status.image != NULL && condition_is_true(&s->status.conditions, "Ready");
}

static bool has_failed(const struct submission *s) {
  return condition_is(&s->status.conditions, "Ready", CONDITION_FALSE) &&
         condition_is_true(&s->status.conditions, "Stalled");
}

static const struct submission *newest(const struct agent_view *v, bool only_ready) {
  const struct submission *best = NULL;
  for (size_t i = 0; i < v->submission_count; i++) {
    const struct submission *s = v->submissions[i];
    if (only_ready && !is_ready(s)) continue;
    if (best == NULL || s->status.version > best->status.version) best = s;
  }
  return best;
}

// The pinned submission, or the newest Ready one; says in Ready what is missing.
static const struct submission *choose(struct agent_turn *t) {
  const char *pinned = t->a->pinned;
  if (pinned != NULL) {
    for (size_t i = 0; i < t->v->submission_count; i++) {
      const struct submission *s = t->v->submissions[i];
      if (!text_equal(s->meta.name, pinned)) continue;
      if (is_ready(s)) return s;
      if (has_failed(s)) {
        ready(t, CONDITION_FALSE, PINNED_FAILED,
              "spec.activeSubmission %s failed (%s): kubectl describe submission %s. Pin another, or take the pin out.",
              pinned, condition_reason(&s->status.conditions, "Ready"), pinned);
      } else {
        ready(t, CONDITION_FALSE, "PinnedSubmissionNotReady",
              "spec.activeSubmission %s is not Ready: kubectl describe submission %s.", pinned, pinned);
      }
      return NULL;
    }
    ready(t, CONDITION_FALSE, "PinnedSubmissionNotFound",
          "spec.activeSubmission %s is no submission of this agent. Apply it, pin another, or take the pin out.",
          pinned);
    return NULL;
  }
  const struct submission *best = newest(t->v, true);
  if (best != NULL) return best;
  const struct submission *last = newest(t->v, false);
  if (last == NULL) {
    ready(t, CONDITION_FALSE, "NoSubmission", "It has no submission yet. Apply a Submission with spec.agent: %s.",
          t->a->meta.name);
  } else if (has_failed(last)) {
    ready(t, CONDITION_FALSE, FAILED, "Submission %s failed (%s): kubectl describe submission %s.", last->meta.name,
          condition_reason(&last->status.conditions, "Ready"), last->meta.name);
  } else {
    ready(t, CONDITION_FALSE, "InProgress", "Submission %s is not Ready yet.", last->meta.name);
  }
  return NULL;
}

static void activate(struct agent_turn *t) {
  t->active = choose(t);
  if (t->active != NULL) {
    mem_replace(&t->next.active_submission, t->active->meta.name);
    mem_replace(&t->next.image, t->active->status.image);
    t->next.active_version = t->active->status.version;
  } else {
    mem_replace(&t->next.active_submission, NULL);
    mem_replace(&t->next.image, NULL);
    t->next.active_version = 0;
  }
  if (t->v->queue == NULL) {
    ready(t, CONDITION_FALSE, "EnvironmentNotFound",
          "There is no MatchmakingQueue %s: see kubectl get matchmakingqueues. Create it to offer this environment; to "
          "play another one, delete this Agent and apply it with that.",
          t->a->environment);
    t->active = NULL;
  } else if (t->active != NULL) {
    ready(t, CONDITION_TRUE, "Ready", "Version %d (submission %s) is active.", t->active->status.version,
          t->active->meta.name);
  }
  if (t->v->queue != NULL && !t->next.rating.present) {
    t->next.rating = rating_or_initial(&t->next.rating, t->v->queue->elo_initial);
    t->next.rating.present = true;
  }
}

static void queue_set(struct agent_turn *t, enum queue_state state, const char *reason, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

// The queue state with its sentence, and the Queued condition that goes with it.
static void queue_set(struct agent_turn *t, enum queue_state state, const char *reason, const char *format, ...) {
  char text[ERROR_TEXT_MAX];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof(text), format, args);
  va_end(args);
  struct agent_queue *q = &t->next.queue;
  q->state = state;
  mem_replace(&q->reason, text);
  if (state != QUEUE_WAITING && state != QUEUE_COOLDOWN) {
    q->range = 0;
    if (state != QUEUE_PLAYING) q->enqueued = q->expires = 0;
  }
  const bool queued = state == QUEUE_WAITING || state == QUEUE_PLAYING || state == QUEUE_COOLDOWN;
  condition_set(&t->next.conditions, "Queued", queued ? CONDITION_TRUE : CONDITION_FALSE, reason, t->a->meta.generation,
                t->now, "%s", text);
}

static void wait_in_queue(struct agent_turn *t) {
  const struct queue *q = t->v->queue;
  struct agent_queue *own = &t->next.queue;
  const msec ttl = (msec)q->entry_ttl_seconds * 1000;
  // An entry ends with the match it led to; the next one begins behind those that wait already.
  const bool was_in = own->enqueued != 0 && t->record.last_end < own->enqueued;
  if (!was_in) {
    // Behind its last match also when the clock was set back, so that this is seen as another entry.
    own->enqueued = t->now > t->record.last_end ? t->now : t->record.last_end + 1;
    own->expires = t->now + ttl;
  }
  // Further away than that only because the clock was set back, or spec.entryTTLSeconds lowered.
  if (own->expires > t->now + ttl + CLOCKS_DIFFER_MS) own->expires = t->now + ttl;
  if (t->now >= own->expires) {
    queue_set(t, QUEUE_EXPIRED, "Expired",
              "No opponent was found within %d s. It enters again with a new submission or a change of its spec.",
              q->entry_ttl_seconds);
    return;
  }
  plan_again(t->plan, own->expires - t->now);
  if (t->record.last_day >= q->max_per_day) {
    queue_set(t, QUEUE_COOLDOWN, "DailyLimit", "It played %d matches in 24 hours, the most this environment allows.",
              t->record.last_day);
    own->range = 0;
    plan_again(t->plan, t->record.oldest_of_day + DAY_MS - t->now);
    return;
  }
  const struct pairing_rules rules = {
      .range = q->elo_range, .step = q->elo_step, .max_range = q->elo_max_range, .widen_seconds = q->elo_widen_seconds};
  own->range = pairing_range(&rules, own->enqueued, t->now);
  if (own->range < q->elo_max_range && q->elo_step > 0) {
    const msec step = (msec)q->elo_widen_seconds * 1000;
    plan_again(t->plan, step - (t->now - own->enqueued) % step);
  }
  queue_set(t, QUEUE_WAITING, "Waiting", "It waits for an opponent.");
}

// Whether the one match of an agent in mode Once is behind it.
static bool played_its_one(const struct agent_turn *t) {
  const struct agent_queue *old = &t->a->status.queue;
  return text_equal(condition_reason(&t->a->status.conditions, "Queued"), "Once") ||
         (old->enqueued != 0 && t->record.last_end >= old->enqueued);
}

// A ticket, submission and generation, is good for one entry: an entry that ended for good (expired,
// or played in mode Once) begins again only with another ticket.
static void enter_queue(struct agent_turn *t) {
  cleanup_free char *ticket = mem_printf("%s/%lld", t->active->meta.uid, (long long)t->a->meta.generation);
  const bool same = text_equal(t->a->status.queue.ticket, ticket);
  mem_replace(&t->next.queue.ticket, ticket);
  if (t->record.unfinished >= t->v->queue->max_concurrent_per_agent) {
    queue_set(t, QUEUE_PLAYING, "Playing", "It plays in match %s.", t->record.playing->meta.name);
  } else if (same && t->a->status.queue.state == QUEUE_EXPIRED) {
    return;
  } else if (same && t->a->mode == AGENT_ONCE && played_its_one(t)) {
    queue_set(t, QUEUE_IDLE, "Once",
              "It played its one match (matchmaking.mode Once). It enters again with a new submission or a change of "
              "its spec.");
  } else {
    wait_in_queue(t);
  }
}

// Matches go when their time is over: what once took it out of the queue is not forgotten with them, but with the
// submission, or by a match since that it did not forfeit.
static int32_t forfeits_of(const struct agent_turn *t) {
  const struct agent_status *old = &t->a->status;
  const bool same =
      text_equal(old->active_submission, t->next.active_submission) && old->active_version == t->next.active_version;
  const bool out = same && t->record.only_forfeits && old->consecutive_forfeits >= FORFEITS_MAX;
  return out && t->record.forfeits < FORFEITS_MAX ? old->consecutive_forfeits : t->record.forfeits;
}

// Which match was the last of them is told once: matches by hand may follow.
static void say_suspended(struct agent_turn *t) {
  const struct match *last = t->record.last_forfeit;
  const struct agent_status *old = &t->a->status;
  if (text_equal(condition_reason(&old->conditions, "Queued"), "TooManyForfeits") && !text_empty(old->queue.reason)) {
    queue_set(t, QUEUE_SUSPENDED, "TooManyForfeits", "%s", old->queue.reason);
  } else if (last == NULL) {
    queue_set(t, QUEUE_SUSPENDED, "TooManyForfeits", "It forfeited %d times running. A new submission brings it back.",
              t->next.consecutive_forfeits);
  } else {
    const struct participant_status *p = &last->status.participants[match_seat_of(last, t->a->meta.name)];
    queue_set(t, QUEUE_SUSPENDED, "TooManyForfeits",
              "It forfeited %d times running, the last time in match %s: %.*s. A new submission brings it back.",
              t->next.consecutive_forfeits, last->meta.name, match_why_length(p), match_why(p));
  }
}

static void decide_queue(struct agent_turn *t) {
  if (t->a->suspended) {
    queue_set(t, QUEUE_SUSPENDED, "Suspended", "spec.suspended is true.");
  } else if (t->active == NULL) {
    queue_set(t, QUEUE_IDLE, "Idle", "It is not Ready.");
  } else if (t->next.consecutive_forfeits >= FORFEITS_MAX) {
    say_suspended(t);
  } else if (!t->a->enabled) {
    queue_set(t, QUEUE_IDLE, "NotEnabled", "spec.matchmaking.enabled is false.");
  } else {
    enter_queue(t);
  }
}

// Ready says it to people; Reconciling and Stalled say it to kstatus: still coming, or stuck.
static void kstatus(struct agent_turn *t) {
  struct conditions *all = &t->next.conditions;
  const struct condition *c = condition_find(all, "Ready");
  const bool stuck = text_equal(c->reason, FAILED) || text_equal(c->reason, PINNED_FAILED);
  const char *wanted = c->status == CONDITION_TRUE ? NULL : stuck ? "Stalled" : "Reconciling";
  if (!text_equal(wanted, "Stalled")) condition_remove(all, "Stalled");
  if (!text_equal(wanted, "Reconciling")) condition_remove(all, "Reconciling");
  c = condition_find(all, "Ready");
  if (wanted != NULL) {
    condition_set(all, wanted, CONDITION_TRUE, c->reason, t->a->meta.generation, t->now, "See condition Ready.");
  }
}

static void decide_all(struct agent_turn *t) {
  t->next.observed = t->a->meta.generation;
  activate(t);
  agent_record(t->a->meta.name, t->next.active_submission, t->next.rating.matches, t->v->matches, t->v->match_count,
               t->now, &t->record);
  t->next.consecutive_forfeits = forfeits_of(t);
  decide_queue(t);
  kstatus(t);
}

void agent_decide(const struct agent_view *v, msec now, struct plan *ret) {
  const struct agent *a = v->self;
  if (a->meta.deleted != 0 && v->rating == NULL) return;
  struct agent_turn t = {.v = v, .a = a, .now = now, .plan = ret};
  agent_status_copy(&t.next, &a->status);
  if (v->rating != NULL) t.next.rating = *v->rating;
  if (a->meta.deleted == 0) decide_all(&t);
  plan_patch_status(ret, &KIND_AGENT, &a->meta, agent_status_patch(&a->status, &t.next));
  plan_events(ret, &KIND_AGENT, &a->meta, &a->status.conditions, &t.next.conditions);
  agent_status_done(&t.next);
}
