#include "reads.h"

#include <string.h>

#include "base/map.h"
#include "base/memory.h"
#include "base/str.h"
#include "io/metrics.h"

enum {
  BODY_MOST = 1024 * 1024,       // longer ones are not kept
  KEPT_MOST = 16 * 1024 * 1024,  // of all: then they are forgotten
  KEPT_EACH = 512,               // what one costs besides its text and its packed text, about
};

// The server's start is a part of it: transactions of a server that was restored are numbered anew.
static const struct db_statement SNAPSHOT = {
    "snapshot", "SELECT pg_current_snapshot()::text || ' ' || extract(epoch FROM pg_postmaster_start_time())::text"};

struct asker {
  struct asker *next;
  reads_done_fn *done;
  void *context;
};

// A statement with its values, and who wants to know.
struct question {
  struct reads *reads;
  struct question *next;
  char *key;
  const struct db_statement *statement;
  char **values;
  unsigned count;
  bool timed;
  struct asker *askers, **last_asker;
  uint64_t as_of;  // the change after which it was asked
  struct db_call *call;
};

struct reads {
  struct db *db;
  struct map *coming;      // key -> question: for the next snapshot
  struct map *looking;     // the same, whose snapshot is asked for
  struct db_call *look;    // that
  struct question *asked;  // under way
  char *snapshot;
  uint64_t changes;  // of the snapshot
  struct map *kept;  // key -> body
  size_t kept_bytes;
  struct metric *metric;
};

static void question_free(void *value) {
  struct question *q = value;
  db_cancel(q->call);
  for (struct asker *a = q->askers, *next; a != NULL; a = next) {
    next = a->next;
    free(a);
  }
  for (unsigned i = 0; i < q->count; i++) free(q->values[i]);
  free(q->values);
  free(q->key);
  free(q);
}

static void body_free(void *value) {
  body_unref(value);
}

struct reads *reads_new(struct db *db, struct metrics *m) {
  struct reads *r = mem_alloc(sizeof *r);
  r->db = db;
  r->coming = map_new(question_free);
  r->kept = map_new(body_free);
  if (m != NULL)
    r->metric = metrics_counter(m, "rl_arena_reads_total", "Reads of PostgreSQL, by how they were answered.", "how");
  return r;
}

void reads_free(struct reads *r) {
  if (r == NULL) return;
  db_cancel(r->look);
  map_free(r->coming);
  map_free(r->looking);
  for (struct question *q = r->asked, *next; q != NULL; q = next) {
    next = q->next;
    question_free(q);
  }
  map_free(r->kept);
  free(r->snapshot);
  free(r);
}

// ---- telling -------------------------------------------------------------------------------------

// Consumes the question. An asker may ask the next one from inside.
static void tell(struct question *q, struct body *body, const struct error *e) {
  for (const struct asker *a = q->askers; a != NULL; a = a->next) a->done(a->context, body, e);
  question_free(q);
}

static void count(struct reads *r, const struct question *q, const char *how) {
  for (const struct asker *a = q->askers; r->metric != NULL && a != NULL; a = a->next) metric_add(r->metric, how, 1);
}

static void forget(struct reads *r) {
  map_free(r->kept);
  r->kept = map_new(body_free);
  r->kept_bytes = 0;
}

static void keep(struct reads *r, const char *key, struct body *body) {
  // Packed it may be as long again.
  const size_t cost = KEPT_EACH + 2 * body->length;
  if (body->length > BODY_MOST) return;
  if (r->kept_bytes + cost > KEPT_MOST) forget(r);
  r->kept_bytes += cost;
  map_put(r->kept, key, body_ref(body));
}

// ---- the statements --------------------------------------------------------------------------------

static void unlink_asked(struct question *q) {
  struct question **at = &q->reads->asked;
  while (*at != q) at = &(*at)->next;
  *at = q->next;
}

static void on_rows(void *context, const struct db_rows *rows, const struct error *e, const char *constraint) {
  (void)constraint;
  struct question *q = context;
  struct reads *r = q->reads;
  q->call = NULL;
  unlink_asked(q);
  const char *text = e == NULL && db_rows_count(rows) > 0 ? db_rows_text(rows, 0, 0) : NULL;
  struct body *body = text != NULL ? body_new(text, db_rows_length(rows, 0, 0)) : NULL;
  // It was read after the snapshot that it is kept with. Should more have been committed by then, the next look finds
  // another snapshot, and nobody gets it.
  if (body != NULL && !q->timed && q->as_of == r->changes) keep(r, q->key, body);
  tell(q, body, e);
  body_unref(body);
}

static struct question *find_asked(const struct reads *r, const char *key) {
  for (struct question *q = r->asked; q != NULL; q = q->next)
    if (q->as_of == r->changes && strcmp(q->key, key) == 0) return q;
  return NULL;
}

static void ask(struct reads *r, struct question *q) {
  struct question *same = find_asked(r, q->key);
  count(r, q, same != NULL ? "shared" : "asked");
  if (same != NULL) {
    *same->last_asker = q->askers;
    same->last_asker = q->last_asker;
    q->askers = NULL;
    question_free(q);
    return;
  }
  struct db_value *values = mem_grow(NULL, q->count + 1, sizeof *values);
  for (unsigned i = 0; i < q->count; i++) values[i] = DB_TEXT(q->values[i]);
  q->as_of = r->changes;
  q->next = r->asked;
  r->asked = q;
  q->call = db_query(r->db, q->statement, values, q->count, on_rows, q);
  free(values);
}

// ---- the snapshot ----------------------------------------------------------------------------------

static void look(struct reads *r);

static void note_snapshot(struct reads *r, const char *snapshot) {
  if (text_equal(r->snapshot, snapshot)) return;
  mem_replace(&r->snapshot, snapshot);
  r->changes++;
  forget(r);
}

static void on_snapshot(void *context, const struct db_rows *rows, const struct error *e, const char *constraint) {
  (void)constraint;
  struct reads *r = context;
  struct map *questions = r->looking;
  r->look = NULL;
  r->looking = NULL;
  if (e == NULL) note_snapshot(r, db_rows_text(rows, 0, 0));
  // The next look first: it is under way while these are answered.
  if (map_count(r->coming) > 0) look(r);
  for (struct map_entry *entry; (entry = map_first(questions)) != NULL;) {
    struct question *q = map_take(questions, map_key(entry));
    struct body *body = e == NULL ? map_get(r->kept, q->key) : NULL;
    if (body != NULL) {
      count(r, q, "kept");
      body_ref(body);
      tell(q, body, NULL);
      body_unref(body);
    } else if (e != NULL) {
      tell(q, NULL, e);
    } else {
      ask(r, q);
    }
  }
  map_free(questions);
}

static void look(struct reads *r) {
  r->looking = r->coming;
  r->coming = map_new(question_free);
  r->look = db_query(r->db, &SNAPSHOT, NULL, 0, on_snapshot, r);
}

// ---- asking ----------------------------------------------------------------------------------------

// Lengths make it unambiguous whatever the values hold.
static char *key_of(const struct db_statement *s, const struct db_value *values, unsigned count) {
  struct str key = STR_INIT(1024 * 1024);
  str_add(&key, s->name);
  for (unsigned i = 0; i < count; i++) {
    if (values[i].text == NULL)
      str_add(&key, " -");
    else
      str_add_format(&key, " %zu:%s", strlen(values[i].text), values[i].text);
  }
  return str_take(&key);
}

static struct question *question_new(struct reads *r, char *take_key, const struct db_statement *s,
                                     const struct db_value *values, unsigned count) {
  struct question *q = mem_alloc(sizeof *q);
  q->reads = r;
  q->key = take_key;
  q->statement = s;
  q->last_asker = &q->askers;
  q->count = count;
  q->values = mem_grow(NULL, count + 1, sizeof *q->values);
  for (unsigned i = 0; i < count; i++) q->values[i] = mem_strdup(values[i].text);
  return q;
}

void reads_query(struct reads *r, const struct db_statement *s, const struct db_value *values, unsigned count,
                 bool timed, reads_done_fn *done, void *context) {
  char *key = key_of(s, values, count);
  struct question *q = map_get(r->coming, key);
  if (q == NULL) {
    q = question_new(r, key, s, values, count);
    q->timed = timed;
    map_put(r->coming, key, q);
  } else {
    free(key);
  }
  struct asker *a = mem_alloc(sizeof *a);
  *a = (struct asker){.done = done, .context = context};
  *q->last_asker = a;
  q->last_asker = &a->next;
  if (r->look == NULL) look(r);
}
