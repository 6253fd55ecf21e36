#include "executor.h"

#include "base/log.h"
#include "base/map.h"
#include "base/memory.h"

enum { RESPONSE_MAX = 256 * 1024 };

struct call {
  struct executor *x;
  char *match, *uid;
  int32_t attempt;
  enum call_state state;
  msec started, finished;
  struct grpc_call *grpc;
  struct wire_result result;
  struct error error;
};

struct executor {
  struct http *http;
  struct grpc_peer peer;
  struct map *calls;  // by the match's uid
  size_t running;
  executor_done_fn *done;
  void *context;
  struct metric *seconds;
};

static void call_free(void *value) {
  struct call *c = value;
  if (c->state == CALL_RUNNING) {
    grpc_cancel(c->grpc);
    c->x->running--;
  }
  wire_result_done(&c->result);
  free(c->match);
  free(c->uid);
  free(c);
}

struct executor *executor_new(struct http *http, const struct grpc_peer *peer, struct metrics *m,
                              executor_done_fn *done, void *context) {
  static const double bounds[] = {0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600};
  struct executor *x = mem_alloc(sizeof(*x));
  x->http = http;
  x->peer = *peer;
  x->calls = map_new(call_free);
  x->done = done;
  x->context = context;
  x->seconds = metrics_histogram(m, "rl_arena_executor_call_seconds", "Time of RunMatch calls by result.", "result",
                                 bounds, array_size(bounds));
  return x;
}

void executor_free(struct executor *x) {
  if (x == NULL) return;
  map_free(x->calls);
  free(x);
}

static void call_ended(void *context, const uint8_t *bytes, size_t length, const struct error *e) {
  struct call *c = context;
  c->grpc = NULL;
  c->x->running--;
  c->finished = clock_monotonic();
  c->state = CALL_ANSWERED;
  if (e != NULL) {
    c->state = CALL_FAILED;
    c->error = *e;
  } else if (wire_decode_response(bytes, length, &c->result, &c->error) != ERR_NONE) {
    c->state = CALL_FAILED;
    // A peer that answers nonsense may be a broken replica: worth another attempt.
    c->error.code = ERR_INTERNAL;
    error_prefix(&c->error, "the executor's answer makes no sense");
  } else if (!text_equal(c->result.match_id, c->uid) || c->result.attempt != c->attempt) {
    c->state = CALL_FAILED;
    error_set(&c->error, ERR_INTERNAL, "the executor answered about another match");
  }
  metric_observe(c->x->seconds, c->state == CALL_ANSWERED ? "answered" : error_name(c->error.code),
                 (double)(c->finished - c->started) / 1000.0);
  if (c->state == CALL_FAILED) {
    log_warn("executor call failed", "match", c->match, "error", c->error.text);
  }
  c->x->done(c->x->context, c->match);
}

void executor_run(struct executor *x, const char *match, const char *uid, int32_t attempt, const uint8_t *bytes,
                  size_t length, msec deadline) {
  struct call *c = mem_alloc(sizeof(*c));
  *c = (struct call){
      .x = x, .match = mem_strdup(match), .uid = mem_strdup(uid), .attempt = attempt, .state = CALL_RUNNING};
  c->started = clock_monotonic();
  map_put(x->calls, uid, c);  // frees, and so cancels, the call of an earlier attempt
  x->running++;
  c->grpc = grpc_start(x->http, &x->peer, EXECUTOR_RUN_MATCH, bytes, length, deadline, RESPONSE_MAX, call_ended, c);
}

void executor_forget(struct executor *x, const char *uid) {
  map_remove(x->calls, uid);
}

void executor_look(const struct executor *x, const char *uid, struct call_view *ret) {
  const struct call *c = map_get(x->calls, uid);
  *ret = (struct call_view){.state = CALL_NONE};
  if (c == NULL) return;
  ret->state = c->state;
  ret->attempt = c->attempt;
  ret->age = c->state == CALL_RUNNING ? 0 : clock_monotonic() - c->finished;
  ret->result = c->state == CALL_ANSWERED ? &c->result : NULL;
  ret->error = c->error;
}

size_t executor_running(const struct executor *x) {
  return x->running;
}
