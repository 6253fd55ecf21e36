// The executor behind the real call table: idempotent by match and attempt, as proto/executor.proto says.
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "io/grpc.h"

#include "executor.pb-c.h"
#include "model.h"

static struct game *game_of(const char *match) {
  for (unsigned i = 0; i < model->game_count; i++) {
    if (text_equal(model->games[i].match, match)) return &model->games[i];
  }
  return NULL;
}

struct grpc_call *game_caller(const struct game *g) {
  for (unsigned i = 0; i < model->asked_count; i++) {
    if (text_equal(model->asked[i]->match, g->match)) return model->asked[i];
  }
  return NULL;
}

static void forget_caller(struct grpc_call *c) {
  unsigned i = 0;
  while (model->asked[i] != c) i++;
  model->asked_count--;
  memmove(&model->asked[i], &model->asked[i + 1], (model->asked_count - i) * sizeof(struct grpc_call *));
}

static void caller_free(struct grpc_call *c) {
  free(c->match);
  free(c);
}

static void game_forget(struct game *g) {
  free(g->match);
  for (unsigned i = 0; i < PARTICIPANTS_MAX; i++) free(g->agents[i]);
  const size_t at = (size_t)(g - model->games);
  model->game_count--;
  memmove(g, g + 1, (model->game_count - at) * sizeof(*g));
}

// Who plays is who was asked for: the Pods are this match's own.
static void check_pods(const Executor__MatchRequest *r) {
  const struct object *match = object_of_uid(r->match_id);
  for (unsigned i = 0; match != NULL && i < r->n_agents; i++) {
    cleanup_free char *name = mem_printf("%s-agent-%u", match->name, i);
    const struct object *pod = object_find("Pod", name);
    if (r->agents[i]->endpoint[0] != 0 && pod != NULL && !text_equal(object_owner_uid(pod), r->match_id))
      model_violate("match %s is played by the Pod %s of another one", match->name, name);
  }
}

static void game_begin(const Executor__MatchRequest *r) {
  struct game *g = game_of(r->match_id);
  if (g != NULL) {
    if (g->attempt == r->attempt) return;  // joined, or answered again
    if (g->attempt > r->attempt) {
      model_violate("attempt %u of match %s was asked for after attempt %u", r->attempt, r->match_id, g->attempt);
    }
    if (g->seed != r->seed) model_violate("match %s was asked for with two seeds", r->match_id);
    game_forget(g);
  }
  assert(model->game_count < GAMES_MAX);
  g = &model->games[model->game_count++];
  *g = (struct game){.match = mem_strdup(r->match_id), .attempt = r->attempt, .seed = r->seed, .running = true};
  for (unsigned i = 0; i < PARTICIPANTS_MAX; i++) g->agents[i] = mem_strdup(r->agents[i]->agent_id);
}

struct grpc_call *grpc_start(struct http *h, const struct grpc_peer *peer, const char *method, const uint8_t *message,
                             size_t length, msec deadline, size_t max_response, grpc_done_fn *done, void *context) {
  (void)h, (void)peer, (void)method, (void)deadline, (void)max_response;
  Executor__MatchRequest *r = executor__match_request__unpack(NULL, length, message);
  assert(r != NULL && r->n_agents == PARTICIPANTS_MAX && model->asked_count < GAMES_MAX);
  check_pods(r);
  game_begin(r);
  struct grpc_call *c = mem_alloc(sizeof(*c));
  *c = (struct grpc_call){.done = done, .context = context, .match = mem_strdup(r->match_id), .attempt = r->attempt};
  model->asked[model->asked_count++] = c;
  executor__match_request__free_unpacked(r, NULL);
  return c;
}

// Nobody waits for the game any more: it is stopped. When the controller died it may as well end, and
// be there for the next one to ask about.
void grpc_cancel(struct grpc_call *c) {
  struct game *g = game_of(c->match);
  forget_caller(c);
  if (g != NULL && g->running && g->attempt == c->attempt && model->m != NULL) game_forget(g);
  caller_free(c);
}

// ---- how it ends ---------------------------------------------------------------------------------

static void fill(const struct game *g, Executor__MatchResponse *ret, Executor__AgentResult agents[PARTICIPANTS_MAX]) {
  ret->match_id = g->match;
  ret->attempt = g->attempt;
  ret->seed = g->seed;
  ret->status = EXECUTOR__MATCH_STATUS__SUCCESS;
  ret->total_steps = 9;
  ret->environment_version = (char *)(uintptr_t) "1";
  int winner = -1, failed = -1;
  Executor__Failure why = EXECUTOR__FAILURE__FAILURE_CRASHED;
  switch (g->result) {
    case RESULT_FIRST: winner = 0; break;
    case RESULT_SECOND: winner = 1; break;
    case RESULT_FORFEIT: winner = 0, failed = 1; break;
    case RESULT_DISCONNECT: winner = 1, failed = 0, why = EXECUTOR__FAILURE__FAILURE_DISCONNECTED; break;
    case RESULT_BOTH:
      agents[1].failure = why;
      failed = 0;
      ret->status = EXECUTOR__MATCH_STATUS__ERROR;
      break;
    case RESULT_ERROR: ret->status = EXECUTOR__MATCH_STATUS__ERROR; break;
    case RESULT_DRAW:
    case RESULT_COUNT: break;
  }
  if (failed >= 0) agents[failed].failure = why;
  if (winner < 0) return;
  ret->winner_agent_id = g->agents[winner];
  agents[winner].score = 1;
}

static void answer(const struct game *g, struct grpc_call *c) {
  Executor__MatchResponse response = EXECUTOR__MATCH_RESPONSE__INIT;
  Executor__AgentResult agents[PARTICIPANTS_MAX] = {EXECUTOR__AGENT_RESULT__INIT, EXECUTOR__AGENT_RESULT__INIT};
  Executor__AgentResult *list[PARTICIPANTS_MAX];
  for (unsigned i = 0; i < PARTICIPANTS_MAX; i++) {
    list[i] = &agents[i];
    agents[i].agent_id = g->agents[i];
  }
  response.n_agent_results = PARTICIPANTS_MAX;
  response.agent_results = list;
  fill(g, &response, agents);
  const size_t length = executor__match_response__get_packed_size(&response);
  uint8_t *bytes = mem_alloc(length);
  executor__match_response__pack(&response, bytes);
  forget_caller(c);
  c->done(c->context, bytes, length, NULL);
  caller_free(c);
  free(bytes);
}

// A running game ends; one that has ended answers again to somebody who asked later.
bool game_can_finish(const struct game *g) {
  return g->running || game_caller(g) != NULL;
}

void game_finish(struct game *g, enum result r) {
  if (g->running) g->result = r;
  g->running = false;
  struct grpc_call *c = game_caller(g);
  if (c != NULL) answer(g, c);
}

void game_fail(struct game *g, enum error_code code) {
  struct grpc_call *c = game_caller(g);
  struct error e;
  error_set(&e, code, "the call failed");
  forget_caller(c);
  c->done(c->context, NULL, 0, &e);
  caller_free(c);
}

void games_forget(void) {
  while (model->game_count > 0) {
    struct game *g = &model->games[0];
    if (game_caller(g) != NULL) game_fail(g, ERR_UNAVAILABLE);
    game_forget(g);
  }
}
