// One replica writes: it wins the lease, lists and watches the four kinds, and hands what changes to their writers.
// When it loses the lease it forgets everything, and tries again: readers of this replica need not notice.
#include "mirror.h"

#include <assert.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"
#include "io/timer.h"
#include "kube/lease.h"
#include "kube/workqueue.h"

#include "app.h"
#include "blob_sweep.h"
#include "build_logs.h"
#include "events_trim.h"
#include "mirror_object.h"
#include "mirror_sweep.h"
#include "mirror_writer.h"
#include "settings.h"

enum {
  TICK_MS = 1000,
  TICK_SOON_MS = 50,  // until it is level
  SWEEP_EVERY_MS = 5 * 60 * 1000,
  FINALIZERS_AT_ONCE = 8,
};

struct mirror_kind {
  struct mirror *mirror;
  enum stored_kind kind;
  struct cache *cache;  // NULL: does not lead
  struct writer *writer;
  struct sweep *sweep;
  unsigned lists;  // that a sweep followed
  msec swept;
  bool level;  // what the first list had is committed
};

struct mirror {
  struct app *app;
  struct lease *lease;
  struct mirror_kind kinds[STORED_KINDS];
  struct workqueue *finalizers;
  struct finalizer_look *looks;  // requests that run
  struct build_logs *logs;
  struct events_trim *trim;
  struct blob_sweep *blobs;
  struct timer *tick;
  struct timer *restart;
  bool leading, synced, stopping;
  void (*stopped)(void *context);
  void *stopped_context;
  struct metric *leader;
};

// ---- what changes --------------------------------------------------------------------------------

static void on_change(void *context, struct cache *c, const void *before, const void *after) {
  (void)c;
  struct mirror_kind *k = context;
  const struct mirrored *old = before;
  struct mirrored *new = (struct mirrored *)(uintptr_t)after;  // the row is taken out: it was made to be
  if (new == NULL) {
    writer_gone(k->writer, old->meta.uid);
    return;
  }
  // Whose deletion waits for the row asks for a word.
  const bool waits = new->meta.deleted != 0 && new->finalizer >= 0;
  writer_put(k->writer, new->meta.uid, new->meta.version, new->row, waits ? new->meta.name : NULL);
  new->row = NULL;
  if (k->kind == STORED_MATCH) workqueue_add(k->mirror->finalizers, new->meta.name);
}

static void on_committed(void *context, const char *name) {
  const struct mirror_kind *k = context;
  workqueue_add(k->mirror->finalizers, name);
}

// Finished matches that are not committed are kept as well while PostgreSQL is away.
static void on_failing(void *context, bool failing) {
  struct mirror_kind *k = context;
  if (k->kind != STORED_MATCH || !failing || k->cache == NULL) return;
  cache_each (k->cache, struct mirrored, m) {
    if (mirrored_step(m, writer_committed(k->writer, m->meta.uid), true) == FINALIZER_ADD)
      workqueue_add(k->mirror->finalizers, m->meta.name);
  }
}

// ---- finalizers ----------------------------------------------------------------------------------

struct finalizer_look {
  struct mirror *mirror;
  struct finalizer_look *next;
  struct kube_call *call;
  enum finalizer_step step;
  char *name;
};

static void look_free(struct finalizer_look *l) {
  for (struct finalizer_look **at = &l->mirror->looks; *at != NULL; at = &(*at)->next) {
    if (*at != l) continue;
    *at = l->next;
    break;
  }
  free(l->name);
  free(l);
}

static void on_patched(void *context, const struct kube_answer *answer, const struct error *e) {
  struct finalizer_look *l = context;
  struct mirror *m = l->mirror;
  // Not found: it is gone. Invalid: a test of the patch failed, since it has changed meanwhile; it comes again with
  // that.
  const bool failed = e != NULL && e->code != ERR_NOT_FOUND && e->code != ERR_INVALID;
  if (e == NULL && l->step == FINALIZER_ADD) cache_observe(m->kinds[STORED_MATCH].cache, answer->object);
  if (failed) log_warn("a match's finalizer is not written, trying again", "match", l->name, "error", e->text);
  workqueue_done(m->finalizers, l->name, failed, failed ? e->retry_after_ms : 0,
                 e != NULL && e->code == ERR_INVALID ? TICK_MS : 0);
  look_free(l);
}

static void look_at_match(void *context, const char *name) {
  struct mirror *m = context;
  const struct mirror_kind *k = &m->kinds[STORED_MATCH];
  const struct mirrored *match = k->cache != NULL ? cache_get(k->cache, name) : NULL;
  enum finalizer_step step = FINALIZER_LEAVE;
  if (match != NULL && m->leading && (m->lease == NULL || lease_is_held(m->lease)))
    step = mirrored_step(match, writer_committed(k->writer, match->meta.uid), writer_is_failing(k->writer));
  if (step == FINALIZER_LEAVE) {
    workqueue_done(m->finalizers, name, false, 0, 0);
    return;
  }
  struct finalizer_look *l = mem_alloc(sizeof *l);
  *l = (struct finalizer_look){.mirror = m, .next = m->looks, .step = step, .name = mem_strdup(name)};
  m->looks = l;
  cleanup_json json *patch = mirrored_patch(match, step);
  l->call = kube_call_start(m->app->kube,
                            &(struct kube_request){.method = "PATCH",
                                                   .kind = MIRRORED_TYPES[STORED_MATCH].kind,
                                                   .namespace = m->app->settings->namespace,
                                                   .name = name,
                                                   .content_type = "application/json-patch+json",
                                                   .body = patch},
                            on_patched, l);
}

// ---- leading -------------------------------------------------------------------------------------

static void new_finalizers(struct mirror *m) {
  while (m->looks != NULL) {
    kube_call_cancel(m->looks->call);
    look_free(m->looks);
  }
  workqueue_free(m->finalizers);
  m->finalizers =
      workqueue_new(m->app->loop, "mirror-finalizers", FINALIZERS_AT_ONCE, look_at_match, m, m->app->metrics);
}

static void lead(struct mirror *m) {
  m->leading = true;
  for (unsigned i = 0; i < STORED_KINDS; i++) {
    struct mirror_kind *k = &m->kinds[i];
    k->cache =
        cache_new(m->app->kube, m->app->loop, &MIRRORED_TYPES[i], m->app->settings->namespace, on_change, NULL, k);
    k->level = false;
    k->lists = 0;
    cache_catch_up(k->cache, lease_version(m->lease));
    cache_start(k->cache);
  }
  workqueue_start(m->finalizers);
  build_logs_start(m->logs);
  events_trim_start(m->trim);
  timer_set(m->tick, TICK_SOON_MS);
}

static void follow(struct mirror *m) {
  m->leading = false;
  build_logs_stop(m->logs);
  events_trim_stop(m->trim);
  blob_sweep_stop(m->blobs);
  new_finalizers(m);
  for (unsigned i = 0; i < STORED_KINDS; i++) {
    struct mirror_kind *k = &m->kinds[i];
    sweep_stop(k->sweep);
    cache_free(k->cache);
    k->cache = NULL;
    writer_clear(k->writer);
  }
}

static void lease_changed(void *context, bool leading) {
  struct mirror *m = context;
  if (m->stopping) return;
  metric_set(m->leader, MIRROR_LEASE, leading ? 1 : 0);
  if (leading) {
    log_info("this replica mirrors", "identity", m->app->settings->pod_name);
    lead(m);
  } else {
    timer_set(m->restart, 0);  // not from inside the lease
  }
}

static void new_lease(struct mirror *m) {
  const struct settings *s = m->app->settings;
  lease_free(m->lease);
  m->lease = lease_new(m->app->kube, m->app->loop, s->pod_namespace, MIRROR_LEASE, s->pod_name, lease_changed, m);
  lease_start(m->lease);
}

static void on_restart(void *context) {
  struct mirror *m = context;
  if (m->stopping) {
    if (m->stopped != NULL) m->stopped(m->stopped_context);
    return;
  }
  follow(m);
  new_lease(m);
}

// ---- now and then --------------------------------------------------------------------------------

static void look_at_kind(struct mirror_kind *k) {
  const bool synced = cache_is_current(k->cache);
  if (synced && !k->level && writer_pending(k->writer) == 0) {
    k->level = true;
    log_info("the mirror is level", "kind", mirrored_label(k->kind));
  }
  const msec now = clock_monotonic();
  const unsigned lists = cache_lists(k->cache);
  if (k->level && !sweep_is_running(k->sweep) && (lists != k->lists || now - k->swept > SWEEP_EVERY_MS)) {
    k->lists = lists;
    k->swept = now;
    sweep_start(k->sweep, k->cache, k->writer);
  }
}

static void on_tick(void *context) {
  struct mirror *m = context;
  bool level = m->leading;
  for (unsigned i = 0; i < STORED_KINDS; i++) {
    struct mirror_kind *k = &m->kinds[i];
    if (k->cache != NULL) look_at_kind(k);
    writer_tick(k->writer);
    level = level && k->level;
  }
  if (m->leading) build_logs_tick(m->logs);
  if (level) blob_sweep_start(m->blobs);
  if (level || (!m->leading && m->lease != NULL && lease_has_holder(m->lease))) m->synced = true;
  timer_set(m->tick, m->synced ? TICK_MS : TICK_SOON_MS);
}

bool mirror_is_synced(const struct mirror *m) {
  return m->synced;
}

// ---- life ----------------------------------------------------------------------------------------

static const char *submission_uid(void *context, const char *submission) {
  const struct mirror *m = context;
  const struct cache *c = m->kinds[STORED_SUBMISSION].cache;
  const struct mirrored *found = c != NULL ? cache_get(c, submission) : NULL;
  return found != NULL ? found->meta.uid : NULL;
}

struct mirror *mirror_new(struct app *app) {
  struct mirror *m = mem_alloc(sizeof *m);
  m->app = app;
  m->leader =
      metrics_gauge(app->metrics, "leader_election_master_status", "Whether this process leads: 1, or 0.", "name");
  metric_set(m->leader, MIRROR_LEASE, 0);
  m->tick = timer_new(app->loop, on_tick, m);
  m->restart = timer_new(app->loop, on_restart, m);
  m->logs = build_logs_new(app, submission_uid, m);
  m->trim = events_trim_new(app->loop, app->db);
  m->blobs = blob_sweep_new(app);
  new_finalizers(m);
  for (unsigned i = 0; i < STORED_KINDS; i++) {
    struct mirror_kind *k = &m->kinds[i];
    const enum stored_kind kind = (enum stored_kind)i;
    *k = (struct mirror_kind){.mirror = m, .kind = kind};
    k->writer = writer_new(app->loop, app->db, kind, mirrored_label(kind), on_committed, on_failing, k, app->metrics);
    k->sweep = sweep_new(app->loop, app->db, kind, mirrored_label(kind));
  }
  return m;
}

void mirror_start(struct mirror *m) {
  new_lease(m);
  timer_set(m->tick, TICK_SOON_MS);
}

// The lease calls from inside its own answer: whoever waits is told at the loop's next turn.
static void released(void *context) {
  struct mirror *m = context;
  timer_set(m->restart, 0);
}

void mirror_stop(struct mirror *m, void (*done)(void *context), void *context) {
  m->stopping = true;
  m->stopped = done;
  m->stopped_context = context;
  timer_clear(m->restart);
  timer_clear(m->tick);
  follow(m);
  if (m->lease != NULL)
    lease_release(m->lease, released, m);
  else
    timer_set(m->restart, 0);
}

void mirror_free(struct mirror *m) {
  if (m == NULL) return;
  follow(m);
  lease_free(m->lease);
  workqueue_free(m->finalizers);
  build_logs_free(m->logs);
  events_trim_free(m->trim);
  blob_sweep_free(m->blobs);
  for (unsigned i = 0; i < STORED_KINDS; i++) {
    sweep_free(m->kinds[i].sweep);
    writer_free(m->kinds[i].writer);
  }
  timer_free(m->tick);
  timer_free(m->restart);
  free(m);
}
