// What an agent's matches say about it.
#include <string.h>

#include "base/str.h"

#include "agent.h"

enum { DAY_MS = 24 * 3600 * 1000 };

// The latest matches behind the agent in the order they ended; only the last few matter.
struct recent {
  const struct match *items[FORFEITS_MAX];
  unsigned count;
};

static bool ended_before(const struct match *a, const struct match *b) {
  if (a->status.completed != b->status.completed) return a->status.completed < b->status.completed;
  return strcmp(a->meta.name, b->meta.name) < 0;
}

// Keeps the FORFEITS_MAX latest, latest first.
static void recent_add(struct recent *r, const struct match *m) {
  unsigned i = r->count < FORFEITS_MAX ? r->count++ : FORFEITS_MAX;
  if (i == FORFEITS_MAX) {
    if (!ended_before(r->items[FORFEITS_MAX - 1], m)) return;
    i = FORFEITS_MAX - 1;
  }
  for (; i > 0 && ended_before(r->items[i - 1], m); i--) r->items[i] = r->items[i - 1];
  r->items[i] = m;
}

bool match_is_waiting(const struct match *m) {
  return m->status.attempt == 0 && !match_is_finished(m) &&
         condition_is(&m->status.conditions, "Prepared", CONDITION_FALSE);
}

int match_why_length(const struct participant_status *p) {
  enum { SHOWN = 160 };
  const size_t length = strcspn(match_why(p), "\n");
  return length < SHOWN ? (int)length : (int)text_utf8_prefix(match_why(p), SHOWN);
}

const char *match_why(const struct participant_status *p) {
  return p->error_message ? p->error_message : "no reason given";
}

// Played is not enough for a rated one: until its rating is written the agent would be paired by the old one.
static bool is_behind(const struct match *m, int seat, int32_t rated) {
  if (match_is_finished(m)) return true;
  return condition_is_true(&m->status.conditions, "Executed") && seat >= 0 &&
         (unsigned)seat < m->status.participant_count && m->status.participants[seat].match_number <= rated;
}

void agent_record(const char *agent, const char *active_submission, int32_t rated, const struct match *const *matches,
                  size_t count, msec now, struct agent_record *ret) {
  *ret = (struct agent_record){0};
  struct recent recent = {0};
  for (size_t i = 0; i < count; i++) {
    const struct match *m = matches[i];
    if (match_is_waiting(m) || (m->meta.deleted != 0 && !match_is_finished(m))) continue;
    // A day ahead is no longer a difference of clocks: ours was set back.
    if (m->meta.created > now - DAY_MS && m->meta.created < now + DAY_MS) {
      ret->last_day++;
      if (ret->oldest_of_day == 0 || m->meta.created < ret->oldest_of_day) ret->oldest_of_day = m->meta.created;
    }
    const int seat = match_seat_of(m, agent);
    if (!is_behind(m, seat, rated)) {
      ret->unfinished++;
      if (ret->playing == NULL || strcmp(m->meta.name, ret->playing->meta.name) < 0) ret->playing = m;
      continue;
    }
    if (m->status.completed > ret->last_end) ret->last_end = m->status.completed;
    const bool counts = seat >= 0 && (unsigned)seat < m->status.participant_count &&
                        m->status.participants[seat].outcome != OUTCOME_NONE &&
                        text_equal(m->status.participants[seat].submission, active_submission);
    if (counts) recent_add(&recent, m);
  }
  for (unsigned i = 0; i < recent.count; i++) {
    const struct match *m = recent.items[i];
    if (m->status.participants[match_seat_of(m, agent)].outcome != OUTCOME_FORFEIT) break;
    ret->forfeits++;
  }
  ret->last_forfeit = ret->forfeits > 0 ? recent.items[0] : NULL;
  ret->only_forfeits = ret->forfeits == (int32_t)recent.count;
}
