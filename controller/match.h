// Match: admitted -> agent Pods -> executor call -> result -> ratings -> clean-up.
#pragma once

#include "arena/wire.h"

#include "agent.h"
#include "children.h"
#include "plan.h"
#include "settings.h"

enum { MATCH_ATTEMPTS = 3, AGENT_PORT = 50051 };

enum call_state { CALL_NONE, CALL_RUNNING, CALL_ANSWERED, CALL_FAILED };

// The executor call of a match as this process knows it. It is no state that matters: after a
// restart the call is made again and the executor joins the match or answers again.
struct call_view {
  enum call_state state;
  int32_t attempt;
  msec age;                          // ANSWERED, FAILED: for how long, by the monotonic clock
  const struct wire_result *result;  // ANSWERED
  struct error error;                // FAILED
};

struct seat_view {
  const struct agent *agent;            // by the name in spec
  const struct submission *submission;  // chosen in status; before that: asked for in spec, or the agent's active one
  const struct pod *pod;
  msec seen;            // for how long this process sees the Pod wait for its container, or sees that run (seen.h)
  int playing;          // other matches of the agent that have started and not finished
  const char *unrated;  // name of another match of the agent whose result waits for its rating; NULL: none
  const struct agent_view *whole;  // the agent with all that is its own, once the match has a result
};

struct match_view {
  const struct match *self;
  const struct queue *queue;
  struct seat_view seats[PARTICIPANTS_MAX];
  struct call_view call;
};

// Pure.
void match_decide(const struct match_view *v, const struct settings *settings, msec now, struct plan *ret);

// One decision in the making; shared by the match_*.c files only.
struct match_turn {
  const struct match_view *v;
  const struct match *m;
  const struct settings *settings;
  msec now;
  struct match_status next;
  struct plan before, after;  // actions before and after the status patch
};

// Waits with a reason, or fails for good, or chooses submissions and starts attempt 1.
void match_admit(struct match_turn *t);
// Pods, the call, and what came of it.
void match_play(struct match_turn *t);
// Agents' ratings from the recorded result, then Complete.
void match_rate(struct match_turn *t);
// Records a whole result in status (outcomes, Elo, match numbers).
void match_record(struct match_turn *t, const struct wire_result *r);
// The platform failed this attempt: the next one, or Failed after the last.
void match_retry(struct match_turn *t, const char *reason, const char *message);
void match_fail(struct match_turn *t, const char *reason, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
// Its end is now unless it had one, and never before its start, whatever the clock was set to.
void match_end(struct match_turn *t);
// Sets phase and reason.
void match_phase(struct match_turn *t, const char *phase, const char *reason);

// What a Pod says about its seat.
enum seat_verdict {
  SEAT_MISSING,
  SEAT_WAITING,
  SEAT_READY,
  SEAT_AGENT_FAULT,
  SEAT_PLATFORM_FAULT,
  SEAT_EXPIRED,  // it lived for as long as a Pod may: it waited for the executor
};
struct seat_state {
  enum seat_verdict verdict;
  char text[512];      // why
  const char *reason;  // a word for conditions
  msec again;          // WAITING: when to look again at the latest
};
// `seen`: as in seat_view. No clock is asked: the Pod's times are those of the API server and of its node.
void seat_look(const struct pod *pod, const struct match_defaults *limits, msec seen, struct seat_state *ret);
// Whether it was ended for using more disk than its own limits.
bool seat_used_too_much_disk(const struct pod *pod);
#define SEAT_DISK_TEXT "Its Pod was ended: it used more disk than it may. What it prints counts."
// Whether the Pod ended (or is ending) by the platform's doing rather than the agent's.
bool seat_was_disrupted(const struct pod *pod);

// The agent's Pod as it is sent (pure): match_pod.c
json *match_agent_pod(const struct match *m, unsigned seat, const struct participant_status *p,
                      const struct match_defaults *limits, const struct settings *settings);
