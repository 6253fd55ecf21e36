#include "reads.h"

#include <string.h>

#include "base/map.h"
#include "base/memory.h"
#include "base/str.h"

struct asker {
  struct asker *next;
  db_done_fn *done;
  void *context;
};

struct question {
  struct reads *reads;
  char *key;
  const struct db_statement *statement;
  char **values;
  unsigned count;
  struct asker *answered;  // who gets the answer that is under way
  struct asker *waiting;   // who gets the next one
  struct db_call *call;
};

struct reads {
  struct db *db;
  struct map *questions;  // key -> question
};

static void askers_free(struct asker *a) {
  for (struct asker *next; a != NULL; a = next) {
    next = a->next;
    free(a);
  }
}

static void question_free(void *value) {
  struct question *q = value;
  db_cancel(q->call);
  askers_free(q->answered);
  askers_free(q->waiting);
  for (unsigned i = 0; i < q->count; i++) free(q->values[i]);
  free(q->values);
  free(q->key);
  free(q);
}

struct reads *reads_new(struct db *db) {
  struct reads *r = mem_alloc(sizeof *r);
  r->db = db;
  r->questions = map_new(question_free);
  return r;
}

void reads_free(struct reads *r) {
  if (r == NULL) return;
  map_free(r->questions);
  free(r);
}

static void answer(void *context, const struct db_rows *rows, const struct error *e, const char *constraint);

static void ask(struct question *q) {
  struct db_value *values = mem_grow(NULL, q->count + 1, sizeof *values);
  for (unsigned i = 0; i < q->count; i++) values[i] = DB_TEXT(q->values[i]);
  q->answered = q->waiting;
  q->waiting = NULL;
  q->call = db_query(q->reads->db, q->statement, values, q->count, answer, q);
  free(values);
}

static void answer(void *context, const struct db_rows *rows, const struct error *e, const char *constraint) {
  struct question *q = context;
  q->call = NULL;
  struct asker *asked = q->answered;
  q->answered = NULL;
  for (struct asker *a = asked; a != NULL; a = a->next) a->done(a->context, rows, e, constraint);
  askers_free(asked);
  if (q->waiting != NULL)
    ask(q);
  else
    map_remove(q->reads->questions, q->key);
}

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

void reads_query(struct reads *r, const struct db_statement *s, const struct db_value *values, unsigned count,
                 db_done_fn *done, void *context) {
  cleanup_free char *key = key_of(s, values, count);
  struct question *q = map_get(r->questions, key);
  const bool is_new = q == NULL;
  if (is_new) {
    q = mem_alloc(sizeof *q);
    q->reads = r;
    q->key = mem_strdup(key);
    q->statement = s;
    q->count = count;
    q->values = mem_grow(NULL, count + 1, sizeof *q->values);
    for (unsigned i = 0; i < count; i++) q->values[i] = mem_strdup(values[i].text);
    map_put(r->questions, key, q);
  }
  struct asker *a = mem_alloc(sizeof *a);
  *a = (struct asker){.next = q->waiting, .done = done, .context = context};
  q->waiting = a;
  if (is_new) ask(q);
}
