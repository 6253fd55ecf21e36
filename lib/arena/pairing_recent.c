#include "pairing_recent.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

struct pairing_recent *pairing_recent_new(void) {
  return mem_alloc(sizeof(struct pairing_recent));
}

void pairing_recent_free(struct pairing_recent *r) {
  if (!r) return;
  for (size_t i = 0; i < r->numbers.count; i++) {
    free(r->agents[i].id);
    free(r->agents[i].opponents);
  }
  free(r->agents);
  words_done(&r->numbers);
  free(r);
}

static uint32_t find_or_add(struct pairing_recent *r, const char *id) {
  uint32_t number = words_find(&r->numbers, id);
  if (number != WORDS_NONE) return number;
  if (r->numbers.count == r->room) {
    r->room = r->room ? 2 * r->room : 64;
    r->agents = mem_grow(r->agents, r->room, sizeof(*r->agents));
  }
  char *copy = mem_strdup(id);
  number = words_add(&r->numbers, copy);
  r->agents[number] = (struct recent_agent){.id = copy};
  return number;
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
  uint32_t a = find_or_add(r, id_a), b = find_or_add(r, id_b);
  add_opponent(&r->agents[a], b);
  add_opponent(&r->agents[b], a);
}
