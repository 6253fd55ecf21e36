#include "backoff.h"

#include <sys/random.h>

msec backoff_delay(unsigned failures, msec first, msec most) {
  if (failures == 0) return 0;
  msec delay = first;
  for (unsigned i = 1; i < failures && delay < most; i++) delay *= 2;
  return delay < most ? delay : most;
}

msec backoff_jitter(msec delay, double factor, double random) {
  return delay + (msec)((double)delay * factor * random);
}

double backoff_random(void) {
  uint64_t bits = 0;
  // Before the kernel's pool is ready (early boot) the clock has to do: this spreads load, it keeps no secret.
  if (getrandom(&bits, sizeof bits, GRND_NONBLOCK) != sizeof bits) bits = (uint64_t)clock_now() * 0x9E3779B97F4A7C15u;
  return (double)(bits >> 11) / (double)(UINT64_C(1) << 53);
}
