// The JSON side of the simulated world: parsing with single quotes, merge patch, paths, defaults.
#pragma once

#include "world.h"

void world_json_free(void *value);
json *world_parse(const char *text);                   // aborts when malformed
json *world_complete(json *take);                      // apiVersion and the defaults that the CRDs would fill in
void world_merge(json *target, json *patch);           // RFC 7386, into an object
const struct kube_kind *world_kind(const char *kind);  // NULL when unknown
void world_fill_result(struct world *w, struct world_call *c);  // the scripted game as the executor's answer
