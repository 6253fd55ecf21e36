// The cluster's own doings; each is one step.
#pragma once

#include "model.h"

bool pod_can_start(const struct object *pod);
bool pod_can_end(const struct object *pod);     // an agent's Pod that has not ended
bool pod_can_vanish(const struct object *pod);  // it is being deleted
void pod_starts(struct object *pod);
void pod_is_evicted(struct object *pod);
void pod_exits(struct object *pod);
bool job_can_end(const struct object *job);
void job_ends(struct object *job, enum job_end how);
bool object_is_orphan(const struct object *o);
