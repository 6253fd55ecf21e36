// What must hold in every state, and what must have come about when nothing is left to do.
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"

#include "ledger.h"
#include "model.h"
#include "store.h"

void model_violate(const char *format, ...) {
  if (model->violation[0]) return;
  va_list args;
  va_start(args, format);
  vsnprintf(model->violation, sizeof(model->violation), format, args);
  va_end(args);
}

static bool is_kind(const struct object *o, const char *kind) {
  return text_equal(o->kind, kind);
}

static int64_t status_int(const struct object *o, const char *key) {
  return json_int(json_get(o->body, "status"), key, 0);
}

static bool names_agent(const struct object *match, const char *agent) {
  json *seats = json_at(match->body, "spec", "participants", NULL);
  for (size_t i = 0; i < json_length(seats); i++) {
    if (text_equal(json_text(json_item(seats, i), "agent"), agent)) return true;
  }
  return false;
}

static const char *condition_of(const struct object *o, const char *type, const char *field) {
  json *list = json_at(o->body, "status", "conditions", NULL);
  for (size_t i = 0; i < json_length(list); i++) {
    if (text_equal(json_text(json_item(list, i), "type"), type)) return json_text(json_item(list, i), field);
  }
  return NULL;
}

// ---- always --------------------------------------------------------------------------------------

static void check_agent(const struct object *agent) {
  const char *uid = object_uid(agent);
  const int matches = (int)json_int(json_at(agent->body, "status", "rating", NULL), "matches", 0);
  unsigned records = 0;
  for (unsigned i = 0; i < ledger->record_count; i++) {
    const struct record *r = &ledger->records[i];
    if (r->voided || !text_equal(r->agent, uid)) continue;
    records += r->applied || !r->orphaned;
    if (r->number > matches + 1)
      model_violate("agent %s has %d rated matches and a record %d", agent->name, matches, r->number);
  }
  // All its records are in its rating, but for one that is on its way.
  if ((int)records < matches || (int)records > matches + 1)
    model_violate("agent %s has %d rated matches and %u records", agent->name, matches, records);
  int started = 0;
  for (unsigned i = 0; i < model->object_count; i++) {
    const struct object *o = &model->objects[i];
    if (!is_kind(o, "Match") || !names_agent(o, agent->name)) continue;
    started += status_int(o, "attempt") > 0 && !object_is_finished_match(o);
  }
  if (started > model->scenario->limit)
    model_violate("agent %s is in %d started matches, %d are allowed", agent->name, started, model->scenario->limit);
}

// Platform faults cost attempts, and nothing else does.
unsigned faults_costly(void) {
  static const enum fault costly[] = {FAULT_UNAVAILABLE, FAULT_EXECUTOR, FAULT_EVICTED, FAULT_POD_DELETED, FAULT_EARLY};
  unsigned faults = 0;
  for (size_t i = 0; i < array_size(costly); i++) faults += model->used[costly[i]];
  return faults;
}

static void check_match(const struct object *match) {
  const unsigned faults = faults_costly();
  const bool harmless = !(model->scenario->results & (BIT(RESULT_ERROR) | BIT(RESULT_DISCONNECT)));
  if (harmless && status_int(match, "attempt") > 1 + faults)
    model_violate("match %s is at attempt %d after %u faults", match->name, (int)status_int(match, "attempt"), faults);
}

static void check_controller(void) {
  if (model->m == NULL || model->flight_count > 0) return;
  if (map_count(model->m->claims) > 0)
    model_violate("no plan is under way and %zu agents are claimed", map_count(model->m->claims));
}

void check_state(void) {
  for (unsigned i = 0; i < model->object_count; i++) {
    const struct object *o = &model->objects[i];
    if (is_kind(o, "Agent")) check_agent(o);
    if (is_kind(o, "Match")) check_match(o);
  }
  check_controller();
}

// ---- in the end ----------------------------------------------------------------------------------

// A match may wait for ever only for what is really missing.
static bool waits_rightly(const struct object *match) {
  const char *reason = json_text(json_get(match->body, "status"), "reason");
  const char *environment = json_text(json_get(match->body, "spec"), "environment");
  if (text_equal(reason, "EnvironmentNotFound")) return object_find("MatchmakingQueue", environment) == NULL;
  if (!text_equal(reason, "AgentNotFound") && !text_equal(reason, "AgentNotReady")) return false;
  json *seats = json_at(match->body, "spec", "participants", NULL);
  for (size_t i = 0; i < json_length(seats); i++) {
    const struct object *a = object_find("Agent", json_text(json_item(seats, i), "agent"));
    if (a == NULL || json_text(json_get(a->body, "status"), "activeSubmission") == NULL) return true;
  }
  return false;
}

static void settle_match(const struct object *match) {
  if (!object_is_finished_match(match)) {
    if (!waits_rightly(match))
      model_violate("match %s never ends: %s %s", match->name, json_text(json_get(match->body, "status"), "phase"),
                    json_text(json_get(match->body, "status"), "reason"));
    return;
  }
  json *seats = json_at(match->body, "status", "participants", NULL);
  for (size_t i = 0; i < json_length(seats); i++) {
    json *seat = json_item(seats, i);
    const struct object *agent = object_of_uid(json_text(seat, "agentUID"));
    const int number = (int)json_int(seat, "matchNumber", 0);
    if (agent == NULL) continue;
    if (json_int(json_at(agent->body, "status", "rating", NULL), "matches", 0) < number)
      model_violate("match %s is over, agent %s was not rated for it", match->name, agent->name);
  }
}

// Both agents of a match are rated for it, or none is. Only who deletes a match while the controller is dead
// between the two writes leaves it half rated: nothing tells of it any more.
static void settle_records(void) {
  if (model->used[FAULT_CRASH] > 0 && model->used[FAULT_USER] > 0) return;
  for (unsigned i = 0; i < ledger->record_count; i++) {
    for (unsigned k = 0; k < i; k++) {
      const struct record *a = &ledger->records[i], *b = &ledger->records[k];
      if (!text_equal(a->match, b->match) || a->applied == b->applied) continue;
      if (object_of_uid(a->agent) != NULL && object_of_uid(b->agent) != NULL)
        model_violate("match %s is rated for one of its agents only", a->match);
    }
  }
}

// The table of calls is empty: nothing in it outlives its match.
static void settle_calls(void) {
  char uid[UID_SIZE];
  for (unsigned i = 0; match_uid(i, uid); i++) {
    struct call_view call;
    executor_look(model->m->executor, uid, &call);
    if (call.state != CALL_NONE) model_violate("the call of match %s is kept for ever", uid);
  }
}

static void settle_agent(const struct object *agent) {
  const char *state = json_text(json_at(agent->body, "status", "queue", NULL), "state");
  unsigned playing = 0;
  for (unsigned i = 0; i < model->object_count; i++) {
    const struct object *o = &model->objects[i];
    playing += is_kind(o, "Match") && names_agent(o, agent->name) && status_int(o, "attempt") > 0 &&
               !object_is_finished_match(o);
  }
  if (text_equal(state, "Playing") && playing == 0) model_violate("agent %s plays for ever in no match", agent->name);
  const bool able = text_equal(condition_of(agent, "Ready", "status"), "True");
  if (able && (text_equal(state, "Idle") || state == NULL))
    model_violate("agent %s is Ready and not in the queue (%s)", agent->name, state ? state : "nothing");
}

static void settle_submission(const struct object *s) {
  const char *phase = json_text(json_get(s->body, "status"), "phase");
  const char *reason = condition_of(s, "Ready", "reason");
  const char *agent = json_text(json_get(s->body, "spec"), "agent");
  const bool over = text_equal(phase, "Ready") || text_equal(phase, "Failed") || text_equal(phase, "Rejected");
  if (over) return;
  if (text_equal(reason, "AgentNotFound") && object_find("Agent", agent) == NULL) return;
  if (text_equal(reason, "EnvironmentNotFound") && object_find("MatchmakingQueue", "pong") == NULL) return;
  model_violate("submission %s never ends: %s %s", s->name, phase ? phase : "", reason ? reason : "");
}

static void settle_child(const struct object *o) {
  const struct object *owner = object_of_uid(object_owner_uid(o));
  if (owner == NULL) model_violate("%s %s is left behind by nobody", o->kind, o->name);
  if (owner != NULL && is_kind(owner, "Match"))
    model_violate("pod %s is left behind by match %s", o->name, owner->name);
}

// What the caches hold is what there is.
static void settle_cache(enum cache_id id) {
  size_t count = 0;
  for (unsigned i = 0; i < model->object_count; i++) {
    const struct object *o = &model->objects[i];
    if (o->cache != id) continue;
    count++;
    const struct meta *known = store_get(feed_store(id), o->name);
    if (known == NULL || known->version != o->version) model_violate("the cache has an old %s %s", o->kind, o->name);
  }
  if (count != store_count(feed_store(id))) model_violate("the cache %d has what is gone", (int)id);
  if (store_tombstones(feed_store(id)) > 0) model_violate("the cache %d keeps tombstones", (int)id);
}

bool check_settled(void) {
  for (unsigned i = 0; i < model->object_count; i++) {
    const struct object *o = &model->objects[i];
    if (is_kind(o, "Match") && model->scenario->looks[RECONCILE_MATCH]) settle_match(o);
    if (is_kind(o, "Agent") && model->scenario->looks[RECONCILE_AGENT]) settle_agent(o);
    if (is_kind(o, "Submission") && model->scenario->looks[RECONCILE_SUBMISSION]) settle_submission(o);
    if (object_owner_uid(o) != NULL) settle_child(o);
  }
  for (unsigned i = 0; i < CACHE_COUNT; i++) settle_cache((enum cache_id)i);
  settle_calls();
  settle_records();
  return !model->violation[0];
}
