#include "base/meta.h"

#include <errno.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/str.h"

// A decimal without sign, space or overflow.
static bool parse_version(const char *text, uint64_t *ret) {
  if (!text || text[0] < '0' || text[0] > '9') return false;
  char *end;
  errno = 0;
  unsigned long long n = strtoull(text, &end, 10);
  if (errno || *end) return false;
  *ret = n;
  return true;
}

static json *controller_of(json *metadata) {
  json *owners = json_get(metadata, "ownerReferences");
  for (size_t i = 0; i < json_length(owners); i++)
    if (json_bool(json_item(owners, i), "controller", false)) return json_item(owners, i);
  return NULL;
}

enum error_code meta_decode(json *object, struct meta *ret, struct error *e) {
  json *metadata = json_get(object, "metadata");
  const char *name = json_text(metadata, "name");
  const char *uid = json_text(metadata, "uid");
  const char *version_text = json_text(metadata, "resourceVersion");
  uint64_t version;
  if (text_empty(name)) return error_set(e, ERR_INVALID, "an object without metadata.name");
  if (text_empty(uid)) return error_set(e, ERR_INVALID, "%s: no metadata.uid", name);
  if (!parse_version(version_text, &version))
    return error_set(e, ERR_INVALID, "%s: metadata.resourceVersion \"%s\" is no decimal number", name,
                     version_text ? version_text : "");

  json *owner = controller_of(metadata);
  *ret = (struct meta){
      .namespace = json_text_copy(metadata, "namespace"),
      .name = mem_strdup(name),
      .uid = mem_strdup(uid),
      .version = version,
      .generation = json_int(metadata, "generation", 0),
      .created = json_time(metadata, "creationTimestamp"),
      .deleted = json_time(metadata, "deletionTimestamp"),
      .owner_kind = json_text_copy(owner, "kind"),
      .owner_name = json_text_copy(owner, "name"),
      .owner_uid = json_text_copy(owner, "uid"),
  };
  return ERR_NONE;
}

void meta_owned(struct owned *o, struct meta *m) {
  owned_text(o, &m->namespace);
  owned_text(o, &m->name);
  owned_text(o, &m->uid);
  owned_text(o, &m->owner_kind);
  owned_text(o, &m->owner_name);
  owned_text(o, &m->owner_uid);
}

static void any_meta_owned(struct owned *o, void *meta) {
  meta_owned(o, meta);
}

void meta_done(struct meta *m) {
  owned_free(any_meta_owned, m);
  *m = (struct meta){0};
}

json *meta_new_object(const char *api_version, const char *kind, const char *namespace, const char *name) {
  json *object = json_new_object();
  json_add_text(object, "apiVersion", api_version);
  json_add_text(object, "kind", kind);
  json *metadata = json_add_object(object, "metadata");
  json_add_text(metadata, "namespace", namespace);
  json_add_text(metadata, "name", name);
  return object;
}

// The object or array at `key`, made when it is not there.
static json *inside(json *o, const char *key, json *make(json *o, const char *key)) {
  json *value = json_get(o, key);
  return value ? value : make(o, key);
}

static json *add_reference(json *object, const char *api_version, const char *kind, const char *name, const char *uid) {
  json *metadata = inside(object, "metadata", json_add_object);
  json *reference = json_push_object(inside(metadata, "ownerReferences", json_add_array));
  json_add_text(reference, "apiVersion", api_version);
  json_add_text(reference, "kind", kind);
  json_add_text(reference, "name", name);
  json_add_text(reference, "uid", uid);
  return reference;
}

void meta_add_owner(json *object, const char *api_version, const char *kind, const struct meta *owner) {
  json *reference = add_reference(object, api_version, kind, owner->name, owner->uid);
  json_add_bool(reference, "controller", true);
  json_add_bool(reference, "blockOwnerDeletion", true);
}

void meta_goes_with(json *object, const char *api_version, const char *kind, const char *name, const char *uid) {
  add_reference(object, api_version, kind, name, uid);
}

void meta_add_label(json *object, const char *key, const char *value) {
  json *metadata = inside(object, "metadata", json_add_object);
  json_add_text(inside(metadata, "labels", json_add_object), key, value);
}
