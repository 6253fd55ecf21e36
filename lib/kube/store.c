#include "store.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/str.h"
#include "base/table.h"

// In front of each typed object, in one block with it.
struct node {
  struct table_link link;  // by its name, in the order of arrival
};

struct tombstone {
  uint64_t version;  // of the object when it was deleted; the deletion is newer
  char uid[];
};

struct store {
  const struct cache_type *type;
  store_change_fn *change;
  void *context;
  bool changing;
  uint64_t version;
  struct table *nodes;
  struct map *tombstones;  // name -> tombstone
  struct table *listed;    // nodes, while a list is taken in; NULL otherwise
  struct map *skipped;     // name -> version already complained about
};

enum { SKIPPED_MAX = 1000 };

static void *object_of(struct node *n) {
  return n + 1;
}

static struct node *node_of(const void *object) {
  return (struct node *)(uintptr_t)object - 1;
}

static struct node *linked(struct table_link *link) {
  return (struct node *)link;
}

static const struct meta *meta_of(struct node *n) {
  return object_of(n);
}

static struct node *find(const struct table *nodes, const char *name) {
  return linked(table_get(nodes, name));
}

static void node_free(const struct store *s, struct node *n) {
  owned_let_go(s->type->owned, object_of(n));
  free(n);
}

struct store *store_new(const struct cache_type *type, store_change_fn *change, void *context) {
  assert(type->size >= sizeof(struct meta));
  struct store *s = mem_alloc(sizeof *s);
  s->type = type;
  s->change = change;
  s->context = context;
  s->nodes = table_new();
  s->tombstones = map_new(free);
  s->skipped = map_new(free);
  return s;
}

static void free_nodes(const struct store *s, struct table *nodes) {
  table_each (nodes, link) {
    table_remove(nodes, link);
    node_free(s, linked(link));
  }
  table_free(nodes);
}

void store_free(struct store *s) {
  if (s == NULL) return;
  assert(!s->changing);
  store_list_abort(s);
  free_nodes(s, s->nodes);
  map_free(s->tombstones);
  map_free(s->skipped);
  free(s);
}

uint64_t store_version(const struct store *s) {
  return s->version;
}

const void *store_get(const struct store *s, const char *name) {
  struct node *n = find(s->nodes, name);
  return n != NULL ? object_of(n) : NULL;
}

size_t store_count(const struct store *s) {
  return table_count(s->nodes);
}

const void *store_next(const struct store *s, const void *previous) {
  struct node *n = linked(previous != NULL ? table_next(&node_of(previous)->link) : table_first(s->nodes));
  return n != NULL ? object_of(n) : NULL;
}

size_t store_tombstones(const struct store *s) {
  return map_count(s->tombstones);
}

uint64_t store_parse_version(const char *text) {
  uint64_t n = 0;
  if (text_empty(text)) return 0;
  for (; *text != 0; text++) {
    if (*text < '0' || *text > '9' || n > (UINT64_MAX - 9) / 10) return 0;
    n = n * 10 + (uint64_t)(*text - '0');
  }
  return n;
}

uint64_t store_version_of(json *object) {
  return store_parse_version(json_text(json_get(object, "metadata"), "resourceVersion"));
}

static void saw_version(struct store *s, uint64_t version) {
  if (version > s->version) s->version = version;
}

static void report(struct store *s, struct node *before, struct node *after) {
  assert(!s->changing);
  s->changing = true;
  s->change(s->context, before != NULL ? object_of(before) : NULL, after != NULL ? object_of(after) : NULL);
  s->changing = false;
}

static void add_to(struct table *nodes, struct node *n) {
  table_add(nodes, &n->link, meta_of(n)->name);
}

static void remove_node(struct store *s, struct node *n) {
  table_remove(s->nodes, &n->link);
  report(s, n, NULL);
  node_free(s, n);
}

static void put_node(struct store *s, struct node *take_node) {
  struct node *before = find(s->nodes, meta_of(take_node)->name);
  if (before != NULL && !text_equal(meta_of(before)->uid, meta_of(take_node)->uid)) {
    remove_node(s, before);  // deleted and made anew while nobody told: another object, whatever its name
    before = NULL;
  }
  if (before != NULL) table_remove(s->nodes, &before->link);
  add_to(s->nodes, take_node);
  report(s, before, take_node);
  if (before != NULL) node_free(s, before);
}

static void complain(struct store *s, const struct meta *m, const char *why) {
  const uint64_t *known = map_get(s->skipped, m->name);
  if (known != NULL && *known == m->version) return;
  if (map_count(s->skipped) >= SKIPPED_MAX) map_remove(s->skipped, map_key(map_first(s->skipped)));
  uint64_t *version = mem_alloc(sizeof *version);
  *version = m->version;
  map_put(s->skipped, m->name, version);
  log_warn("object cannot be read and is skipped", "kind", s->type->kind->kind, "namespace", m->namespace, "name",
           m->name, "error", why);
}

// A node for the object; takes the meta. NULL, after a complaint, when the type cannot read the rest.
static struct node *decode_node(struct store *s, json *object, struct meta *take_meta) {
  cleanup_free void *loose = mem_alloc(s->type->size);
  memcpy(loose, take_meta, sizeof *take_meta);
  struct error e = {0};
  if (s->type->decode(object, loose, &e)) return owned_pack(s->type->owned, sizeof(struct node), loose, s->type->size);
  complain(s, take_meta, e.text);
  owned_free(s->type->owned, loose);
  return NULL;
}

static bool is_buried(const struct store *s, const struct meta *m) {
  const struct tombstone *t = map_get(s->tombstones, m->name);
  return t != NULL && (m->version <= t->version || text_equal(t->uid, m->uid));
}

// Takes the meta. Puts the object in unless what is known is as new.
static void put_if_newer(struct store *s, json *object, struct meta *take_meta) {
  struct node *known = find(s->nodes, take_meta->name);
  if (is_buried(s, take_meta) || (known != NULL && meta_of(known)->version >= take_meta->version)) {
    meta_done(take_meta);
    return;
  }
  map_remove(s->tombstones, take_meta->name);
  // An unreadable object is as good as absent: acting on its former state would be acting on a guess.
  cleanup_free char *name = mem_strdup(take_meta->name);
  struct node *n = decode_node(s, object, take_meta);
  if (n != NULL)
    put_node(s, n);
  else if ((known = find(s->nodes, name)) != NULL)
    remove_node(s, known);
}

static void remove_if_newer(struct store *s, const struct meta *m) {
  const struct tombstone *t = map_get(s->tombstones, m->name);
  if (t != NULL && m->version > t->version) map_remove(s->tombstones, m->name);
  struct node *known = find(s->nodes, m->name);
  if (known != NULL && meta_of(known)->version <= m->version) remove_node(s, known);
}

static enum error_code decode_event(json *object, struct meta *ret, struct error *e) {
  struct error why = {0};
  if (meta_decode(object, ret, &why) == ERR_NONE) return ERR_NONE;
  return error_set(e, ERR_INTERNAL, "a watch event cannot be read: %s", why.text);
}

enum error_code store_event(struct store *s, enum watch_type type, json *object, struct error *e) {
  if (type == WATCH_BOOKMARK) {  // carries a version and nothing else
    saw_version(s, store_version_of(object));
    return ERR_NONE;
  }
  struct meta m = {0};
  if (decode_event(object, &m, e) != ERR_NONE) return ERR_INTERNAL;
  saw_version(s, m.version);
  if (type == WATCH_DELETED) {
    remove_if_newer(s, &m);
    meta_done(&m);
  } else {
    put_if_newer(s, object, &m);
  }
  return ERR_NONE;
}

void store_list_begin(struct store *s) {
  store_list_abort(s);
  s->listed = table_new();
}

void store_list_abort(struct store *s) {
  if (s->listed == NULL) return;
  free_nodes(s, s->listed);
  s->listed = NULL;
}

static void unlist(struct store *s, const char *name) {
  struct node *n = find(s->listed, name);
  if (n == NULL) return;
  table_remove(s->listed, &n->link);
  node_free(s, n);
}

static void list_item(struct store *s, json *item, struct meta *take_meta) {
  unlist(s, take_meta->name);
  struct node *n = decode_node(s, item, take_meta);
  if (n != NULL) add_to(s->listed, n);
}

void store_list_add(struct store *s, json *item) {
  struct meta m = {0};
  struct error why = {0};
  if (meta_decode(item, &m, &why) == ERR_NONE)
    list_item(s, item, &m);
  else
    log_warn("list item cannot be read and is skipped", "kind", s->type->kind->kind, "error", why.text);
}

enum error_code store_list_event(struct store *s, enum watch_type type, json *object, struct error *e) {
  struct meta m = {0};
  if (decode_event(object, &m, e) != ERR_NONE) return ERR_INTERNAL;
  if (type != WATCH_DELETED) {
    list_item(s, object, &m);
    return ERR_NONE;
  }
  unlist(s, m.name);
  meta_done(&m);
  return ERR_NONE;
}

// Known objects that the list does not have are gone, unless they are own writes after the list.
static void remove_unlisted(struct store *s, uint64_t version) {
  table_each (s->nodes, link) {
    struct node *n = linked(link);
    if (meta_of(n)->version <= version && find(s->listed, meta_of(n)->name) == NULL) remove_node(s, n);
  }
}

// A list after the object's last known state that does not have it proves the deletion.
static void drop_proven_tombstones(struct store *s, uint64_t version) {
  map_each (s->tombstones, entry) {
    const struct tombstone *t = map_value(entry);
    struct node *n = find(s->listed, map_key(entry));
    if (t->version <= version && (n == NULL || !text_equal(meta_of(n)->uid, t->uid)))
      map_remove(s->tombstones, map_key(entry));
  }
}

enum error_code store_list_end(struct store *s, uint64_t version, struct error *e) {
  assert(s->listed != NULL);
  if (version == 0 || version < s->version) {
    store_list_abort(s);
    return error_set(e, ERR_CONFLICT, "the list is of version %" PRIu64 ", older than %" PRIu64 " which was seen",
                     version, s->version);
  }
  saw_version(s, version);
  remove_unlisted(s, version);
  drop_proven_tombstones(s, version);
  table_each (s->listed, link) {
    table_remove(s->listed, link);
    struct node *n = linked(link);
    struct node *known = find(s->nodes, meta_of(n)->name);
    if (is_buried(s, meta_of(n)) || (known != NULL && meta_of(known)->version >= meta_of(n)->version))
      node_free(s, n);
    else
      put_node(s, n);
  }
  table_free(s->listed);
  s->listed = NULL;
  return ERR_NONE;
}

void store_observe(struct store *s, json *object) {
  struct meta m = {0};
  struct error why = {0};
  if (meta_decode(object, &m, &why) != ERR_NONE) {
    log_warn("answer to a write cannot be read", "kind", s->type->kind->kind, "error", why.text);
    return;
  }
  if (m.version <= s->version)
    meta_done(&m);
  else
    put_if_newer(s, object, &m);
}

void store_observe_deleted(struct store *s, const char *name, const char *uid) {
  struct node *n = find(s->nodes, name);
  // Not known, or another object of the name: the watch has already gone past this deletion.
  if (n == NULL || (uid != NULL && !text_equal(uid, meta_of(n)->uid))) return;
  const char *known_uid = meta_of(n)->uid;
  size_t size = strlen(known_uid) + 1;
  struct tombstone *t = mem_alloc(sizeof *t + size);
  t->version = meta_of(n)->version;
  memcpy(t->uid, known_uid, size);
  map_put(s->tombstones, name, t);
  remove_node(s, n);
}
