#include "steps.h"

#include <assert.h>
#include <stdio.h>

#include "base/memory.h"

#include "cluster.h"

struct list {
  struct step *items;
  unsigned count;
  bool any;
};

static void add(struct list *l, enum step_kind kind, unsigned a, unsigned b) {
  assert(l->count < STEPS_MAX);
  l->items[l->count++] = (struct step){(uint8_t)kind, (uint8_t)a, (uint8_t)b};
}

static bool may(enum fault f) {
  return model->faults_left > 0 && (model->scenario->may & BIT(f)) != 0;
}

static void add_fault(struct list *l, enum fault f, unsigned which) {
  if (may(f)) add(l, STEP_FAULT, which, f);
}

// ---- the controller ------------------------------------------------------------------------------

static void list_controller(struct list *l) {
  for (unsigned i = 0; i < model->call_count; i++) {
    const bool split = model->scenario->split && !model->calls[i]->served;
    add(l, split ? STEP_SERVE : STEP_ANSWER, i, 0);
  }
  for (unsigned i = 0; i < model->flight_count; i++) {
    if (model->flights[i].later != NULL) add(l, STEP_RESEND, i, 0);
  }
  for (unsigned q = 0; q < RECONCILER_COUNT; q++) {
    for (unsigned i = 0; model->scenario->looks[q] && i < model->queues[q]->count; i++) {
      const struct key *k = &model->queues[q]->keys[i];
      if ((k->waiting || l->any) && !k->busy) add(l, STEP_LOOK, q, i);
    }
  }
  for (unsigned i = 0; i < CACHE_COUNT; i++) {
    if (model->feeds[i].count > 0) add(l, STEP_WATCH, i, 0);
  }
}

static void list_controller_faults(struct list *l) {
  add_fault(l, FAULT_CRASH, 0);
  for (unsigned i = 0; i < model->call_count; i++) {
    add_fault(l, FAULT_LOST_ANSWER, i);
    if (!text_equal(model->calls[i]->method, "GET")) add_fault(l, FAULT_TWICE, i);
    if (!model->calls[i]->served) add_fault(l, FAULT_REFUSED, i);
  }
  for (unsigned i = 0; i < CACHE_COUNT; i++) {
    if (model->feeds[i].count > 0) add_fault(l, FAULT_RELIST, i);
  }
  for (unsigned q = 0; may(FAULT_LOOK) && q < RECONCILER_COUNT; q++) {
    for (unsigned i = 0; model->scenario->looks[q] && i < model->queues[q]->count; i++) {
      const struct key *k = &model->queues[q]->keys[i];
      if (!k->waiting && !k->busy) add_fault(l, FAULT_LOOK, q << 4 | i);
    }
  }
}

// The next timer of a key that the scenario looks at; 0: none within the horizon.
static msec next_due(void) {
  msec next = 0;
  for (unsigned q = 0; model->m != NULL && q < RECONCILER_COUNT; q++) {
    for (unsigned i = 0; model->scenario->looks[q] && i < model->queues[q]->count; i++) {
      const msec due = model->queues[q]->keys[i].due;
      if (due > 0 && due <= model->now + model->scenario->horizon && (next == 0 || due < next)) next = due;
    }
  }
  return next;
}

bool steps_time_is_up(void) {
  return next_due() > 0 && model->ticks_left == 0;
}

static void tick(void) {
  const msec due = next_due();
  if (due > model->now) model->now = due;
  for (unsigned q = 0; q < RECONCILER_COUNT; q++) {
    for (unsigned i = 0; i < model->queues[q]->count; i++) {
      struct key *k = &model->queues[q]->keys[i];
      if (k->due == 0 || k->due > model->now) continue;
      k->due = 0;
      workqueue_add(model->queues[q], k->name);
    }
  }
}

// ---- the rest of the world -----------------------------------------------------------------------

static void list_bits(struct list *l, enum step_kind kind, unsigned a, uint32_t bits) {
  for (unsigned b = 0; b < 32; b++) {
    if (bits & BIT(b)) add(l, kind, a, b);
  }
}

static bool was_removed(unsigned i) {
  return (model->gone & UINT64_C(1) << i) != 0;
}

// A removal without a name is of whichever there is.
static struct object *removable(unsigned i) {
  const char *kind = model->scenario->removals[i].kind, *name = model->scenario->removals[i].name;
  if (kind == NULL || name != NULL) return kind ? object_find(kind, name) : NULL;
  for (unsigned k = 0; k < model->object_count; k++) {
    if (text_equal(model->objects[k].kind, kind)) return &model->objects[k];
  }
  return NULL;
}

static bool was_applied_again(unsigned i) {
  return (model->gone & UINT64_C(1) << (32 + i)) != 0;
}

static void list_cluster(struct list *l) {
  for (unsigned i = 0; i < model->object_count; i++) {
    const struct object *o = &model->objects[i];
    if (object_is_orphan(o)) add(l, STEP_COLLECT, i, 0);
    if (pod_can_start(o)) add(l, STEP_START, i, 0);
    if (pod_can_vanish(o)) add(l, STEP_VANISH, i, 0);
    if (job_can_end(o)) list_bits(l, STEP_JOB, i, model->scenario->job_ends);
  }
  for (unsigned i = 0; i < model->game_count; i++) {
    const struct game *g = &model->games[i];
    if (!game_can_finish(g)) continue;
    if (g->running)
      list_bits(l, STEP_FINISH, i, model->scenario->results);
    else
      add(l, STEP_FINISH, i, g->result);
  }
  for (unsigned i = 0; i < REMOVALS_MAX; i++) {
    if (was_removed(i) && !was_applied_again(i) && model->scenario->removals[i].again != NULL) add(l, STEP_AGAIN, i, 0);
  }
}

static void list_cluster_faults(struct list *l) {
  for (unsigned i = 0; i < model->object_count; i++) {
    const struct object *o = &model->objects[i];
    if (pod_can_end(o)) {
      add_fault(l, FAULT_EVICTED, i);
      add_fault(l, FAULT_POD_DELETED, i);
      if (!pod_can_start(o)) add_fault(l, FAULT_EXITED, i);
    }
    if (text_equal(o->kind, "Job")) add_fault(l, FAULT_JOB_DELETED, i);
  }
  bool any = false;
  for (unsigned i = 0; i < model->game_count; i++) {
    any = any || model->games[i].running;
    if (game_caller(&model->games[i]) == NULL) continue;
    add_fault(l, FAULT_BUSY, i);
    add_fault(l, FAULT_UNAVAILABLE, i);
  }
  if (any) add_fault(l, FAULT_EXECUTOR, 0);
  for (unsigned i = 0; i < REMOVALS_MAX && model->scenario->removals[i].kind != NULL; i++) {
    if (!was_removed(i) && removable(i) != NULL) add_fault(l, FAULT_USER, i);
  }
}

unsigned steps_list(struct step ret[STEPS_MAX], bool any) {
  struct list l = {.items = ret, .any = any};
  if (model->m != NULL)
    list_controller(&l);
  else
    add(&l, STEP_RESTART, 0, 0);
  list_cluster(&l);
  if (next_due() > 0 && model->ticks_left > 0) {
    const bool busy = l.count > 0;
    add(&l, STEP_TICK, 0, 0);
    if (busy) add_fault(&l, FAULT_EARLY, 0);
  }
  if (model->m != NULL) list_controller_faults(&l);
  list_cluster_faults(&l);
  return l.count;
}

// ---- doing it ------------------------------------------------------------------------------------

static void fail_call(unsigned i, bool served) {
  struct kube_call *c = model->calls[i];
  struct error e;
  error_set(&e, ERR_UNAVAILABLE, served ? "the answer was lost" : "refused");
  if (served && !c->served) call_serve(c);
  call_answer(c, &e);
}

static void do_fault(enum fault f, unsigned which) {
  model->faults_left--;
  model->used[f]++;
  struct object *o = which < model->object_count ? &model->objects[which] : NULL;
  struct game *g = which < model->game_count ? &model->games[which] : NULL;
  switch (f) {
    case FAULT_CRASH: controller_die(); break;
    case FAULT_LOST_ANSWER: fail_call(which, true); break;
    case FAULT_TWICE:
      if (!model->calls[which]->served) call_serve(model->calls[which]);
      call_serve_again(model->calls[which]);
      call_answer(model->calls[which], NULL);
      break;
    case FAULT_REFUSED: fail_call(which, false); break;
    case FAULT_RELIST: feed_list((enum cache_id)which); break;
    case FAULT_LOOK: controller_look((enum reconciler_id)(which >> 4), which & 15); break;
    case FAULT_EARLY:
      model->ticks_left--;
      tick();
      break;
    case FAULT_BUSY: game_fail(g, ERR_BUSY); break;
    case FAULT_UNAVAILABLE: game_fail(g, ERR_UNAVAILABLE); break;
    case FAULT_EXECUTOR: games_forget(); break;
    case FAULT_EVICTED: pod_is_evicted(o); break;
    case FAULT_POD_DELETED: object_delete("Pod", o->name); break;
    case FAULT_EXITED: pod_exits(o); break;
    case FAULT_JOB_DELETED: object_delete("Job", o->name); break;
    case FAULT_USER:
      model->gone |= UINT64_C(1) << which;
      o = removable(which);
      object_delete(o->kind, o->name);
      break;
    case FAULT_COUNT: abort();
  }
}

void step_do(struct step s) {
  struct object *o = s.a < model->object_count ? &model->objects[s.a] : NULL;
  switch ((enum step_kind)s.kind) {
    case STEP_SERVE: call_serve(model->calls[s.a]); break;
    case STEP_ANSWER:
      if (!model->calls[s.a]->served) call_serve(model->calls[s.a]);
      call_answer(model->calls[s.a], NULL);
      break;
    case STEP_RESEND: controller_send_again(&model->flights[s.a]); break;
    case STEP_LOOK: controller_look((enum reconciler_id)s.a, s.b); break;
    case STEP_WATCH: feed_deliver((enum cache_id)s.a); break;
    case STEP_FINISH: game_finish(&model->games[s.a], (enum result)s.b); break;
    case STEP_START: pod_starts(o); break;
    case STEP_VANISH: object_remove("Pod", o->name); break;
    case STEP_COLLECT: object_remove(o->kind, o->name); break;
    case STEP_JOB: job_ends(o, (enum job_end)s.b); break;
    case STEP_AGAIN:
      model->gone |= UINT64_C(1) << (32 + s.a);
      object_apply(model->scenario->removals[s.a].again);
      break;
    case STEP_RESTART: controller_start(); break;
    case STEP_TICK:
      model->ticks_left--;
      tick();
      break;
    case STEP_FAULT: do_fault((enum fault)s.b, s.a); break;
  }
  feeds_skip_known();
}

// ---- words ---------------------------------------------------------------------------------------

static const char *const cache_names[CACHE_COUNT] = {"agents", "submissions", "matches",   "queues",
                                                     "jobs",   "build pods",  "agent pods"};
static const char *const result_names[RESULT_COUNT] = {
    "first wins", "second wins", "draw", "second forfeits", "both forfeit", "executor's error", "first disconnects"};
static const char *const job_names[JOB_END_COUNT] = {"succeeds", "fails", "is refused", "is evicted"};

static void fault_label(enum fault f, unsigned which, char ret[LABEL_MAX]) {
  static const char *const words[FAULT_COUNT] = {
      "crash",           "answer lost",       "done twice",        "refused",
      "watch lost",      "look at",           "time passes early", "busy",
      "call fails",      "executor restarts", "evicted",           "pod deleted",
      "container exits", "job deleted",       "user deletes"};
  const char *what = "", *name = "";
  if (f == FAULT_LOST_ANSWER || f == FAULT_TWICE || f == FAULT_REFUSED) {
    what = model->calls[which]->method, name = model->calls[which]->name;
  } else if (f == FAULT_RELIST) {
    name = cache_names[which];
  } else if (f == FAULT_LOOK) {
    what = RECONCILERS[which >> 4].name, name = model->queues[which >> 4]->keys[which & 15].name;
  } else if (f == FAULT_BUSY || f == FAULT_UNAVAILABLE) {
    name = model->games[which].match;
  } else if (f == FAULT_USER) {
    what = removable(which)->kind, name = removable(which)->name;
  } else if (f == FAULT_EVICTED || f == FAULT_POD_DELETED || f == FAULT_EXITED || f == FAULT_JOB_DELETED) {
    name = model->objects[which].name;
  }
  snprintf(ret, LABEL_MAX, "! %s %s %s", words[f], what, name);
}

void step_label(struct step s, char ret[LABEL_MAX]) {
  const struct object *o = &model->objects[s.a];
  const struct kube_call *c = model->calls[s.a];
  switch ((enum step_kind)s.kind) {
    case STEP_SERVE: snprintf(ret, LABEL_MAX, "serve %s %s %s", c->method, c->kind->kind, c->name); break;
    case STEP_ANSWER: snprintf(ret, LABEL_MAX, "%s %s %s", c->method, c->kind->kind, c->name); break;
    case STEP_RESEND: snprintf(ret, LABEL_MAX, "again for %s", model->flights[s.a].key); break;
    case STEP_LOOK:
      snprintf(ret, LABEL_MAX, "look at %s %s", RECONCILERS[s.a].name, model->queues[s.a]->keys[s.b].name);
      break;
    case STEP_WATCH: snprintf(ret, LABEL_MAX, "watch of %s", cache_names[s.a]); break;
    case STEP_FINISH: {
      const struct object *match = object_of_uid(model->games[s.a].match);
      snprintf(ret, LABEL_MAX, "game of %s ends: %s", match ? match->name : "a deleted match", result_names[s.b]);
      break;
    }
    case STEP_START: snprintf(ret, LABEL_MAX, "pod %s is ready", o->name); break;
    case STEP_VANISH: snprintf(ret, LABEL_MAX, "pod %s is gone", o->name); break;
    case STEP_COLLECT: snprintf(ret, LABEL_MAX, "collected: %s %s", o->kind, o->name); break;
    case STEP_JOB: snprintf(ret, LABEL_MAX, "job %s %s", o->name, job_names[s.b]); break;
    case STEP_AGAIN:
      snprintf(ret, LABEL_MAX, "user applies %s %s again", model->scenario->removals[s.a].kind,
               model->scenario->removals[s.a].name);
      break;
    case STEP_RESTART: snprintf(ret, LABEL_MAX, "restart"); break;
    case STEP_TICK: snprintf(ret, LABEL_MAX, "time passes"); break;
    case STEP_FAULT: fault_label((enum fault)s.b, s.a, ret); break;
  }
}
