// The cache against the truth: an API server's history with foreign and own writes, seen through a
// watch that lags, breaks and lists again, and through answers that come late and out of order.
//  - what is cached was true once;
//  - an own write that was put in is never undone by something older, an own deletion never either;
//  - replaying the reported changes gives the cache;
//  - when everything has been delivered, the cache is the truth, and no tombstone is left.
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/memory.h"

#include "random.h"
#include "store.h"

enum { NAMES = 5, STEPS = 120, RUNS = 3000 };

static uint64_t seed;

static const struct kube_kind thing_kind = {"", "v1", "things", "Thing", false};

static bool thing_decode(json *object, void *ret, struct error *e) {
  (void)object, (void)ret, (void)e;
  return true;
}

static void thing_owned(struct owned *o, void *thing) {
  meta_owned(o, thing);
}

static const struct cache_type thing_type = {
    .kind = &thing_kind, .size = sizeof(struct meta), .decode = thing_decode, .owned = thing_owned};

// One step of history: name got this version, or was deleted at it.
struct entry {
  int name;
  unsigned uid;
  uint64_t version;
  enum watch_type type;
};

struct answer {
  int name;
  unsigned uid;
  uint64_t version;  // 0: deleted
};

struct world {
  struct random random;
  struct store *store;
  struct entry history[STEPS + 1];
  size_t length;
  size_t seen;  // the watch has delivered so many
  uint64_t version;
  unsigned uids;
  unsigned live[NAMES];  // uid, 0 when there is none
  struct answer answers[STEPS];
  size_t answer_count;
  // What must hold of the cache:
  uint64_t own_floor[NAMES];
  unsigned buried[NAMES];
  uint64_t shadow[NAMES];  // version by the reported changes, 0 when absent
};

static int name_of(const struct meta *m) {
  return m->name[1] - '0';
}

static void on_change(void *context, const void *before, const void *after) {
  struct world *w = context;
  const struct meta *b = before, *a = after;
  int name = name_of(a != NULL ? a : b);
  assert_true(w->shadow[name] == (b != NULL ? b->version : 0));
  assert_true(a == NULL || b == NULL || a->version > b->version);
  w->shadow[name] = a != NULL ? a->version : 0;
}

static json *object_of(int name, unsigned uid, uint64_t version) {
  char text[200];
  snprintf(text, sizeof text, "{\"metadata\":{\"name\":\"n%d\",\"uid\":\"u%u\",\"resourceVersion\":\"%" PRIu64 "\"}}",
           name, uid, version);
  json *o = json_parse(text, strlen(text), NULL);
  assert_non_null(o);
  return o;
}

// --- the API server ---

static bool is_cached(const struct world *w, int name, unsigned uid) {
  char text[] = {'n', (char)('0' + name), 0};
  const struct meta *m = store_get(w->store, text);
  return m != NULL && strtoul(m->uid + 1, NULL, 10) == uid;
}

static void write_something(struct world *w, bool own) {
  if (w->length == STEPS) return;
  int name = (int)random_below(&w->random, NAMES);
  // One deletes what one knows; others delete anything.
  bool deletes = w->live[name] != 0 && random_below(&w->random, 3) == 0 && (!own || is_cached(w, name, w->live[name]));
  struct entry *e = &w->history[w->length++];
  *e = (struct entry){.name = name, .version = w->version += 1 + random_below(&w->random, 3)};
  e->type = deletes ? WATCH_DELETED : w->live[name] != 0 ? WATCH_MODIFIED : WATCH_ADDED;
  if (w->live[name] == 0) w->live[name] = ++w->uids;
  e->uid = w->live[name];
  if (deletes) w->live[name] = 0;
  if (own) w->answers[w->answer_count++] = (struct answer){name, e->uid, deletes ? 0 : e->version};
}

static uint64_t version_at(const struct world *w, size_t length) {
  return length > 0 ? w->history[length - 1].version : 1;
}

// The object of a name after `length` steps: 0 without one.
static uint64_t truth_at(const struct world *w, size_t length, int name, unsigned *ret_uid) {
  uint64_t version = 0;
  for (size_t i = 0; i < length; i++) {
    const struct entry *e = &w->history[i];
    if (e->name != name) continue;
    version = e->type == WATCH_DELETED ? 0 : e->version;
    *ret_uid = e->uid;
  }
  return version;
}

// --- what reaches the cache ---

static void deliver_event(struct world *w) {
  if (w->seen == w->length) return;
  const struct entry *e = &w->history[w->seen++];
  cleanup_json json *o = object_of(e->name, e->uid, e->version);
  assert_int_equal(store_event(w->store, e->type, o, NULL), ERR_NONE);
}

static void deliver_bookmark(struct world *w) {
  char text[100];
  uint64_t version = w->seen == w->length ? w->version : version_at(w, w->seen);
  snprintf(text, sizeof text, "{\"metadata\":{\"resourceVersion\":\"%" PRIu64 "\"}}", version);
  cleanup_json json *o = json_parse(text, strlen(text), NULL);
  assert_int_equal(store_event(w->store, WATCH_BOOKMARK, o, NULL), ERR_NONE);
}

static void deliver_answer(struct world *w) {
  if (w->answer_count == 0) return;
  size_t i = random_below(&w->random, (unsigned)w->answer_count);
  struct answer a = w->answers[i];
  w->answers[i] = w->answers[--w->answer_count];
  if (a.version == 0) {
    char name[] = {'n', (char)('0' + a.name), 0}, uid[20];
    snprintf(uid, sizeof uid, "u%u", a.uid);
    store_observe_deleted(w->store, name, uid);
    if (a.uid > w->buried[a.name]) w->buried[a.name] = a.uid;
  } else {
    cleanup_json json *o = object_of(a.name, a.uid, a.version);
    store_observe(w->store, o);
    if (a.version > w->own_floor[a.name]) w->own_floor[a.name] = a.version;
  }
}

static void list_page(struct world *w, size_t snapshot, int first, int count) {
  for (int name = first; name < first + count && name < NAMES; name++) {
    unsigned uid = 0;
    uint64_t version = truth_at(w, snapshot, name, &uid);
    if (version == 0) continue;
    cleanup_json json *o = object_of(name, uid, version);
    store_list_add(w->store, o);
  }
}

// From a snapshot somewhere between the past and now; writes and answers go on between its pages.
static void list_again(struct world *w) {
  size_t snapshot = random_below(&w->random, (unsigned)w->length + 1);
  uint64_t version = version_at(w, snapshot), before = store_version(w->store);
  store_list_begin(w->store);
  for (int name = 0; name < NAMES; name += 2) {
    list_page(w, snapshot, name, 2);
    if (random_below(&w->random, 2) == 0) write_something(w, true);
    if (random_below(&w->random, 2) == 0) deliver_answer(w);
    if (random_below(&w->random, 20) == 0) {
      store_list_abort(w->store);
      return;
    }
  }
  enum error_code code = store_list_end(w->store, version, NULL);
  assert_int_equal(code, version < before ? ERR_CONFLICT : ERR_NONE);
  if (code == ERR_NONE) w->seen = snapshot;
}

// --- what must hold ---

static void check(const struct world *w) {
  size_t count = 0;
  for (const struct meta *m = NULL; (m = store_next(w->store, m)) != NULL; count++) {
    int name = name_of(m);
    unsigned uid = (unsigned)strtoul(m->uid + 1, NULL, 10);
    assert_ptr_equal(store_get(w->store, m->name), m);
    assert_true(w->shadow[name] == m->version);
    assert_true(m->version >= w->own_floor[name]);
    assert_true(uid > w->buried[name]);
    bool was_true = false;
    for (size_t i = 0; i < w->length; i++)
      was_true |= w->history[i].version == m->version && w->history[i].uid == uid && w->history[i].name == name;
    assert_true(was_true);
  }
  assert_int_equal(count, store_count(w->store));
}

static void step(struct world *w) {
  switch (random_below(&w->random, 12)) {
    case 0:
    case 1: write_something(w, false); break;
    case 2:
    case 3: write_something(w, true); break;
    case 4:
    case 5:
    case 6: deliver_event(w); break;
    case 7: deliver_bookmark(w); break;
    case 8: list_again(w); break;
    default: deliver_answer(w);
  }
}

static void settle(struct world *w) {
  while (w->seen < w->length || w->answer_count > 0) {
    if (random_below(&w->random, 2) == 0)
      deliver_event(w);
    else
      deliver_answer(w);
    check(w);
  }
  for (int name = 0; name < NAMES; name++) {
    unsigned uid = 0;
    assert_true(w->shadow[name] == truth_at(w, w->length, name, &uid));
  }
  assert_int_equal(store_tombstones(w->store), 0);
}

static void test_model(void **state) {
  (void)state;
  for (unsigned run = 0; run < RUNS; run++) {
    struct world *w = mem_alloc(sizeof *w);
    w->random.state = seed + run;
    w->version = 1;
    w->store = store_new(&thing_type, on_change, w);
    while (w->length < STEPS) {
      step(w);
      check(w);
    }
    settle(w);
    store_free(w->store);
    free(w);
  }
}

int main(void) {
  seed = random_seed();
  log_setup(LOG_ERROR, LOG_TEXT);
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_model)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
