// From names to objects: typed look-ups, and the view that each kind's decision gets.
#include <string.h>

#include "arena/names.h"
#include "base/memory.h"

#include "agent.h"
#include "manager.h"
#include "matchmaking.h"
#include "seen.h"
#include "submission.h"

const struct agent *manager_agent(const struct manager *m, const char *name) {
  return name ? cache_get(m->caches[CACHE_AGENTS], name) : NULL;
}

const struct submission *manager_submission(const struct manager *m, const char *name) {
  return name ? cache_get(m->caches[CACHE_SUBMISSIONS], name) : NULL;
}

const struct match *manager_match(const struct manager *m, const char *name) {
  return name ? cache_get(m->caches[CACHE_MATCHES], name) : NULL;
}

// The queue of an environment has the environment's name (a rule of the CRD).
const struct queue *manager_queue(const struct manager *m, const char *environment) {
  return environment ? cache_get(m->caches[CACHE_QUEUES], environment) : NULL;
}

struct cache *manager_cache_of(struct manager *m, const struct kube_kind *kind, json *object) {
  if (kind == &KIND_POD) {
    const char *component = object ? json_text(json_at(object, "metadata", "labels", NULL), LABEL_COMPONENT) : "agent";
    return m->caches[text_equal(component, "agent") ? CACHE_AGENT_PODS : CACHE_BUILD_PODS];
  }
  if (kind == &KIND_JOB) return m->caches[CACHE_JOBS];
  for (unsigned i = 0; i < RECONCILER_COUNT; i++) {
    if (RECONCILERS[i].kind == kind) return m->caches[RECONCILERS[i].cache];
  }
  return NULL;
}

void manager_keep_log(struct manager *m, const char *pod, const char *pod_uid, const char *container,
                      const char *text) {
  const struct pod *p = cache_get(m->caches[CACHE_BUILD_PODS], pod);
  // The Pod is gone: decisions see that. Or nobody is left to want it, or to tell that it can go.
  if (p == NULL || manager_submission(m, p->submission) == NULL) return;
  struct kept_log *l = mem_alloc(sizeof(*l));
  *l = (struct kept_log){.pod_uid = mem_strdup(pod_uid), .container = mem_strdup(container), .text = mem_strdup(text)};
  map_put(m->logs, p->submission, l);
  // No watch tells of a log: the decision that asked for it is taken again with it.
  manager_enqueue(m, RECONCILE_SUBMISSION, p->submission);
}

// ---- Agent -------------------------------------------------------------------------------------

// All matches that an index names, as an array to free.
static const struct match **matches_of(struct manager *m, const struct index *x, const char *key, size_t *ret_count) {
  size_t names_count;
  const char *const *names = index_get(x, key, &names_count);
  const struct match **ret = mem_grow(NULL, names_count + 1, sizeof(*ret));
  *ret_count = 0;
  for (size_t i = 0; i < names_count; i++) {
    const struct match *found = manager_match(m, names[i]);
    if (found != NULL) ret[(*ret_count)++] = found;
  }
  return ret;
}

static void agent_view(struct manager *m, const struct agent *self, struct agent_view *ret) {
  *ret = (struct agent_view){.self = self, .queue = manager_queue(m, self->environment)};
  size_t names_count;
  const char *const *names = index_get(m->agent_submissions, self->meta.name, &names_count);
  const struct submission **submissions = mem_grow(NULL, names_count + 1, sizeof(*submissions));
  for (size_t i = 0; i < names_count; i++) {
    const struct submission *s = manager_submission(m, names[i]);
    if (s != NULL && submission_is_of(s, self)) submissions[ret->submission_count++] = s;
  }
  ret->submissions = submissions;
  ret->matches = matches_of(m, m->agent_matches, self->meta.name, &ret->match_count);
}

static void agent_view_done(struct agent_view *v) {
  free((void *)(uintptr_t)v->submissions);
  free((void *)(uintptr_t)v->matches);
}

void agent_look(struct manager *m, const char *name, msec now, struct plan *ret) {
  const struct agent *self = manager_agent(m, name);
  if (self == NULL) return;
  struct agent_view v;
  agent_view(m, self, &v);
  agent_decide(&v, now, ret);
  agent_view_done(&v);
}

// ---- Submission --------------------------------------------------------------------------------

static bool is_older(const struct submission *a, const struct submission *b) {
  if (a->meta.created != b->meta.created) return a->meta.created < b->meta.created;
  return strcmp(a->meta.name, b->meta.name) < 0;
}

static void look_at_siblings(struct manager *m, struct submission_view *v) {
  size_t count;
  const char *const *names = index_get(m->agent_submissions, v->self->agent, &count);
  v->is_next_unversioned = v->self->status.version == 0;
  for (size_t i = 0; i < count; i++) {
    const struct submission *s = manager_submission(m, names[i]);
    if (s == NULL) continue;
    if (s->status.version > v->highest_sibling_version) v->highest_sibling_version = s->status.version;
    if (v->agent != NULL && !submission_is_of(s, v->agent)) continue;
    if (s->status.version == 0 && s->meta.deleted == 0 && is_older(s, v->self)) v->is_next_unversioned = false;
  }
}

static const struct pod *pod_of_job(struct manager *m, const struct job *job) {
  if (job == NULL) return NULL;
  size_t count;
  const char *const *names = index_get(m->submission_pods, job->submission, &count);
  for (size_t i = 0; i < count; i++) {
    const struct pod *p = cache_get(m->caches[CACHE_BUILD_PODS], names[i]);
    if (p != NULL && text_equal(p->meta.owner_uid, job->meta.uid)) return p;
  }
  return NULL;
}

enum { CLOCKS_DIFFER_MS = 30 * 1000 };

// A Job as the decision gets it: that it ended is told by the clock of the cluster's Job controller, or, when that
// is another time than it was seen here, by when it was seen. What follows the end (its Pod's last news, a pause)
// is then waited for by one clock.
static const struct job *as_seen(struct manager *m, const struct job *job, msec now, struct job *ret) {
  if (job == NULL || !(job->complete || job->failed)) return job;
  *ret = *job;
  const msec seen = now - seen_for(m->seen_jobs, job->meta.name, job->meta.uid, 0, clock_monotonic());
  if (job->finished < seen - CLOCKS_DIFFER_MS || job->finished > seen + CLOCKS_DIFFER_MS) ret->finished = seen;
  return ret;
}

void submission_look(struct manager *m, const char *name, msec now, struct plan *ret) {
  struct submission_view v = {.self = manager_submission(m, name)};
  if (v.self == NULL) return;
  v.agent = manager_agent(m, v.self->agent);
  if (v.agent != NULL && !submission_is_of(v.self, v.agent)) v.agent = NULL;  // its own has been deleted
  v.queue = v.agent ? manager_queue(m, v.agent->environment) : NULL;
  look_at_siblings(m, &v);
  struct job builds[ATTEMPTS_MAX], scans[ATTEMPTS_MAX];
  for (int i = 0; i < ATTEMPTS_MAX; i++) {
    char child[NAME_SIZE];
    name_build_job(child, name, i + 1);
    v.build_jobs[i] = cache_get(m->caches[CACHE_JOBS], child);  // perhaps another's: the decision says so
    v.build_pods[i] = pod_of_job(m, v.build_jobs[i]);
    v.build_jobs[i] = as_seen(m, v.build_jobs[i], now, &builds[i]);
    name_scan_job(child, name, i + 1);
    v.scan_jobs[i] = cache_get(m->caches[CACHE_JOBS], child);
    v.scan_pods[i] = pod_of_job(m, v.scan_jobs[i]);
    v.scan_jobs[i] = as_seen(m, v.scan_jobs[i], now, &scans[i]);
  }
  const struct kept_log *log = map_get(m->logs, name);
  if (log != NULL) {
    v.log_pod_uid = log->pod_uid;
    v.log_container = log->container;
    v.log_text = log->text;
  }
  submission_decide(&v, m->settings, now, ret);
  // Scanned is the end of the story: nobody asks for a log any more.
  if (log != NULL && v.self->status.scan.present) map_remove(m->logs, name);
}

// ---- Match -------------------------------------------------------------------------------------

static unsigned pod_stage(const struct pod *p) {
  const struct container_state *c = pod_container(p, "agent");
  return c != NULL && c->running ? 1 : 0;
}

// While nobody tells of its changes it is not known to have had none.
static msec pod_seen(struct manager *m, const struct pod *p) {
  const msec now = clock_monotonic();
  const msec seen = seen_for(m->seen_pods, p->meta.name, p->meta.uid, pod_stage(p), now);
  const msec followed = cache_followed(m->caches[CACHE_AGENT_PODS], now);
  return seen < followed ? seen : followed;
}

static void look_at_seat(struct manager *m, const struct match *x, unsigned i, struct seat_view *ret) {
  const char *agent = x->participants[i].agent;
  ret->agent = manager_agent(m, agent);
  const char *chosen = i < x->status.participant_count ? x->status.participants[i].submission : NULL;
  if (chosen == NULL) chosen = x->participants[i].submission;
  if (chosen == NULL && ret->agent != NULL) chosen = ret->agent->status.active_submission;
  ret->submission = manager_submission(m, chosen);
  if (ret->submission != NULL && ret->agent != NULL && text_equal(ret->submission->agent, agent) &&
      !submission_is_of(ret->submission, ret->agent))
    ret->submission = NULL;  // an earlier agent's of the name; or the agent's cache is behind
  char pod[NAME_SIZE];
  name_agent_pod(pod, x->meta.name, i);
  const struct pod *p = cache_get(m->caches[CACHE_AGENT_PODS], pod);
  ret->pod = p != NULL && text_equal(p->meta.owner_uid, x->meta.uid) ? p : NULL;
  if (ret->pod != NULL) ret->seen = pod_seen(m, p);
  size_t count;
  const char *const *names = index_get(m->agent_matches, agent, &count);
  for (size_t k = 0; k < count; k++) {
    const struct match *other = manager_match(m, names[k]);
    if (other == NULL || other == x || match_is_finished(other) || other->meta.deleted != 0) continue;
    if (other->status.attempt > 0) ret->playing++;
    const int seat = match_seat_of(other, agent);
    if (condition_is_true(&other->status.conditions, "Executed") && (unsigned)seat < other->status.participant_count &&
        other->status.participants[seat].match_number > 0) {
      ret->unrated = other->meta.name;
    }
  }
}

void match_look(struct manager *m, const char *name, msec now, struct plan *ret) {
  struct match_view v = {.self = manager_match(m, name)};
  if (v.self == NULL) return;
  v.queue = manager_queue(m, v.self->environment);
  // What an agent's rating brings along for it matters only once there is a result.
  struct agent_view whole[PARTICIPANTS_MAX] = {0};
  const bool executed = condition_is_true(&v.self->status.conditions, "Executed") && !match_is_finished(v.self);
  for (unsigned i = 0; i < v.self->participant_count; i++) {
    look_at_seat(m, v.self, i, &v.seats[i]);
    if (!executed || v.seats[i].agent == NULL) continue;
    agent_view(m, v.seats[i].agent, &whole[i]);
    v.seats[i].whole = &whole[i];
  }
  executor_look(m->executor, v.self->meta.uid, &v.call);
  match_decide(&v, m->settings, now, ret);
  for (unsigned i = 0; i < v.self->participant_count; i++) agent_view_done(&whole[i]);
}

// ---- MatchmakingQueue --------------------------------------------------------------------------

void queue_look(struct manager *m, const char *name, msec now, struct plan *ret) {
  struct matchmaking_view v = {.self = cache_get(m->caches[CACHE_QUEUES], name),
                               .playable = &m->playable,
                               .mirrored = m->settings->front_url != NULL};
  if (v.self == NULL) return;
  struct matchmaking_agent *agents = mem_grow(NULL, cache_count(m->caches[CACHE_AGENTS]) + 1, sizeof(*agents));
  cache_each (m->caches[CACHE_AGENTS], struct agent, a) {
    if (!text_equal(a->environment, v.self->environment)) continue;
    struct matchmaking_agent *entry = &agents[v.agent_count++];
    entry->agent = a;
    size_t count;
    const struct match **matches = matches_of(m, m->agent_matches, a->meta.name, &count);
    agent_record(a->meta.name, a->status.active_submission, a->status.rating.matches, matches, count, now,
                 &entry->record);
    free(matches);
  }
  const struct match **matches = matches_of(m, m->environment_matches, v.self->environment, &v.match_count);
  v.agents = agents;
  v.matches = matches;
  matchmaking_decide(&v, now, ret);
  free(agents);
  free(matches);
}
