// From the executor's answer to a recorded result, and from the record to the ratings.
//
// Exactly once: the result, with each agent's match number and both Elos, is one write. Each agent
// is then written only when its `rating.matches` is the number before; already at the number means
// that an earlier try got through. `Rated` comes last. A crash anywhere resumes from the record.
// With its rating an agent gets its new place in the queue, in the same write: the match is behind it.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "arena/rating.h"
#include "base/memory.h"
#include "base/str.h"

#include "match.h"

static void fill_outcomes(struct match_turn *t, const struct wire_result *r) {
  int loser = -1;
  for (unsigned i = 0; i < r->agent_count; i++) {
    if (r->agents[i].failure != WIRE_FAILURE_NONE) loser = (int)i;
  }
  mem_replace(&t->next.winner, NULL);
  for (unsigned i = 0; i < r->agent_count; i++) {
    const struct wire_result_agent *a = &r->agents[i];
    struct participant_status *p = &t->next.participants[i];
    p->score = a->score;
    p->errors = a->errors;
    mem_replace(&p->error_message, text_empty(a->error_message) ? NULL : a->error_message);
    const bool won = loser >= 0 ? loser != (int)i : r->winner_id != NULL && text_equal(r->winner_id, p->agent_uid);
    if (a->failure != WIRE_FAILURE_NONE) {
      p->outcome = OUTCOME_FORFEIT;
    } else if (won) {
      p->outcome = OUTCOME_WIN;
      mem_replace(&t->next.winner, p->agent);
    } else {
      p->outcome = loser < 0 && r->winner_id == NULL ? OUTCOME_DRAW : OUTCOME_LOSS;
    }
    // The Pod may know more than the executor saw.
    const struct pod *pod = t->v->seats[i].pod;
    const struct container_state *c = pod_container(pod, "agent");
    if (a->failure == WIRE_FAILURE_DISCONNECTED && seat_used_too_much_disk(pod)) {
      mem_replace(&p->error_message, SEAT_DISK_TEXT);
    } else if (a->failure == WIRE_FAILURE_DISCONNECTED && c != NULL && text_equal(c->reason, "OOMKilled")) {
      mem_replace(&p->error_message, "Its container was killed for using more memory than its limit.");
    }
  }
}

static double score_of(enum outcome o) {
  return o == OUTCOME_WIN ? 1.0 : o == OUTCOME_DRAW ? 0.5 : 0.0;
}

// Why this match may not be rated; NULL: it may.
static const char *unrated_because(const struct match_turn *t) {
  if (!t->m->rated) return "spec.rated is false.";
  if (t->v->queue == NULL) return "The environment's MatchmakingQueue is gone.";
  for (unsigned i = 0; i < t->next.participant_count; i++) {
    const struct agent *a = t->v->seats[i].agent;
    if (a == NULL || !text_equal(a->meta.uid, t->next.participants[i].agent_uid))
      return "An agent was deleted meanwhile.";
  }
  return NULL;
}

static void fill_elo(struct match_turn *t) {
  struct rating rating[PARTICIPANTS_MAX];
  const unsigned n = t->next.participant_count;
  for (unsigned i = 0; i < n; i++) {
    rating[i] = rating_or_initial(&t->v->seats[i].agent->status.rating, t->v->queue->elo_initial);
  }
  for (unsigned i = 0; i < n; i++) {
    struct participant_status *p = &t->next.participants[i];
    const struct rating *other = &rating[n - 1 - i];
    p->elo_before = rating[i].elo;
    p->elo_after = rating_next(rating[i].elo, other->elo, score_of(p->outcome), rating[i].matches);
    p->match_number = rating[i].matches + 1;
  }
}

// The seat that forfeited, if one did.
static const struct participant_status *forfeit_of(const struct match_status *s) {
  for (unsigned i = 0; i < s->participant_count; i++) {
    if (s->participants[i].outcome == OUTCOME_FORFEIT) return &s->participants[i];
  }
  return NULL;
}

static void both_forfeited(struct match_turn *t) {
  const struct participant_status *a = &t->next.participants[0], *b = &t->next.participants[1];
  match_fail(t, "BothForfeited", "Both agents forfeited, nobody's rating changes. %s: %.*s; %s: %.*s", a->agent,
             match_why_length(a), match_why(a), b->agent, match_why_length(b), match_why(b));
}

static void say_executed(struct match_turn *t, const struct wire_result *r) {
  struct conditions *all = &t->next.conditions;
  const int64_t generation = t->m->meta.generation;
  const char *plural = r->steps == 1 ? "" : "s";
  const struct participant_status *out = forfeit_of(&t->next);
  if (out != NULL) {
    condition_set(all, "Executed", CONDITION_TRUE, "Forfeited", generation, t->now,
                  "%s forfeited after %lld step%s: %.*s", out->agent, (long long)r->steps, plural,
                  match_why_length(out), match_why(out));
  } else if (r->status == WIRE_TIMEOUT) {
    condition_set(all, "Executed", CONDITION_TRUE, "TimedOut", generation, t->now,
                  "The time was over after %lld step%s.", (long long)r->steps, plural);
  } else {
    condition_set(all, "Executed", CONDITION_TRUE, "Played", generation, t->now, "Played to its end after %lld step%s.",
                  (long long)r->steps, plural);
  }
}

void match_record(struct match_turn *t, const struct wire_result *r) {
  for (unsigned i = 0; i < t->next.participant_count; i++) {
    if (t->m->rated && t->v->seats[i].unrated != NULL) {
      // Its agent's number would be given twice; the other match is about to be rated.
      plan_again(&t->after, 50);
      return;
    }
  }
  fill_outcomes(t, r);
  t->next.steps = r->steps;
  t->next.milliseconds = r->milliseconds;
  mem_replace(&t->next.environment_version, r->environment_version);
  mem_replace(&t->next.replay_url, r->replay_url);
  mem_replace(&t->next.replay_html_url, r->replay_html_url);
  mem_replace(&t->next.replay_sha256, r->replay_sha256);
  mem_replace(&t->next.replay_html_sha256, r->replay_html_sha256);
  bool all_forfeit = true;
  for (unsigned i = 0; i < t->next.participant_count; i++) {
    all_forfeit = all_forfeit && t->next.participants[i].outcome == OUTCOME_FORFEIT;
  }
  if (all_forfeit) {
    both_forfeited(t);
    return;
  }
  const int64_t generation = t->m->meta.generation;
  say_executed(t, r);
  const char *why_not = unrated_because(t);
  if (why_not == NULL) {
    fill_elo(t);
    condition_set(&t->next.conditions, "Rated", CONDITION_UNKNOWN, "Rating", generation, t->now,
                  "The agents' ratings are being written.");
  } else {
    condition_set(&t->next.conditions, "Rated", CONDITION_FALSE, "Unrated", generation, t->now, "No rating changes: %s",
                  why_not);
  }
  match_end(t);
  match_phase(t, "Rating", "Executed");
}

// Writes one agent's rating if it still lacks this match. False: it can not be written now.
static bool rate_agent(struct match_turn *t, unsigned i) {
  const struct participant_status *p = &t->next.participants[i];
  const struct agent *a = t->v->seats[i].agent;
  if (a == NULL || !text_equal(a->meta.uid, p->agent_uid)) return true;  // nobody left to rate
  const int32_t initial = t->v->queue ? t->v->queue->elo_initial : p->elo_before;
  const struct rating now = rating_or_initial(&a->status.rating, initial);
  if (now.matches >= p->match_number) return true;
  if (now.matches < p->match_number - 1) {
    condition_set(&t->next.conditions, "Rated", CONDITION_UNKNOWN, "RatingGap", t->m->meta.generation, t->now,
                  "Agent %s has %d rated matches, this is number %d: its status was changed by hand. Set "
                  "status.rating.matches to %d.",
                  p->agent, now.matches, p->match_number, p->match_number - 1);
    return false;
  }
  const struct rating next = rating_record(&now, p->elo_after, p->outcome);
  struct agent_view rated = *t->v->seats[i].whole;
  rated.rating = &next;
  struct plan plan = {0};
  agent_decide(&rated, t->now, &plan);
  plan.again = 0;  // the agent's own look sees to it
  plan_append(&t->before, &plan);
  return true;
}

static void describe(const struct match_status *s, char *ret, size_t size) {
  const struct participant_status *a = &s->participants[0], *b = &s->participants[1];
  const char *end = s->winner ? " won" : "a draw";
  if (a->match_number > 0) {
    snprintf(ret, size, "%s%s. %s %d -> %d, %s %d -> %d.", s->winner ? s->winner : "", end, a->agent, a->elo_before,
             a->elo_after, b->agent, b->elo_before, b->elo_after);
  } else {
    snprintf(ret, size, "%s%s. Unrated.", s->winner ? s->winner : "", end);
  }
  const struct participant_status *out = forfeit_of(s);
  const size_t length = strlen(ret);
  if (out != NULL)
    snprintf(ret + length, size - length, " %s forfeited: %.*s.", out->agent, match_why_length(out), match_why(out));
}

void match_rate(struct match_turn *t) {
  for (unsigned i = 0; i < t->next.participant_count; i++) {
    if (t->next.participants[i].match_number > 0 && !rate_agent(t, i)) return;
  }
  const int64_t generation = t->m->meta.generation;
  if (t->next.participants[0].match_number > 0) {
    condition_set(&t->next.conditions, "Rated", CONDITION_TRUE, "Rated", generation, t->now,
                  "Both ratings are written.");
  }
  char text[ERROR_TEXT_MAX];
  describe(&t->next, text, sizeof(text));
  condition_set(&t->next.conditions, "Complete", CONDITION_TRUE, "Completed", generation, t->now, "%s", text);
  condition_remove(&t->next.conditions, "Reconciling");
  match_end(t);
  match_phase(t, "Complete", "Completed");
}
