#include "pairing_recent.h"

#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/memory.h"

struct pairing_recent {
  struct map *agents;  // id -> struct recent_agent
};

static void agent_free(void *agent) {
  struct recent_agent *a = agent;
  free(a->opponents);
  free(a);
}

struct pairing_recent *pairing_recent_new(void) {
  struct pairing_recent *r = mem_alloc(sizeof(*r));
  r->agents = map_new(agent_free);
  return r;
}

void pairing_recent_free(struct pairing_recent *r) {
  if (!r) return;
  map_free(r->agents);
  free(r);
}

static struct recent_agent *find_or_add(struct pairing_recent *r, const char *id) {
  struct recent_agent *a = map_get(r->agents, id);
  if (a) return a;
  a = mem_alloc(sizeof(*a));
  a->number = (uint32_t)map_count(r->agents);
  map_put(r->agents, id, a);
  return a;
}

static void add_opponent(struct recent_agent *a, uint32_t number) {
  if (a->count == a->room) {
    a->room = a->room ? 2 * a->room : 2;
    a->opponents = mem_grow(a->opponents, a->room, sizeof(*a->opponents));
  }
  a->opponents[a->count++] = number;
}

void pairing_recent_add(struct pairing_recent *r, const char *id_a, const char *id_b) {
  if (strcmp(id_a, id_b) == 0) return;
  struct recent_agent *a = find_or_add(r, id_a), *b = find_or_add(r, id_b);
  add_opponent(a, b->number);
  add_opponent(b, a->number);
}

size_t recent_count(const struct pairing_recent *r) {
  return r ? map_count(r->agents) : 0;
}

const struct recent_agent *recent_find(const struct pairing_recent *r, const char *id) {
  return map_get(r->agents, id);
}
