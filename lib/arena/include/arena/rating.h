// Elo. Pure.
#pragma once

#include "arena/resources.h"

double rating_expected(int32_t own, int32_t other);  // 1/(1+10^((other-own)/400))
int32_t rating_k(int32_t matches_before);            // <10: 40, <20: 32, else 24
// New Elo after one match; score 1, 0.5 or 0; rounded half away from zero; never below 0.
int32_t rating_next(int32_t own, int32_t other, double score, int32_t matches_before);
// The whole record after a match whose Elo result is already written (elo_after); forfeit counts as a loss.
struct rating rating_record(const struct rating *before, int32_t elo_after, enum outcome outcome);
// The rating as it counts now: `initial` when it is not present yet.
struct rating rating_or_initial(const struct rating *r, int32_t initial);
