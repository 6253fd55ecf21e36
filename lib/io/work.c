#include "io/work.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"

#include "give_way.h"

struct item {
  uv_work_t request;
  struct work *w;  // NULL: `done` was called already, by work_free
  struct item *next;
  work_run_fn *run;
  work_done_fn *done;
  void *data;
  struct gate *gate;
  bool finished;  // under the gate's mutex
};

// Where work_free waits for the threads. The last item that knows it frees it.
struct gate {
  uv_mutex_t mutex;
  uv_cond_t finished;
  unsigned users;  // the loop's thread alone counts
};

struct list {
  struct item *first, *last;
};

struct work {
  uv_loop_t *loop;
  struct gate *gate;
  unsigned max_running, max_waiting, running_count, waiting_count;
  struct list running, waiting;
};

static void append(struct list *l, struct item *i) {
  i->next = NULL;
  if (l->last)
    l->last->next = i;
  else
    l->first = i;
  l->last = i;
}

static struct item *shift(struct list *l) {
  struct item *i = l->first;
  if (i) l->first = i->next;
  if (!l->first) l->last = NULL;
  return i;
}

static void take_out(struct list *l, struct item *wanted) {
  struct list kept = {0};
  for (struct item *i; (i = shift(l)) != NULL;)
    if (i != wanted) append(&kept, i);
  *l = kept;
}

static void gate_leave(struct gate *g) {
  if (--g->users > 0) return;
  uv_cond_destroy(&g->finished);
  uv_mutex_destroy(&g->mutex);
  free(g);
}

// ---- on a thread -------------------------------------------------------------------------------

static void run(uv_work_t *request) {
  struct item *i = request->data;
  give_way_begin();
  i->run(i->data);
  give_way_end();
  uv_mutex_lock(&i->gate->mutex);
  i->finished = true;
  uv_cond_broadcast(&i->gate->finished);
  uv_mutex_unlock(&i->gate->mutex);
}

// ---- on the loop -------------------------------------------------------------------------------

static void start(struct work *w, struct item *i);

static void on_done(uv_work_t *request, int status) {
  (void)status;  // nobody cancels
  struct item *i = request->data;
  struct work *w = i->w;
  work_done_fn *done = i->done;
  void *data = i->data;
  gate_leave(i->gate);
  if (w) take_out(&w->running, i);
  free(i);
  if (!w) return;
  w->running_count--;
  struct item *next = shift(&w->waiting);
  if (next) {
    w->waiting_count--;
    start(w, next);
  }
  done(data);
}

static void start(struct work *w, struct item *i) {
  i->request.data = i;
  i->gate = w->gate;
  w->gate->users++;
  w->running_count++;
  append(&w->running, i);
  int problem = uv_queue_work(w->loop, &i->request, run, on_done);
  if (problem == 0) return;
  log_error("a thread cannot be had", "error", uv_strerror(problem));
  abort();
}

struct work *work_new(uv_loop_t *loop, unsigned max_running, unsigned max_waiting) {
  struct work *w = mem_alloc(sizeof(*w));
  w->loop = loop;
  w->max_running = max_running ? max_running : 1;
  w->max_waiting = max_waiting;
  w->gate = mem_alloc(sizeof(*w->gate));
  w->gate->users = 1;
  if (uv_mutex_init(&w->gate->mutex) || uv_cond_init(&w->gate->finished)) mem_must(NULL);
  return w;
}

bool work_start(struct work *w, work_run_fn *run_fn, work_done_fn *done, void *data) {
  bool now = w->running_count < w->max_running;
  if (!now && w->waiting_count >= w->max_waiting) return false;
  struct item *i = mem_alloc(sizeof(*i));
  *i = (struct item){.w = w, .run = run_fn, .done = done, .data = data};
  if (now) {
    start(w, i);
    return true;
  }
  append(&w->waiting, i);
  w->waiting_count++;
  return true;
}

void work_free(struct work *w) {
  if (!w) return;
  for (struct item *i; (i = shift(&w->running)) != NULL;) {
    uv_mutex_lock(&w->gate->mutex);
    while (!i->finished) uv_cond_wait(&w->gate->finished, &w->gate->mutex);
    uv_mutex_unlock(&w->gate->mutex);
    i->w = NULL;  // the loop frees it
    i->done(i->data);
  }
  for (struct item *i; (i = shift(&w->waiting)) != NULL;) {
    i->run(i->data);
    i->done(i->data);
    free(i);
  }
  gate_leave(w->gate);
  free(w);
}
