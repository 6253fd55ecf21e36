// One attempt: both Pods settle, the executor is asked, its answer is weighed.
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/str.h"

#include "match.h"

enum {
  BUSY_DELAY_MS = 2000,       // the executor has no free place
  POD_NEWS_DELAY_MS = 3000,   // how long the kubelet may take to tell that it ended a Pod
  CALL_SLACK_MS = 30 * 1000,  // beyond the match's own limits
};

// Why a match waits that the executor does not take now, which costs no attempt.
#define EXECUTOR_BUSY "ExecutorBusy"
#define EXECUTOR_FORBIDS "ExecutorForbids"

// Limits when the queue vanished under a running match.
static const struct match_defaults DEFAULTS = {
    .timeout_seconds = 300, .move_ms = 1000, .bank_ms = 10000, .startup_seconds = 30};

static const struct match_defaults *limits_of(const struct match_turn *t) {
  return t->v->queue ? &t->v->queue->match : &DEFAULTS;
}

// Before attempt 2 and 3: time for whatever failed to come back.
static msec retry_delay(int32_t attempt) {
  return attempt <= 2 ? 5000 : 60000;
}

// What is left of a delay that began then; nothing when the clock was set back meanwhile, since nobody knows how
// much has passed and the old time is not waited for.
static msec rest_of(msec delay, msec began, msec now) {
  const msec left = began + delay - now;
  return left > 0 && left <= delay ? left : 0;
}

// In the replay. An agent that was made anew under the name meanwhile is another one.
static const char *shown_name(const struct agent *a, const struct participant_status *p) {
  const bool same = a != NULL && text_equal(a->meta.uid, p->agent_uid);
  return same && !text_empty(a->display_name) ? a->display_name : p->agent;
}

static void run(struct match_turn *t, const struct seat_state *seats) {
  const struct match_defaults *limits = limits_of(t);
  char endpoints[PARTICIPANTS_MAX][80], versions[PARTICIPANTS_MAX][16];
  struct wire_request r = {.match_id = t->m->meta.uid,
                           .environment = t->m->environment,
                           .agent_count = t->next.participant_count,
                           .timeout_seconds = (uint32_t)t->m->timeout_seconds,
                           .attempt = (uint32_t)t->next.attempt,
                           .startup_ms = (uint32_t)limits->startup_seconds * 1000,
                           .move_ms = (uint32_t)limits->move_ms,
                           .bank_ms = limits->bank_ms > 0 ? (uint32_t)limits->bank_ms : 1,  // 0 is the default
                           .record_replay = t->m->record_replay,
                           .seed = (uint64_t)t->next.seed};
  for (unsigned i = 0; i < r.agent_count; i++) {
    const struct participant_status *p = &t->next.participants[i];
    const struct pod *pod = t->v->seats[i].pod;
    const bool ready = seats[i].verdict == SEAT_READY;
    const bool v6 = ready && pod->ip[0] != '\0' && strchr(pod->ip, ':') != NULL;
    snprintf(endpoints[i], sizeof(endpoints[i]), v6 ? "[%s]:%d" : "%s:%d", ready ? pod->ip : "", AGENT_PORT);
    snprintf(versions[i], sizeof(versions[i]), "%d", p->version);
    r.agents[i] = (struct wire_agent){.id = p->agent_uid,
                                      .name = shown_name(t->v->seats[i].agent, p),
                                      .image = p->image,
                                      .version = versions[i],
                                      .endpoint = ready ? endpoints[i] : "",
                                      .failure = ready ? NULL : seats[i].text,
                                      .token = ready ? pod->meta.uid : NULL};
  }
  size_t length;
  uint8_t *bytes = wire_encode_request(&r, &length);
  const msec deadline = (msec)r.timeout_seconds * 1000 + r.startup_ms + CALL_SLACK_MS;
  plan_run_match(&t->after, t->m, t->next.attempt, bytes, length, deadline);
  const int64_t generation = t->m->meta.generation;
  condition_set(&t->next.conditions, "Prepared", CONDITION_TRUE, "PodsReady", generation, t->now,
                "Both agents are settled.");
  condition_set(&t->next.conditions, "Executed", CONDITION_UNKNOWN, "Running", generation, t->now,
                "Attempt %d is being played.", t->next.attempt);
  match_phase(t, "Running", "Running");
}

// Takes away what the next attempt could not use. Who is settled stays, unless a Pod's time is over: the other one is
// as old.
static bool remove_unsettled(struct match_turn *t) {
  struct seat_state seats[PARTICIPANTS_MAX];
  bool expired = false, removed = false;
  for (unsigned i = 0; i < t->next.participant_count; i++) {
    seat_look(t->v->seats[i].pod, limits_of(t), t->v->seats[i].seen, &seats[i]);
    expired = expired || seats[i].verdict == SEAT_EXPIRED;
  }
  for (unsigned i = 0; i < t->next.participant_count; i++) {
    const struct pod *pod = t->v->seats[i].pod;
    const enum seat_verdict v = seats[i].verdict;
    const bool settled = v == SEAT_AGENT_FAULT || (v == SEAT_READY && !expired);
    if (pod == NULL || pod->meta.deleted != 0 || settled) continue;
    plan_delete(&t->after, &KIND_POD, &pod->meta);
    removed = true;
  }
  return removed;
}

// Its time went by while the match waited for a place at the executor, which costs no attempt. Any other reason for
// it is unknown here, and may come again.
static void expire(struct match_turn *t, const struct seat_state *seat) {
  const char *reason = condition_reason(&t->next.conditions, "Executed");
  if (!text_equal(reason, EXECUTOR_BUSY) && !text_equal(reason, EXECUTOR_FORBIDS)) {
    match_retry(t, seat->reason, seat->text);
    return;
  }
  match_phase(t, "Preparing", reason);
  remove_unsettled(t);
  condition_set(&t->next.conditions, "Prepared", CONDITION_FALSE, seat->reason, t->m->meta.generation, t->now,
                "%s It waited for the executor: the agents get new ones, and the match goes on waiting.", seat->text);
}

// Looks at both Pods; creates what is missing. True: both settled.
static bool prepare(struct match_turn *t, struct seat_state *seats) {
  bool settled = true;
  for (unsigned i = 0; i < t->next.participant_count; i++) {
    const struct pod *pod = t->v->seats[i].pod;
    seat_look(pod, limits_of(t), t->v->seats[i].seen, &seats[i]);
    switch (seats[i].verdict) {
      case SEAT_READY:
      case SEAT_AGENT_FAULT: break;
      case SEAT_MISSING:
        plan_create(&t->after, &KIND_POD,
                    match_agent_pod(t->m, i, &t->next.participants[i], limits_of(t), t->settings));
        settled = false;
        break;
      case SEAT_WAITING:
        settled = false;
        if (seats[i].again > 0) plan_again(&t->after, seats[i].again);
        condition_set(&t->next.conditions, "Prepared", CONDITION_FALSE, seats[i].reason, t->m->meta.generation, t->now,
                      "%s", seats[i].text);
        match_phase(t, "Preparing", seats[i].reason);
        break;
      case SEAT_PLATFORM_FAULT: match_retry(t, seats[i].reason, seats[i].text); return false;
      case SEAT_EXPIRED: expire(t, &seats[i]); return false;
    }
  }
  return settled;
}

// An agent that stopped answering: its own doing, or was its Pod taken away?
static bool disconnected_by_platform(struct match_turn *t, const struct wire_result *r, unsigned i, bool *ret_wait) {
  if (r->agents[i].failure != WIRE_FAILURE_DISCONNECTED) return false;
  const struct pod *pod = t->v->seats[i].pod;
  if (seat_was_disrupted(pod)) return true;
  const struct container_state *c = pod_container(pod, "agent");
  const msec left = POD_NEWS_DELAY_MS - t->v->call.age;
  if ((c == NULL || !c->terminated) && left > 0) {
    plan_again(&t->after, left);
    *ret_wait = true;
  }
  return false;
}

static void weigh_answer(struct match_turn *t, const struct wire_result *r) {
  bool wait = false;
  unsigned failures = 0;
  for (unsigned i = 0; i < r->agent_count; i++) {
    if (disconnected_by_platform(t, r, i, &wait)) {
      match_retry(t, "PodLost", "The Pod of an agent was taken away while it played.");
      return;
    }
    failures += r->agents[i].failure != WIRE_FAILURE_NONE;
  }
  if (wait) return;
  if (r->status == WIRE_SUCCESS || r->status == WIRE_TIMEOUT || failures == r->agent_count) {
    match_record(t, r);
    plan_cancel_match(&t->after, t->m);
    return;
  }
  match_retry(t, "ExecutorError", r->error_message ? r->error_message : "The executor gave up without saying why.");
}

static void ask_later(struct match_turn *t, const char *reason, const char *message) {
  const msec left = BUSY_DELAY_MS - t->v->call.age;
  if (left > 0) {
    plan_again(&t->after, left);
  } else {
    plan_cancel_match(&t->after, t->m);  // forgotten, so that the next look asks again
    plan_again(&t->after, 1);
  }
  condition_set(&t->next.conditions, "Executed", CONDITION_UNKNOWN, reason, t->m->meta.generation, t->now, "%s",
                message);
  match_phase(t, "Preparing", reason);
}

static void weigh_error(struct match_turn *t, const struct error *e) {
  switch (e->code) {
    case ERR_BUSY:
      ask_later(t, EXECUTOR_BUSY, "The executor plays as many matches as it can; this one waits for a place.");
      return;
    case ERR_FORBIDDEN:  // an operator's doing, and for an operator to undo
      ask_later(t, EXECUTOR_FORBIDS,
                "The executor does not let the controller in: give both the same EXECUTOR_TOKEN, from the Secret "
                "executor, and restart them. The match waits.");
      return;
    case ERR_INVALID:
      match_fail(t, "ExecutorRefused", "The executor refused the match: %s. Create another Match that it can play.",
                 e->text);
      return;
    case ERR_TIMEOUT: match_retry(t, "ExecutorTimeout", e->text); return;
    default: match_retry(t, "ExecutorUnavailable", e->text);
  }
}

void match_play(struct match_turn *t) {
  const struct call_view *call = &t->v->call;
  const bool current = call->state != CALL_NONE && call->attempt == t->next.attempt;
  if (current && call->state == CALL_RUNNING) return;
  if (current && call->state == CALL_ANSWERED) {
    weigh_answer(t, call->result);
    return;
  }
  if (current && call->state == CALL_FAILED) {
    weigh_error(t, &call->error);
    return;
  }
  const struct condition *executed = condition_find(&t->next.conditions, "Executed");
  if (executed != NULL && executed->status == CONDITION_FALSE) {
    // What broke the last attempt must not cost this one as well, also where the process that saw it has died.
    const bool removed = remove_unsettled(t);
    const msec left = rest_of(retry_delay(t->next.attempt), executed->changed, t->now);
    if (left > 0) plan_again(&t->after, left);
    if (left > 0 || removed) return;
    condition_set(&t->next.conditions, "Executed", CONDITION_UNKNOWN, "Preparing", t->m->meta.generation, t->now,
                  "Attempt %d is being prepared.", t->next.attempt);
  }
  struct seat_state seats[PARTICIPANTS_MAX];
  if (prepare(t, seats)) run(t, seats);
}
