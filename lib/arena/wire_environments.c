// What an executor can play.
#include "arena/wire.h"
#include "base/memory.h"
#include "base/str.h"

#include "codec.h"
#include "executor.pb-c.h"

enum error_code wire_decode_environments(const uint8_t *bytes, size_t length, struct wire_environments *ret,
                                         struct error *e) {
  Executor__ListEnvironmentsResponse *m = executor__list_environments_response__unpack(NULL, length, bytes);
  if (m == NULL) return error_set(e, ERR_INVALID, "executor's answer is no ListEnvironmentsResponse");
  const size_t count = m->n_environments;
  if (count <= WIRE_ENVIRONMENTS_MAX) {
    *ret = (struct wire_environments){.known = true, .count = count};
    for (size_t i = 0; i < count; i++) ret->names[i] = text_bounded(m->environments[i]->name, BOUND_NAME);
  }
  executor__list_environments_response__free_unpacked(m, NULL);
  if (count > WIRE_ENVIRONMENTS_MAX)
    return error_set(e, ERR_INVALID, "executor's answer has more than %d environments", WIRE_ENVIRONMENTS_MAX);
  return ERR_NONE;
}

bool wire_environments_have(const struct wire_environments *l, const char *name) {
  for (size_t i = 0; i < l->count; i++)
    if (text_equal(l->names[i], name)) return true;
  return false;
}

void wire_environments_done(struct wire_environments *l) {
  for (size_t i = 0; i < l->count; i++) free(l->names[i]);
  *l = (struct wire_environments){0};
}
