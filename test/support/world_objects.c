#include "world_objects.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

void world_json_free(void *value) {
  json *j = value;
  json_put(&j);
}

json *world_parse(const char *text) {
  cleanup_free char *copy = mem_strdup(text);
  for (char *p = copy; *p; p++) {
    if (*p == '\'') *p = '"';
  }
  struct error e;
  json *ret = json_parse(copy, strlen(copy), &e);
  if (ret == NULL) {
    fprintf(stderr, "world: %s in %s\n", e.text, copy);
    abort();
  }
  return ret;
}

const struct kube_kind *world_kind(const char *kind) {
  static const struct kube_kind *const kinds[] = {&KIND_AGENT, &KIND_SUBMISSION, &KIND_MATCH,     &KIND_QUEUE,
                                                  &KIND_JOB,   &KIND_POD,        &KIND_CONFIG_MAP};
  for (size_t i = 0; i < array_size(kinds); i++) {
    if (text_equal(kinds[i]->kind, kind)) return kinds[i];
  }
  return NULL;
}

void world_merge(json *target, json *patch) {
  json_object_object_foreach(patch, key, value) {
    if (value == NULL) {
      json_object_object_del(target, key);
    } else if (json_object_is_type(value, json_type_object)) {
      json *inner = json_get(target, key);
      if (!json_object_is_type(inner, json_type_object)) inner = json_add_object(target, key);
      world_merge(inner, value);
    } else if (!text_equal(key, "resourceVersion")) {
      json_add(target, key, json_object_get(value));
    }
  }
}

json *world_complete(json *take) {
  json *meta = json_get(take, "metadata");
  assert(meta != NULL && json_text(meta, "name") != NULL);
  if (json_text(take, "apiVersion") == NULL) json_add_text(take, "apiVersion", ARENA_API_VERSION);
  return take;
}

void world_fill_result(struct world *w, struct world_call *c) {
  const struct match *m = manager_match(&w->m, c->match);
  assert(m != NULL);
  struct wire_result *ret = &c->result;
  *ret = (struct wire_result){.match_id = mem_strdup(c->uid),
                              .status = w->game.status,
                              .agent_count = m->participant_count,
                              .steps = 9,
                              .milliseconds = 120,
                              .seed = m->status.seed,
                              .attempt = c->attempt,
                              .environment_version = mem_strdup("1"),
                              .replay_url = mem_strdup("http://executor/replays/x.json.gz"),
                              .replay_sha256 = mem_strdup("00")};
  for (unsigned i = 0; i < m->participant_count; i++) {
    const struct participant_status *p = &m->status.participants[i];
    ret->agents[i].id = mem_strdup(p->agent_uid);
    ret->agents[i].failure = w->game.failure[i];
    ret->agents[i].score = text_equal(p->agent, w->game.winner) ? 1 : 0;
    if (w->game.failure[i] != WIRE_FAILURE_NONE) ret->agents[i].error_message = mem_strdup("its code raised");
    if (text_equal(p->agent, w->game.winner)) ret->winner_id = mem_strdup(p->agent_uid);
  }
}

// ---- what most tests begin with ------------------------------------------------------------------

void world_add_queue(struct world *w, const char *environment) {
  cleanup_free char *text = mem_printf(
      "{'kind':'MatchmakingQueue','metadata':{'name':'%s'},'spec':{'environment':{'name':'%s'},"
      "'intervalSeconds':30,'elo':{'initial':1500,'range':100,'step':100,'maxRange':500,'widenSeconds':30},"
      "'entryTTLSeconds':86400,'cooldownSeconds':300,'maxMatchesPerAgentPerDay':100,'maxConcurrentMatchesPerAgent':1,"
      "'allowSameOwner':false,'match':{'timeoutSeconds':300,'moveMilliseconds':1000,'bankMilliseconds':10000,"
      "'startupSeconds':30,'recordReplay':true,'ttlSecondsAfterFinished':604800},"
      "'scan':{'failOn':'CRITICAL','ignoreUnfixed':true}}}",
      environment, environment);
  world_apply(w, text);
}

void world_add_agent(struct world *w, const char *name, const char *owner, const char *environment) {
  cleanup_free char *agent = mem_printf(
      "{'kind':'Agent','metadata':{'name':'%s'},'spec':{'owner':'%s','environment':'%s',"
      "'matchmaking':{'enabled':true,'priority':5,'mode':'Continuous'}}}",
      name, owner, environment);
  world_apply(w, agent);
  cleanup_free char *submission = mem_printf(
      "{'kind':'Submission','metadata':{'name':'%s-v1'},'spec':{'agent':'%s','source':{'image':'r.test/%s:1'},"
      "'build':{'timeoutSeconds':900,'maxRetries':3}},"
      "'status':{'observedGeneration':1,'version':1,'image':'r.test/"
      "%s@sha256:11','conditions':[{'type':'Ready','status':'True',"
      "'reason':'Ready','message':'','lastTransitionTime':'2027-01-15T08:00:00Z'}]}}",
      name, name, name, name);
  world_apply(w, submission);
}

void world_add_match(struct world *w, const char *name, const char *environment, const char *a, const char *b) {
  cleanup_free char *text = mem_printf(
      "{'kind':'Match','metadata':{'name':'%s'},'spec':{'environment':'%s','participants':[{'agent':'%s'},{'agent':'%s'"
      "}],"
      "'rated':true,'timeoutSeconds':300,'recordReplay':true}}",
      name, environment, a, b);
  world_apply(w, text);
}

// ---- looking -----------------------------------------------------------------------------------

static json *at_path(struct world *w, const char *kind, const char *name, const char *path, char last[64]) {
  json *at = world_get(w, kind, name);
  cleanup_free char *copy = mem_strdup(path);
  char *save = NULL;
  const char *step = strtok_r(copy, ".", &save);
  for (const char *next; step != NULL; step = next) {
    next = strtok_r(NULL, ".", &save);
    if (next == NULL) {
      snprintf(last, 64, "%s", step);
      return at;
    }
    at = json_object_is_type(at, json_type_array) ? json_item(at, (size_t)atoi(step)) : json_get(at, step);
  }
  return NULL;
}

const char *world_text(struct world *w, const char *kind, const char *name, const char *path) {
  char last[64];
  return json_text(at_path(w, kind, name, path, last), last);
}

int64_t world_int(struct world *w, const char *kind, const char *name, const char *path) {
  char last[64];
  return json_int(at_path(w, kind, name, path, last), last, -1);
}

static json *condition_of(struct world *w, const char *kind, const char *name, const char *type) {
  json *list = json_get(json_get(world_get(w, kind, name), "status"), "conditions");
  for (size_t i = 0; i < json_length(list); i++) {
    json *c = json_item(list, i);
    if (text_equal(json_text(c, "type"), type)) return c;
  }
  return NULL;
}

const char *world_condition(struct world *w, const char *kind, const char *name, const char *type) {
  static char text[160];
  json *c = condition_of(w, kind, name, type);
  if (c == NULL) return "";
  snprintf(text, sizeof(text), "%s/%s", json_text(c, "status"), json_text(c, "reason"));
  return text;
}

const char *world_message(struct world *w, const char *kind, const char *name, const char *type) {
  const char *message = json_text(condition_of(w, kind, name, type), "message");
  return message ? message : "";
}
