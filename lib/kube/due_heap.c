#include "due_heap.h"

#include <assert.h>
#include <stdlib.h>

#include "base/memory.h"

enum { ROOM_FIRST = 16 };

static struct due *at(const struct due_heap *h, size_t place) {
  return h->members[place - 1];
}

static void put(struct due_heap *h, size_t place, struct due *d) {
  h->members[place - 1] = d;
  d->place = place;
}

// From a free place upwards, to where what is above is not later.
static void rise(struct due_heap *h, size_t place, struct due *d) {
  for (; place > 1 && at(h, place / 2)->at > d->at; place /= 2) put(h, place, at(h, place / 2));
  put(h, place, d);
}

// From a free place downwards, to where what is below is not earlier.
static void sink(struct due_heap *h, size_t place, struct due *d) {
  for (size_t below; (below = 2 * place) <= h->count; place = below) {
    if (below < h->count && at(h, below + 1)->at < at(h, below)->at) below++;
    if (at(h, below)->at >= d->at) break;
    put(h, place, at(h, below));
  }
  put(h, place, d);
}

static void settle(struct due_heap *h, size_t place, struct due *d) {
  if (place > 1 && at(h, place / 2)->at > d->at)
    rise(h, place, d);
  else
    sink(h, place, d);
}

void due_heap_set(struct due_heap *h, struct due *d, msec when) {
  d->at = when;
  if (d->place == 0) {
    if (h->count == h->room) {
      h->room = h->room > 0 ? 2 * h->room : ROOM_FIRST;
      h->members = mem_grow(h->members, h->room, sizeof(struct due *));
    }
    d->place = ++h->count;
  }
  settle(h, d->place, d);
}

void due_heap_remove(struct due_heap *h, struct due *d) {
  if (d->place == 0) return;
  assert(at(h, d->place) == d);
  struct due *last = at(h, h->count--);
  if (last != d) settle(h, d->place, last);
  d->place = 0;
}

struct due *due_heap_first(const struct due_heap *h) {
  return h->count > 0 ? at(h, 1) : NULL;
}

void due_heap_done(struct due_heap *h) {
  free(h->members);
  *h = (struct due_heap){0};
}
