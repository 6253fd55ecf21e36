// Waiting times after failures, and the randomness that keeps many clients from coming back at once.
#pragma once

#include "base/clock.h"

// Pure: `first` doubled for each failure after the first, at most `most`; 0 after no failure.
msec backoff_delay(unsigned failures, msec first, msec most);

// `delay` plus up to factor * delay, by `random` in [0, 1).
msec backoff_jitter(msec delay, double factor, double random);

double backoff_random(void);  // [0, 1), from the kernel
