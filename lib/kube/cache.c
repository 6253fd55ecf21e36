// The way of a cache: list, watch, watch again from the last version, list again when that is too
// old. What the answers mean for the objects is the store's business.
#include "kube/cache.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "io/timer.h"

#include "backoff.h"
#include "status.h"
#include "store.h"
#include "watch_feed.h"

enum {
  PAGE_LIMIT = 500,
  PAGE_BYTES_MAX = 32 * 1024 * 1024,
  PAGE_BYTES_SMALL = 1024 * 1024,
  EVENT_BYTES_MAX = 4 * 1024 * 1024,  // etcd's objects end at 1.5 MiB
  CONTINUE_MAX = 16 * 1024,
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
  bool is_synced;
  uint64_t wanted;  // the version to catch up with; 0: none
  msec wanted_until;

  struct store *store;
  struct kube_call *call;  // the list page or the watch that runs
  struct timer *timer;     // the next try
  bool list_next;          // the next try lists rather than watches
  unsigned failures;       // in a row

  unsigned lists;        // taken in
  unsigned limit;        // of a page; 0: all in one
  bool too_large;        // a page of this list was: no larger ones
  char *continue_token;  // of the list under way
  struct watch_feed feed;
  bool progress;  // this watch brought something
  msec watch_started;
  msec followed_since;       // watched without a break; 0: not right now
  bool gone;                 // a watch ended with 410 and was followed by a list at once; none has lasted since
  struct error watch_error;  // an ERROR event, or what the feed or the store could not take
};

static void start_list(struct cache *c);
static void start_watch(struct cache *c);

static void on_change(void *context, const void *before, const void *after) {
  struct cache *c = context;
  c->change(c->context, c, before, after);
}

static void on_timer(void *context) {
  struct cache *c = context;
  if (c->list_next)
    start_list(c);
  else
    start_watch(c);
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
  c->limit = type->page_limit > 0 ? type->page_limit : PAGE_LIMIT;
  c->store = store_new(&c->type, on_change, c);
  c->timer = timer_new(loop, on_timer, c);
  return c;
}

void cache_start(struct cache *c) {
  assert(c->call == NULL && !timer_is_set(c->timer));
  start_list(c);
}

void cache_free(struct cache *c) {
  if (c == NULL) return;
  kube_call_cancel(c->call);
  timer_free(c->timer);
  watch_feed_done(&c->feed);
  store_free(c->store);
  free(c->continue_token);
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
  store_list_abort(c->store);
  c->too_large = false;
  mem_replace(&c->continue_token, NULL);
}

static void on_page_error(struct cache *c, const struct error *e) {
  if (e->code == ERR_TOO_LARGE && c->limit != 1) {
    c->too_large = true;
    c->limit = c->limit == 0 ? PAGE_LIMIT : c->limit / 2;  // the same page again, in smaller pieces
    start_list(c);
    return;
  }
  if (e->code == ERR_GONE && c->continue_token != NULL) {
    // The snapshot that the pages come from was compacted: take all in one answer.
    forget_list(c);
    c->limit = 0;
  } else {
    forget_list(c);
  }
  retry(c, true, "list failed", e);
}

void cache_catch_up(struct cache *c, uint64_t version) {
  if (version <= store_version(c->store)) return;
  c->wanted = version;
  c->wanted_until = clock_monotonic() + CATCH_UP_MS;
  if (c->call == NULL && !timer_is_set(c->timer)) return;  // not started yet
  kube_call_cancel(c->call);
  c->call = NULL;
  timer_clear(c->timer);
  forget_list(c);
  c->failures = 0;
  start_list(c);
}

// Whether a list of this version will do. An API server may answer from the past.
static bool has_caught_up(struct cache *c, uint64_t version) {
  if (version >= c->wanted) return true;
  struct error e = {0};
  error_set(&e, ERR_CONFLICT, "the list is of version %" PRIu64 ", older than %" PRIu64 " which was written", version,
            c->wanted);
  if (clock_monotonic() < c->wanted_until) {
    retry(c, true, "list is too old", &e);
    return false;
  }
  log_warn("going on with an old list", "kind", c->type.kind->kind, "error", e.text);
  return true;
}

// Adds the page's items.
static enum error_code take_page(struct cache *c, json *list, uint64_t *ret_version, struct error *e) {
  json *metadata = json_get(list, "metadata");
  json *items = json_get(list, "items");
  *ret_version = store_parse_version(json_text(metadata, "resourceVersion"));
  if (*ret_version == 0) return error_set(e, ERR_INTERNAL, "the list has no resourceVersion");
  for (size_t i = 0; i < json_length(items); i++) store_list_add(c->store, json_item(items, i));

  const char *token = json_text(metadata, "continue");
  if (!text_empty(token) && strlen(token) > CONTINUE_MAX)
    return error_set(e, ERR_TOO_LARGE, "the list's continue token is longer than %d bytes", CONTINUE_MAX);
  mem_replace(&c->continue_token, text_empty(token) ? NULL : token);
  return ERR_NONE;
}

static void finish_list(struct cache *c, uint64_t version) {
  struct error e = {0};
  if (store_list_end(c->store, version, &e) != ERR_NONE) {
    retry(c, true, "list refused", &e);  // never back in time
    return;
  }
  c->lists++;
  c->too_large = false;
  c->limit = c->type.page_limit > 0 ? c->type.page_limit : PAGE_LIMIT;
  char count[LOG_NUMBER_SIZE], text[LOG_NUMBER_SIZE];
  log_info("listed", "kind", c->type.kind->kind, "objects", log_number((int64_t)store_count(c->store), count),
           "resourceVersion", log_number((int64_t)version, text));
  if (!has_caught_up(c, version)) return;
  start_watch(c);
  if (cache_is_current(c)) return;
  c->is_synced = true;
  c->wanted = 0;
  c->failures = 0;
  if (c->synced != NULL) c->synced(c->context, c);
}

// Kinds whose objects can be heavy begin with few at a time. Most are light, and 100,000 of them by fifties would take
// 2,000 questions.
static void grow_pages(struct cache *c) {
  if (c->limit == 0 || c->limit >= PAGE_LIMIT) return;
  c->limit = c->limit <= PAGE_LIMIT / 2 ? 2 * c->limit : PAGE_LIMIT;
}

static void on_page(void *context, const struct kube_answer *answer, const struct error *http_error) {
  struct cache *c = context;
  c->call = NULL;
  if (http_error != NULL) {
    on_page_error(c, http_error);
    return;
  }
  uint64_t version = 0;
  struct error e = {0};
  if (take_page(c, answer->object, &version, &e) != ERR_NONE) {
    forget_list(c);
    retry(c, true, "list failed", &e);
  } else if (c->continue_token != NULL) {
    if (answer->length < PAGE_BYTES_SMALL && !c->too_large) grow_pages(c);
    start_list(c);
  } else {
    finish_list(c, version);
  }
}

// The first page, or the next one when a list is under way. Without a resourceVersion the answer
// is a consistent read: never older than what was written.
static void start_list(struct cache *c) {
  c->followed_since = 0;
  if (c->continue_token == NULL) store_list_begin(c->store);
  cleanup_str struct str query = STR_INIT(64 * 1024);
  char number[LOG_NUMBER_SIZE];
  if (c->limit > 0) kube_query_add(&query, "limit", log_number(c->limit, number));
  if (c->continue_token != NULL) kube_query_add(&query, "continue", c->continue_token);
  if (c->type.label_selector != NULL) kube_query_add(&query, "labelSelector", c->type.label_selector);
  struct kube_request r = {
      .method = "GET",
      .kind = c->type.kind,
      .namespace = c->namespace,
      .query = str_text(&query),
      .max_response = PAGE_BYTES_MAX,
      .timeout = 60 * 1000,
  };
  c->call = kube_call_start(c->client, &r, on_page, c);
}

static bool on_event(void *context, enum watch_type type, json *object) {
  struct cache *c = context;
  if (type == WATCH_ERROR) {
    status_object_to_error(object, 0, 0, &c->watch_error);
    return false;
  }
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
  return code == ERR_NONE;
}

// Whether only a new list helps: the version is too old, or the watch cannot be understood.
static bool needs_list(const struct cache *c, const struct error *e) {
  if (e->code == ERR_GONE || e->code == ERR_INTERNAL || e->code == ERR_TOO_LARGE) return true;
  return !error_is_transient(e->code) && c->failures >= REFUSALS_BEFORE_LIST;
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

  const bool lasted = answer->status == 200 && clock_monotonic() - c->watch_started >= SHORT_WATCH_MS;
  const bool lived = c->progress || lasted;
  if (lived) c->failures = 0;
  if (lasted) c->gone = false;
  if (e.code == ERR_GONE && !c->gone) {
    // An API server that answers, after whatever it was away for, is not waited for once more; but not again and again.
    log_info("watch ended, listing again", "kind", c->type.kind->kind, "error", e.text);
    c->gone = true;
    c->failures = 0;
    start_list(c);
    return;
  }
  if (e.code == ERR_NONE && lived) {
    start_watch(c);  // its time was over, as asked
    return;
  }
  if (e.code == ERR_NONE) error_set(&e, ERR_UNAVAILABLE, "the watch ended at once, without an event");
  bool list = needs_list(c, &e);
  retry(c, list, list ? "watch ended, listing again" : "watch ended, watching again", &e);
}

// From the last version on. The server ends it after a random time, so that watches spread over
// API servers; nothing for longer than that means the connection is dead, whatever TCP believes.
static void start_watch(struct cache *c) {
  int64_t seconds = WATCH_SECONDS_MIN + (int64_t)(backoff_random() * WATCH_SECONDS_SPREAD);
  cleanup_str struct str query = STR_INIT(64 * 1024);
  char number[LOG_NUMBER_SIZE];
  snprintf(number, sizeof number, "%" PRIu64, store_version(c->store));
  kube_query_add(&query, "watch", "true");
  kube_query_add(&query, "allowWatchBookmarks", "true");
  kube_query_add(&query, "resourceVersion", number);
  kube_query_add(&query, "timeoutSeconds", log_number(seconds, number));
  if (c->type.label_selector != NULL) kube_query_add(&query, "labelSelector", c->type.label_selector);

  watch_feed_done(&c->feed);
  watch_feed_init(&c->feed, EVENT_BYTES_MAX, kube_kind_skipped(c->type.kind), on_event, c);
  c->progress = false;
  c->watch_error = (struct error){0};
  c->watch_started = clock_monotonic();
  if (c->followed_since == 0) c->followed_since = c->watch_started;
  struct kube_request r = {
      .method = "GET",
      .kind = c->type.kind,
      .namespace = c->namespace,
      .query = str_text(&query),
      .timeout = -1,
      .idle_timeout = seconds * 1000 + WATCH_SLACK_MS,
      .data = on_bytes,
  };
  c->call = kube_call_start(c->client, &r, on_watch_end, c);
}
