// One holder at a time. Every write carries the resourceVersion it was decided on, so of two
// candidates that try at once one gets a conflict. A holder counts its deadline from before it
// sent the renewal, the others count the lease's duration from after they saw it: the holder
// stops first, by the difference of the two.
#include "kube/lease.h"

#include <assert.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/meta.h"
#include "io/timer.h"

#include "backoff.h"
#include "store.h"

enum {
  DURATION_SECONDS = 15,
  RENEW_DEADLINE_MS = 10 * 1000,
  RETRY_MS = 2 * 1000,
  REQUEST_MS = 3 * 1000,  // after a call into a dead connection, and the pause behind it, there is time for another
  RELEASE_MS = 3 * 1000,
};
#define RETRY_JITTER 0.2

static const struct kube_kind lease_kind = {"coordination.k8s.io", "v1", "leases", "Lease", false};

enum lease_state { LEASE_IDLE, LEASE_TRYING, LEASE_HELD, LEASE_LOST, LEASE_RELEASING, LEASE_RELEASED };

struct lease {
  struct kube_client *client;
  char *namespace, *name, *identity;
  lease_fn *fn;
  void *context;
  enum lease_state state;
  struct kube_call *call;
  struct timer *retry;     // the next try or renewal
  struct timer *deadline;  // when held: the renew deadline; when releasing: the end of patience

  json *object;  // as last seen or written
  char *seen_version;
  msec seen_at;        // monotonic: when the record changed under our eyes
  msec write_started;  // of the write under way
  msec held_until;
  uint64_t won_version;

  void (*released)(void *context);
  void *released_context;
};

static void look(struct lease *l);
static void renew(struct lease *l);

// --- the record ---

static json *spec_of(const struct lease *l) {
  return json_get(l->object, "spec");
}

static void see(struct lease *l, json *object) {
  const char *version = json_text(json_get(object, "metadata"), "resourceVersion");
  if (!text_equal(version, l->seen_version)) {
    mem_replace(&l->seen_version, version);
    l->seen_at = clock_monotonic();
  }
  if (object == l->object) return;
  json_put(&l->object);
  l->object = json_object_get(object);
}

static bool is_ours(const struct lease *l) {
  return text_equal(json_text(spec_of(l), "holderIdentity"), l->identity);
}

// Somebody else's and not over yet, as far as we have watched it.
static bool is_taken(const struct lease *l) {
  if (is_ours(l) || text_empty(json_text(spec_of(l), "holderIdentity"))) return false;
  int64_t seconds = json_int(spec_of(l), "leaseDurationSeconds", DURATION_SECONDS);
  if (seconds < 1 || seconds > 3600) seconds = DURATION_SECONDS;
  return clock_monotonic() < l->seen_at + seconds * 1000;
}

// The next record, to be created when nothing was seen, otherwise based on what was seen: its
// resourceVersion makes it a conflict when somebody wrote since, and foreign labels stay.
static json *new_record(struct lease *l, const char *holder, int64_t seconds) {
  json *o = NULL;
  if (l->object == NULL)
    o = meta_new_object("coordination.k8s.io/v1", "Lease", l->namespace, l->name);
  else if (json_object_deep_copy(l->object, &o, NULL) != 0)
    abort();  // out of memory
  json *old = spec_of(l);
  msec now = clock_now();
  msec acquired = is_ours(l) ? json_time(old, "acquireTime") : 0;
  int64_t transitions = json_int(old, "leaseTransitions", 0) + (l->object != NULL && !is_ours(l));

  json *spec = json_add_object(o, "spec");
  json_add_text(spec, "holderIdentity", holder);
  json_add_int(spec, "leaseDurationSeconds", seconds);
  json_add_micro_time(spec, "acquireTime", acquired > 0 ? acquired : now);
  json_add_micro_time(spec, "renewTime", now);
  json_add_int(spec, "leaseTransitions", transitions);
  return o;
}

// --- calls ---

static void call(struct lease *l, const char *method, json *body, kube_done_fn *done) {
  assert(l->call == NULL);
  struct kube_request r = {
      .method = method,
      .kind = &lease_kind,
      .namespace = l->namespace,
      .name = strcmp(method, "POST") == 0 ? NULL : l->name,
      .body = body,
      .timeout = l->state == LEASE_RELEASING ? RELEASE_MS : REQUEST_MS,
      .unguarded = true,  // nobody holds it before it is written
  };
  l->call = kube_call_start(l->client, &r, done, l);
}

static void lose(struct lease *l, const char *why) {
  l->state = LEASE_LOST;
  kube_call_cancel(l->call);
  l->call = NULL;
  timer_clear(l->retry);
  timer_clear(l->deadline);
  log_error("leadership lost", "lease", l->name, "identity", l->identity, "reason", why);
  l->fn(l->context, false);
}

static void try_later(struct lease *l) {
  timer_set(l->retry, backoff_jitter(RETRY_MS, RETRY_JITTER, backoff_random()));
}

static bool is_past_deadline(const struct lease *l) {
  return l->state == LEASE_HELD && clock_monotonic() >= l->held_until;
}

static void on_retry(void *context) {
  struct lease *l = context;
  if (is_past_deadline(l))  // stopped for long: this timer may come before the deadline's
    lose(l, "not renewed before the renew deadline");
  else if (l->state == LEASE_HELD && l->object != NULL && is_ours(l))
    renew(l);
  else
    look(l);
}

static void hold(struct lease *l) {
  msec now = clock_monotonic();
  bool first = l->state == LEASE_TRYING;
  l->held_until = l->write_started + RENEW_DEADLINE_MS;
  if (now >= l->held_until) {
    // Stopped for long between the write and its answer: others may have taken over since.
    if (first)
      try_later(l);
    else
      lose(l, "the answer to the renewal came after the renew deadline");
    return;
  }
  l->state = LEASE_HELD;
  timer_set(l->deadline, l->held_until - now);
  try_later(l);
  if (!first) return;
  l->won_version = store_parse_version(l->seen_version);
  log_info("leadership won", "lease", l->name, "identity", l->identity);
  l->fn(l->context, true);
}

static void on_written(void *context, const struct kube_answer *answer, const struct error *e) {
  struct lease *l = context;
  l->call = NULL;
  if (is_past_deadline(l)) {
    lose(l, "not renewed before the renew deadline");
  } else if (e != NULL) {
    log_warn("lease not written", "lease", l->name, "error", e->text);
    // Conflict: somebody else wrote. Unknown outcome: ours may be there. Either way, look before the next write.
    json_put(&l->object);
    try_later(l);
  } else {
    see(l, answer->object);
    hold(l);
  }
}

static void write_record(struct lease *l, const char *method) {
  cleanup_json json *body = new_record(l, l->identity, DURATION_SECONDS);
  l->write_started = clock_monotonic();
  call(l, method, body, on_written);
}

static void renew(struct lease *l) {
  write_record(l, "PUT");
}

static void on_looked(void *context, const struct kube_answer *answer, const struct error *e) {
  struct lease *l = context;
  l->call = NULL;
  if (is_past_deadline(l)) {
    lose(l, "not renewed before the renew deadline");
  } else if (e != NULL && e->code == ERR_NOT_FOUND) {
    json_put(&l->object);
    mem_replace(&l->seen_version, NULL);
    write_record(l, "POST");
  } else if (e != NULL) {
    log_warn("lease not read", "lease", l->name, "error", e->text);
    try_later(l);
  } else {
    see(l, answer->object);
    if (l->state == LEASE_HELD && !is_ours(l))
      lose(l, "another holder is in the lease");
    else if (is_taken(l))
      try_later(l);
    else
      renew(l);
  }
}

static void look(struct lease *l) {
  call(l, "GET", NULL, on_looked);
}

// --- release ---

static void finish_release(struct lease *l) {
  l->state = LEASE_RELEASED;
  kube_call_cancel(l->call);
  l->call = NULL;
  timer_clear(l->deadline);
  if (l->released != NULL) l->released(l->released_context);
}

static void on_release_written(void *context, const struct kube_answer *answer, const struct error *e) {
  (void)answer;
  struct lease *l = context;
  l->call = NULL;
  if (e != NULL)
    log_warn("lease not released, it ends by itself", "lease", l->name, "error", e->text);
  else
    log_info("lease released", "lease", l->name);
  finish_release(l);
}

static void on_release_looked(void *context, const struct kube_answer *answer, const struct error *e) {
  struct lease *l = context;
  l->call = NULL;
  if (e == NULL) see(l, answer->object);
  if (e != NULL || !is_ours(l)) {
    finish_release(l);
    return;
  }
  // As client-go: an empty holder and the shortest duration, so that the next one need not wait.
  cleanup_json json *body = new_record(l, "", 1);
  call(l, "PUT", body, on_release_written);
}

static void on_deadline(void *context) {
  struct lease *l = context;
  if (is_past_deadline(l))
    lose(l, "not renewed before the renew deadline");
  else if (l->state == LEASE_HELD)
    timer_set(l->deadline, l->held_until - clock_monotonic());  // the loop's clock was behind
  else if (l->state == LEASE_RELEASING)
    finish_release(l);
}

void lease_release(struct lease *l, void (*done)(void *context), void *context) {
  bool may_be_ours = l->state == LEASE_HELD || l->state == LEASE_TRYING;
  l->released = done;
  l->released_context = context;
  l->state = LEASE_RELEASING;
  kube_call_cancel(l->call);
  l->call = NULL;
  timer_clear(l->retry);
  timer_set(l->deadline, may_be_ours ? RELEASE_MS : 0);
  // A write just cancelled may have arrived, so the version is not known: look first.
  if (may_be_ours) call(l, "GET", NULL, on_release_looked);
}

// --- life ---

struct lease *lease_new(struct kube_client *client, uv_loop_t *loop, const char *namespace, const char *name,
                        const char *identity, lease_fn *fn, void *context) {
  assert(!text_empty(identity));
  struct lease *l = mem_alloc(sizeof *l);
  l->client = client;
  l->namespace = mem_strdup(namespace);
  l->name = mem_strdup(name);
  l->identity = mem_strdup(identity);
  l->fn = fn;
  l->context = context;
  l->retry = timer_new(loop, on_retry, l);
  l->deadline = timer_new(loop, on_deadline, l);
  return l;
}

void lease_start(struct lease *l) {
  assert(l->state == LEASE_IDLE);
  l->state = LEASE_TRYING;
  look(l);
}

uint64_t lease_version(const struct lease *l) {
  return l->won_version;
}

bool lease_is_held(const struct lease *l) {
  return l->state == LEASE_HELD && clock_monotonic() < l->held_until;
}

bool lease_has_holder(const struct lease *l) {
  return lease_is_held(l) || (l->state == LEASE_TRYING && is_taken(l));
}

void lease_free(struct lease *l) {
  if (l == NULL) return;
  kube_call_cancel(l->call);
  timer_free(l->retry);
  timer_free(l->deadline);
  json_put(&l->object);
  free(l->seen_version);
  free(l->namespace);
  free(l->name);
  free(l->identity);
  free(l);
}
