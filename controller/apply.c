#include "apply.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "io/timer.h"

#include "submission.h"

enum {
  SEND_AGAIN_MS = 2000,  // at most between two tries of a write
  CHILD_TRIES = 12,      // about nine seconds
};

struct run {
  struct manager *m;
  struct plan plan;
  unsigned at;     // the action that is being carried out
  unsigned tries;  // of it that had no answer
  apply_done_fn *done;
  void *context;
  struct timer *later;
  // The resourceVersion that the last write of this plan left on an object, for a second write of it.
  char *patched_name;
  const struct kube_kind *patched_kind;
  uint64_t patched_version;
};

static void next_action(void *context);

static void run_finish(struct run *r, const struct error *e) {
  apply_done_fn *done = r->done;
  void *context = r->context;
  struct error copy = e ? *e : (struct error){0};
  timer_free(r->later);
  plan_done(&r->plan);
  free(r->patched_name);
  free(r);
  done(context, e ? &copy : NULL);
}

static void action_succeeded(struct run *r) {
  r->at++;
  r->tries = 0;
  next_action(r);
}

// What is made for another object, under a name that follows from it, and what is deleted by its uid: decided once
// more, by caches that may be behind, it comes to the same.
static bool is_same_again(const struct action *a) {
  return a->type == ACTION_DELETE ||
         (a->type == ACTION_CREATE && json_length(json_get(json_at(a->body, "metadata", NULL), "ownerReferences")) > 0);
}

// Whether the write may have been done although its answer did not come. Once it may have been, an answer that asks to
// come later says nothing of it either.
static bool is_unknown(const struct run *r, const struct error *e) {
  const struct action *a = &r->plan.actions[r->at];
  const bool writes = a->type == ACTION_CREATE || a->type == ACTION_DELETE || a->type == ACTION_PATCH_STATUS;
  // A webhook that always fails would hold the plan, its agents and a place in the queue for as long as it does.
  if (!writes || (r->tries >= CHILD_TRIES && is_same_again(a))) return false;
  return e->code == ERR_UNAVAILABLE || e->code == ERR_TIMEOUT || e->code == ERR_INTERNAL ||
         (e->code == ERR_BUSY && r->tries > 0);
}

// Until it is known nothing else may be decided about the plan's agents: the caches may be behind the write,
// and would show a match that is recorded as one that is not. So the plan, and with it the claims, goes on:
// the write is sent again, which its guard (resourceVersion, name or uid) makes harmless.
static void send_again(struct run *r, const struct error *e) {
  const struct action *a = &r->plan.actions[r->at];
  log_warn("write without an answer, sent again", "kind", a->kind->kind, "name", a->name, "error", e->text);
  const msec patience = workqueue_backoff(++r->tries);
  const msec delay = patience < SEND_AGAIN_MS ? patience : SEND_AGAIN_MS;
  timer_set(r->later, delay > e->retry_after_ms ? delay : e->retry_after_ms);
}

static void action_failed(struct run *r, const struct error *e) {
  const struct action *a = &r->plan.actions[r->at];
  if (r->m->acting && is_unknown(r, e)) {
    send_again(r, e);
    return;
  }
  struct error with_context = *e;
  error_prefix(&with_context, "%s %s", a->kind->kind, a->name ? a->name : "");
  run_finish(r, &with_context);
}

static const char *namespace_of(const struct run *r) {
  return r->m->settings->namespace;
}

static void request(struct run *r, const struct kube_request *q, kube_done_fn *done) {
  struct kube_request with_namespace = *q;
  with_namespace.namespace = namespace_of(r);
  kube_call_start(r->m->client, &with_namespace, done, r);
}

// Shows the answer to an own write to the cache that holds its kind.
static void observe(struct run *r, const struct kube_kind *kind, json *object) {
  struct cache *c = object ? manager_cache_of(r->m, kind, object) : NULL;
  if (c != NULL) cache_observe(c, object);
}

// ---- create ------------------------------------------------------------------------------------

// An object of that name is there already. It is what we wanted when the same owner made it; without
// an owner (a Match of the matchmaker), when the same maker did.
static bool is_ours(json *wanted, json *found) {
  json *wanted_owner = json_item(json_get(json_at(wanted, "metadata", NULL), "ownerReferences"), 0);
  json *found_owner = json_item(json_get(json_at(found, "metadata", NULL), "ownerReferences"), 0);
  if (wanted_owner != NULL) return text_equal(json_text(wanted_owner, "uid"), json_text(found_owner, "uid"));
  const char *key = "rl-arena.io/made-by";
  const char *maker = json_text(json_at(wanted, "metadata", "labels", NULL), key);
  return maker != NULL && text_equal(maker, json_text(json_at(found, "metadata", "labels", NULL), key));
}

// Whoever waits for it reads it where they look: at the object that wanted the name.
static void tell_owner(struct run *r, const struct action *a, const struct error *e) {
  json *owner = json_item(json_get(json_at(a->body, "metadata", NULL), "ownerReferences"), 0);
  for (unsigned i = 0; i < RECONCILER_COUNT; i++) {
    const struct kube_kind *kind = RECONCILERS[i].kind;
    if (!text_equal(kind->kind, json_text(owner, "kind"))) continue;
    cleanup_free char *text = mem_printf("%s %s %s.", a->kind->kind, a->name, e->text);
    cleanup_free char *name = json_text_copy(owner, "name"), *uid = json_text_copy(owner, "uid");
    const struct meta meta = {.namespace = (char *)(uintptr_t)namespace_of(r), .name = name, .uid = uid};
    event_recorder_emit(r->m->events, kind, &meta, true, "NameTaken", text);
  }
}

static void existing_read(void *context, const struct kube_answer *answer, const struct error *e) {
  struct run *r = context;
  const struct action *a = &r->plan.actions[r->at];
  struct error own = {0};
  if (e != NULL && e->code == ERR_NOT_FOUND) {
    // Gone just now, an earlier owner's. Not found would end the plan as if our own object were gone, and
    // of what no cache holds nobody would tell that its name is free.
    error_set(&own, ERR_CONFLICT, "an earlier one of this name was deleted meanwhile");
    action_failed(r, &own);
    return;
  }
  if (e != NULL) {
    action_failed(r, e);
    return;
  }
  if (json_text(json_at(answer->object, "metadata", NULL), "deletionTimestamp") != NULL) {
    error_set(&own, ERR_CONFLICT, "an earlier one of this name is still being deleted");
    action_failed(r, &own);
  } else if (!is_ours(a->body, answer->object)) {
    error_set(&own, ERR_EXISTS, "exists already and belongs to somebody else: delete or rename it");
    tell_owner(r, a, &own);
    action_failed(r, &own);
  } else {
    observe(r, a->kind, answer->object);
    action_succeeded(r);
  }
}

static void created(void *context, const struct kube_answer *answer, const struct error *e) {
  struct run *r = context;
  const struct action *a = &r->plan.actions[r->at];
  if (e == NULL) {
    observe(r, a->kind, answer->object);
    action_succeeded(r);
  } else if (e->code == ERR_EXISTS) {
    request(r, &(struct kube_request){.method = "GET", .kind = a->kind, .name = a->name}, existing_read);
  } else {
    action_failed(r, e);
  }
}

static void create(struct run *r, const struct action *a) {
  request(r, &(struct kube_request){.method = "POST", .kind = a->kind, .body = a->body}, created);
}

// An inline source: the files are not kept in the cache, so the Submission is read for them.
static void source_read(void *context, const struct kube_answer *answer, const struct error *e) {
  struct run *r = context;
  struct action *a = &r->plan.actions[r->at];
  struct error own = {0};
  if (e != NULL) {
    action_failed(r, e);
    return;
  }
  const struct submission *s = manager_submission(r->m, a->name);
  if (s == NULL || !text_equal(s->meta.uid, a->uid)) {
    error_set(&own, ERR_NOT_FOUND, "was deleted");
    action_failed(r, &own);
    return;
  }
  a->body = submission_source(answer->object, s, &own);
  if (a->body == NULL) {
    action_failed(r, &own);
    return;
  }
  mem_replace(&a->name, json_text(json_at(a->body, "metadata", NULL), "name"));
  a->kind = &KIND_CONFIG_MAP;
  create(r, a);
}

// ---- delete ------------------------------------------------------------------------------------

static void deleted(void *context, const struct kube_answer *answer, const struct error *e) {
  struct run *r = context;
  const struct action *a = &r->plan.actions[r->at];
  struct cache *c = manager_cache_of(r->m, a->kind, NULL);
  // 409: the precondition failed, another object has taken the name, so ours is gone as well.
  const bool gone = e != NULL && (e->code == ERR_NOT_FOUND || e->code == ERR_CONFLICT);
  if (e != NULL && !gone) {
    action_failed(r, e);
    return;
  }
  const bool remains = e == NULL && json_text(json_at(answer->object, "metadata", NULL), "deletionTimestamp") != NULL;
  if (remains) {
    observe(r, a->kind, answer->object);
  } else if (c != NULL) {
    cache_observe_deleted(c, a->name, a->uid);
  }
  action_succeeded(r);
}

static void delete_object(struct run *r, const struct action *a) {
  cleanup_json json *options = json_new_object();
  json_add_text(options, "apiVersion", "v1");
  json_add_text(options, "kind", "DeleteOptions");
  json_add_text(options, "propagationPolicy", "Background");
  json_add_text(json_add_object(options, "preconditions"), "uid", a->uid);
  request(r, &(struct kube_request){.method = "DELETE", .kind = a->kind, .name = a->name, .body = options}, deleted);
}

// ---- status ------------------------------------------------------------------------------------

// A conflict may be with ourselves: the write was done and its answer lost, and it came a second time, by us, or by the
// HTTP library or a proxy on the way, which send again what had no answer. What is there is shown to the cache before
// anything else is decided about the plan's agents.
static void reread(void *context, const struct kube_answer *answer, const struct error *e) {
  struct run *r = context;
  if (e != NULL) {
    if (e->code == ERR_BUSY) r->tries++;  // it is not known yet what is there
    action_failed(r, e);
    return;
  }
  observe(r, r->plan.actions[r->at].kind, answer->object);
  struct error own = {0};
  error_set(&own, ERR_CONFLICT, "changed by somebody else, or by a try whose answer was lost");
  action_failed(r, &own);
}

static void patched(void *context, const struct kube_answer *answer, const struct error *e) {
  struct run *r = context;
  const struct action *a = &r->plan.actions[r->at];
  if (e != NULL && e->code == ERR_CONFLICT) {
    request(r, &(struct kube_request){.method = "GET", .kind = a->kind, .name = a->name}, reread);
    return;
  }
  if (e != NULL) {
    action_failed(r, e);
    return;
  }
  struct meta meta;
  if (meta_decode(answer->object, &meta, NULL) == ERR_NONE) {
    mem_replace(&r->patched_name, a->name);
    r->patched_kind = a->kind;
    r->patched_version = meta.version;
    meta_done(&meta);
  }
  observe(r, a->kind, answer->object);
  action_succeeded(r);
}

static void patch_status(struct run *r, const struct action *a) {
  const bool again = r->patched_kind == a->kind && text_equal(r->patched_name, a->name);
  char version[24];
  snprintf(version, sizeof(version), "%llu", (unsigned long long)(again ? r->patched_version : a->version));
  json *meta = json_get(a->body, "metadata");
  if (meta == NULL) meta = json_add_object(a->body, "metadata");
  json_add_text(meta, "resourceVersion", version);
  request(r,
          &(struct kube_request){.method = "PATCH",
                                 .kind = a->kind,
                                 .name = a->name,
                                 .subresource = "status",
                                 .content_type = "application/merge-patch+json",
                                 .body = a->body},
          patched);
}

// ---- logs --------------------------------------------------------------------------------------

enum { LOG_MAX = 256 * 1024 };

static void log_read(void *context, const struct kube_answer *answer, const struct error *e) {
  struct run *r = context;
  const struct action *a = &r->plan.actions[r->at];
  if (e != NULL && error_is_transient(e->code)) {
    action_failed(r, e);
    return;
  }
  // A log that can never be read is an empty one, so that the decision goes on.
  manager_keep_log(r->m, a->name, a->uid, a->container, e ? "" : answer->text);
  action_succeeded(r);
}

static void read_log(struct run *r, const struct action *a) {
  char query[256];
  snprintf(query, sizeof(query), "container=%s&tailLines=400&limitBytes=%d", a->container, LOG_MAX);
  request(r,
          &(struct kube_request){.method = "GET",
                                 .kind = a->kind,
                                 .name = a->name,
                                 .subresource = "log",
                                 .query = query,
                                 .max_response = LOG_MAX + 1,
                                 .text_answer = true},
          log_read);
}

// ---- in this process ---------------------------------------------------------------------------

static void emit(struct run *r, const struct action *a) {
  struct meta meta = {.namespace = (char *)(uintptr_t)namespace_of(r), .name = a->name, .uid = a->uid};
  event_recorder_emit(r->m->events, a->kind, &meta, a->warning, a->reason, a->message);
}

// A match that was deleted while its plan was under way is not played: the deletion, which ends a match's call,
// is behind us, and nothing would ever forget this one.
static void run_match(struct run *r, const struct action *a) {
  const struct match *match = manager_match(r->m, a->name);
  if (match == NULL || !text_equal(match->meta.uid, a->uid)) return;
  executor_run(r->m->executor, a->name, a->uid, a->attempt, a->bytes, a->length, a->deadline);
}

static const char *action_text(enum action_type t) {
  static const char *const texts[] = {"create",   "delete",    "patch-status", "create",
                                      "read-log", "run-match", "cancel-match", "event"};
  return texts[t];
}

static void next_action(void *context) {
  struct run *r = context;
  while (r->at < r->plan.count) {
    struct action *a = &r->plan.actions[r->at];
    // After a pause (SIGSTOP, a frozen machine) another replica may lead: nothing more is written then.
    if (r->m->lease != NULL && !lease_is_held(r->m->lease)) {
      struct error lost = {0};
      error_set(&lost, ERR_CANCELLED, "leadership was lost");
      action_failed(r, &lost);
      return;
    }
    char labels[64];
    snprintf(labels, sizeof(labels), "%s,%s", a->kind->kind, action_text(a->type));
    metric_add(r->m->actions_total, labels, 1);
    switch (a->type) {
      case ACTION_CREATE: create(r, a); return;
      case ACTION_DELETE: delete_object(r, a); return;
      case ACTION_PATCH_STATUS: patch_status(r, a); return;
      case ACTION_CREATE_SOURCE:
        request(r, &(struct kube_request){.method = "GET", .kind = a->kind, .name = a->name}, source_read);
        return;
      case ACTION_READ_LOG: read_log(r, a); return;
      case ACTION_RUN_MATCH: run_match(r, a); break;
      case ACTION_CANCEL_MATCH: executor_forget(r->m->executor, a->uid); break;
      case ACTION_EVENT: emit(r, a); break;
    }
    r->at++;
  }
  run_finish(r, NULL);
}

void apply_start(struct manager *m, struct plan *take, apply_done_fn *done, void *context) {
  struct run *r = mem_alloc(sizeof(*r));
  *r = (struct run){.m = m, .plan = *take, .done = done, .context = context};
  *take = (struct plan){0};
  // From the loop, so that `done` never comes while the caller is still at work.
  r->later = timer_new(m->loop, next_action, r);
  timer_set(r->later, 0);
}
