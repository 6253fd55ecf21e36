#include "explore.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph.h"
#include "heap.h"
#include "model.h"
#include "story.h"

struct frame {
  struct snapshot *here;
  struct step *steps;
  unsigned count, next;
  uint32_t id;
  bool moved;  // a step that is no fault led somewhere else
};

struct explorer {
  const struct scenario *scenario;
  struct graph *graph;
  struct snapshot *root;
  struct frame *stack;
  size_t depth, room;
  struct outcome_of_run run;
};

static void push(struct explorer *x, uint32_t id, const struct step *steps, unsigned count) {
  if (x->depth == x->room) {
    const size_t room = x->room ? 2 * x->room : 64;
    x->stack = realloc(x->stack, room * sizeof(*x->stack));
    if (x->stack == NULL) abort();
    memset(x->stack + x->room, 0, (room - x->room) * sizeof(*x->stack));
    x->room = room;
  }
  struct frame *f = &x->stack[x->depth++];
  // The place's former snapshot is overwritten.
  *f = (struct frame){.here = snapshot_take(f->here), .count = count, .id = id};
  f->steps = malloc((count + 1) * sizeof(*steps));
  if (f->steps == NULL) abort();
  memcpy(f->steps, steps, count * sizeof(*steps));
  if (x->depth > x->run.deepest) x->run.deepest = x->depth;
}

static void pop(struct explorer *x) {
  free(x->stack[--x->depth].steps);
}

// What this state is, at its first visit. False: a contradiction.
static bool arrive(struct explorer *x, uint32_t id) {
  struct step steps[STEPS_MAX];
  check_state();
  if (model->violation[0]) return false;
  push(x, id, steps, steps_list(steps, x->scenario->any));
  return true;
}

// All that can happen here has been tried. False: it is at rest, and not as it should be.
static bool leave(struct explorer *x) {
  struct frame *f = &x->stack[x->depth - 1];
  if (!f->moved) {
    snapshot_restore(f->here);
    x->run.settled++;
    // Where time was cut off nothing is said about the end.
    if (!steps_time_is_up() && !check_settled()) {
      x->graph->worst = f->id;
      return false;
    }
    graph_mark_good(x->graph, f->id);
  }
  pop(x);
  return true;
}

// Takes one step from the frame on top. False: a contradiction.
static bool advance(struct explorer *x) {
  struct frame *f = &x->stack[x->depth - 1];
  if (f->next == f->count) return leave(x);
  const struct step s = f->steps[f->next++];
  if (s.kind == STEP_TICK && f->moved) return true;
  const uint32_t from = f->id;
  // The first step follows the arrival at once, so the state is still there.
  if (f->next > 1) snapshot_restore(f->here);
  heap_enter();
  step_do(s);
  heap_leave();
  x->run.edges++;
  bool is_new;
  const uint32_t to = graph_visit(x->graph, fingerprint(), from, s, &is_new);
  if (!step_is_fault(s) && to != from) {
    graph_add_edge(x->graph, from, to);
    f->moved = true;
  }
  x->graph->worst = to;
  if (model->violation[0]) return false;
  return !is_new || arrive(x, to);
}

static struct snapshot *begin(const struct scenario *s) {
  heap_enter();
  model_new(s);
  heap_leave();
  if (s->then != NULL) {
    if (!story_drain(1, false)) {
      fprintf(stderr, "model: the beginning does not come to rest: %s\n", model->violation);
      abort();
    }
    model->ticks_left = s->ticks;
    heap_enter();
    s->then();
    heap_leave();
  }
  return snapshot_take(NULL);
}

struct outcome_of_run explore(const struct scenario *s, size_t limit) {
  struct explorer x = {.scenario = s, .graph = graph_new(), .run = {.ok = true, .complete = true}};
  struct snapshot *empty = snapshot_take(NULL);
  x.root = begin(s);
  bool is_new;
  const uint32_t first = graph_visit(x.graph, fingerprint(), 0, (struct step){0}, &is_new);
  x.run.ok = arrive(&x, first);
  while (x.run.ok && x.depth > 0) {
    if (graph_size(x.graph) >= limit) {
      x.run.complete = false;
      break;
    }
    x.run.ok = advance(&x);
  }
  x.run.states = graph_size(x.graph);
  if (!x.run.ok) {
    story_tell(x.root, x.graph, x.graph->worst, NULL);
  } else if (x.run.complete) {
    uint32_t stuck;
    if (graph_find_stuck(x.graph, &stuck)) {
      x.run.ok = false;
      story_tell(x.root, x.graph, stuck, "from here on it never comes to its end without another fault");
    }
  }
  while (x.depth > 0) pop(&x);
  for (size_t i = 0; i < x.room; i++) snapshot_free(x.stack[i].here);
  free(x.stack);
  graph_free(x.graph);
  snapshot_restore(empty);
  snapshot_free(empty);
  snapshot_free(x.root);
  return x.run;
}
