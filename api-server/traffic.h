// What is counted and written down of requests. Never a query, a header or a body: they have secrets.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

struct metrics;
struct traffic;

struct traffic *traffic_new(struct metrics *m);
void traffic_free(struct traffic *t);

struct traffic_request {
  const char *method, *path;
  const char *route;              // its pattern, or a word: bounded
  const char *client, *username;  // username NULL: none
  int status;                     // 0: the client left before there was one
  uint64_t bytes;                 // of body sent
  msec took;
  bool internal;
};
void traffic_begin(struct traffic *t);
void traffic_end(struct traffic *t, const struct traffic_request *r);
void traffic_limited(struct traffic *t, const char *kind);
void traffic_connections(struct traffic *t, int count);
void traffic_websockets(struct traffic *t, int change);
void traffic_refused_connection(struct traffic *t, const char *reason);
