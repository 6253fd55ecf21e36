// Caches in, keys to look at, plans out: the machine around the four `decide` functions.
//
// A change in a cache puts the keys of the objects it concerns into their kind's work queue. A key
// that is due is looked at: its reconciler gathers a view from the caches, decides, and the plan
// is carried out action by action (apply.h). The key is busy until then. A plan also claims the agents
// it may write about, so that two plans never write about one agent at the same time. Everything
// runs on one loop; nothing acts before this process leads and all caches hold what an earlier leader wrote.
#pragma once

#include "io/metrics.h"
#include "kube/cache.h"
#include "kube/event.h"
#include "kube/lease.h"
#include "kube/workqueue.h"

#include "children.h"
#include "executor.h"
#include "index.h"
#include "plan.h"
#include "settings.h"

enum reconciler_id { RECONCILE_AGENT, RECONCILE_SUBMISSION, RECONCILE_MATCH, RECONCILE_QUEUE, RECONCILER_COUNT };
enum cache_id {
  CACHE_AGENTS,
  CACHE_SUBMISSIONS,
  CACHE_MATCHES,
  CACHE_QUEUES,
  CACHE_JOBS,
  CACHE_BUILD_PODS,
  CACHE_AGENT_PODS,
  CACHE_COUNT
};

struct manager;

struct reconciler {
  const char *name;  // the metrics' `controller` label
  const struct kube_kind *kind;
  enum cache_id cache;
  // Gathers and decides. An object that is gone gives an empty plan.
  void (*look)(struct manager *m, const char *name, msec now, struct plan *ret);
};

struct manager {
  uv_loop_t *loop;
  const struct settings *settings;
  struct kube_client *client;
  struct metrics *metrics;
  struct cache *caches[CACHE_COUNT];
  struct workqueue *queues[RECONCILER_COUNT];
  struct index *agent_submissions, *agent_matches, *submission_pods, *environment_matches;
  struct event_recorder *events;
  struct executor *executor;
  struct wire_environments playable;              // environments.h
  struct map *logs;                               // by submission name: struct kept_log
  struct map *claims;                             // by agent name: while a plan about it is carried out
  struct index *claim_waiters[RECONCILER_COUNT];  // by agent name: who is looked at when it is claimed no more
  struct map *seen_pods, *seen_jobs;              // by name: seen.h
  struct lease *lease;                            // NULL: no election
  bool acting;
  bool started;  // the queues have begun: with a look at everything
  struct metric *reconcile_total, *reconcile_errors, *reconcile_seconds, *actions_total;
};

struct kept_log {
  char *pod_uid, *container, *text;
};

extern const struct reconciler RECONCILERS[RECONCILER_COUNT];

void manager_init(struct manager *m, uv_loop_t *loop, const struct settings *settings, struct kube_client *client,
                  struct http *http, struct metrics *metrics);
void manager_start(struct manager *m);            // lists and watches
bool manager_is_synced(const struct manager *m);  // all caches
// Leading: plans are carried out from now on, once the caches hold all that was there at this resourceVersion.
void manager_act(struct manager *m, uint64_t version);
void manager_stop(struct manager *m);            // no new plan is begun
bool manager_is_idle(const struct manager *m);   // no plan is being carried out
bool manager_has_work(const struct manager *m);  // or a key is in line to be looked at
void manager_done(struct manager *m);

void manager_enqueue(struct manager *m, enum reconciler_id id, const char *name);
struct cache *manager_cache_of(struct manager *m, const struct kube_kind *kind, json *object);
void manager_keep_log(struct manager *m, const char *pod, const char *pod_uid, const char *container, const char *text);

// Typed look-ups in the caches; NULL when absent.
const struct agent *manager_agent(const struct manager *m, const char *name);
const struct submission *manager_submission(const struct manager *m, const char *name);
const struct match *manager_match(const struct manager *m, const char *name);
const struct queue *manager_queue(const struct manager *m, const char *environment);

// The `look` of each kind: gather_*.c
void agent_look(struct manager *m, const char *name, msec now, struct plan *ret);
void submission_look(struct manager *m, const char *name, msec now, struct plan *ret);
void match_look(struct manager *m, const char *name, msec now, struct plan *ret);
void queue_look(struct manager *m, const char *name, msec now, struct plan *ret);
