#include "graph.h"

#include <stdlib.h>
#include <string.h>

static void *grow(void *old, size_t count, size_t size) {
  void *new = realloc(old, count * size);
  if (new == NULL) abort();
  return new;
}

struct graph *graph_new(void) {
  struct graph *g = grow(NULL, 1, sizeof(*g));
  *g = (struct graph){.table_size = 1 << 12};
  g->table = grow(NULL, g->table_size, sizeof(*g->table));
  memset(g->table, 0, g->table_size * sizeof(*g->table));
  return g;
}

void graph_free(struct graph *g) {
  free(g->visits);
  free(g->table);
  free(g->edges);
  free(g);
}

size_t graph_size(const struct graph *g) {
  return g->count;
}

static size_t slot_of(const struct graph *g, uint64_t fingerprint) {
  size_t slot = fingerprint & (g->table_size - 1);
  while (g->table[slot] != 0 && g->visits[g->table[slot] - 1].fingerprint != fingerprint)
    slot = (slot + 1) & (g->table_size - 1);
  return slot;
}

static void rehash(struct graph *g) {
  g->table_size *= 2;
  g->table = grow(g->table, g->table_size, sizeof(*g->table));
  memset(g->table, 0, g->table_size * sizeof(*g->table));
  for (size_t i = 0; i < g->count; i++) g->table[slot_of(g, g->visits[i].fingerprint)] = (uint32_t)i + 1;
}

uint32_t graph_visit(struct graph *g, uint64_t fingerprint, uint32_t parent, struct step s, bool *ret_is_new) {
  const size_t slot = slot_of(g, fingerprint);
  *ret_is_new = g->table[slot] == 0;
  if (!*ret_is_new) return g->table[slot] - 1;
  if (g->count == g->room) {
    g->room = g->room ? 2 * g->room : 1024;
    g->visits = grow(g->visits, g->room, sizeof(*g->visits));
  }
  const uint32_t id = (uint32_t)g->count++;
  g->visits[id] = (struct visit){.fingerprint = fingerprint, .parent = parent, .step = s};
  g->table[slot] = id + 1;
  if (g->count * 2 > g->table_size) rehash(g);
  return id;
}

void graph_add_edge(struct graph *g, uint32_t from, uint32_t to) {
  if (from == to) return;
  if (g->edge_count == g->edge_room) {
    g->edge_room = g->edge_room ? 2 * g->edge_room : 4096;
    g->edges = grow(g->edges, g->edge_room, sizeof(*g->edges));
  }
  g->edges[g->edge_count][0] = from;
  g->edges[g->edge_count++][1] = to;
}

void graph_mark_good(struct graph *g, uint32_t id) {
  g->visits[id].good = true;
}

bool graph_find_stuck(struct graph *g, uint32_t *ret) {
  // Later states were mostly found from earlier ones, so backwards it takes few rounds.
  for (bool changed = true; changed;) {
    changed = false;
    for (size_t i = g->edge_count; i-- > 0;) {
      struct visit *from = &g->visits[g->edges[i][0]];
      if (from->good || !g->visits[g->edges[i][1]].good) continue;
      from->good = changed = true;
    }
  }
  for (size_t i = 0; i < g->count; i++) {
    if (g->visits[i].good) continue;
    *ret = (uint32_t)i;
    return true;
  }
  return false;
}
