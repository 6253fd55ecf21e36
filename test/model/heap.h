// Memory that can be put back: everything that the world allocates, the real controller's memory
// included, lies in one region at a fixed place, so that a state is kept and restored by one copy.
//
// malloc and its family are replaced in this program. Between heap_enter and heap_leave they serve
// from the region, outside of these from the C library. Static variables of the program belong to
// a snapshot too (the controller has a few), so the explorer keeps its own state in the heap outside.
#pragma once

#include <stdbool.h>
#include <stddef.h>

void heap_init(void);
void heap_enter(void);
void heap_leave(void);
size_t heap_used(void);

struct snapshot;
struct snapshot *snapshot_take(struct snapshot *reuse);  // NULL: a new one
void snapshot_restore(const struct snapshot *s);
void snapshot_free(struct snapshot *s);
