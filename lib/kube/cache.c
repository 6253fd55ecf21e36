// The way of a cache: list, watch, watch again from the last version, list again when that is too
// old. What the answers mean for the objects is the store's business.
//
// A list is a watch that begins with everything there is and tells where that ends: an API server of 1.34 looks at all
// that lies behind a page for each page of a list, so that 200 pages of 100,000 objects cost it a minute. One that
// cannot stream a list refuses to, and is asked for pages from then on. After a stream that broke off pages are asked
// for too, until a list is whole: an API server ends a watch that falls behind, as a long list beside many writes can.
#include "kube/cache.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "io/timer.h"

#include "backoff.h"
#include "pages.h"
#include "status.h"
#include "store.h"
#include "watch_feed.h"

enum {
  EVENT_BYTES_MAX = 4 * 1024 * 1024,  // etcd's objects end at 1.5 MiB
  LIST_SILENCE_MS = 60 * 1000,
  WATCH_SECONDS_MIN = 300,
  WATCH_SECONDS_SPREAD = 300,
  WATCH_SLACK_MS = 10 * 1000,
  BACKOFF_FIRST_MS = 800,
  BACKOFF_MOST_MS = 10 * 1000,
  SHORT_WATCH_MS = 1000,
  REFUSALS_BEFORE_LIST = 3,
  CATCH_UP_MS = 30 * 1000,
};

struct cache {
  struct kube_client *client;
  struct cache_type type;
  char *namespace;
  cache_change_fn *change;
  cache_synced_fn *synced;
  void *context;
  bool started, is_synced;
  uint64_t wanted;  // the version to catch up with; 0: none
  msec wanted_until;

  struct store *store;
  struct kube_call *call;  // the watch that runs
  struct pages *pages;
  struct timer *timer;  // the next try; while a list streams, when it has been silent for too long
  bool list_next;       // the next try lists rather than watches
  unsigned failures;    // in a row

  unsigned lists;    // taken in, and announced
  bool in_pages;     // this API server does not stream lists
  bool pages_next;   // the last stream broke off, and no list has been whole since
  bool streaming;    // the watch has not told yet where the list ends
  bool unannounced;  // it has, and `synced` has not come yet
  struct watch_feed feed;
  bool progress;  // this watch brought something
  msec watch_started;
  msec followed_since;       // watched without a break; 0: not right now
  bool gone;                 // a watch ended with 410 and was followed by a list at once; none has lasted since
  struct error watch_error;  // an ERROR event, or what the feed or the store could not take
};

static void start_list(struct cache *c);
static void start_watch(struct cache *c);
static void on_timer(void *context);
static void on_item(void *context, json *item);
static void on_pages(void *context, uint64_t version, const struct error *e);

static void on_change(void *context, const void *before, const void *after) {
  struct cache *c = context;
  c->change(c->context, c, before, after);
}

struct cache *cache_new(struct kube_client *client, uv_loop_t *loop, const struct cache_type *type,
                        const char *namespace, cache_change_fn *change, cache_synced_fn *synced, void *context) {
  struct cache *c = mem_alloc(sizeof *c);
  c->client = client;
  c->type = *type;
  c->namespace = mem_strdup(namespace);
  c->change = change;
  c->synced = synced;
  c->context = context;
  c->store = store_new(&c->type, on_change, c);
  c->pages = pages_new(client, &c->type, namespace, on_item, on_pages, c);
  c->timer = timer_new(loop, on_timer, c);
  return c;
}

void cache_start(struct cache *c) {
  assert(!c->started);
  c->started = true;
  start_list(c);
}

void cache_free(struct cache *c) {
  if (c == NULL) return;
  kube_call_cancel(c->call);
  pages_free(c->pages);
  timer_free(c->timer);
  watch_feed_done(&c->feed);
  store_free(c->store);
  free(c->namespace);
  free(c);
}

bool cache_is_synced(const struct cache *c) {
  return c->is_synced;
}

bool cache_is_current(const struct cache *c) {
  return c->is_synced && c->wanted == 0;
}

msec cache_followed(const struct cache *c, msec now) {
  return c->followed_since != 0 ? now - c->followed_since : 0;
}

uint64_t cache_version(const struct cache *c) {
  return store_version(c->store);
}

unsigned cache_lists(const struct cache *c) {
  return c->lists;
}

const struct cache_type *cache_type_of(const struct cache *c) {
  return &c->type;
}

const void *cache_get(const struct cache *c, const char *name) {
  return store_get(c->store, name);
}

size_t cache_count(const struct cache *c) {
  return store_count(c->store);
}

const void *cache_next(const struct cache *c, const void *previous) {
  return store_next(c->store, previous);
}

void cache_observe(struct cache *c, json *object) {
  store_observe(c->store, object);
}

void cache_observe_deleted(struct cache *c, const char *name, const char *uid) {
  store_observe_deleted(c->store, name, uid);
}

// Tries again later: at least as late as the server asked, with more patience after each failure.
static void retry(struct cache *c, bool list, const char *what, const struct error *e) {
  c->list_next = list;
  c->followed_since = 0;
  c->failures++;
  msec delay = backoff_jitter(backoff_delay(c->failures, BACKOFF_FIRST_MS, BACKOFF_MOST_MS), 1.0, backoff_random());
  if (delay < e->retry_after_ms) delay = e->retry_after_ms;
  char text[LOG_NUMBER_SIZE];
  log_warn(what, "kind", c->type.kind->kind, "error", e->text, "retryMs", log_number(delay, text));
  timer_set(c->timer, delay);
}

static void forget_list(struct cache *c) {
  pages_cancel(c->pages);
  c->streaming = false;
  store_list_abort(c->store);
}

static void fail_list(struct cache *c, const struct error *e) {
  forget_list(c);
  retry(c, true, e->code == ERR_CONFLICT ? "list refused" : "list failed", e);  // refused: never back in time
}

void cache_catch_up(struct cache *c, uint64_t version) {
  if (version <= store_version(c->store)) return;
  c->wanted = version;
  c->wanted_until = clock_monotonic() + CATCH_UP_MS;
  if (!c->started) return;
  kube_call_cancel(c->call);
  c->call = NULL;
  timer_clear(c->timer);
  forget_list(c);
  c->unannounced = false;
  c->failures = 0;
  start_list(c);
}

// Whether a list of this version will do. An API server may answer from the past.
static enum error_code check_caught_up(const struct cache *c, uint64_t version, struct error *e) {
  if (version >= c->wanted) return ERR_NONE;
  error_set(e, ERR_CONFLICT, "the list is of version %" PRIu64 ", older than %" PRIu64 " which was written", version,
            c->wanted);
  if (clock_monotonic() < c->wanted_until) return e->code;
  log_warn("going on with an old list", "kind", c->type.kind->kind, "error", e->text);
  *e = (struct error){0};
  return ERR_NONE;
}

static enum error_code finish_list(struct cache *c, uint64_t version, struct error *e) {
  if (store_list_end(c->store, version, e) != ERR_NONE) return e->code;
  char count[LOG_NUMBER_SIZE], text[LOG_NUMBER_SIZE];
  log_info("listed", "kind", c->type.kind->kind, "objects", log_number((int64_t)store_count(c->store), count),
           "resourceVersion", log_number((int64_t)version, text));
  if (check_caught_up(c, version, e) != ERR_NONE) return e->code;
  if (!cache_is_current(c)) c->failures = 0;
  return ERR_NONE;
}

static void announce(struct cache *c) {
  c->unannounced = false;
  c->pages_next = false;
  c->lists++;
  if (cache_is_current(c)) return;
  c->is_synced = true;
  c->wanted = 0;
  if (c->synced != NULL) c->synced(c->context, c);
}

static void on_item(void *context, json *item) {
  struct cache *c = context;
  store_list_add(c->store, item);
}

static void on_pages(void *context, uint64_t version, const struct error *pages_error) {
  struct cache *c = context;
  struct error e = {0};
  if (pages_error != NULL) {
    fail_list(c, pages_error);
  } else if (finish_list(c, version, &e) != ERR_NONE) {
    fail_list(c, &e);
  } else {
    start_watch(c);
    announce(c);
  }
}

static bool is_end_of_list(json *bookmark) {
  json *annotations = json_at(bookmark, "metadata", "annotations", NULL);
  return text_equal(json_text(annotations, "k8s.io/initial-events-end"), "true");
}

// The stream goes on as a watch.
static bool end_stream(struct cache *c, uint64_t version) {
  if (finish_list(c, version, &c->watch_error) != ERR_NONE) return false;
  c->streaming = false;
  c->watch_started = c->followed_since = clock_monotonic();
  c->unannounced = true;
  timer_set(c->timer, 0);  // who is told may end this watch, which is still being read
  return true;
}

// What there is, and what happens to it before the list ends.
static bool on_listed(struct cache *c, enum watch_type type, json *object) {
  if (type != WATCH_BOOKMARK) return store_list_event(c->store, type, object, &c->watch_error) == ERR_NONE;
  return !is_end_of_list(object) || end_stream(c, store_version_of(object));
}

static bool on_event(void *context, enum watch_type type, json *object) {
  struct cache *c = context;
  if (type == WATCH_ERROR) {
    status_object_to_error(object, 0, 0, &c->watch_error);
    return false;
  }
  if (c->streaming) return on_listed(c, type, object);
  if (store_event(c->store, type, object, &c->watch_error) != ERR_NONE) return false;
  c->progress = true;
  c->failures = 0;
  return true;
}

static bool on_bytes(void *context, const char *bytes, size_t length) {
  struct cache *c = context;
  struct error e = {0};
  enum error_code code = watch_feed_push(&c->feed, bytes, length, &e);
  if (code != ERR_NONE && c->watch_error.code == ERR_NONE) c->watch_error = e;
  if (c->streaming) timer_set(c->timer, LIST_SILENCE_MS);
  return code == ERR_NONE;
}

// Whether only a new list helps: the version is too old, or the watch cannot be understood.
static bool needs_list(const struct cache *c, const struct error *e) {
  if (e->code == ERR_GONE || e->code == ERR_INTERNAL || e->code == ERR_TOO_LARGE) return true;
  return !error_is_transient(e->code) && c->failures >= REFUSALS_BEFORE_LIST;
}

static void on_stream_cut(struct cache *c, bool begun, const struct error *e) {
  timer_clear(c->timer);
  if (e->code != ERR_INVALID) {
    c->pages_next |= begun;
    fail_list(c, e);
    return;
  }
  log_info("lists come in pages", "kind", c->type.kind->kind, "why", e->text);
  forget_list(c);
  c->in_pages = true;
  start_list(c);
}

static void on_watch_cut(struct cache *c, bool lasted, const struct error *e) {
  const bool lived = c->progress || lasted;
  if (lived) c->failures = 0;
  if (lasted) c->gone = false;
  if (e->code == ERR_GONE && !c->gone) {
    // An API server that answers, after whatever it was away for, is not waited for once more; but not again and again.
    log_info("watch ended, listing again", "kind", c->type.kind->kind, "error", e->text);
    c->gone = true;
    c->failures = 0;
    start_list(c);
    return;
  }
  if (e->code == ERR_NONE && lived) {
    start_watch(c);  // its time was over, as asked
    return;
  }
  struct error why = *e;
  if (why.code == ERR_NONE) error_set(&why, ERR_UNAVAILABLE, "the watch ended at once, without an event");
  bool list = needs_list(c, &why);
  retry(c, list, list ? "watch ended, listing again" : "watch ended, watching again", &why);
}

static void on_watch_end(void *context, const struct kube_answer *answer, const struct error *call_error) {
  struct cache *c = context;
  c->call = NULL;
  struct error e = {0};
  if (c->watch_error.code != ERR_NONE)
    e = c->watch_error;
  else if (call_error != NULL)
    e = *call_error;
  else
    watch_feed_end(&c->feed, &e);

  if (c->streaming) {
    if (e.code == ERR_NONE) error_set(&e, ERR_UNAVAILABLE, "the list ended before all of it was told");
    on_stream_cut(c, answer->status == 200, &e);
    return;
  }
  if (c->unannounced) timer_clear(c->timer);
  on_watch_cut(c, answer->status == 200 && clock_monotonic() - c->watch_started >= SHORT_WATCH_MS, &e);
  if (c->unannounced) announce(c);
}

// The server ends a watch after a random time, so that watches spread over API servers; nothing for longer than that
// means the connection is dead, whatever TCP believes.
static void follow(struct cache *c, struct str *query) {
  int64_t seconds = WATCH_SECONDS_MIN + (int64_t)(backoff_random() * WATCH_SECONDS_SPREAD);
  char number[LOG_NUMBER_SIZE];
  kube_query_add(query, "watch", "true");
  kube_query_add(query, "allowWatchBookmarks", "true");
  kube_query_add(query, "timeoutSeconds", log_number(seconds, number));
  if (c->type.label_selector != NULL) kube_query_add(query, "labelSelector", c->type.label_selector);

  watch_feed_done(&c->feed);
  watch_feed_init(&c->feed, EVENT_BYTES_MAX, kube_kind_skipped(c->type.kind), on_event, c);
  c->progress = false;
  c->watch_error = (struct error){0};
  c->watch_started = clock_monotonic();
  struct kube_request r = {
      .method = "GET",
      .kind = c->type.kind,
      .namespace = c->namespace,
      .query = str_text(query),
      .timeout = -1,
      .idle_timeout = seconds * 1000 + WATCH_SLACK_MS,
      .data = on_bytes,
  };
  c->call = kube_call_start(c->client, &r, on_watch_end, c);
}

// Without a resourceVersion all that is told is a consistent read: never older than what was written.
static void start_list(struct cache *c) {
  c->followed_since = 0;
  store_list_begin(c->store);
  if (c->in_pages || c->pages_next) {
    pages_start(c->pages);
    return;
  }
  c->streaming = true;
  timer_set(c->timer, LIST_SILENCE_MS);
  cleanup_str struct str query = STR_INIT(64 * 1024);
  kube_query_add(&query, "sendInitialEvents", "true");
  kube_query_add(&query, "resourceVersionMatch", "NotOlderThan");
  follow(c, &query);
}

// From the last version on.
static void start_watch(struct cache *c) {
  cleanup_str struct str query = STR_INIT(64 * 1024);
  char number[LOG_NUMBER_SIZE];
  snprintf(number, sizeof number, "%" PRIu64, store_version(c->store));
  kube_query_add(&query, "resourceVersion", number);
  follow(c, &query);
  if (c->followed_since == 0) c->followed_since = c->watch_started;
}

static void on_silence(struct cache *c) {
  struct error e = {0};
  error_set(&e, ERR_TIMEOUT, "nothing more of the list came for %d s", LIST_SILENCE_MS / 1000);
  kube_call_cancel(c->call);
  c->call = NULL;
  c->pages_next = true;
  fail_list(c, &e);
}

static void on_timer(void *context) {
  struct cache *c = context;
  if (c->unannounced)
    announce(c);
  else if (c->streaming)
    on_silence(c);
  else if (c->list_next)
    start_list(c);
  else
    start_watch(c);
}
