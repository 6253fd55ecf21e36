// What the real manager and apply.c stand on: requests, work queues, timers, events and the clock.
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "io/timer.h"

#include "apply.h"
#include "hash.h"
#include "heap.h"
#include "model.h"

// ---- the clock: linked with --wrap ---------------------------------------------------------------

msec __wrap_clock_now(void);
msec __wrap_clock_monotonic(void);

msec __wrap_clock_now(void) {
  return model->now;
}

msec __wrap_clock_monotonic(void) {
  return model->now;
}

// ---- OpenSSL keeps what it learns at the first call: not in the world -----------------------------

unsigned char *__real_SHA256(const unsigned char *bytes, size_t length, unsigned char *ret);
unsigned char *__wrap_SHA256(const unsigned char *bytes, size_t length, unsigned char *ret);

unsigned char *__wrap_SHA256(const unsigned char *bytes, size_t length, unsigned char *ret) {
  heap_leave();
  unsigned char *digest = __real_SHA256(bytes, length, ret);
  heap_enter();
  return digest;
}

// ---- timers: apply.c has one, of 0 ms ------------------------------------------------------------

struct timer {
  timer_fn *fn;
  void *context;
};

struct timer *timer_new(uv_loop_t *loop, timer_fn *fn, void *context) {
  (void)loop;
  struct timer *t = mem_alloc(sizeof(*t));
  *t = (struct timer){.fn = fn, .context = context};
  // The plan that has just been started is known by its context from here on.
  struct flight *f = &model->flights[model->flight_count - 1];
  assert(model->flight_count > 0 && f->run == NULL);
  f->run = context;
  return t;
}

// A delay of 0 ends with the step; the others when the model chooses.
void timer_set(struct timer *t, msec delay) {
  if (delay == 0) {
    assert(model->armed == NULL);
    model->armed = t;
  } else {
    flight_of(t->context)->later = t;
  }
}

void timer_free(struct timer *t) {
  if (t == NULL) return;
  if (model->armed == t) model->armed = NULL;
  free(t);
}

void controller_send_again(struct flight *f) {
  struct timer *t = f->later;
  f->later = NULL;
  t->fn(t->context);
  controller_run_timers();
}

void controller_run_timers(void) {
  while (model->armed != NULL) {
    struct timer *t = model->armed;
    model->armed = NULL;
    t->fn(t->context);
  }
}

// ---- election: a second controller is not part of the model --------------------------------------

bool lease_is_held(const struct lease *l) {
  (void)l;
  return true;
}

// ---- Events for people: not part of the model ----------------------------------------------------

struct event_recorder *event_recorder_new(struct kube_client *client, uv_loop_t *loop, const char *component,
                                          const char *instance) {
  (void)client, (void)loop, (void)component, (void)instance;
  return NULL;
}

void event_recorder_free(struct event_recorder *r) {
  (void)r;
}

void event_recorder_emit(struct event_recorder *r, const struct kube_kind *kind, const struct meta *object,
                         bool warning, const char *reason, const char *message) {
  (void)r, (void)kind, (void)object, (void)warning, (void)reason, (void)message;
}

size_t event_recorder_pending(const struct event_recorder *r) {
  (void)r;
  return 0;
}

// ---- plans under way: linked with --wrap ---------------------------------------------------------

void __real_apply_start(struct manager *m, struct plan *take, apply_done_fn *done, void *context);
void __wrap_apply_start(struct manager *m, struct plan *take, apply_done_fn *done, void *context);

static uint64_t hash_action(const struct action *a) {
  uint64_t h = hash_mix(a->type, hash_text(a->name));
  h = hash_mix(h, hash_text(a->uid));
  h = hash_mix(h, hash_text(a->container));
  h = hash_mix(h, hash_json(a->body));
  h = hash_mix(h, a->bytes ? hash_bytes(a->bytes, a->length) : 0);
  return hash_mix(h, (uint64_t)a->attempt);
}

void __wrap_apply_start(struct manager *m, struct plan *take, apply_done_fn *done, void *context) {
  assert(model->flight_count < FLIGHTS_MAX);
  struct flight *f = &model->flights[model->flight_count++];
  *f = (struct flight){.id = model->looking_id, .key = mem_strdup(model->looking_key), .again = take->again};
  for (unsigned i = 0; i < take->count; i++) {
    const struct action *a = &take->actions[i];
    if (a->type == ACTION_EVENT) continue;
    f->plan = hash_mix(f->plan, hash_action(a));
    if (a->type != ACTION_PATCH_STATUS) continue;
    assert(f->guard_count < GUARDS_MAX);
    f->guards[f->guard_count].kind = a->kind->kind;
    f->guards[f->guard_count].name = mem_strdup(a->name);
    f->guards[f->guard_count++].version = a->version;
  }
  __real_apply_start(m, take, done, context);
}

struct flight *flight_of(const void *run) {
  for (unsigned i = 0; i < model->flight_count; i++) {
    if (model->flights[i].run == run) return &model->flights[i];
  }
  return NULL;
}

static void flight_ended(enum reconciler_id id, const char *key) {
  for (unsigned i = 0; i < model->flight_count; i++) {
    struct flight *f = &model->flights[i];
    if (f->id != id || !text_equal(f->key, key)) continue;
    free(f->key);
    for (unsigned k = 0; k < f->guard_count; k++) free(f->guards[k].name);
    model->flight_count--;
    memmove(f, f + 1, (model->flight_count - i) * sizeof(*f));
    return;
  }
}

// ---- work queues: any key that waits may be next -------------------------------------------------

// Delays up to here pass while everything else stands still: a key is as good as waiting.
enum { SOON_MS = 500 };

struct workqueue *workqueue_new(uv_loop_t *loop, const char *name, unsigned concurrency, workqueue_fn *fn,
                                void *context, struct metrics *m) {
  (void)loop, (void)concurrency, (void)m;
  struct workqueue *q = mem_alloc(sizeof(*q));
  *q = (struct workqueue){.fn = fn, .context = context, .id = RECONCILER_COUNT};
  for (enum reconciler_id id = 0; id < RECONCILER_COUNT; id++) {
    if (text_equal(RECONCILERS[id].name, name)) q->id = id;
  }
  model->queues[q->id] = q;
  return q;
}

void workqueue_free(struct workqueue *q) {
  for (unsigned i = 0; i < q->count; i++) free(q->keys[i].name);
  free(q);
}

void workqueue_start(struct workqueue *q) {
  q->running = true;
}

void workqueue_stop(struct workqueue *q) {
  q->running = false;
}

msec workqueue_backoff(unsigned failures) {
  return failures;
}

size_t workqueue_busy(const struct workqueue *q) {
  size_t n = 0;
  for (unsigned i = 0; i < q->count; i++) n += q->keys[i].busy;
  return n;
}

size_t workqueue_depth(const struct workqueue *q) {
  size_t n = 0;
  for (unsigned i = 0; i < q->count; i++) n += q->keys[i].waiting;
  return n;
}

static struct key *key_of(struct workqueue *q, const char *name) {
  for (unsigned i = 0; i < q->count; i++) {
    if (text_equal(q->keys[i].name, name)) return &q->keys[i];
  }
  assert(q->count < KEYS_MAX);
  struct key *k = &q->keys[q->count++];
  *k = (struct key){.name = mem_strdup(name)};
  return k;
}

void workqueue_add(struct workqueue *q, const char *name) {
  struct key *k = key_of(q, name);
  if (k->busy)
    k->again = true;
  else
    k->waiting = true;
}

void workqueue_done(struct workqueue *q, const char *name, bool failed, msec min_delay, msec again) {
  struct key *k = key_of(q, name);
  assert(k->busy);
  flight_ended(q->id, name);
  k->busy = false;
  if (k->again || failed) k->waiting = true;
  k->again = false;
  (void)min_delay;
  if (again > SOON_MS) {
    if (k->due == 0 || k->due > model->now + again) k->due = model->now + again;
  } else if (again > 0) {
    k->waiting = true;
  }
}

void controller_look(enum reconciler_id id, unsigned key) {
  struct key *k = &model->queues[id]->keys[key];
  assert(!k->busy);
  k->waiting = false;
  k->busy = true;
  cleanup_free char *name = mem_strdup(k->name);
  model->looking_id = id;
  model->looking_key = name;
  model->queues[id]->fn(model->queues[id]->context, name);
  controller_run_timers();
}

// ---- requests ------------------------------------------------------------------------------------

struct kube_call *kube_call_start(struct kube_client *client, const struct kube_request *r, kube_done_fn *done,
                                  void *context) {
  (void)client;
  struct kube_call *c = mem_alloc(sizeof(*c));
  const char *name = r->name ? r->name : json_text(json_at(r->body, "metadata", NULL), "name");
  *c = (struct kube_call){.method = r->method,
                          .kind = r->kind,
                          .name = mem_strdup(name),
                          .subresource = mem_strdup(r->subresource),
                          .body = json_object_get(r->body),
                          .done = done,
                          .context = context};
  assert(model->call_count < CALLS_MAX && flight_of(context) != NULL);
  model->calls[model->call_count++] = c;
  return c;
}

static void call_free(struct kube_call *c) {
  free(c->name);
  free(c->subresource);
  free(c->text);
  json_put(&c->body);
  json_put(&c->answer);
  free(c);
}

static void call_forget(struct kube_call *c) {
  unsigned i = 0;
  while (model->calls[i] != c) i++;
  model->call_count--;
  memmove(&model->calls[i], &model->calls[i + 1], (model->call_count - i) * sizeof(c));
}

void call_drop(struct kube_call *c) {
  call_forget(c);
  call_free(c);
}

void call_answer(struct kube_call *c, const struct error *e) {
  call_forget(c);
  struct flight *f = flight_of(c->context);
  f->done++;
  const struct error *shown = e ? e : c->error.code != ERR_NONE ? &c->error : NULL;
  struct kube_answer answer = {.object = shown ? NULL : c->answer, .text = c->text ? c->text : "", .status = 200};
  answer.length = strlen(answer.text);
  c->done(c->context, &answer, shown);
  controller_run_timers();
  call_free(c);
}

// ---- life and death ------------------------------------------------------------------------------

void controller_start(void) {
  model->m = mem_alloc(sizeof(*model->m));
  model->cache_count = 0;
  manager_init(model->m, NULL, &model->settings, NULL, NULL, model->metrics);
  manager_start(model->m);
  manager_act(model->m, ++model->version);  // of the lease it has won
}

// What it had in memory is lost; requests that it sent and that were not served never are (README.md).
void controller_die(void) {
  struct error killed;
  error_set(&killed, ERR_CANCELLED, "killed");
  struct manager *m = model->m;
  model->m = NULL;  // nobody watches, nothing is written any more
  m->acting = false;
  while (model->call_count > 0) call_answer(model->calls[0], &killed);
  // What waits to be sent again is sent, and fails.
  while (model->flight_count > 0) {
    controller_send_again(&model->flights[0]);
    call_answer(model->calls[0], &killed);
  }
  feeds_forget();
  manager_done(m);
  free(m);
}
