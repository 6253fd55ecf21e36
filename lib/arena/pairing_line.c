#include "pairing_line.h"

#include <stdlib.h>

#include "base/memory.h"

// Four cache lines of agents: the tree over the blocks of 100,000 then fits into the fast caches.
enum { BLOCK = 16 };

// The lowest Elo that anybody here reaches, whose agent that is, and the lowest that anybody of
// another owner reaches; the same for the highest.
struct reach {
  int32_t low, low_other, high, high_other;
  uint32_t low_owner, high_owner;
};

static const struct reach nobody = {.low = INT32_MAX,
                                    .low_other = INT32_MAX,
                                    .high = INT32_MIN,
                                    .high_other = INT32_MIN,
                                    .low_owner = UINT32_MAX,
                                    .high_owner = UINT32_MAX};

static int32_t min(int32_t a, int32_t b) {
  return a < b ? a : b;
}

static int32_t max(int32_t a, int32_t b) {
  return a > b ? a : b;
}

static int32_t low_of(const struct line_agent *a) {
  return a->elo - a->range;
}

static int32_t high_of(const struct line_agent *a) {
  return a->elo + a->range;
}

static struct reach join(const struct reach *a, const struct reach *b) {
  struct reach r;
  const struct reach *w = a->low <= b->low ? a : b, *o = w == a ? b : a;
  r.low = w->low;
  r.low_owner = w->low_owner;
  r.low_other = min(w->low_other, o->low_owner != w->low_owner ? o->low : o->low_other);
  w = a->high >= b->high ? a : b;
  o = w == a ? b : a;
  r.high = w->high;
  r.high_owner = w->high_owner;
  r.high_other = max(w->high_other, o->high_owner != w->high_owner ? o->high : o->high_other);
  return r;
}

static bool same(const struct reach *a, const struct reach *b) {
  return a->low == b->low && a->low_other == b->low_other && a->high == b->high && a->high_other == b->high_other &&
         a->low_owner == b->low_owner && a->high_owner == b->high_owner;
}

static bool stretch_suits(const struct reach *r, const struct line_seeker *s) {
  return (r->low_owner != s->owner ? r->low : r->low_other) <= s->elo &&
         (r->high_owner != s->owner ? r->high : r->high_other) >= s->elo;
}

static bool agent_suits(const struct line *l, size_t position, const struct line_seeker *s) {
  const struct line_agent *a = &l->agents[position];
  return l->present[position] && a->owner != s->owner && low_of(a) <= s->elo && high_of(a) >= s->elo &&
         a->barred != s->turn;
}

static void admit(struct reach *r, const struct line_agent *a) {
  int32_t low = low_of(a), high = high_of(a);
  if (low < r->low) {
    if (a->owner != r->low_owner) r->low_other = r->low;
    r->low = low;
    r->low_owner = a->owner;
  } else if (a->owner != r->low_owner) {
    r->low_other = min(r->low_other, low);
  }
  if (high > r->high) {
    if (a->owner != r->high_owner) r->high_other = r->high;
    r->high = high;
    r->high_owner = a->owner;
  } else if (a->owner != r->high_owner) {
    r->high_other = max(r->high_other, high);
  }
}

static struct reach block_reach(const struct line *l, size_t block) {
  struct reach r = nobody;
  for (size_t i = block * BLOCK; i < (block + 1) * BLOCK && i < l->count; i++)
    if (l->present[i]) admit(&r, &l->agents[i]);
  return r;
}

void line_init(struct line *l, struct line_agent *take_agents, size_t count) {
  *l = (struct line){.agents = take_agents, .count = count, .leaves = 1};
  while (l->leaves * BLOCK < count) l->leaves *= 2;
  l->present = mem_alloc(count * sizeof(*l->present));
  l->tree = mem_alloc(2 * l->leaves * sizeof(*l->tree));
}

void line_done(struct line *l) {
  free(l->agents);
  free(l->present);
  free(l->tree);
  *l = (struct line){0};
}

void line_fill(struct line *l, const int32_t *room) {
  for (size_t i = 0; i < l->count; i++) l->present[i] = room[i] > 0;
  for (size_t i = 0; i < l->leaves; i++) l->tree[l->leaves + i] = block_reach(l, i);
  for (size_t node = l->leaves - 1; node > 0; node--) l->tree[node] = join(&l->tree[2 * node], &l->tree[2 * node + 1]);
}

void line_remove(struct line *l, size_t position) {
  l->present[position] = false;
  size_t node = l->leaves + position / BLOCK;
  const struct reach *was = &l->tree[node];
  int32_t low = low_of(&l->agents[position]), high = high_of(&l->agents[position]);
  if (low != was->low && low != was->low_other && high != was->high && high != was->high_other) return;
  struct reach now = block_reach(l, position / BLOCK);
  // Where it was not the one that counts, it does not count further up either.
  while (node > 0 && !same(&now, &l->tree[node])) {
    l->tree[node] = now;
    node /= 2;
    if (node > 0) now = join(&l->tree[2 * node], &l->tree[2 * node + 1]);
  }
}

static size_t first_of(const struct line *l, const struct line_seeker *s, size_t from, size_t end, int32_t limit) {
  for (size_t i = from; i < end && i < l->count && l->agents[i].elo <= limit; i++)
    if (agent_suits(l, i, s)) return i;
  return LINE_NONE;
}

static size_t last_of(const struct line *l, const struct line_seeker *s, size_t start, size_t end, int32_t limit) {
  for (size_t i = end; i > start && l->agents[i - 1].elo >= limit; i--)
    if (agent_suits(l, i - 1, s)) return i - 1;
  return LINE_NONE;
}

size_t line_next(const struct line *l, const struct line_seeker *s, size_t from, int32_t limit) {
  size_t node = l->leaves + from / BLOCK;
  unsigned height = 0;
  for (;;) {
    size_t start = ((node << height) - l->leaves) * BLOCK;
    if (start >= l->count || l->agents[start].elo > limit) return LINE_NONE;
    if (stretch_suits(&l->tree[node], s)) {
      if (height > 0) {
        node = 2 * node;
        height--;
        continue;
      }
      size_t found = first_of(l, s, start < from ? from : start, start + BLOCK, limit);
      if (found != LINE_NONE) return found;
    }
    for (; node & 1; node /= 2) height++;  // a right child: its parent's stretch is done as well
    if (node == 0) return LINE_NONE;
    node++;
  }
}

size_t line_previous(const struct line *l, const struct line_seeker *s, size_t from, int32_t limit) {
  size_t node = l->leaves + from / BLOCK;
  unsigned height = 0;
  for (;;) {
    size_t end = (((node + 1) << height) - l->leaves) * BLOCK;
    if (end > from) end = from;
    if (end == 0 || l->agents[end - 1].elo < limit) return LINE_NONE;
    if (stretch_suits(&l->tree[node], s)) {
      if (height > 0) {
        node = 2 * node + 1;
        height--;
        continue;
      }
      size_t found = last_of(l, s, (node - l->leaves) * BLOCK, end, limit);
      if (found != LINE_NONE) return found;
    }
    for (; !(node & 1); node /= 2) height++;  // a left child: its parent's stretch is done as well
    if (node == 1) return LINE_NONE;
    node--;
  }
}
