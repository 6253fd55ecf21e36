// Runs for a Lease. Events: "won", "lost", and while it holds it "beat MS" every few milliseconds, by
// the machine's monotonic clock, so that the beats of two processes can be compared. SIGTERM or the
// end of the input: gives it up ("released").
#include <inttypes.h>

#include "io/timer.h"
#include "kube/lease.h"

#include "probe.h"

enum { BEAT_MS = 20 };

struct own {
  struct lease *lease;
  struct timer *beat;
};

static void on_beat(void *context) {
  struct probe *p = context;
  struct own *own = p->own;
  if (lease_is_held(own->lease)) tell("beat %" PRId64, clock_monotonic());
  timer_set(own->beat, BEAT_MS);
}

static void on_lease(void *context, bool leading) {
  (void)context;
  tell("%s %" PRId64, leading ? "won" : "lost", clock_monotonic());
}

static void on_released(void *context) {
  struct probe *p = context;
  struct own *own = p->own;
  tell("released %" PRId64, clock_monotonic());
  lease_free(own->lease);
  timer_free(own->beat);
  free(own);
  probe_end(p);
}

static void finish(struct probe *p) {
  struct own *own = p->own;
  lease_release(own->lease, on_released, p);
}

static bool command(struct probe *p, const char *const words[WORDS_MAX]) {
  (void)p, (void)words;
  return false;
}

void lease_probe_start(struct probe *p) {
  struct own *own = mem_alloc(sizeof *own);
  p->own = own;
  p->command = command;
  p->finish = finish;
  own->lease = lease_new(p->client, &p->loop, p->namespace, p->arguments[0], p->arguments[1], on_lease, p);
  own->beat = timer_new(&p->loop, on_beat, p);
  timer_set(own->beat, 0);
  lease_start(own->lease);
}
