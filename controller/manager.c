#include "manager.h"

#include <stdio.h>

#include "base/log.h"
#include "base/memory.h"

#include "apply.h"
#include "seen.h"

enum { CONCURRENCY = 16 };

const struct reconciler RECONCILERS[RECONCILER_COUNT] = {
    [RECONCILE_AGENT] = {"agent", &KIND_AGENT, CACHE_AGENTS, agent_look},
    [RECONCILE_SUBMISSION] = {"submission", &KIND_SUBMISSION, CACHE_SUBMISSIONS, submission_look},
    [RECONCILE_MATCH] = {"match", &KIND_MATCH, CACHE_MATCHES, match_look},
    [RECONCILE_QUEUE] = {"matchmakingqueue", &KIND_QUEUE, CACHE_QUEUES, queue_look},
};

static const struct cache_type TYPES[CACHE_COUNT] = {
    [CACHE_AGENTS] = {&KIND_AGENT, sizeof(struct agent), agent_decode, agent_owned, NULL, 0},
    // Inline sources make pages heavy.
    [CACHE_SUBMISSIONS] = {&KIND_SUBMISSION, sizeof(struct submission), submission_decode, submission_owned, NULL, 50},
    [CACHE_MATCHES] = {&KIND_MATCH, sizeof(struct match), match_decode, match_owned, NULL, 0},
    [CACHE_QUEUES] = {&KIND_QUEUE, sizeof(struct queue), queue_decode, queue_owned, NULL, 0},
    [CACHE_JOBS] = {&KIND_JOB, sizeof(struct job), job_decode, job_owned, LABEL_COMPONENT " in (build,scan)", 0},
    [CACHE_BUILD_PODS] = {&KIND_POD, sizeof(struct pod), pod_decode, pod_owned, LABEL_COMPONENT " in (build,scan)", 0},
    [CACHE_AGENT_PODS] = {&KIND_POD, sizeof(struct pod), pod_decode, pod_owned, LABEL_COMPONENT "=agent", 0},
};

// Before the queues run nothing is put in line: all there is will be when they start. Who only stands by has no line.
void manager_enqueue(struct manager *m, enum reconciler_id id, const char *name) {
  if (m->started && name != NULL) workqueue_add(m->queues[id], name);
}

static void enqueue_all(struct manager *m, enum reconciler_id id, const struct index *x, const char *key) {
  size_t count;
  const char *const *names = index_get(x, key, &count);
  for (size_t i = 0; i < count; i++) manager_enqueue(m, id, names[i]);
}

// ---- what a change concerns --------------------------------------------------------------------

static void agent_changed(struct manager *m, const struct agent *before, const struct agent *after) {
  const char *name = (after ? after : before)->meta.name;
  manager_enqueue(m, RECONCILE_AGENT, name);
  // Its submissions and matches wait for it to appear, to be ready, to be given a version.
  const bool matters = before == NULL || after == NULL || before->meta.generation != after->meta.generation ||
                       before->status.latest_version != after->status.latest_version ||
                       before->status.rating.matches != after->status.rating.matches ||
                       !text_equal(before->status.active_submission, after->status.active_submission);
  if (!matters) return;
  enqueue_all(m, RECONCILE_SUBMISSION, m->agent_submissions, name);
  enqueue_all(m, RECONCILE_MATCH, m->agent_matches, name);
}

// Nothing is read for it any more.
static bool is_decided(const struct submission *s) {
  return condition_is_true(&s->status.conditions, "Ready") || condition_is_true(&s->status.conditions, "Stalled");
}

static void submission_changed(struct manager *m, const struct submission *before, const struct submission *after) {
  const struct submission *s = after ? after : before;
  if (before == NULL) index_add(m->agent_submissions, s->agent, s->meta.name);
  if (after == NULL) index_remove(m->agent_submissions, s->agent, s->meta.name);
  if (after == NULL || is_decided(after)) map_remove(m->logs, s->meta.name);
  manager_enqueue(m, RECONCILE_SUBMISSION, s->meta.name);
  manager_enqueue(m, RECONCILE_AGENT, s->agent);
  // The next submission of the agent waits for its version until this one has its own.
  if (before == NULL || after == NULL || before->status.version != after->status.version ||
      !text_equal(before->agent_uid, after->agent_uid)) {
    enqueue_all(m, RECONCILE_SUBMISSION, m->agent_submissions, s->agent);
  }
  enqueue_all(m, RECONCILE_MATCH, m->agent_matches, s->agent);
}

static void match_changed(struct manager *m, const struct match *before, const struct match *after) {
  const struct match *x = after ? after : before;
  const bool moved = before == NULL || after == NULL || match_is_finished(before) != match_is_finished(after) ||
                     before->status.attempt != after->status.attempt || before->meta.deleted != after->meta.deleted ||
                     condition_is_true(&before->status.conditions, "Executed") !=
                         condition_is_true(&after->status.conditions, "Executed") ||
                     !text_equal(before->status.reason, after->status.reason);
  if (before == NULL) index_add(m->environment_matches, x->environment, x->meta.name);
  if (after == NULL) index_remove(m->environment_matches, x->environment, x->meta.name);
  // Nobody waits for the game of a match that was deleted.
  if (after == NULL) executor_forget(m->executor, before->meta.uid);
  manager_enqueue(m, RECONCILE_MATCH, x->meta.name);
  for (unsigned i = 0; i < x->participant_count; i++) {
    const char *agent = x->participants[i].agent;
    if (before == NULL) index_add(m->agent_matches, agent, x->meta.name);
    if (after == NULL) index_remove(m->agent_matches, agent, x->meta.name);
    if (!moved) continue;
    manager_enqueue(m, RECONCILE_AGENT, agent);
    // Other matches of the agent may wait for this one to end, or to be rated.
    size_t count;
    const char *const *names = index_get(m->agent_matches, agent, &count);
    for (size_t k = 0; k < count; k++) {
      const struct match *other = manager_match(m, names[k]);
      if (other != NULL && !match_is_finished(other)) manager_enqueue(m, RECONCILE_MATCH, names[k]);
    }
  }
}

static void queue_changed(struct manager *m, const struct queue *before, const struct queue *after) {
  const struct queue *q = after ? after : before;
  manager_enqueue(m, RECONCILE_QUEUE, q->meta.name);
  if (before != NULL && after != NULL && before->meta.generation == after->meta.generation) return;
  cache_each (m->caches[CACHE_AGENTS], struct agent, a) {
    if (!text_equal(a->environment, q->environment)) continue;
    manager_enqueue(m, RECONCILE_AGENT, a->meta.name);
    enqueue_all(m, RECONCILE_SUBMISSION, m->agent_submissions, a->meta.name);
  }
  enqueue_all(m, RECONCILE_MATCH, m->environment_matches, q->environment);
}

static void build_pod_changed(struct manager *m, const struct pod *before, const struct pod *after) {
  const struct pod *p = after ? after : before;
  if (before == NULL) index_add(m->submission_pods, p->submission, p->meta.name);
  if (after == NULL) index_remove(m->submission_pods, p->submission, p->meta.name);
  manager_enqueue(m, RECONCILE_SUBMISSION, p->submission);
}

static void cache_changed(void *context, struct cache *c, const void *before, const void *after) {
  struct manager *m = context;
  const void *either = after ? after : before;
  if (c == m->caches[CACHE_AGENTS]) {
    agent_changed(m, before, after);
  } else if (c == m->caches[CACHE_SUBMISSIONS]) {
    submission_changed(m, before, after);
  } else if (c == m->caches[CACHE_MATCHES]) {
    match_changed(m, before, after);
  } else if (c == m->caches[CACHE_QUEUES]) {
    queue_changed(m, before, after);
  } else if (c == m->caches[CACHE_JOBS]) {
    const struct job *job = either;
    if (after == NULL) map_remove(m->seen_jobs, job->meta.name);
    manager_enqueue(m, RECONCILE_SUBMISSION, job->submission);
  } else if (c == m->caches[CACHE_BUILD_PODS]) {
    build_pod_changed(m, before, after);
  } else {
    const struct pod *pod = either;
    if (after == NULL) map_remove(m->seen_pods, pod->meta.name);
    manager_enqueue(m, RECONCILE_MATCH, pod->match);
  }
}

// ---- looking at a key --------------------------------------------------------------------------

struct look {
  struct manager *m;
  enum reconciler_id id;
  char *name;
  char *claimed[PARTICIPANTS_MAX];
  msec started, again;
};

// Those who waited for the agent are looked at again, in the order in which they came.
static void release_claim(struct manager *m, const char *agent) {
  map_remove(m->claims, agent);
  for (unsigned id = 0; id < RECONCILER_COUNT; id++) {
    enqueue_all(m, (enum reconciler_id)id, m->claim_waiters[id], agent);
    index_remove_all(m->claim_waiters[id], agent);
  }
}

static void release_claims(struct look *l) {
  for (unsigned i = 0; i < PARTICIPANTS_MAX; i++) {
    if (l->claimed[i] != NULL) release_claim(l->m, l->claimed[i]);
    free(l->claimed[i]);
    l->claimed[i] = NULL;
  }
}

static void look_finished(struct look *l, const struct error *e) {
  struct manager *m = l->m;
  const struct reconciler *r = &RECONCILERS[l->id];
  const char *result = e != NULL ? "error" : l->again > 0 ? "requeue_after" : "success";
  char labels[64];
  snprintf(labels, sizeof(labels), "%s,%s", r->name, result);
  metric_add(m->reconcile_total, labels, 1);
  metric_observe(m->reconcile_seconds, r->name, (double)(clock_monotonic() - l->started) / 1000.0);
  bool failed = false;
  msec min_delay = 0;
  if (e != NULL && e->code != ERR_NOT_FOUND) {  // not found: the object went away; the cache will tell
    metric_add(m->reconcile_errors, r->name, 1);
    failed = true;
    min_delay = e->retry_after_ms;
    if (e->code == ERR_CONFLICT) {
      log_debug("conflict, deciding again", "kind", r->kind->kind, "name", l->name, "error", e->text);
    } else {
      log_warn("plan failed, trying again", "kind", r->kind->kind, "name", l->name, "error", e->text);
    }
  }
  release_claims(l);
  workqueue_done(m->queues[l->id], l->name, failed, min_delay, failed ? 0 : l->again);
  free(l->name);
  free(l);
}

static void plan_applied(void *context, const struct error *e) {
  look_finished(context, e);
}

// The agents that a plan for this object may write about.
static unsigned agents_of(const struct look *l, const char *ret[PARTICIPANTS_MAX]) {
  if (l->id == RECONCILE_AGENT) {
    ret[0] = l->name;
    return 1;
  }
  if (l->id == RECONCILE_SUBMISSION) {
    const struct submission *s = manager_submission(l->m, l->name);
    if (s != NULL) ret[0] = s->agent;
    return s != NULL;
  }
  const struct match *x = l->id == RECONCILE_MATCH ? manager_match(l->m, l->name) : NULL;
  for (unsigned i = 0; x != NULL && i < x->participant_count; i++) ret[i] = x->participants[i].agent;
  return x ? x->participant_count : 0;
}

// Claims them until the plan is carried out. False: another plan claims one right now, and its end will tell.
static bool claim(struct look *l) {
  const char *agents[PARTICIPANTS_MAX];
  const unsigned count = agents_of(l, agents);
  for (unsigned i = 0; i < count; i++) {
    if (map_get(l->m->claims, agents[i]) == NULL) continue;
    index_add(l->m->claim_waiters[l->id], agents[i], l->name);
    return false;
  }
  for (unsigned i = 0; i < count; i++) {
    l->claimed[i] = mem_strdup(agents[i]);
    map_put(l->m->claims, l->claimed[i], l->m);
  }
  return true;
}

static void look_at(struct manager *m, enum reconciler_id id, const char *name) {
  struct look *l = mem_alloc(sizeof(*l));
  *l = (struct look){.m = m, .id = id, .name = mem_strdup(name), .started = clock_monotonic()};
  if (!claim(l)) {
    workqueue_done(m->queues[id], name, false, 0, 0);
    free(l->name);
    free(l);
    return;
  }
  struct plan plan = {0};
  RECONCILERS[id].look(m, name, clock_now(), &plan);
  l->again = plan.again;
  if (plan.count == 0) {
    plan_done(&plan);
    look_finished(l, NULL);
  } else {
    apply_start(m, &plan, plan_applied, l);
  }
}

static void look_at_agent(void *context, const char *key) {
  look_at(context, RECONCILE_AGENT, key);
}
static void look_at_submission(void *context, const char *key) {
  look_at(context, RECONCILE_SUBMISSION, key);
}
static void look_at_match(void *context, const char *key) {
  look_at(context, RECONCILE_MATCH, key);
}
static void look_at_queue(void *context, const char *key) {
  look_at(context, RECONCILE_QUEUE, key);
}

// ---- life --------------------------------------------------------------------------------------

static bool is_current(const struct manager *m) {
  for (unsigned i = 0; i < CACHE_COUNT; i++) {
    if (!cache_is_current(m->caches[i])) return false;
  }
  return true;
}

// The first look is at all there is. What else there is, Jobs and Pods, is looked at with whom it belongs to.
static void enqueue_everything(struct manager *m) {
  for (unsigned i = 0; i < RECONCILER_COUNT; i++) {
    cache_each (m->caches[RECONCILERS[i].cache], struct meta, meta)
      manager_enqueue(m, (enum reconciler_id)i, meta->name);
  }
}

static void start_if_ready(struct manager *m) {
  if (m->started || !m->acting || !is_current(m)) return;
  m->started = true;
  enqueue_everything(m);
  for (unsigned i = 0; i < RECONCILER_COUNT; i++) workqueue_start(m->queues[i]);
}

static void cache_synced(void *context, struct cache *c) {
  struct manager *m = context;
  char count[LOG_NUMBER_SIZE];
  log_info("cache synced", "kind", cache_type_of(c)->kind->kind, "objects", log_number((int64_t)cache_count(c), count));
  start_if_ready(m);
}

static void call_ended(void *context, const char *match) {
  manager_enqueue(context, RECONCILE_MATCH, match);
}

static void kept_log_free(void *value) {
  struct kept_log *l = value;
  free(l->pod_uid);
  free(l->container);
  free(l->text);
  free(l);
}

static void init_metrics(struct manager *m) {
  static const double bounds[] = {0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60};
  m->reconcile_total = metrics_counter(m->metrics, "controller_runtime_reconcile_total",
                                       "Total number of reconciliations per controller", "controller,result");
  m->reconcile_errors = metrics_counter(m->metrics, "controller_runtime_reconcile_errors_total",
                                        "Total number of reconciliation errors per controller", "controller");
  m->reconcile_seconds =
      metrics_histogram(m->metrics, "controller_runtime_reconcile_time_seconds",
                        "Length of time per reconciliation per controller", "controller", bounds, array_size(bounds));
  m->actions_total =
      metrics_counter(m->metrics, "rl_arena_actions_total", "Actions begun, by kind and action.", "kind,action");
}

void manager_init(struct manager *m, uv_loop_t *loop, const struct settings *settings, struct kube_client *client,
                  struct http *http, struct metrics *metrics) {
  static workqueue_fn *const looks[RECONCILER_COUNT] = {
      [RECONCILE_AGENT] = look_at_agent,
      [RECONCILE_SUBMISSION] = look_at_submission,
      [RECONCILE_MATCH] = look_at_match,
      [RECONCILE_QUEUE] = look_at_queue,
  };
  *m = (struct manager){.loop = loop, .settings = settings, .client = client, .metrics = metrics};
  init_metrics(m);
  m->agent_submissions = index_new();
  m->agent_matches = index_new();
  m->submission_pods = index_new();
  m->environment_matches = index_new();
  m->logs = map_new(kept_log_free);
  m->claims = map_new(NULL);
  for (unsigned i = 0; i < RECONCILER_COUNT; i++) m->claim_waiters[i] = index_new();
  m->seen_pods = seen_new();
  m->seen_jobs = seen_new();
  m->events = event_recorder_new(client, loop, "rl-arena-controller", settings->pod_name);
  m->executor =
      executor_new(http, &(struct grpc_peer){settings->executor_url, settings->executor_token}, metrics, call_ended, m);
  for (unsigned i = 0; i < RECONCILER_COUNT; i++) {
    m->queues[i] = workqueue_new(loop, RECONCILERS[i].name, CONCURRENCY, looks[i], m, metrics);
  }
  for (unsigned i = 0; i < CACHE_COUNT; i++) {
    m->caches[i] = cache_new(client, loop, &TYPES[i], settings->namespace, cache_changed, cache_synced, m);
  }
}

void manager_start(struct manager *m) {
  for (unsigned i = 0; i < CACHE_COUNT; i++) cache_start(m->caches[i]);
}

bool manager_is_synced(const struct manager *m) {
  for (unsigned i = 0; i < CACHE_COUNT; i++) {
    if (!cache_is_synced(m->caches[i])) return false;
  }
  return true;
}

void manager_act(struct manager *m, uint64_t version) {
  m->acting = true;
  for (unsigned i = 0; i < CACHE_COUNT; i++) cache_catch_up(m->caches[i], version);
  start_if_ready(m);
}

void manager_stop(struct manager *m) {
  m->acting = false;
  for (unsigned i = 0; i < RECONCILER_COUNT; i++) workqueue_stop(m->queues[i]);
}

bool manager_is_idle(const struct manager *m) {
  for (unsigned i = 0; i < RECONCILER_COUNT; i++) {
    if (workqueue_busy(m->queues[i]) > 0) return false;
  }
  return event_recorder_pending(m->events) == 0;
}

bool manager_has_work(const struct manager *m) {
  for (unsigned i = 0; i < RECONCILER_COUNT; i++) {
    if (workqueue_depth(m->queues[i]) > 0) return true;
  }
  return !manager_is_idle(m);
}

void manager_done(struct manager *m) {
  for (unsigned i = 0; i < CACHE_COUNT; i++) cache_free(m->caches[i]);
  for (unsigned i = 0; i < RECONCILER_COUNT; i++) workqueue_free(m->queues[i]);
  executor_free(m->executor);
  wire_environments_done(&m->playable);
  event_recorder_free(m->events);
  index_free(m->agent_submissions);
  index_free(m->agent_matches);
  index_free(m->submission_pods);
  index_free(m->environment_matches);
  map_free(m->logs);
  map_free(m->claims);
  for (unsigned i = 0; i < RECONCILER_COUNT; i++) index_free(m->claim_waiters[i]);
  map_free(m->seen_pods);
  map_free(m->seen_jobs);
}
