#include "plan.h"

#include <string.h>

#include "base/memory.h"

const struct kube_kind KIND_AGENT = {ARENA_GROUP, ARENA_VERSION, "agents", "Agent", false};
const struct kube_kind KIND_SUBMISSION = {ARENA_GROUP, ARENA_VERSION, "submissions", "Submission", false};
const struct kube_kind KIND_MATCH = {ARENA_GROUP, ARENA_VERSION, "matches", "Match", false};
const struct kube_kind KIND_QUEUE = {ARENA_GROUP, ARENA_VERSION, "matchmakingqueues", "MatchmakingQueue", false};
const struct kube_kind KIND_JOB = {"batch", "v1", "jobs", "Job", true};
const struct kube_kind KIND_POD = {"", "v1", "pods", "Pod", true};
const struct kube_kind KIND_CONFIG_MAP = {"", "v1", "configmaps", "ConfigMap", false};

static void action_done(struct action *a) {
  free(a->name);
  free(a->uid);
  json_put(&a->body);
  free(a->container);
  free(a->bytes);
  free(a->reason);
  free(a->message);
}

void plan_done(struct plan *p) {
  for (unsigned i = 0; i < p->count; i++) action_done(&p->actions[i]);
  free(p->actions);
  *p = (struct plan){0};
}

static struct action *plan_add(struct plan *p, enum action_type type, const struct kube_kind *kind, const char *name) {
  p->actions = mem_grow(p->actions, p->count + 1, sizeof(*p->actions));
  struct action *a = &p->actions[p->count++];
  *a = (struct action){.type = type, .kind = kind, .name = mem_strdup(name)};
  return a;
}

void plan_append(struct plan *p, struct plan *take) {
  if (take->count > 0) {
    p->actions = mem_grow(p->actions, p->count + take->count, sizeof(*p->actions));
    memcpy(p->actions + p->count, take->actions, take->count * sizeof(*take->actions));
    p->count += take->count;
  }
  if (take->again > 0) plan_again(p, take->again);
  free(take->actions);
  *take = (struct plan){0};
}

void plan_again(struct plan *p, msec delay) {
  if (delay <= 0) delay = 1;
  if (p->again == 0 || delay < p->again) p->again = delay;
}

void plan_create(struct plan *p, const struct kube_kind *kind, json *take_body) {
  const char *name = json_text(json_at(take_body, "metadata", NULL), "name");
  plan_add(p, ACTION_CREATE, kind, name)->body = take_body;
}

void plan_delete(struct plan *p, const struct kube_kind *kind, const struct meta *object) {
  plan_add(p, ACTION_DELETE, kind, object->name)->uid = mem_strdup(object->uid);
}

void plan_patch_status(struct plan *p, const struct kube_kind *kind, const struct meta *object, json *take_patch) {
  if (take_patch == NULL) return;
  struct action *a = plan_add(p, ACTION_PATCH_STATUS, kind, object->name);
  a->body = take_patch;
  a->version = object->version;
}

void plan_create_source(struct plan *p, const struct submission *s) {
  plan_add(p, ACTION_CREATE_SOURCE, &KIND_SUBMISSION, s->meta.name)->uid = mem_strdup(s->meta.uid);
}

void plan_read_log(struct plan *p, const char *pod_name, const char *pod_uid, const char *container) {
  struct action *a = plan_add(p, ACTION_READ_LOG, &KIND_POD, pod_name);
  a->uid = mem_strdup(pod_uid);
  a->container = mem_strdup(container);
}

void plan_run_match(struct plan *p, const struct match *m, int32_t attempt, uint8_t *take_bytes, size_t length,
                    msec deadline) {
  struct action *a = plan_add(p, ACTION_RUN_MATCH, &KIND_MATCH, m->meta.name);
  a->uid = mem_strdup(m->meta.uid);
  a->attempt = attempt;
  a->bytes = take_bytes;
  a->length = length;
  a->deadline = deadline;
}

void plan_cancel_match(struct plan *p, const struct match *m) {
  plan_add(p, ACTION_CANCEL_MATCH, &KIND_MATCH, m->meta.name)->uid = mem_strdup(m->meta.uid);
}

static bool is_among(const char *reason, const char *const *reasons, size_t count) {
  for (size_t i = 0; i < count; i++) {
    if (text_equal(reason, reasons[i])) return true;
  }
  return false;
}

// What every match goes through, and every agent with it. Conditions tell it; as Events it would be more writes than
// the match itself takes, and nobody would find the others among them.
static bool is_routine(const struct condition *c) {
  static const char *const reasons[] = {"Waiting", "Playing", "PodsStarting", "PodsReady", "Running",  "Preparing",
                                        "Played",  "Rating",  "Rated",        "Unrated",   "TimedOut", "Completed"};
  return is_among(c->reason, reasons, array_size(reasons));
}

// Waiting and retrying are normal; these words say that something went wrong for good or that a
// person should look. Of what is no routine.
static bool is_warning(const struct condition *c) {
  static const char *const normal_when_false[] = {"Pending",   "InProgress",    "NoSubmission",   "Idle",
                                                  "AgentBusy", "AgentNotReady", "NotEnabled",     "Paused",
                                                  "Once",      "Cooldown",      "AgentSuspended", "AgentNotFound"};
  if (text_equal(c->type, "Failed")) return c->status == CONDITION_TRUE;
  return c->status == CONDITION_FALSE && !is_among(c->reason, normal_when_false, array_size(normal_when_false));
}

void plan_events(struct plan *p, const struct kube_kind *kind, const struct meta *object,
                 const struct conditions *before, const struct conditions *after) {
  for (unsigned i = 0; i < after->count; i++) {
    const struct condition *c = &after->items[i];
    if (text_equal(c->type, "Reconciling") || text_equal(c->type, "Stalled")) continue;
    const struct condition *old = condition_find(before, c->type);
    if (old != NULL && old->status == c->status && text_equal(old->reason, c->reason)) continue;
    // A condition that begins as Unknown says nothing that its object's creation did not.
    if (old == NULL && c->status == CONDITION_UNKNOWN) continue;
    if (is_routine(c)) continue;
    struct action *a = plan_add(p, ACTION_EVENT, kind, object->name);
    a->uid = mem_strdup(object->uid);
    a->warning = is_warning(c);
    a->reason = mem_strdup(c->reason);
    a->message = mem_strdup(c->message);
  }
}
