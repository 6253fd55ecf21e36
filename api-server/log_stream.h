// One container's log on its way from the kubelet, by the API server, into the table build_logs.
#pragma once

#include <stdbool.h>

#include "io/db.h"
#include "kube/client.h"

extern const struct kube_kind LOGGED_POD;

struct log_source {
  const char *namespace, *pod, *container, *submission_id;
  int attempt;
};

struct log_stream;

// Texts are copied. `ended`: the container runs no more.
struct log_stream *log_stream_new(uv_loop_t *loop, struct db *db, struct kube_client *kube, const struct log_source *s,
                                  bool ended);
void log_stream_ended(struct log_stream *s);          // the container has ended; what is missing is fetched
bool log_stream_is_done(const struct log_stream *s);  // all of it is stored
void log_stream_free(struct log_stream *s);           // also in the middle: another writer goes on from what is stored
