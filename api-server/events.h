// The table `events` as a stream: rows in the order of their ids, as soon as they are committed, on every replica.
//
// Whoever writes events stands in line until its commit (migrations/0003), so that no id appears behind one that was
// read already.
#pragma once

#include <stdint.h>

#include "io/db.h"

struct app;
struct events;

struct event {
  int64_t id;
  const char *type, *payload;      // payload: JSON text
  const char *topics, *usernames;  // one in each line; "" for none
};
typedef void event_fn(void *context, const struct event *e);
// `user_id`: something about this user changed.
typedef void event_user_fn(void *context, const char *user_id);
// `ready`: from now on events_last is known.
typedef void event_ready_fn(void *context);

struct events *events_new(struct app *app, event_fn *event, event_user_fn *user, event_ready_fn *ready, void *context);
void events_start(struct events *s);
void events_free(struct events *s);
int64_t events_last(const struct events *s);  // the newest that was told; -1: not known yet
