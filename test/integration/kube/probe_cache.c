// Watches ConfigMaps and writes them. Commands:
//   create NAME VALUE | put NAME VALUE | replace NAME VERSION VALUE | delete NAME | read NAME | dump
// Events: synced, + ~ - for changes, "wrote NAME VERSION", "cached NAME VALUE" right after an own write.
#include <inttypes.h>
#include <string.h>

#include "kube/cache.h"

#include "probe.h"

struct config {
  struct meta meta;
  char *value;
};

static bool decode(json *object, void *ret, struct error *e) {
  struct config *c = ret;
  c->value = json_text_copy(json_get(object, "data"), "value");
  if (!text_equal(c->value, "unreadable")) return true;
  error_set(e, ERR_INVALID, "the value says so");
  return false;
}

static void owned(struct owned *o, void *object) {
  struct config *c = object;
  meta_owned(o, &c->meta);
  owned_text(o, &c->value);
}

static void on_change(void *context, struct cache *cache, const void *before, const void *after) {
  (void)context, (void)cache;
  const struct config *b = before, *a = after;
  if (b == NULL)
    tell("+ %s %" PRIu64 " %s", a->meta.name, a->meta.version, a->value);
  else if (a == NULL)
    tell("- %s %" PRIu64, b->meta.name, b->meta.version);
  else
    tell("~ %s %" PRIu64 " %s", a->meta.name, a->meta.version, a->value);
}

static void on_synced(void *context, struct cache *cache) {
  (void)context;
  tell("synced %zu", cache_count(cache));
}

// --- own writes ---

struct write {
  struct probe *probe;
  char *what, *name, *uid;
};

static void write_free(struct write *w) {
  free(w->what);
  free(w->name);
  free(w->uid);
  free(w);
}

static void on_written(void *context, const struct kube_answer *answer, const struct error *e) {
  struct write *w = context;
  struct cache *cache = w->probe->own;
  bool deleted = strcmp(w->what, "delete") == 0;
  if (e != NULL) {
    tell_error(w->what, w->name, e);
  } else if (strcmp(w->what, "read") == 0) {
    tell("read %s %s", w->name, json_text(json_at(answer->object, "metadata", NULL), "resourceVersion"));
  } else {
    if (deleted)
      cache_observe_deleted(cache, w->name, w->uid);
    else
      cache_observe(cache, answer->object);
    const struct config *c = cache_get(cache, w->name);
    tell("wrote %s %s", w->name,
         deleted ? "-" : json_text(json_at(answer->object, "metadata", NULL), "resourceVersion"));
    tell("cached %s %s", w->name, c != NULL ? c->value : "-");
  }
  write_free(w);
}

static void send_write(struct probe *p, const char *what, const char *method, const char *name, json *body) {
  const struct config *known = cache_get(p->own, name);
  struct write *w = mem_alloc(sizeof *w);
  *w = (struct write){.probe = p, .what = mem_strdup(what), .name = mem_strdup(name)};
  if (known != NULL) w->uid = mem_strdup(known->meta.uid);
  struct kube_request r = {
      .method = method,
      .kind = &probe_configmap,
      .namespace = p->namespace,
      .name = strcmp(method, "POST") == 0 ? NULL : name,
      .content_type = strcmp(method, "PATCH") == 0 ? "application/merge-patch+json" : NULL,
      .body = body,
  };
  kube_call_start(p->client, &r, on_written, w);
}

static json *new_config(struct probe *p, const char *name, const char *version, const char *value) {
  json *o = meta_new_object("v1", "ConfigMap", p->namespace, name);
  if (!text_empty(version)) json_add_text(json_get(o, "metadata"), "resourceVersion", version);
  json_add_text(json_add_object(o, "data"), "value", value);
  return o;
}

static void dump(struct cache *cache) {
  cache_each (cache, struct config, c) tell("= %s %" PRIu64 " %s", c->meta.name, c->meta.version, c->value);
  tell("dumped %zu", cache_count(cache));
}

static bool command(struct probe *p, const char *const words[WORDS_MAX]) {
  const char *what = words[0], *name = words[1];
  cleanup_json json *body = NULL;
  if (strcmp(what, "dump") == 0) {
    dump(p->own);
  } else if (strcmp(what, "create") == 0) {
    body = new_config(p, name, NULL, words[2]);
    send_write(p, what, "POST", name, body);
  } else if (strcmp(what, "put") == 0) {
    body = json_new_object();
    json_add_text(json_add_object(body, "data"), "value", words[2]);
    send_write(p, what, "PATCH", name, body);
  } else if (strcmp(what, "replace") == 0) {
    body = new_config(p, name, words[2], words[3]);
    send_write(p, what, "PUT", name, body);
  } else if (strcmp(what, "delete") == 0) {
    send_write(p, what, "DELETE", name, NULL);
  } else if (strcmp(what, "read") == 0) {
    send_write(p, what, "GET", name, NULL);
  } else {
    return false;
  }
  return true;
}

static void finish(struct probe *p) {
  cache_free(p->own);
  probe_end(p);
}

void cache_probe_start(struct probe *p) {
  struct cache_type type = {
      .kind = &probe_configmap,
      .size = sizeof(struct config),
      .decode = decode,
      .owned = owned,
      .page_limit = (unsigned)strtoul(p->arguments[0], NULL, 10),
      .label_selector = text_empty(p->arguments[1]) ? NULL : p->arguments[1],
  };
  p->command = command;
  p->finish = finish;
  struct cache *c = cache_new(p->client, &p->loop, &type, p->namespace, on_change, on_synced, p);
  p->own = c;
  cache_start(c);
}
