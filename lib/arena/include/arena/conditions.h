// The conditions list of a status (listType map, keyed by type).
//
// Types and reasons are interned words: they come from this program's own vocabulary, so that
// pointers can be kept without copies. Messages are owned.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/json.h"
#include "base/owned.h"

enum condition_status { CONDITION_UNKNOWN, CONDITION_TRUE, CONDITION_FALSE };

struct condition {
  const char *type;       // interned
  const char *reason;     // interned; CamelCase
  char *message;          // a sentence for a person; owned
  msec changed;           // lastTransitionTime: when `status` last changed
  int64_t observed : 56;  // observedGeneration
  enum condition_status status : 8;
};

enum { CONDITIONS_MAX = 8 };
struct conditions {
  struct condition *items;  // NULL when empty; owned
  unsigned count;
};

void conditions_decode(json *status, struct conditions *ret);  // reads status.conditions
json *conditions_encode(const struct conditions *c);           // a new array
void conditions_owned(struct owned *o, struct conditions *c);
void conditions_copy(struct conditions *ret, const struct conditions *from);
void conditions_done(struct conditions *c);
bool conditions_equal(const struct conditions *a, const struct conditions *b);

// Sets one; `changed` moves to `now` only when the status changes. The message is formatted and
// cut at 1,024 bytes (whole UTF-8 characters). A reason that the schema would refuse becomes "Unknown".
// `changed` has whole seconds, so that what is in memory equals what is read back.
void condition_set(struct conditions *c, const char *type, enum condition_status status, const char *reason,
                   int64_t generation, msec now, const char *format, ...) __attribute__((format(printf, 7, 8)));
void condition_remove(struct conditions *c, const char *type);
const struct condition *condition_find(const struct conditions *c, const char *type);  // NULL when absent
bool condition_is(const struct conditions *c, const char *type, enum condition_status status);
bool condition_is_true(const struct conditions *c, const char *type);
// "" when absent
const char *condition_reason(const struct conditions *c, const char *type);
