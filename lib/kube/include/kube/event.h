// Events: what a person sees under `kubectl describe`. Sent in the background, best effort,
// equal ones within 10 minutes are counted up rather than repeated; a bounded backlog.
#pragma once

#include "base/meta.h"
#include "kube/client.h"

struct event_recorder;

struct event_recorder *event_recorder_new(struct kube_client *client, uv_loop_t *loop, const char *component,
                                          const char *instance);
void event_recorder_free(struct event_recorder *r);
void event_recorder_emit(struct event_recorder *r, const struct kube_kind *kind, const struct meta *object,
                         bool warning, const char *reason, const char *message);
size_t event_recorder_pending(const struct event_recorder *r);
