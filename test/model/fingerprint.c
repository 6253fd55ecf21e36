// A state as one number. Versions count only as far as they can matter: whether what a cache holds or a
// plan was decided on is the newest, and what a cache is still to be told. So two ways to one state are one.
#include "kube/cache.h"

#include "hash.h"
#include "model.h"
#include "seen.h"
#include "store.h"

static uint64_t of_objects(void) {
  uint64_t sum = 0;
  for (unsigned i = 0; i < model->object_count; i++) {
    sum += hash_mix(hash_text(model->objects[i].kind), model->objects[i].hash);
  }
  return sum;
}

static uint64_t of_feed(const struct feed *f) {
  uint64_t h = 1;
  for (unsigned i = 0; i < f->count; i++) h = hash_mix(h, hash_mix((uint64_t)f->events[i].type, f->events[i].hash));
  return h;
}

static uint64_t of_cache(enum cache_id id) {
  const struct store *s = feed_store(id);
  const struct feed *f = &model->feeds[id];
  uint64_t h = hash_mix(id, store_tombstones(s));
  uint64_t sum = 0;
  for (const struct meta *m = NULL; (m = store_next(s, m)) != NULL;) {
    // Ahead of the watch: an own write whose event is still to come.
    unsigned ahead = 0;
    while (ahead < f->count && f->events[ahead].version != m->version) ahead++;
    sum += hash_mix(hash_mix(hash_text(m->uid), model->content[m->version]), ahead < f->count ? ahead + 1 : 0);
  }
  return hash_mix(h, sum);
}

static bool is_newest(const char *kind, const char *name, uint64_t version) {
  const struct object *o = object_find(kind, name);
  return o != NULL && o->version == version;
}

static uint64_t of_call(const struct kube_call *c) {
  uint64_t h = hash_mix(hash_text(c->method), hash_text(c->kind->kind));
  h = hash_mix(h, hash_text(c->name));
  h = hash_mix(h, hash_json(c->body));
  const char *guard = json_text(json_at(c->body, "metadata", NULL), "resourceVersion");
  h = hash_mix(h, guard != NULL && is_newest(c->kind->kind, c->name, strtoull(guard, NULL, 10)));
  if (!c->served) return h;
  const char *version = json_text(json_at(c->answer, "metadata", NULL), "resourceVersion");
  h = hash_mix(h, version != NULL && is_newest(c->kind->kind, c->name, strtoull(version, NULL, 10)));
  return hash_mix(hash_mix(h, hash_json(c->answer)), (uint64_t)c->error.code);
}

static uint64_t of_flight(const struct flight *f) {
  uint64_t h = hash_mix(hash_mix(f->id, hash_text(f->key)), f->plan);
  h = hash_mix(h, f->done << 1 | (f->later != NULL));
  h = hash_mix(h, (uint64_t)f->again);
  for (unsigned i = 0; i < f->guard_count; i++)
    h = hash_mix(h, is_newest(f->guards[i].kind, f->guards[i].name, f->guards[i].version));
  for (unsigned i = 0; i < model->call_count; i++) {
    if (model->calls[i]->context == f->run) h = hash_mix(h, of_call(model->calls[i]));
  }
  return h;
}

static uint64_t of_queues(void) {
  uint64_t sum = 0;
  for (unsigned q = 0; q < RECONCILER_COUNT; q++) {
    for (unsigned i = 0; i < model->queues[q]->count; i++) {
      const struct key *k = &model->queues[q]->keys[i];
      // Where any key may be looked at, it does not matter which wait.
      const bool waiting = k->waiting && !model->scenario->any, again = k->again && !model->scenario->any;
      if (!waiting && !k->busy && k->due == 0) continue;
      const uint64_t flags = (uint64_t)(waiting | k->busy << 1 | again << 2);
      sum += hash_mix(hash_mix(hash_text(k->name), q << 3 | flags), (uint64_t)k->due);
    }
  }
  return sum;
}

static uint64_t of_result(const struct wire_result *r) {
  uint64_t h = hash_mix(r->status, hash_text(r->winner_id));
  for (unsigned i = 0; i < r->agent_count; i++) h = hash_mix(h, r->agents[i].failure);
  return h;
}

// The executor, and the controller's table of calls to it.
static uint64_t of_games(void) {
  uint64_t sum = 0;
  for (unsigned i = 0; i < model->game_count; i++) {
    const struct game *g = &model->games[i];
    uint64_t h = hash_mix(hash_text(g->match), g->attempt);
    sum += hash_mix(h, (uint64_t)g->result << 2 | (unsigned)g->running << 1 | (game_caller(g) != NULL));
  }
  if (model->m == NULL) return sum;
  char uid[UID_SIZE];
  for (unsigned i = 0; match_uid(i, uid); i++) {
    struct call_view v;
    executor_look(model->m->executor, uid, &v);
    if (v.state == CALL_NONE) continue;
    uint64_t h = hash_mix(hash_text(uid), (uint64_t)v.state << 8 | (uint64_t)v.attempt);
    h = hash_mix(h, (uint64_t)v.age);
    h = hash_mix(h, v.error.code);
    sum += hash_mix(h, v.result ? of_result(v.result) : 0);
  }
  return sum;
}

static uint64_t of_logs(void) {
  uint64_t sum = 0;
  map_each (model->m->logs, e) {
    const struct kept_log *l = map_value(e);
    sum += hash_mix(hash_mix(hash_text(map_key(e)), hash_text(l->pod_uid)), hash_text(l->container));
  }
  return sum;
}

static uint64_t of_seen(const struct map *seen) {
  uint64_t sum = 0;
  map_each (seen, e) {
    const struct sight *one = map_value(e);
    sum += hash_mix(hash_mix(hash_text(map_key(e)), hash_text(one->uid)), (uint64_t)one->since << 1 | one->stage);
  }
  return sum;
}

// Who waits for an agent, in order. Where any key may be looked at, it does not matter who waits.
static uint64_t of_claims(void) {
  uint64_t sum = map_count(model->m->claims);
  map_each (model->m->claims, e) {
    for (unsigned id = 0; id < RECONCILER_COUNT && !model->scenario->any; id++) {
      size_t count;
      const char *const *names = index_get(model->m->claim_waiters[id], map_key(e), &count);
      uint64_t h = hash_mix(hash_text(map_key(e)), id);
      for (size_t i = 0; i < count; i++) h = hash_mix(h, hash_text(names[i]));
      if (count > 0) sum += h;
    }
  }
  return sum;
}

uint64_t fingerprint(void) {
  uint64_t h = hash_mix(of_objects(), (uint64_t)model->now);
  h = hash_mix(h, of_games());
  h = hash_mix(h, ledger_hash());
  h = hash_mix(h, model->faults_left);
  h = hash_mix(h, model->ticks_left);
  h = hash_mix(h, model->gone);
  h = hash_mix(h, faults_costly());
  h = hash_mix(h, model->used[FAULT_JOB_DELETED]);
  h = hash_mix(h, model->used[FAULT_CRASH] > 0 && model->used[FAULT_USER] > 0);
  for (unsigned i = 0; i < CACHE_COUNT; i++)
    h = hash_mix(h, hash_mix(of_feed(&model->feeds[i]), of_feed(&model->pasts[i])));
  if (model->m == NULL) return hash_mix(h, 1);
  for (unsigned i = 0; i < CACHE_COUNT; i++) h = hash_mix(h, of_cache((enum cache_id)i));
  h = hash_mix(h, of_queues());
  h = hash_mix(h, of_logs());
  h = hash_mix(h, hash_mix(of_seen(model->m->seen_pods), of_seen(model->m->seen_jobs)));
  uint64_t sum = 0;
  for (unsigned i = 0; i < model->flight_count; i++) sum += of_flight(&model->flights[i]);
  h = hash_mix(h, sum);
  h = hash_mix(h, of_claims());
  // Places in its indexes follow from the caches.
  return h;
}
