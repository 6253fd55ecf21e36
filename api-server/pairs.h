// Names with values in order, few of them: headers, a query, parameters of a path. Copies both.
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct pair {
  char *name, *value;
};
struct pairs {
  struct pair *items;
  size_t count, room;
};

void pairs_done(struct pairs *p);
void pairs_add(struct pairs *p, char *take_name, char *take_value);
const char *pairs_get(const struct pairs *p, const char *name);  // the first of that name; NULL without one
const char *pairs_get_any_case(const struct pairs *p, const char *name);
size_t pairs_count(const struct pairs *p, const char *name);
