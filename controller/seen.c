#include "seen.h"

#include <stdlib.h>

#include "base/memory.h"
#include "base/str.h"

static void sight_free(void *value) {
  struct sight *one = value;
  free(one->uid);
  free(one);
}

struct map *seen_new(void) {
  return map_new(sight_free);
}

msec seen_for(struct map *seen, const char *name, const char *uid, unsigned stage, msec now) {
  const struct sight *known = map_get(seen, name);
  if (known != NULL && known->stage == stage && text_equal(known->uid, uid)) return now - known->since;
  struct sight *one = mem_alloc(sizeof(*one));
  *one = (struct sight){.uid = mem_strdup(uid), .stage = stage, .since = now};
  map_put(seen, name, one);
  return 0;
}
