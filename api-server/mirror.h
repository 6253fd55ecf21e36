// The four kinds of the API server as rows of PostgreSQL: one of the replicas writes, by Lease. Also by it: the
// finalizer that keeps a finished match until its row is committed, build logs while their Pod lives, and the end of
// old events and of blobs that nothing refers to.
#pragma once

#include <stdbool.h>

#define MIRROR_LEASE "rl-arena-mirror"

struct app;
struct mirror;

struct mirror *mirror_new(struct app *app);
void mirror_start(struct mirror *m);
void mirror_stop(struct mirror *m, void (*done)(void *context), void *context);  // gives the lease up
void mirror_free(struct mirror *m);
// This replica writes and has been level, or has seen one that does. It stays so while the API server is away: what
// PostgreSQL holds can be read all the same.
bool mirror_is_synced(const struct mirror *m);
