#include "arena/rating.h"

#include <math.h>

enum { PROVISIONAL_MATCHES = 10 };

// The weaker side's expectation is computed, the stronger side's is the rest of 1: the two always
// add up exactly, and so do the changes of two agents with the same K.
double rating_expected(int32_t own, int32_t other) {
  double distance = fabs((double)own - (double)other);
  double weaker = 1 / (1 + pow(10, distance / 400));
  return own < other ? weaker : 1 - weaker;
}

int32_t rating_k(int32_t matches_before) {
  return matches_before < PROVISIONAL_MATCHES ? 40 : matches_before < 20 ? 32 : 24;
}

int32_t rating_next(int32_t own, int32_t other, double score, int32_t matches_before) {
  double change = round(rating_k(matches_before) * (score - rating_expected(own, other)));
  double next = own + change;
  return next < 0 ? 0 : next > INT32_MAX ? INT32_MAX : (int32_t)next;
}

struct rating rating_record(const struct rating *before, int32_t elo_after, enum outcome outcome) {
  struct rating r = *before;
  r.present = true;
  r.elo = elo_after;
  if (elo_after > r.peak) r.peak = elo_after;
  r.matches++;
  r.wins += outcome == OUTCOME_WIN;
  r.losses += outcome == OUTCOME_LOSS || outcome == OUTCOME_FORFEIT;
  r.draws += outcome == OUTCOME_DRAW;
  r.provisional = r.matches < PROVISIONAL_MATCHES;
  return r;
}

struct rating rating_or_initial(const struct rating *r, int32_t initial) {
  if (r->present) return *r;
  return (struct rating){.present = true, .elo = initial, .peak = initial, .provisional = true};
}
