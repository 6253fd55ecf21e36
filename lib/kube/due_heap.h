// A binary heap of what is due at some time, the earliest first. Members bring their place, so that one in the middle
// is found at once, and being in it costs a pointer.
#pragma once

#include <stddef.h>

#include "base/clock.h"

struct due {
  msec at;
  size_t place;  // from 1; 0: in no heap
};

struct due_heap {
  struct due **members;  // members[place - 1]; borrowed
  size_t count, room;
};

void due_heap_set(struct due_heap *h, struct due *d, msec at);  // puts it in, or moves it
void due_heap_remove(struct due_heap *h, struct due *d);        // fine when it is not in
struct due *due_heap_first(const struct due_heap *h);           // NULL when empty
void due_heap_done(struct due_heap *h);                         // not what was in it
