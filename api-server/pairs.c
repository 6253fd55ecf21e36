#include "pairs.h"

#include <stdlib.h>
#include <strings.h>

#include "base/memory.h"
#include "base/str.h"

void pairs_done(struct pairs *p) {
  for (size_t i = 0; i < p->count; i++) {
    free(p->items[i].name);
    free(p->items[i].value);
  }
  free(p->items);
  *p = (struct pairs){0};
}

void pairs_add(struct pairs *p, char *take_name, char *take_value) {
  if (p->count == p->room) {
    p->room = p->room ? 2 * p->room : 8;
    p->items = mem_grow(p->items, p->room, sizeof(*p->items));
  }
  p->items[p->count++] = (struct pair){.name = take_name, .value = take_value};
}

const char *pairs_get(const struct pairs *p, const char *name) {
  for (size_t i = 0; i < p->count; i++)
    if (text_equal(p->items[i].name, name)) return p->items[i].value;
  return NULL;
}

const char *pairs_get_any_case(const struct pairs *p, const char *name) {
  for (size_t i = 0; i < p->count; i++)
    if (strcasecmp(p->items[i].name, name) == 0) return p->items[i].value;
  return NULL;
}

size_t pairs_count(const struct pairs *p, const char *name) {
  size_t count = 0;
  for (size_t i = 0; i < p->count; i++) count += text_equal(p->items[i].name, name);
  return count;
}
