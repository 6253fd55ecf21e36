#include "mirror_writer.h"

#include <assert.h>
#include <string.h>

#include "base/log.h"
#include "base/map.h"
#include "base/memory.h"
#include "io/timer.h"

enum {
  COLLECT_MS = 4,  // what changes together is written together
  BATCH_ROWS = 500,
  BATCH_BYTES = 2 * 1024 * 1024,
  RETRY_FIRST_MS = 100,
  RETRY_MOST_MS = 3000,
  REFUSED_AGAIN_MS = 60 * 1000,
  TRIES_UNFORESEEN = 5,
};

// An object. In the line while its newest row, or its end, is not committed and not in a batch.
struct entry {
  struct entry *previous, *next;
  uint64_t version, committed;
  char *row;   // of `version`, until it is committed
  char *name;  // to report; NULL: nobody asks
  msec since;  // monotonic: waits since then; 0: does not wait
  msec refused;
  bool gone, waiting, in_batch;
  char uid[];
};

struct batch_item {
  struct entry *entry;
  uint64_t version;  // of its row; 0: it has none
  bool marking;      // its end is being written
};

struct writer {
  struct db *db;
  enum stored_kind kind;
  const char *label;
  writer_committed_fn *committed;
  writer_failing_fn *failing;
  void *context;
  struct map *entries;         // by uid
  struct entry *first, *last;  // the line
  size_t pending, refused;
  struct timer *timer;  // the next batch

  struct batch_item *batch;  // under way
  size_t batch_count;
  bool busy, vanishing;  // vanishing: its second half
  size_t limit;          // rows in a batch: halved when one is refused, to find which
  unsigned failures;
  struct metric *rows, *batches, *pending_rows, *lag, *refused_rows;
};

static void on_due(void *context);

// ---- the line ------------------------------------------------------------------------------------

static void line_add(struct writer *w, struct entry *e) {
  if (e->waiting || e->in_batch || e->refused != 0) return;
  e->waiting = true;
  if (e->since == 0) {
    e->since = clock_monotonic();
    w->pending++;
  }
  e->previous = w->last;
  e->next = NULL;
  *(w->last != NULL ? &w->last->next : &w->first) = e;
  w->last = e;
}

static void line_remove(struct writer *w, struct entry *e) {
  if (!e->waiting) return;
  e->waiting = false;
  *(e->previous != NULL ? &e->previous->next : &w->first) = e->next;
  *(e->next != NULL ? &e->next->previous : &w->last) = e->previous;
}

static void entry_free(void *value) {
  struct entry *e = value;
  free(e->row);
  free(e->name);
  free(e);
}

static void not_refused(struct writer *w, struct entry *e) {
  if (e->refused != 0) w->refused--;
  e->refused = 0;
}

// Nothing of it waits any more.
static void settle(struct writer *w, struct entry *e) {
  if (e->since != 0) w->pending--;
  e->since = 0;
}

static void wake(struct writer *w) {
  if (w->first != NULL && !w->busy && !timer_is_set(w->timer)) timer_set(w->timer, COLLECT_MS);
}

void writer_put(struct writer *w, const char *uid, uint64_t version, char *take_row, const char *name) {
  struct entry *e = map_get(w->entries, uid);
  if (e != NULL && (e->gone || e->version >= version)) {
    free(take_row);
    return;
  }
  if (e == NULL) {
    const size_t size = strlen(uid) + 1;
    e = mem_alloc(sizeof *e + size);
    memcpy(e->uid, uid, size);
    map_put(w->entries, uid, e);
  }
  e->version = version;
  mem_replace(&e->name, name);
  not_refused(w, e);
  free(e->row);
  e->row = take_row;
  if (take_row != NULL) {
    line_add(w, e);
    wake(w);
  } else {
    e->committed = version;  // there is nothing to wait for
  }
}

void writer_gone(struct writer *w, const char *uid) {
  struct entry *e = map_get(w->entries, uid);
  if (e == NULL || e->gone) return;
  e->gone = true;
  not_refused(w, e);
  line_add(w, e);
  wake(w);
}

// ---- batches -------------------------------------------------------------------------------------

static void batch_end(struct writer *w) {
  free(w->batch);
  w->batch = NULL;
  w->batch_count = 0;
  w->busy = false;
}

// All that were in the batch wait again, unless their newest state is committed.
static void batch_requeue(struct writer *w) {
  for (size_t i = 0; i < w->batch_count; i++) {
    struct entry *e = w->batch[i].entry;
    e->in_batch = false;
    if (e->row != NULL || e->gone) line_add(w, e);
  }
  batch_end(w);
}

// The one row of this batch. What has come of the object since then has its own try.
static void refuse(struct writer *w, const struct error *why) {
  struct entry *e = w->batch[0].entry;
  log_error("PostgreSQL refuses a row of the mirror, going on without it", "kind", w->label, "uid", e->uid, "error",
            why->text);
  const bool newest = e->version == w->batch[0].version;
  if (newest && e->gone) {
    mem_replace(&e->row, NULL);  // an older row of it may be there, to be marked
  } else if (newest) {
    e->in_batch = false;
    e->refused = clock_monotonic();
    w->refused++;
    settle(w, e);
    w->batch_count = 0;
  }
  batch_requeue(w);
  wake(w);
}

// Whether another try may help as it is: otherwise some row of the batch is bad. What nobody has foreseen gets its
// tries.
static bool is_passing(const struct writer *w, const struct error *e) {
  if (w->vanishing || error_is_transient(e->code) || e->code == ERR_CANCELLED || e->code == ERR_FORBIDDEN) return true;
  return e->code == ERR_INTERNAL && w->failures < TRIES_UNFORESEEN;
}

static void failed(struct writer *w, const struct error *e) {
  // Too much at once, or a bad one among them: try fewer.
  const bool fewer = e->code == ERR_TIMEOUT || !is_passing(w, e);
  if (fewer && w->batch_count > 1) w->limit = w->batch_count / 2;
  if (!is_passing(w, e)) {
    if (w->batch_count == 1) {
      refuse(w, e);
      return;
    }
    batch_requeue(w);
    wake(w);
    return;
  }
  msec delay = RETRY_FIRST_MS << (w->failures < 6 ? w->failures : 6);
  if (delay > RETRY_MOST_MS) delay = RETRY_MOST_MS;
  const bool first = w->failures++ == 0;
  if (first) log_warn("the mirror cannot write, trying again", "kind", w->label, "error", e->text);
  batch_requeue(w);
  timer_set(w->timer, delay);
  if (first) w->failing(w->context, true);
}

static void succeeded(struct writer *w) {
  if (w->failures > 0) {
    log_info("the mirror writes again", "kind", w->label);
    w->failures = 0;
    w->failing(w->context, false);
  }
  w->limit = w->limit * 2 < BATCH_ROWS ? w->limit * 2 : BATCH_ROWS;
  batch_requeue(w);
  if (w->first != NULL) timer_set(w->timer, 0);
}

// The batch is of a time before writer_clear.
static bool was_cleared(struct writer *w) {
  if (w->batch_count > 0) return false;
  batch_end(w);
  wake(w);
  return true;
}

// Those whose end is committed are forgotten; an object does not come back under its uid.
static void on_vanished(void *context, const struct error *e) {
  struct writer *w = context;
  if (was_cleared(w)) return;
  if (e != NULL) {
    failed(w, e);
    return;
  }
  size_t kept = 0;
  for (size_t i = 0; i < w->batch_count; i++) {
    struct entry *entry = w->batch[i].entry;
    if (!w->batch[i].marking) {
      w->batch[kept++] = w->batch[i];
      continue;
    }
    settle(w, entry);
    map_remove(w->entries, entry->uid);
  }
  w->batch_count = kept;
  succeeded(w);
}

static void mark_vanished(struct writer *w) {
  size_t count = 0;
  char **uids = mem_alloc((w->batch_count + 1) * sizeof *uids);
  for (size_t i = 0; i < w->batch_count; i++) {
    struct entry *e = w->batch[i].entry;
    w->batch[i].marking = e->gone && e->row == NULL;
    if (w->batch[i].marking) uids[count++] = e->uid;
  }
  w->vanishing = true;
  if (count > 0)
    store_vanished(w->db, w->kind, uids, count, on_vanished, w);
  else
    succeeded(w);
  free(uids);
}

static void on_put(void *context, const struct error *e) {
  struct writer *w = context;
  if (was_cleared(w)) return;
  if (e != NULL) {
    failed(w, e);
    return;
  }
  size_t rows = 0;
  for (size_t i = 0; i < w->batch_count; i++) {
    struct entry *entry = w->batch[i].entry;
    const uint64_t version = w->batch[i].version;
    if (version == 0) continue;
    rows++;
    entry->committed = version;
    if (entry->version != version) continue;  // a newer one came meanwhile
    mem_replace(&entry->row, NULL);
    if (!entry->gone) settle(w, entry);
    if (entry->name != NULL) w->committed(w->context, entry->name);
  }
  metric_add(w->rows, w->label, (double)rows);
  mark_vanished(w);
}

static void collect(struct writer *w) {
  size_t bytes = 0;
  w->batch = mem_alloc(w->limit * sizeof *w->batch);
  while (w->first != NULL && w->batch_count < w->limit) {
    struct entry *e = w->first;
    const size_t length = e->row != NULL ? strlen(e->row) : 0;
    if (w->batch_count > 0 && bytes + length > BATCH_BYTES) break;
    bytes += length;
    line_remove(w, e);
    e->in_batch = true;
    w->batch[w->batch_count++] = (struct batch_item){.entry = e, .version = e->row != NULL ? e->version : 0};
  }
}

static void on_due(void *context) {
  struct writer *w = context;
  if (w->busy || w->first == NULL) return;
  w->busy = true;
  w->vanishing = false;
  collect(w);
  metric_add(w->batches, w->label, 1);
  size_t count = 0;
  char **rows = mem_alloc(w->batch_count * sizeof *rows);
  for (size_t i = 0; i < w->batch_count; i++)
    if (w->batch[i].entry->row != NULL) rows[count++] = w->batch[i].entry->row;
  if (count > 0)
    store_put(w->db, w->kind, rows, count, on_put, w);
  else
    mark_vanished(w);
  free(rows);
}

// ---- life ----------------------------------------------------------------------------------------

struct writer *writer_new(uv_loop_t *loop, struct db *db, enum stored_kind kind, const char *label,
                          writer_committed_fn *committed, writer_failing_fn *failing, void *context,
                          struct metrics *m) {
  struct writer *w = mem_alloc(sizeof *w);
  *w = (struct writer){.db = db,
                       .kind = kind,
                       .label = label,
                       .committed = committed,
                       .failing = failing,
                       .context = context,
                       .limit = BATCH_ROWS};
  w->entries = map_new(entry_free);
  w->timer = timer_new(loop, on_due, w);
  w->rows = metrics_counter(m, "rl_arena_mirror_rows_total", "Rows that the mirror committed.", "kind");
  w->batches = metrics_counter(m, "rl_arena_mirror_batches_total", "Batches that the mirror began.", "kind");
  w->pending_rows =
      metrics_gauge(m, "rl_arena_mirror_pending_objects", "Objects whose newest state is not committed.", "kind");
  w->lag = metrics_gauge(m, "rl_arena_mirror_lag_seconds", "How long the oldest of them has been waiting.", "kind");
  w->refused_rows =
      metrics_gauge(m, "rl_arena_mirror_refused_objects", "Objects whose row PostgreSQL refuses.", "kind");
  return w;
}

// What is in a batch goes its way; nobody waits for it.
void writer_clear(struct writer *w) {
  map_free(w->entries);
  w->entries = map_new(entry_free);
  w->first = w->last = NULL;
  w->batch_count = 0;
  w->pending = w->refused = 0;
  w->limit = BATCH_ROWS;
  timer_clear(w->timer);
  writer_tick(w);
}

void writer_free(struct writer *w) {
  if (w == NULL) return;
  map_free(w->entries);
  timer_free(w->timer);
  free(w->batch);
  free(w);
}

bool writer_knows(const struct writer *w, const char *uid) {
  return map_get(w->entries, uid) != NULL;
}

uint64_t writer_committed(const struct writer *w, const char *uid) {
  const struct entry *e = map_get(w->entries, uid);
  return e != NULL ? e->committed : 0;
}

size_t writer_pending(const struct writer *w) {
  return w->pending;
}

msec writer_lag(const struct writer *w) {
  msec oldest = 0;
  const struct entry *candidates[] = {w->first, w->batch_count > 0 ? w->batch[0].entry : NULL};
  for (unsigned i = 0; i < array_size(candidates); i++) {
    const struct entry *e = candidates[i];
    if (e != NULL && e->since != 0 && (oldest == 0 || e->since < oldest)) oldest = e->since;
  }
  return oldest != 0 ? clock_monotonic() - oldest : 0;
}

bool writer_is_failing(const struct writer *w) {
  return w->failures > 0;
}

static void try_refused_again(struct writer *w) {
  const msec due = clock_monotonic() - REFUSED_AGAIN_MS;
  if (w->refused == 0) return;
  map_each (w->entries, entry) {
    struct entry *e = map_value(entry);
    if (e->refused == 0 || e->refused > due) continue;
    not_refused(w, e);
    line_add(w, e);
  }
  wake(w);
}

void writer_tick(struct writer *w) {
  try_refused_again(w);
  metric_set(w->pending_rows, w->label, (double)w->pending);
  metric_set(w->lag, w->label, (double)writer_lag(w) / 1000.0);
  metric_set(w->refused_rows, w->label, (double)w->refused);
}
