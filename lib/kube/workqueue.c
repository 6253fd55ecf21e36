#include "kube/workqueue.h"

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/memory.h"
#include "base/table.h"
#include "io/timer.h"

#include "backoff.h"
#include "due_heap.h"

enum { BACKOFF_FIRST_MS = 5, BACKOFF_MOST_MS = 60 * 1000, TURN_MAX = 100 };

struct item {
  struct table_link link;  // by its key
  struct item *next;       // in the line
  struct due due;          // among those that come later
  msec since;              // in the line or being processed since
  msec not_before;         // the server asked for it
  unsigned failures;
  bool waiting;  // in the line
  bool busy;     // being processed
  bool again;    // wished while it was busy
  char key[];
};

struct workqueue {
  char *name;
  unsigned concurrency;
  workqueue_fn *fn;
  void *context;
  bool running;
  struct timer *pump;
  struct due_heap later;
  struct timer *alarm;        // at the first of these
  struct table *items;        // all that are in some state
  struct item *first, *last;  // the line
  size_t waiting, busy;
  struct metric *depth, *adds, *retries, *queue_seconds, *work_seconds;
};

static const double seconds_bounds[] = {0.00001, 0.0001, 0.001, 0.01, 0.1, 1, 10, 100, 1000};

static void count(struct workqueue *q, struct metric *m, double n) {
  if (m != NULL) metric_add(m, q->name, n);
}

static void observe(struct workqueue *q, struct metric *m, msec since) {
  if (m != NULL) metric_observe(m, q->name, (double)(clock_monotonic() - since) / 1000);
}

static void show_depth(struct workqueue *q) {
  if (q->depth != NULL) metric_set(q->depth, q->name, (double)q->waiting);
}

static struct item *find(const struct workqueue *q, const char *key) {
  return (struct item *)table_get(q->items, key);
}

static struct item *item_of_due(struct due *d) {
  return (struct item *)(uintptr_t)((char *)d - offsetof(struct item, due));
}

static void forget(struct workqueue *q, struct item *i) {
  table_remove(q->items, &i->link);
  due_heap_remove(&q->later, &i->due);
  free(i);
}

// An item without any state left is forgotten.
static void tidy(struct workqueue *q, struct item *i) {
  if (!i->waiting && !i->busy && i->due.place == 0 && i->failures == 0) forget(q, i);
}

static struct item *item_of(struct workqueue *q, const char *key) {
  struct item *i = find(q, key);
  if (i != NULL) return i;
  size_t size = strlen(key) + 1;
  i = mem_alloc(sizeof *i + size);
  memcpy(i->key, key, size);
  table_add(q->items, &i->link, i->key);
  return i;
}

static void wake(struct workqueue *q) {
  if (q->running && q->first != NULL && q->busy < q->concurrency && !timer_is_set(q->pump)) timer_set(q->pump, 0);
}

static void append_after(struct workqueue *q, struct item *i, msec delay);

static void append(struct workqueue *q, struct item *i) {
  if (i->waiting) return;
  count(q, q->adds, 1);
  if (i->busy) {
    i->again = true;
    return;
  }
  const msec rest = i->not_before - clock_monotonic();
  if (rest > 0) {
    append_after(q, i, rest);
    return;
  }
  i->waiting = true;
  i->since = clock_monotonic();
  i->next = NULL;
  *(q->last != NULL ? &q->last->next : &q->first) = i;
  q->last = i;
  q->waiting++;
  show_depth(q);
  wake(q);
}

static struct item *take_first(struct workqueue *q) {
  struct item *i = q->first;
  q->first = i->next;
  if (q->first == NULL) q->last = NULL;
  q->waiting--;
  i->waiting = false;
  show_depth(q);
  return i;
}

// Hands keys out, from the loop and never from inside an add: a handler always starts from a
// settled state. A handler that is done at once could go on for long, so a turn is bounded.
static void on_pump(void *context) {
  struct workqueue *q = context;
  for (int n = 0; n < TURN_MAX && q->running && q->first != NULL && q->busy < q->concurrency; n++) {
    struct item *i = take_first(q);
    observe(q, q->queue_seconds, i->since);
    i->busy = true;
    i->since = clock_monotonic();
    q->busy++;
    cleanup_free char *key = mem_strdup(i->key);  // the item may be gone before the handler returns
    q->fn(q->context, key);
  }
  wake(q);
}

static void set_alarm(struct workqueue *q) {
  const struct due *first = due_heap_first(&q->later);
  if (first == NULL) return;
  const msec delay = first->at - clock_monotonic();
  timer_set(q->alarm, delay > 0 ? delay : 0);
}

static void on_alarm(void *context) {
  struct workqueue *q = context;
  const msec now = clock_monotonic();
  for (struct due *d; (d = due_heap_first(&q->later)) != NULL && d->at <= now;) {
    due_heap_remove(&q->later, d);
    append(q, item_of_due(d));
  }
  set_alarm(q);
}

static void append_after(struct workqueue *q, struct item *i, msec delay) {
  const msec at = clock_monotonic() + delay;
  if (i->due.place != 0 && i->due.at <= at) return;
  due_heap_set(&q->later, &i->due, at);
  if (due_heap_first(&q->later) == &i->due) set_alarm(q);
}

static void add_metrics(struct workqueue *q, struct metrics *m) {
  size_t n = array_size(seconds_bounds);
  q->depth = metrics_gauge(m, "workqueue_depth", "Current depth of workqueue", "name");
  q->adds = metrics_counter(m, "workqueue_adds_total", "Total number of adds handled by workqueue", "name");
  q->retries = metrics_counter(m, "workqueue_retries_total", "Total number of retries handled by workqueue", "name");
  q->queue_seconds = metrics_histogram(m, "workqueue_queue_duration_seconds",
                                       "How long in seconds an item stays in workqueue before being requested.", "name",
                                       seconds_bounds, n);
  q->work_seconds =
      metrics_histogram(m, "workqueue_work_duration_seconds",
                        "How long in seconds processing an item from workqueue takes.", "name", seconds_bounds, n);
}

struct workqueue *workqueue_new(uv_loop_t *loop, const char *name, unsigned concurrency, workqueue_fn *fn,
                                void *context, struct metrics *m) {
  assert(concurrency > 0);
  struct workqueue *q = mem_alloc(sizeof *q);
  q->name = mem_strdup(name);
  q->concurrency = concurrency;
  q->fn = fn;
  q->context = context;
  q->pump = timer_new(loop, on_pump, q);
  q->alarm = timer_new(loop, on_alarm, q);
  q->items = table_new();
  if (m != NULL) add_metrics(q, m);
  return q;
}

void workqueue_free(struct workqueue *q) {
  if (q == NULL) return;
  timer_free(q->pump);
  timer_free(q->alarm);
  table_each (q->items, link) forget(q, (struct item *)link);
  table_free(q->items);
  due_heap_done(&q->later);
  free(q->name);
  free(q);
}

void workqueue_start(struct workqueue *q) {
  q->running = true;
  wake(q);
}

void workqueue_stop(struct workqueue *q) {
  q->running = false;
  timer_clear(q->pump);
}

void workqueue_add(struct workqueue *q, const char *key) {
  append(q, item_of(q, key));
}

void workqueue_add_after(struct workqueue *q, const char *key, msec delay) {
  struct item *i = item_of(q, key);
  if (delay <= 0)
    append(q, i);
  else
    append_after(q, i, delay);
}

void workqueue_done(struct workqueue *q, const char *key, bool failed, msec min_delay, msec again) {
  struct item *i = find(q, key);
  assert(i != NULL && i->busy);
  i->busy = false;
  q->busy--;
  observe(q, q->work_seconds, i->since);
  bool wished = i->again;
  i->again = false;
  if (failed) {
    msec delay = workqueue_backoff(++i->failures);
    count(q, q->retries, 1);
    if (min_delay > 0) i->not_before = clock_monotonic() + min_delay;  // other wishes wait as well
    append_after(q, i, delay > min_delay ? delay : min_delay);
  } else {
    i->failures = 0;
    i->not_before = 0;
    if (again > 0) append_after(q, i, again);
  }
  if (wished) append(q, i);
  tidy(q, i);
  wake(q);
}

size_t workqueue_depth(const struct workqueue *q) {
  return q->waiting;
}

size_t workqueue_busy(const struct workqueue *q) {
  return q->busy;
}

msec workqueue_backoff(unsigned failures) {
  return backoff_delay(failures, BACKOFF_FIRST_MS, BACKOFF_MOST_MS);
}
