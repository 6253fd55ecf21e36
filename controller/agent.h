// Agent: which submission is active, and where it stands in the queue.
#pragma once

#include "plan.h"

enum { FORFEITS_MAX = 5 };

struct agent_view {
  const struct agent *self;
  const struct queue *queue;                    // of its environment; NULL: none
  const struct submission *const *submissions;  // all of the agent's
  size_t submission_count;
  const struct match *const *matches;  // all that name it, in any order
  size_t match_count;
  const struct rating *rating;  // what a match has made of its rating, to be written now; NULL: nothing new
};

// Pure. A new rating and what follows from it for the queue are one write.
void agent_decide(const struct agent_view *v, msec now, struct plan *ret);

// A Match that was looked at and cannot start yet (an agent of it is not ready, or busy): it takes
// nobody's place, so that a forgotten Match never freezes an agent.
bool match_is_waiting(const struct match *m);

// Why a seat forfeited: its first line says what happened, the agent's own output follows and is for its owner alone.
const char *match_why(const struct participant_status *p);
int match_why_length(const struct participant_status *p);  // bytes to show of it

// What the agent's matches say about it, derived at every look; nothing to go stale. A match is behind an agent
// when it is finished, or played and counted in the agent's rating.
struct agent_record {
  int32_t unfinished;                // matches on their way: neither waiting nor behind it
  int32_t last_day;                  // matches created in the last 24 hours
  int32_t forfeits;                  // forfeits in a row up to now, with the given submission
  const struct match *last_forfeit;  // the latest of them; NULL: none
  bool only_forfeits;                // of all matches with it that are behind it and still there
  msec last_end;                     // when the last match that is behind it ended; 0: none
  const struct match *playing;       // one that is unfinished
  msec oldest_of_day;                // when the oldest of last_day was created
};
// `rated` is how many matches its rating counts.
void agent_record(const char *agent, const char *active_submission, int32_t rated, const struct match *const *matches,
                  size_t count, msec now, struct agent_record *ret);
