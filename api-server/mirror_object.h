// An object as the mirror keeps it: whose it is, and its row until the writer takes it. Pure.
#pragma once

#include "base/json.h"
#include "base/meta.h"
#include "kube/cache.h"

#include "store.h"

struct mirrored {
  struct meta meta;
  char *row;       // NULL: taken, or it could not be made
  bool finished;   // a Match that is Complete or Failed
  int finalizer;   // where MIRROR_FINALIZER stands in its finalizers; -1: nowhere
  int finalizers;  // how many there are
};

extern const struct cache_type MIRRORED_TYPES[STORED_KINDS];
const char *mirrored_label(enum stored_kind k);  // "Match"...

// What is to be done about a Match's finalizer. `committed`: the version whose row is; `failing`: PostgreSQL takes
// none.
enum finalizer_step { FINALIZER_LEAVE, FINALIZER_ADD, FINALIZER_REMOVE };
enum finalizer_step mirrored_step(const struct mirrored *m, uint64_t committed, bool failing);
// The JSON patch for it: it does nothing when the object has changed meanwhile.
json *mirrored_patch(const struct mirrored *m, enum finalizer_step step);
