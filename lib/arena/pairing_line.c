#include "pairing_line.h"

#include <stdlib.h>

#include "base/memory.h"

// The lowest Elo that anybody here reaches, who that is owned by, and the lowest that anybody of
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

static bool suits(const struct reach *r, const struct line_seeker *s) {
  return (r->low_owner != s->owner ? r->low : r->low_other) <= s->elo &&
         (r->high_owner != s->owner ? r->high : r->high_other) >= s->elo;
}

void line_init(struct line *l, const struct line_agent *agents, size_t count) {
  *l = (struct line){.agents = agents, .count = count, .leaves = 1};
  while (l->leaves < count) l->leaves *= 2;
  l->tree = mem_alloc(2 * l->leaves * sizeof(*l->tree));
}

void line_done(struct line *l) {
  free(l->tree);
  *l = (struct line){0};
}

void line_fill(struct line *l, const int32_t *present) {
  for (size_t i = 0; i < l->leaves; i++) {
    struct reach *leaf = &l->tree[l->leaves + i];
    *leaf = nobody;
    if (i >= l->count || present[i] <= 0) continue;
    const struct line_agent *a = &l->agents[i];
    leaf->low = a->elo - a->range;
    leaf->high = a->elo + a->range;
    leaf->low_owner = leaf->high_owner = a->owner;
  }
  for (size_t node = l->leaves - 1; node > 0; node--) l->tree[node] = join(&l->tree[2 * node], &l->tree[2 * node + 1]);
}

bool line_has(const struct line *l, size_t position) {
  return l->tree[l->leaves + position].low_owner != UINT32_MAX;
}

void line_remove(struct line *l, size_t position) {
  size_t node = l->leaves + position;
  l->tree[node] = nobody;
  while (node /= 2) {
    struct reach now = join(&l->tree[2 * node], &l->tree[2 * node + 1]);
    if (same(&now, &l->tree[node])) return;  // it was not the one that counts here, nor further up
    l->tree[node] = now;
  }
}

size_t line_next(const struct line *l, const struct line_seeker *s, size_t from, int32_t limit) {
  size_t node = l->leaves + from;
  unsigned height = 0;
  if (from >= l->count) return LINE_NONE;
  for (;;) {
    size_t first = (node << height) - l->leaves;
    if (first >= l->count || l->agents[first].elo > limit) return LINE_NONE;
    if (suits(&l->tree[node], s)) {
      if (height > 0) {
        node = 2 * node;
        height--;
        continue;
      }
      if (s->barred[first] != s->turn) return first;
    }
    for (; node & 1; node /= 2) height++;  // a right child: its parent's stretch is done as well
    if (node == 0) return LINE_NONE;
    node++;
  }
}

size_t line_previous(const struct line *l, const struct line_seeker *s, size_t from, int32_t limit) {
  if (from == 0) return LINE_NONE;
  size_t node = l->leaves + from - 1;
  unsigned height = 0;
  for (;;) {
    size_t last = ((node + 1) << height) - l->leaves - 1;
    if (l->agents[last].elo < limit) return LINE_NONE;
    if (suits(&l->tree[node], s)) {
      if (height > 0) {
        node = 2 * node + 1;
        height--;
        continue;
      }
      if (s->barred[last] != s->turn) return last;
    }
    for (; !(node & 1); node /= 2) height++;  // a left child: its parent's stretch is done as well
    if (node == 1) return LINE_NONE;
    node--;
  }
}
