// All states that were seen, how each was first reached, and which follow which without a fault.
#pragma once

#include <stddef.h>

#include "steps.h"

struct visit {
  uint64_t fingerprint;
  uint32_t parent;
  struct step step;
  bool good;  // it is at rest as it should be, or such a state can be reached
};

struct graph {
  struct visit *visits;
  size_t count, room;
  uint32_t *table;  // of ids + 1
  size_t table_size;
  uint32_t (*edges)[2];
  size_t edge_count, edge_room;
  uint32_t worst;
};

struct graph *graph_new(void);
void graph_free(struct graph *g);
size_t graph_size(const struct graph *g);
uint32_t graph_visit(struct graph *g, uint64_t fingerprint, uint32_t parent, struct step s, bool *ret_is_new);
void graph_add_edge(struct graph *g, uint32_t from, uint32_t to);
void graph_mark_good(struct graph *g, uint32_t id);
// A state from which no state at rest can be reached without another fault.
bool graph_find_stuck(struct graph *g, uint32_t *ret);
