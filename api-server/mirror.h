// The four kinds of the API server as rows of PostgreSQL: one of the replicas writes, by Lease. Also by it: the
// finalizer that keeps a finished match until its row is committed, and build logs while their Pod lives.
#pragma once

#include <stdbool.h>

struct app;
struct mirror;

struct mirror *mirror_new(struct app *app);
void mirror_start(struct mirror *m);
void mirror_stop(struct mirror *m, void (*done)(void *context), void *context);  // gives the lease up
void mirror_free(struct mirror *m);
bool mirror_is_synced(const struct mirror *m);  // this replica writes and is level, or follows one that is
