#include "environments.h"

#include "base/log.h"
#include "base/memory.h"
#include "io/grpc.h"
#include "io/timer.h"

enum { EVERY_MS = 60 * 1000, RETRY_MS = 5 * 1000, DEADLINE_MS = 10 * 1000, ANSWER_MAX = 256 * 1024 };

struct environments {
  struct manager *m;
  struct http *http;
  struct timer *due;
  struct grpc_call *call;
};

// An executor that is away, or too old to tell, changes nothing: the last list stays.
static void answered(void *context, const uint8_t *bytes, size_t length, const struct error *e) {
  struct environments *x = context;
  struct wire_environments list = {0};
  struct error own = {0};
  x->call = NULL;
  if (e == NULL && wire_decode_environments(bytes, length, &list, &own) != ERR_NONE) e = &own;
  if (e != NULL) {
    log_event(e->code == ERR_FORBIDDEN ? LOG_WARN : LOG_DEBUG, "the executor does not tell what it plays", "error",
              e->text, NULL);
  } else {
    wire_environments_done(&x->m->playable);
    x->m->playable = list;
  }
  timer_set(x->due, e != NULL ? RETRY_MS : EVERY_MS);
}

static void ask(void *context) {
  struct environments *x = context;
  const struct grpc_peer executor = {x->m->settings->executor_url, x->m->settings->executor_token};
  x->call = grpc_start(x->http, &executor, EXECUTOR_LIST_ENVIRONMENTS, NULL, 0, DEADLINE_MS, ANSWER_MAX, answered, x);
}

struct environments *environments_new(struct manager *m, struct http *http) {
  struct environments *x = mem_alloc(sizeof(*x));
  *x = (struct environments){.m = m, .http = http};
  x->due = timer_new(m->loop, ask, x);
  return x;
}

void environments_start(struct environments *x) {
  timer_set(x->due, 0);
}

void environments_free(struct environments *x) {
  if (x == NULL) return;
  if (x->call != NULL) grpc_cancel(x->call);
  timer_free(x->due);
  free(x);
}
