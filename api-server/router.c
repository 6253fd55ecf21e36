#include "router.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/str.h"

struct segment {
  char *text;  // without its braces
  bool parameter, uuid;
};

struct entry {
  const struct route *route;
  struct segment segments[SEGMENTS_MAX];
  unsigned count;
};

struct router {
  struct entry *entries;  // of one length together, literals first
  unsigned count;
};

bool text_is_uuid(const char *text) {
  for (unsigned i = 0; i < 36; i++) {
    bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? text[i] != '-' : !isxdigit((unsigned char)text[i])) return false;
  }
  return text[36] == '\0';
}

bool pattern_has(const char *pattern, const char *name) {
  size_t length = strlen(name);
  for (const char *at = pattern; (at = strchr(at, '{')) != NULL; at++)
    if (strncmp(at + 1, name, length) == 0 && at[1 + length] == '}') return true;
  return false;
}

const struct route_parameter *route_parameter(const struct route *r, unsigned index, const char **ret_place) {
  const unsigned most = array_size(r->parameters);
  if (index < most && r->parameters[index].name) {
    *ret_place = pattern_has(r->pattern, r->parameters[index].name) ? "path" : "query";
    return &r->parameters[index];
  }
  const bool is_next = index == 0 || (index <= most && r->parameters[index - 1].name);
  *ret_place = "header";
  return is_next && r->header.name ? &r->header : NULL;
}

// ---- building --------------------------------------------------------------------------------------

static void broken(const struct route *r, const char *why) {
  fprintf(stderr, "route %s %s: %s\n", r->method, r->pattern, why);
  abort();
}

static bool wants_uuid(const struct route *r, const char *name) {
  for (unsigned i = 0; i < array_size(r->parameters) && r->parameters[i].name; i++)
    if (text_equal(r->parameters[i].name, name)) return strstr(r->parameters[i].schema, "\"uuid\"") != NULL;
  return false;
}

static void compile(const struct route *r, struct entry *ret) {
  ret->route = r;
  const char *at = r->pattern;
  if (*at != '/') broken(r, "must begin with /");
  while (*at == '/' && at[1]) {
    size_t length = strcspn(++at, "/");
    if (ret->count == SEGMENTS_MAX) broken(r, "has too many segments");
    struct segment *s = &ret->segments[ret->count++];
    s->parameter = length > 2 && at[0] == '{' && at[length - 1] == '}';
    s->text = s->parameter ? mem_strndup(at + 1, length - 2) : mem_strndup(at, length);
    s->uuid = s->parameter && wants_uuid(r, s->text);
    at += length;
  }
}

static int compare_shape(const struct entry *a, const struct entry *b) {
  if (a->count != b->count) return a->count < b->count ? -1 : 1;
  for (unsigned i = 0; i < a->count; i++) {
    if (a->segments[i].parameter != b->segments[i].parameter) return a->segments[i].parameter ? 1 : -1;
    int order = a->segments[i].parameter ? 0 : strcmp(a->segments[i].text, b->segments[i].text);
    if (order) return order;
  }
  return 0;
}

static int compare(const void *a, const void *b) {
  const struct entry *one = a, *other = b;
  int order = compare_shape(one, other);
  return order ? order : strcmp(one->route->method, other->route->method);
}

struct router *router_new(const struct route *table, unsigned count) {
  struct router *r = mem_alloc(sizeof(*r));
  r->count = count;
  r->entries = mem_alloc((count + 1) * sizeof(*r->entries));
  for (unsigned i = 0; i < count; i++) compile(&table[i], &r->entries[i]);
  qsort(r->entries, count, sizeof(*r->entries), compare);
  for (unsigned i = 1; i < count; i++)
    if (compare(&r->entries[i - 1], &r->entries[i]) == 0) broken(r->entries[i].route, "is there twice");
  return r;
}

void router_free(struct router *r) {
  if (!r) return;
  for (unsigned i = 0; i < r->count; i++)
    for (unsigned k = 0; k < r->entries[i].count; k++) free(r->entries[i].segments[k].text);
  free(r->entries);
  free(r);
}

// ---- finding ---------------------------------------------------------------------------------------

static bool fits(const struct entry *entry, const struct target *t) {
  if (entry->count != t->segment_count) return false;
  for (unsigned i = 0; i < entry->count; i++) {
    const struct segment *s = &entry->segments[i];
    if (s->parameter ? t->segments[i][0] == '\0' : !text_equal(s->text, t->segments[i])) return false;
  }
  return true;
}

static void add_allowed(char ret[ALLOW_SIZE], const char *method) {
  size_t used = strlen(ret);
  snprintf(ret + used, ALLOW_SIZE - used, "%s%s", used ? ", " : "", method);
}

enum routed router_find(const struct router *r, const char *method, const struct target *t,
                        const struct route **ret_route, struct pairs *ret_parameters, char ret_allow[ALLOW_SIZE]) {
  const char *wanted = text_equal(method, "HEAD") ? "GET" : method;
  const struct entry *first = NULL;
  ret_allow[0] = '\0';
  for (unsigned i = 0; i < r->count; i++) {
    const struct entry *entry = &r->entries[i];
    if (first ? compare_shape(first, entry) != 0 : !fits(entry, t)) {
      if (first) break;
      continue;
    }
    if (!first) first = entry;
    if (text_equal(entry->route->method, wanted)) {
      for (unsigned k = 0; k < entry->count; k++) {
        if (!entry->segments[k].parameter) continue;
        if (entry->segments[k].uuid && !text_is_uuid(t->segments[k])) return ROUTED_NOWHERE;
        pairs_add(ret_parameters, mem_strdup(entry->segments[k].text), mem_strdup(t->segments[k]));
      }
      *ret_route = entry->route;
      return ROUTED;
    }
    add_allowed(ret_allow, entry->route->method);
    if (text_equal(entry->route->method, "GET")) add_allowed(ret_allow, "HEAD");
  }
  if (!first) return ROUTED_NOWHERE;
  add_allowed(ret_allow, "OPTIONS");
  return ROUTED_OTHER_METHOD;
}
