#include "give_way.h"

#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"

enum { NICENESS = 10, PIECE_NS = 300 * 1000 };

#define WAKE_SIGNAL SIGURG  // ignored where nobody asks for it

struct self {
  bool known, timed;
  timer_t timer;
};

static _Thread_local struct self self;

static void yield(int number) {
  (void)number;
  sched_yield();
}

static void know(void) {
  const id_t id = (id_t)gettid();
  if (getpriority(PRIO_PROCESS, id) < NICENESS) setpriority(PRIO_PROCESS, id, NICENESS);
  struct sigaction action = {.sa_handler = yield, .sa_flags = SA_RESTART};
  sigaction(WAKE_SIGNAL, &action, NULL);
  struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = WAKE_SIGNAL};
  event._sigev_un._tid = (pid_t)id;
  self.timed = timer_create(CLOCK_MONOTONIC, &event, &self.timer) == 0;
  if (!self.timed) log_warn("long computations will not be cut into pieces: no timer can be had");
}

static void set(long ns) {
  const struct timespec every = {.tv_nsec = ns};
  if (self.timed) timer_settime(self.timer, 0, &(struct itimerspec){every, every}, NULL);
}

void give_way_begin(void) {
  if (!self.known) know();
  self.known = true;
  set(PIECE_NS);
}

void give_way_end(void) {
  set(0);
}
