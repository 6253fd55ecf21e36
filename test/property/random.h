// Random numbers for the property tests: the same seed gives the same run.
#pragma once

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct random {
  uint64_t state;
};

// The run's seed: PROPERTY_SEED, else the clock. Printed, so that a failure can be repeated.
static inline uint64_t random_seed(void) {
  const char *text = getenv("PROPERTY_SEED");
  uint64_t seed = text != NULL ? strtoull(text, NULL, 10) : (uint64_t)time(NULL);
  printf("# PROPERTY_SEED=%llu\n", (unsigned long long)seed);
  return seed;
}

// Below `bound`.
static inline unsigned random_below(struct random *r, unsigned bound) {
  r->state += 0x9E3779B97F4A7C15u;
  uint64_t z = r->state;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return (unsigned)((z ^ (z >> 31)) >> 32) % bound;
}
