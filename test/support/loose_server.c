#include "loose_server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "io/metrics.h"

#include "origins.h"
#include "rate_limits.h"
#include "router.h"
#include "schema.h"
#include "site.h"
#include "traffic.h"

enum { OUT_MAX = 64 * 1024 * 1024, ROUNDS_MAX = 100000 };

void loose_server_init(struct loose_server *s, const struct route *table, unsigned count) {
  *s = (struct loose_server){
      .settings = {.rate_general = 1000000, .rate_auth = 2, .rate_submission = 5, .rate_match = 10, .rate_replay = 20}};
  s->settings.allowed_origins = (char *)"https://page.example";
  s->settings.trusted_proxies = (char *)"10.0.0.0/8";
  s->app = (struct app){.settings = &s->settings, .metrics = metrics_new(), .server = &s->server};
  s->app.limits = limits_new(&s->settings);
  s->server = (struct server){.app = &s->app};
  s->server.router = router_new(table, count);
  s->server.internal_router = router_new(table, 0);
  s->server.schemas = schemas_new(component_schemas, component_schema_count);
  s->server.origins = origins_new(s->settings.allowed_origins);
  s->server.proxies = proxies_new(s->settings.trusted_proxies);
  s->server.traffic = traffic_new(s->app.metrics);
  s->server.site = site_new(NULL, NULL);
}

void loose_server_done(struct loose_server *s) {
  if (s->server.in_flight > 0) {
    fprintf(stderr, "%u exchanges were forgotten\n", s->server.in_flight);
    abort();
  }
  site_free(s->server.site);
  traffic_free(s->server.traffic);
  proxies_free(s->server.proxies);
  origins_free(s->server.origins);
  schemas_free(s->server.schemas);
  router_free(s->server.router);
  router_free(s->server.internal_router);
  limits_free(s->app.limits);
  metrics_free(s->app.metrics);
}

static void want_write(void *socket) {
  struct loose_socket *s = socket;
  s->wanted = true;
}

static void read_wanted(void *socket, bool wanted) {
  struct loose_socket *s = socket;
  s->reading = wanted;
}

static void shut(void *socket) {
  struct loose_socket *s = socket;
  s->shut = true;
}

static void kill_socket(void *socket) {
  struct loose_socket *s = socket;
  s->killed = true;
}

static const struct transport transport = {
    .want_write = want_write, .read = read_wanted, .shut = shut, .kill = kill_socket};

void loose_socket_open(struct loose_socket *s, struct loose_server *server, const char *address) {
  struct peer peer = {0};
  snprintf(peer.address, sizeof(peer.address), "%s", address);
  *s = (struct loose_socket){.out = STR_INIT(OUT_MAX), .reading = true};
  s->connection = connection_new(&server->server, &transport, s, &peer);
}

// A turn is what a socket does when it is told that it can write: it asks until nothing comes.
static void take_turn(struct loose_socket *s) {
  for (int i = 0; i < ROUNDS_MAX; i++) {
    size_t length = 0;
    const void *bytes = connection_next(s->connection, &length);
    if (!bytes) return;
    if (s->shut) abort();  // nothing may come after the end
    str_add_bytes(&s->out, bytes, length);
    connection_sent(s->connection, length);
  }
  abort();
}

void loose_socket_drain(struct loose_socket *s) {
  for (int turns = 0; s->wanted; turns++) {
    if (turns == ROUNDS_MAX) abort();  // it would never sleep
    s->wanted = false;
    take_turn(s);
  }
}

void loose_socket_send(struct loose_socket *s, const char *bytes, size_t length) {
  connection_receive(s->connection, bytes, length);
  loose_socket_drain(s);
}

void loose_socket_close(struct loose_socket *s) {
  connection_gone(s->connection);
  str_done(&s->out);
  s->connection = NULL;
}
