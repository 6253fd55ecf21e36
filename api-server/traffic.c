#include "traffic.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/str.h"
#include "io/metrics.h"

struct traffic {
  struct metric *requests, *seconds, *in_flight, *limited, *connections, *websockets, *refused;
  int open, sockets;
};

static const double bounds[] = {0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10};

struct traffic *traffic_new(struct metrics *m) {
  struct traffic *t = mem_alloc(sizeof(*t));
  t->requests = metrics_counter(m, "rl_arena_http_requests_total", "Requests by method, route and status.",
                                "method,route,status");
  t->seconds = metrics_histogram(m, "rl_arena_http_request_duration_seconds",
                                 "From a request's head to the end of its answer, by route.", "route", bounds,
                                 array_size(bounds));
  t->in_flight = metrics_gauge(m, "rl_arena_http_requests_in_flight", "Requests that are not answered yet.", "");
  t->limited =
      metrics_counter(m, "rl_arena_http_rate_limited_total", "Requests refused with 429, by allowance.", "limit");
  t->connections = metrics_gauge(m, "rl_arena_http_connections", "Open connections.", "");
  t->websockets = metrics_gauge(m, "rl_arena_websocket_connections", "Open WebSockets.", "");
  t->refused =
      metrics_counter(m, "rl_arena_http_connections_refused_total", "Connections refused, by reason.", "reason");
  metric_set(t->in_flight, "", 0);
  metric_set(t->connections, "", 0);
  metric_set(t->websockets, "", 0);
  return t;
}

void traffic_free(struct traffic *t) {
  free(t);
}

void traffic_begin(struct traffic *t) {
  metric_set(t->in_flight, "", ++t->open);
}

static bool is_probe(const struct traffic_request *r) {
  return text_equal(r->route, "/healthz") || text_equal(r->route, "/readyz") || text_equal(r->route, "/health") ||
         text_equal(r->route, "/metrics");
}

void traffic_end(struct traffic *t, const struct traffic_request *r) {
  metric_set(t->in_flight, "", --t->open);
  char labels[256];
  snprintf(labels, sizeof(labels), "%s,%s,%d", r->method, r->route, r->status);
  metric_add(t->requests, labels, 1);
  metric_observe(t->seconds, r->route, (double)r->took / 1000);
  char status[LOG_NUMBER_SIZE], bytes[LOG_NUMBER_SIZE], took[LOG_NUMBER_SIZE];
  log_event(r->status >= 500 ? LOG_WARN
            : is_probe(r)    ? LOG_DEBUG
                             : LOG_INFO,
            "request", "method", r->method, "path", r->path, "route", r->route, "status", log_number(r->status, status),
            "milliseconds", log_number(r->took, took), "bytes", log_number((int64_t)r->bytes, bytes), "client",
            r->client, "user", r->username, "port", r->internal ? "internal" : "public", NULL);
}

void traffic_limited(struct traffic *t, const char *kind) {
  metric_add(t->limited, kind, 1);
}

void traffic_connections(struct traffic *t, int count) {
  metric_set(t->connections, "", count);
}

void traffic_websockets(struct traffic *t, int change) {
  t->sockets += change;
  metric_set(t->websockets, "", t->sockets);
}

void traffic_refused_connection(struct traffic *t, const char *reason) {
  metric_add(t->refused, reason, 1);
}
