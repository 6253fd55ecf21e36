#include "rate_limits.h"

#include <stdlib.h>

#include "base/map.h"
#include "base/memory.h"

#include "settings.h"

enum { MINUTE = 60 * 1000, BUCKETS_MAX = 100 * 1000, SWEEP_EVERY = 60 * 1000, WHO_MAX = 80 };

// A token, as far as sums of fractions are one.
static const double WHOLE = 1 - 1e-9;

struct bucket {
  double tokens;
  msec filled;  // as of when
  int limit;
};

struct limits {
  int per_minute[LIMIT_NOTHING];
  struct map *buckets;                 // "kind who"
  struct bucket crowd[LIMIT_NOTHING];  // shared by all for whom there is no room
  msec swept;
};

struct limits *limits_new(const struct settings *s) {
  struct limits *l = mem_alloc(sizeof(*l));
  l->per_minute[LIMIT_GENERAL] = (int)s->rate_general;
  l->per_minute[LIMIT_AUTH] = (int)s->rate_auth;
  l->per_minute[LIMIT_SUBMISSION] = (int)s->rate_submission;
  l->per_minute[LIMIT_MATCH] = (int)s->rate_match;
  l->per_minute[LIMIT_REPLAY] = (int)s->rate_replay;
  l->buckets = map_new(free);
  for (int i = 0; i < LIMIT_NOTHING; i++)
    l->crowd[i] = (struct bucket){.tokens = l->per_minute[i], .limit = l->per_minute[i]};
  return l;
}

void limits_free(struct limits *l) {
  if (!l) return;
  map_free(l->buckets);
  free(l);
}

// A clock that was set back fills nothing and takes nothing.
static void fill(struct bucket *b, msec now) {
  if (now > b->filled) {
    b->tokens += (double)(now - b->filled) * b->limit / MINUTE;
    if (b->tokens > b->limit) b->tokens = b->limit;
  }
  b->filled = now;
}

static void sweep(struct limits *l, msec now) {
  l->swept = now;
  map_each (l->buckets, entry) {
    struct bucket *b = map_value(entry);
    fill(b, now);
    if (b->tokens >= b->limit) map_remove(l->buckets, map_key(entry));
  }
}

static struct bucket *find(struct limits *l, enum route_limit kind, const char *who, msec now, bool make) {
  char key[WHO_MAX];
  key[0] = (char)('0' + kind);
  unsigned n = 1;
  while (who[n - 1] && n < sizeof(key) - 1) {
    key[n] = who[n - 1];
    n++;
  }
  key[n] = '\0';
  struct bucket *b = map_get(l->buckets, key);
  if (b || !make) return b;
  // Looking through all of them is dear: not more often than a second apart when nothing is to be had by it.
  bool full = map_count(l->buckets) >= BUCKETS_MAX;
  if (now - l->swept > (full ? 1000 : SWEEP_EVERY) || now < l->swept) sweep(l, now);
  if (map_count(l->buckets) >= BUCKETS_MAX) return &l->crowd[kind];
  b = mem_alloc(sizeof(*b));
  *b = (struct bucket){.tokens = l->per_minute[kind], .filled = now, .limit = l->per_minute[kind]};
  map_put(l->buckets, key, b);
  return b;
}

static void show(const struct bucket *b, msec now, struct allowance *ret) {
  ret->limit = b->limit;
  ret->remaining = (int)(b->tokens + 1 - WHOLE);
  ret->full_at = now + (msec)((b->limit - b->tokens) * MINUTE / b->limit);
  ret->next_at = b->tokens >= WHOLE ? now : now + (msec)((1 - b->tokens) * MINUTE / b->limit + 0.999);
}

bool limits_take(struct limits *l, enum route_limit kind, const char *who, msec now, struct allowance *ret) {
  bool takes = kind != LIMIT_NOTHING;
  if (!takes) kind = LIMIT_GENERAL;
  struct bucket *b = find(l, kind, who, now, takes);
  struct bucket untouched = {.tokens = l->per_minute[kind], .filled = now, .limit = l->per_minute[kind]};
  if (!b) b = &untouched;
  fill(b, now);
  bool allowed = !takes || b->tokens >= WHOLE;
  if (takes && allowed) b->tokens -= b->tokens < 1 ? b->tokens : 1;
  show(b, now, ret);
  return allowed;
}

unsigned limits_count(const struct limits *l) {
  return (unsigned)map_count(l->buckets);
}
