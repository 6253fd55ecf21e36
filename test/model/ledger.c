// What was ever written, as the rules see it: which records were made, which numbers given, how often
// a Job was begun. Every write is held against it.
#include "ledger.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "arena/rating.h"
#include "base/memory.h"

#include "hash.h"
#include "model.h"

struct ledger *ledger;

void ledger_new(void) {
  ledger = model->ledger = mem_alloc(sizeof(*ledger));
}

static json *status_of(const struct object *o) {
  return json_get(o->body, "status");
}

static bool has_condition(const struct object *o, const char *type, const char *status) {
  json *list = json_get(status_of(o), "conditions");
  for (size_t i = 0; i < json_length(list); i++) {
    json *c = json_item(list, i);
    if (text_equal(json_text(c, "type"), type)) return text_equal(json_text(c, "status"), status);
  }
  return false;
}

bool object_is_finished_match(const struct object *o) {
  return has_condition(o, "Complete", "True") || has_condition(o, "Failed", "True");
}

// ---- records and ratings -------------------------------------------------------------------------

struct record *ledger_record(const char *agent, int number) {
  for (unsigned i = 0; i < ledger->record_count; i++) {
    struct record *r = &ledger->records[i];
    if (!r->voided && r->number == number && text_equal(r->agent, agent)) return r;
  }
  return NULL;
}

static enum outcome outcome_of(json *participant) {
  static const enum outcome all[] = {OUTCOME_WIN, OUTCOME_LOSS, OUTCOME_DRAW, OUTCOME_FORFEIT};
  for (size_t i = 0; i < array_size(all); i++) {
    if (text_equal(outcome_text(all[i]), json_text(participant, "outcome"))) return all[i];
  }
  return OUTCOME_NONE;
}

// The rating of an agent after its first `count` records, replayed.
struct rating ledger_replay(const char *agent, int count) {
  struct rating now = rating_or_initial(&(struct rating){0}, ELO_INITIAL);
  for (int number = 1; number <= count; number++) {
    const struct record *r = ledger_record(agent, number);
    if (r == NULL) return (struct rating){.elo = -1};
    now = rating_record(&now, r->after, r->outcome);
  }
  return now;
}

static void add_record(const struct object *match, json *participant) {
  const char *agent = json_text(participant, "agentUID");
  const int number = (int)json_int(participant, "matchNumber", 0);
  struct record *taken = ledger_record(agent, number);
  if (taken != NULL && taken->orphaned && !taken->applied)
    taken->voided = true;  // a match that was deleted before this agent was rated takes its record along
  else if (taken != NULL)
    model_violate("match %s gives agent %s the number %d a second time", match->name, agent, number);
  assert(ledger->record_count < RECORDS_MAX);
  ledger->records[ledger->record_count++] = (struct record){.match = mem_strdup(object_uid(match)),
                                                            .agent = mem_strdup(agent),
                                                            .number = number,
                                                            .before = (int)json_int(participant, "eloBefore", -1),
                                                            .after = (int)json_int(participant, "eloAfter", -1),
                                                            .outcome = outcome_of(participant)};
}

// Each record goes on where the agent's last one ended, by the formula.
static void check_record(const struct object *match, json *own, json *other) {
  const char *agent = json_text(own, "agentUID");
  const int number = (int)json_int(own, "matchNumber", 0);
  const struct record *r = ledger_record(agent, number);
  if (r == NULL) return;
  const int expected = number == 1                        ? ELO_INITIAL
                       : ledger_record(agent, number - 1) ? ledger_record(agent, number - 1)->after
                                                          : -1;
  if (r->before != expected)
    model_violate("match %s starts agent %s at %d, its number %d begins at %d", match->name, agent, r->before, number,
                  expected);
  const double score = r->outcome == OUTCOME_WIN ? 1 : r->outcome == OUTCOME_DRAW ? 0.5 : 0;
  const int after = rating_next(r->before, (int)json_int(other, "eloBefore", -1), score, number - 1);
  if (r->after != after)
    model_violate("match %s takes agent %s from %d to %d instead of %d", match->name, agent, r->before, r->after,
                  after);
}

static void match_written(const struct object *before, const struct object *after) {
  json *old = status_of(before), *new = status_of(after);
  if (object_is_finished_match(before) && hash_json(old) != hash_json(new))
    model_violate("match %s was finished and changed again", after->name);
  const int attempt = (int)json_int(new, "attempt", 0), former = (int)json_int(old, "attempt", 0);
  if (attempt < former || attempt > former + 1 || attempt > 3)
    model_violate("match %s went from attempt %d to %d", after->name, former, attempt);
  json *seats = json_get(new, "participants"), *earlier = json_get(old, "participants");
  for (size_t i = 0; i < json_length(seats); i++) {
    json *seat = json_item(seats, i), *was = json_item(earlier, i);
    static const char *const fixed[] = {"agentUID", "submission", "image"};
    for (size_t k = 0; was != NULL && k < array_size(fixed); k++) {
      if (!text_equal(json_text(was, fixed[k]), json_text(seat, fixed[k])))
        model_violate("match %s changed %s of seat %zu", after->name, fixed[k], i);
    }
    if (json_int(was, "matchNumber", 0) > 0) {
      if (hash_json(was) != hash_json(seat)) model_violate("match %s changed its record", after->name);
    } else if (json_int(seat, "matchNumber", 0) > 0) {
      add_record(after, seat);
    }
  }
  if (json_length(seats) != PARTICIPANTS_MAX || json_int(json_item(earlier, 0), "matchNumber", 0) > 0) return;
  for (size_t i = 0; i < PARTICIPANTS_MAX; i++) {
    json *seat = json_item(seats, i);
    if (json_int(seat, "matchNumber", 0) > 0) check_record(after, seat, json_item(seats, 1 - i));
  }
}

// ---- agents --------------------------------------------------------------------------------------

static void agent_written(const struct object *before, const struct object *after) {
  json *old = json_get(status_of(before), "rating"), *new = json_get(status_of(after), "rating");
  const int was = (int)json_int(old, "matches", 0), is = (int)json_int(new, "matches", 0);
  const int latest = (int)json_int(status_of(after), "latestVersion", 0);
  if (latest < json_int(status_of(before), "latestVersion", 0))
    model_violate("agent %s went back to version %d", after->name, latest);
  if (hash_json(old) == hash_json(new)) return;
  if (is == 0 && was == 0) return;  // the first write names every field
  if (is != was + 1) model_violate("agent %s went from %d rated matches to %d", after->name, was, is);
  struct record *applied = ledger_record(object_uid(after), is);
  if (applied != NULL) applied->applied = true;
  const struct rating r = ledger_replay(object_uid(after), is);
  const bool same = r.elo == json_int(new, "elo", -2) && r.wins == json_int(new, "wins", 0) &&
                    r.losses == json_int(new, "losses", 0) && r.draws == json_int(new, "draws", 0) &&
                    r.peak == json_int(new, "peak", 0);
  if (!same)
    model_violate("agent %s is rated %d, its %d records say %d", after->name, (int)json_int(new, "elo", -2), is, r.elo);
}

// ---- submissions ---------------------------------------------------------------------------------

static void give_version(const struct object *s, int version) {
  const struct object *agent = object_find("Agent", json_text(json_get(s->body, "spec"), "agent"));
  const char *uid = agent ? object_uid(agent) : "";
  for (unsigned i = 0; i < ledger->version_count; i++) {
    const struct version *v = &ledger->versions[i];
    if (v->number == version && text_equal(v->agent, uid))
      model_violate("submission %s gets version %d, which was given before", s->name, version);
  }
  assert(ledger->version_count < RECORDS_MAX);
  ledger->versions[ledger->version_count++] =
      (struct version){.number = version, .agent = mem_strdup(uid), .submission = mem_strdup(object_uid(s))};
}

static void attempts_written(const struct object *s, json *before, json *after, const char *field, size_t most) {
  json *old = json_get(before, field), *new = json_get(after, field);
  if (json_length(new) > most) model_violate("submission %s has %zu %s", s->name, json_length(new), field);
  if (json_length(new) < json_length(old)) model_violate("submission %s lost %s", s->name, field);
  for (size_t i = 0; i < json_length(old); i++) {
    json *was = json_item(old, i);
    if (json_text(was, "finishedAt") != NULL && hash_json(was) != hash_json(json_item(new, i)))
      model_violate("submission %s changed %s %zu, which had ended", s->name, field, i + 1);
  }
}

static void submission_written(const struct object *before, const struct object *after) {
  json *old = status_of(before), *new = status_of(after);
  const int was = (int)json_int(old, "version", 0), is = (int)json_int(new, "version", 0);
  if (was > 0 && was != is) model_violate("submission %s went from version %d to %d", after->name, was, is);
  if (was == 0 && is > 0) give_version(after, is);
  const size_t most = (size_t)json_int(json_at(after->body, "spec", "build", NULL), "maxRetries", 3) + 1;
  attempts_written(after, old, new, "attempts", most);
  attempts_written(after, old, new, "scanAttempts", 4);
  static const char *const stages[] = {"Fetched", "Built", "Scanned"};
  for (size_t i = 0; i < array_size(stages); i++) {
    if (has_condition(before, stages[i], "False") && !has_condition(after, stages[i], "False"))
      model_violate("submission %s had failed (%s) and goes on", after->name, stages[i]);
    // A later attempt fetches anew, and may be refused.
    if (i > 0 && has_condition(before, stages[i], "True") && !has_condition(after, stages[i], "True"))
      model_violate("submission %s takes back %s", after->name, stages[i]);
  }
}

// ---- all -----------------------------------------------------------------------------------------

void ledger_created(const struct object *o) {
  const bool child = text_equal(o->kind, "Pod") || text_equal(o->kind, "Job") || text_equal(o->kind, "ConfigMap");
  if (child && object_owner_uid(o) == NULL) model_violate("%s %s belongs to nobody", o->kind, o->name);
  if (!text_equal(o->kind, "Job")) return;
  struct begun *b = NULL;
  for (unsigned i = 0; i < ledger->begun_count; i++) {
    if (text_equal(ledger->begun[i].job, o->name) && text_equal(ledger->begun[i].owner, object_owner_uid(o)))
      b = &ledger->begun[i];
  }
  if (b == NULL) {
    assert(ledger->begun_count < RECORDS_MAX);
    b = &ledger->begun[ledger->begun_count++];
    *b = (struct begun){.job = mem_strdup(o->name), .owner = mem_strdup(object_owner_uid(o))};
  }
  // Somebody who deletes a Job gets the same attempt again; nothing else makes a second one.
  if (++b->times > 1 + model->used[FAULT_JOB_DELETED]) model_violate("job %s was begun %u times", o->name, b->times);
}

void ledger_written(const struct object *before, const struct object *after) {
  if (text_equal(after->kind, "Match")) match_written(before, after);
  if (text_equal(after->kind, "Agent")) agent_written(before, after);
  if (text_equal(after->kind, "Submission")) submission_written(before, after);
}

void ledger_deleted(const struct object *o) {
  for (unsigned i = 0; text_equal(o->kind, "Match") && i < ledger->record_count; i++) {
    if (text_equal(ledger->records[i].match, object_uid(o))) ledger->records[i].orphaned = true;
  }
}

uint64_t ledger_hash(void) {
  uint64_t sum = 0;
  for (unsigned i = 0; i < ledger->record_count; i++) {
    const struct record *r = &ledger->records[i];
    uint64_t h = hash_mix(hash_text(r->match), hash_text(r->agent));
    h = hash_mix(h, (uint64_t)r->number);
    h = hash_mix(h, (uint64_t)r->before << 32 | (uint32_t)r->after);
    sum += hash_mix(h, (uint64_t)r->outcome << 3 | (uint64_t)(r->voided << 2 | r->applied << 1 | r->orphaned));
  }
  for (unsigned i = 0; i < ledger->version_count; i++) {
    const struct version *v = &ledger->versions[i];
    sum += hash_mix(hash_mix(hash_text(v->agent), hash_text(v->submission)), (uint64_t)v->number);
  }
  for (unsigned i = 0; i < ledger->begun_count; i++) {
    const struct begun *b = &ledger->begun[i];
    sum += hash_mix(hash_mix(hash_text(b->job), hash_text(b->owner)), b->times);
  }
  return sum;
}
