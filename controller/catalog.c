#include "catalog.h"

#include "arena/wire.h"
#include "base/log.h"
#include "base/map.h"
#include "base/memory.h"
#include "base/str.h"
#include "io/grpc.h"
#include "io/timer.h"

enum { AGAIN_MS = 60 * 1000, AGAIN_AFTER_FAILURE_MS = 10 * 1000, DEADLINE_MS = 5 * 1000, RESPONSE_MAX = 256 * 1024 };

struct catalog {
  struct http *http;
  char *url;
  struct timer *timer;
  struct grpc_call *call;
  struct map *names;  // NULL: never asked with success
  catalog_change_fn *change;
  void *context;
};

static void answered(void *context, const uint8_t *bytes, size_t length, const struct error *e) {
  struct catalog *c = context;
  c->call = NULL;
  struct wire_environments found = {0};
  struct error own = {0};
  if (e == NULL && wire_decode_environments(bytes, length, &found, &own) == ERR_NONE) {
    catalog_learn(c, (const char *const *)found.names, found.count);
    timer_set(c->timer, AGAIN_MS);
  } else {
    log_debug("the executor does not say what it can play", "error", e ? e->text : own.text);
    timer_set(c->timer, AGAIN_AFTER_FAILURE_MS);
  }
  wire_environments_done(&found);
}

static void ask(void *context) {
  struct catalog *c = context;
  // The request has no fields: an empty message.
  c->call = grpc_start(c->http, c->url, EXECUTOR_LIST_ENVIRONMENTS, NULL, 0, DEADLINE_MS, RESPONSE_MAX, answered, c);
}

struct catalog *catalog_new(uv_loop_t *loop, struct http *http, const char *url, catalog_change_fn *change,
                            void *context) {
  struct catalog *c = mem_alloc(sizeof(*c));
  *c = (struct catalog){.http = http, .url = mem_strdup(url), .change = change, .context = context};
  c->timer = timer_new(loop, ask, c);
  return c;
}

void catalog_start(struct catalog *c) {
  if (c->call == NULL) timer_set(c->timer, 0);
}

void catalog_free(struct catalog *c) {
  if (c == NULL) return;
  if (c->call != NULL) grpc_cancel(c->call);
  timer_free(c->timer);
  map_free(c->names);
  free(c->url);
  free(c);
}

enum catalog_answer catalog_look(const struct catalog *c, const char *environment) {
  if (c->names == NULL) return CATALOG_UNASKED;
  return map_get(c->names, environment) != NULL ? CATALOG_KNOWN : CATALOG_UNKNOWN;
}

void catalog_learn(struct catalog *c, const char *const *environments, size_t count) {
  struct map *names = map_new(NULL);
  bool same = c->names != NULL;
  for (size_t i = 0; i < count; i++) {
    map_put(names, environments[i], c);
    same = same && map_get(c->names, environments[i]) != NULL;
  }
  same = same && map_count(names) == map_count(c->names);
  map_free(c->names);
  c->names = names;
  if (!same) c->change(c->context);
}
