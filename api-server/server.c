#include "server.h"

#include <stdlib.h>

#include "base/memory.h"
#include "io/db.h"
#include "io/timer.h"

#include "app.h"
#include "mirror.h"
#include "openapi.h"
#include "origins.h"
#include "router.h"
#include "schema.h"
#include "settings.h"
#include "site.h"
#include "sockets.h"
#include "traffic.h"

enum { DOCUMENT_MAX = 4 * 1024 * 1024, LOOK_MS = 50 };

struct stopping {
  struct server *server;
  struct timer *timer;
  msec until;
  void (*done)(void *context);
  void *context;
};

static void compile_inline_schemas(struct server *s, const struct route *table, unsigned count) {
  const struct route_parameter *p;
  const char *place;
  for (unsigned i = 0; i < count; i++)
    for (unsigned k = 0; (p = route_parameter(&table[i], k, &place)) != NULL; k++)
      if (p->schema) schemas_inline(s->schemas, p->schema);
}

struct server *server_new(struct app *app) {
  struct server *s = mem_alloc(sizeof(*s));
  s->app = app;
  s->router = router_new(routes, route_count);
  s->internal_router = router_new(internal_routes, internal_route_count);
  s->schemas = schemas_new(component_schemas, component_schema_count);
  compile_inline_schemas(s, routes, route_count);
  compile_inline_schemas(s, internal_routes, internal_route_count);
  s->origins = origins_new(app->settings->allowed_origins);
  s->proxies = proxies_new(app->settings->trusted_proxies);
  s->traffic = traffic_new(app->metrics);
  s->openapi = s->docs = STR_INIT(DOCUMENT_MAX);
  openapi_print(s->schemas, app->settings->public_url, &s->openapi);
  docs_print(s->schemas, &s->docs);
  return s;
}

enum error_code server_listen(struct server *s, struct error *e) {
  s->site = site_new(s->app->settings->web_root, e);
  if (!s->site) return e->code;
  s->sockets = sockets_new(s);
  return sockets_open(s->sockets, e);
}

static void look(void *context) {
  struct stopping *stop = context;
  const struct server *s = stop->server;
  if ((sockets_count(s->sockets) > 0 || s->in_flight > 0) && clock_monotonic() < stop->until) {
    timer_set(stop->timer, LOOK_MS);
    return;
  }
  timer_free(stop->timer);
  void (*done)(void *) = stop->done;
  void *whom = stop->context;
  free(stop);
  done(whom);
}

void server_stop(struct server *s, msec patience, void (*done)(void *context), void *context) {
  s->draining = true;
  sockets_stop_listening(s->sockets);
  sockets_drain(s->sockets);
  struct stopping *stop = mem_alloc(sizeof(*stop));
  *stop = (struct stopping){.server = s, .until = clock_monotonic() + patience, .done = done, .context = context};
  stop->timer = timer_new(s->app->loop, look, stop);
  timer_set(stop->timer, 0);
}

void server_free(struct server *s) {
  if (s && s->sockets) sockets_close(s->sockets);
}

void server_free_after(struct server *s) {
  if (!s) return;
  if (s->sockets) sockets_free(s->sockets);
  site_free(s->site);
  traffic_free(s->traffic);
  str_done(&s->openapi);
  str_done(&s->docs);
  origins_free(s->origins);
  proxies_free(s->proxies);
  schemas_free(s->schemas);
  router_free(s->router);
  router_free(s->internal_router);
  free(s);
}

bool server_is_ready(const struct server *s, const char **ret_why) {
  *ret_why = s->draining                                           ? "the server stops"
             : !s->app->db || !db_is_up(s->app->db)                ? "PostgreSQL does not answer"
             : !s->app->migrated                                   ? "the database is not brought up to date yet"
             : s->app->mirror && !mirror_is_synced(s->app->mirror) ? "the mirror is not level yet"
                                                                   : NULL;
  return *ret_why == NULL;
}
