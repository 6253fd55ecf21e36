// What every Kubernetes object carries, as far as decisions need it.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/json.h"
#include "base/owned.h"

struct meta {
  char *namespace;
  char *name;
  char *uid;
  // resourceVersion: since Kubernetes 1.34 documented as a decimal that grows, so it can be compared.
  uint64_t version;
  int64_t generation;
  msec created;
  msec deleted;      // deletionTimestamp, 0 when not being deleted
  char *owner_kind;  // the controller owner reference, NULL without one
  char *owner_name;
  char *owner_uid;
};

// Reads `object.metadata`. ERR_INVALID when name, uid or resourceVersion is missing or malformed.
enum error_code meta_decode(json *object, struct meta *ret, struct error *e);
void meta_owned(struct owned *o, struct meta *m);  // for the visitors of structs that begin with one
void meta_done(struct meta *m);

// {"apiVersion","kind","metadata":{"namespace","name"}} to build on; the caller puts it.
json *meta_new_object(const char *api_version, const char *kind, const char *namespace, const char *name);
// Adds a controller owner reference (blockOwnerDeletion) to metadata.
void meta_add_owner(json *object, const char *api_version, const char *kind, const struct meta *owner);
// Adds an owner reference that controls nothing: the object goes when the owner of that uid has gone, no more.
void meta_goes_with(json *object, const char *api_version, const char *kind, const char *name, const char *uid);
void meta_add_label(json *object, const char *key, const char *value);
