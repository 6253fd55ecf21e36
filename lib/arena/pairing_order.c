#include "pairing_order.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"

enum { KEY_BYTES = 8, DIGITS = 256 };

// Radix sort, a byte at a time from the lowest: 100,000 agents need a few milliseconds less than with
// comparisons. Bytes that are the same in all keys, as the high ones of times are, cost nothing.
void order_sort(struct keyed *items, struct keyed *scratch, size_t count) {
  size_t counts[KEY_BYTES][DIGITS] = {0};
  for (size_t i = 0; i < count; i++)
    for (int b = 0; b < KEY_BYTES; b++) counts[b][items[i].key >> (8 * b) & 0xff]++;

  struct keyed *from = items, *to = scratch;
  for (int b = 0; b < KEY_BYTES && count > 0; b++) {
    if (counts[b][items[0].key >> (8 * b) & 0xff] == count) continue;
    size_t next = 0;
    for (int d = 0; d < DIGITS; d++) {
      size_t start = next;
      next += counts[b][d];
      counts[b][d] = start;
    }
    for (size_t i = 0; i < count; i++) to[counts[b][from[i].key >> (8 * b) & 0xff]++] = from[i];
    struct keyed *swap = from;
    from = to;
    to = swap;
  }
  if (from != items && count > 0) memcpy(items, from, count * sizeof(*items));
}

typedef int compare_fn(const void *a, const void *b, void *agents);

// Orders each run of equal keys by `compare`.
static void sort_runs(struct keyed *items, size_t count, compare_fn *compare, const struct pairing_agent *agents) {
  for (size_t start = 0, end; start < count; start = end) {
    for (end = start + 1; end < count && items[end].key == items[start].key;) end++;
    if (end - start > 1) qsort_r(items + start, end - start, sizeof(*items), compare, (void *)(uintptr_t)agents);
  }
}

static int compare_ids(const void *a, const void *b, void *agents) {
  const struct pairing_agent *list = agents;
  return strcmp(list[((const struct keyed *)a)->index].id, list[((const struct keyed *)b)->index].id);
}

size_t order_turns(const struct pairing_agent *agents, size_t count, struct keyed *ret, struct keyed *scratch) {
  static const msec latest = (INT64_C(1) << 56) - 1;  // the priority stands in the byte above
  size_t found = 0;
  for (size_t i = 0; i < count; i++) {
    if (agents[i].room <= 0) continue;
    msec enqueued = agents[i].enqueued < 0 ? 0 : agents[i].enqueued > latest ? latest : agents[i].enqueued;
    ret[found++] = (struct keyed){.key = (uint64_t)agents[i].priority << 56 | (uint64_t)enqueued, .index = (uint32_t)i};
  }
  order_sort(ret, scratch, found);
  sort_runs(ret, found, compare_ids, agents);
  return found;
}

static const char *owner_of(const struct pairing_agent *a) {
  return a->owner ? a->owner : "";
}

// FNV-1a, folded. Only a way to sort: equal hashes are told apart by their texts.
static uint32_t hash(const char *text) {
  uint64_t h = UINT64_C(14695981039346656037);
  for (; *text; text++) h = (h ^ (unsigned char)*text) * UINT64_C(1099511628211);
  return (uint32_t)(h ^ h >> 32);
}

struct owners {
  const struct pairing_agent *agents;
  const struct keyed *turns;
};

static const char *owner_at(const struct owners *o, uint32_t turn) {
  return owner_of(&o->agents[o->turns[turn].index]);
}

static int compare_owners(const void *a, const void *b, void *owners) {
  return strcmp(owner_at(owners, ((const struct keyed *)a)->index), owner_at(owners, ((const struct keyed *)b)->index));
}

void order_owners(const struct pairing_agent *agents, const struct keyed *turns, size_t count, uint32_t *ret,
                  struct keyed *scratch) {
  struct owners owners = {agents, turns};
  for (uint32_t i = 0; i < count; i++) scratch[i] = (struct keyed){.key = hash(owner_at(&owners, i)), .index = i};
  order_sort(scratch, scratch + count, count);
  uint32_t number = 0;
  for (size_t start = 0, end; start < count; start = end) {
    bool mixed = false;
    const char *first = owner_at(&owners, scratch[start].index);
    for (end = start + 1; end < count && scratch[end].key == scratch[start].key; end++)
      mixed |= strcmp(first, owner_at(&owners, scratch[end].index)) != 0;
    if (mixed) qsort_r(scratch + start, end - start, sizeof(*scratch), compare_owners, &owners);
    for (size_t i = start; i < end; i++) {
      if (i > start && mixed && compare_owners(&scratch[i - 1], &scratch[i], &owners) != 0) number++;
      ret[scratch[i].index] = number;
    }
    number++;
  }
}
