// Emitted events are gathered by what they say about which object. A gathering that grew since it
// was last written is in the line; the line is worked off a few at a time and at a bounded rate,
// first with a POST, later with PATCHes of the count.
#include "kube/event.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/map.h"
#include "base/memory.h"
#include "io/timer.h"

#include "backoff.h"

enum {
  GATHER_MS = 10 * 60 * 1000,
  KNOWN_MAX = 4096,    // gatherings remembered
  BACKLOG_MAX = 1000,  // of them, waiting to be written
  CONCURRENCY = 4,
  RATE_PER_SECOND = 50,
  BURST = 100,
  TRIES_MAX = 5,
  BACKOFF_FIRST_MS = 500,
  BACKOFF_MOST_MS = 30 * 1000,
  MESSAGE_MAX = 1024,
  OBJECT_NAME_MAX = 230,  // what leaves room for ".<16 hex>" in 253
};

static const struct kube_kind event_kind = {"", "v1", "events", "Event", false};

struct gathering {
  struct event_recorder *recorder;
  struct gathering *next;  // in the line
  char *key;               // in `known`
  char *namespace, *name;  // of the Event
  json *body;              // what POST sends but for count and lastTimestamp
  struct kube_call *call;
  msec first, last;  // wall clock
  int64_t count, sending, written;
  unsigned failures;
  bool waiting;
};

struct event_recorder {
  struct kube_client *client;
  char *component, *instance;
  struct map *known;  // key -> gathering, oldest first
  struct gathering *first, *last_in_line;
  size_t waiting, running;
  struct timer *timer;
  double tokens;
  msec tokens_at;
  msec not_before;  // after a failure
  uint64_t serial;
  uint64_t dropped;
};

static void work(void *context);

struct event_recorder *event_recorder_new(struct kube_client *client, uv_loop_t *loop, const char *component,
                                          const char *instance) {
  struct event_recorder *r = mem_alloc(sizeof *r);
  r->client = client;
  r->component = mem_strdup(component);
  r->instance = mem_strdup(instance);
  r->known = map_new(NULL);
  r->timer = timer_new(loop, work, r);
  r->tokens = BURST;
  r->tokens_at = clock_monotonic();
  r->serial = (uint64_t)(backoff_random() * 65536);
  return r;
}

static void gathering_free(struct gathering *g) {
  kube_call_cancel(g->call);
  json_put(&g->body);
  free(g->key);
  free(g->namespace);
  free(g->name);
  free(g);
}

void event_recorder_free(struct event_recorder *r) {
  if (r == NULL) return;
  map_each (r->known, entry) gathering_free(map_value(entry));
  map_free(r->known);
  timer_free(r->timer);
  free(r->component);
  free(r->instance);
  free(r);
}

size_t event_recorder_pending(const struct event_recorder *r) {
  return r->waiting + r->running;
}

// --- what is sent ---

// Unique among an object's Events: time, and a serial for those of the same millisecond.
static void name_event(struct gathering *g, const char *object_name) {
  struct event_recorder *r = g->recorder;
  uint64_t unique = (uint64_t)g->first << 16 | (r->serial++ & 0xffff);
  char *name = mem_printf("%.*s.%" PRIx64, OBJECT_NAME_MAX, object_name, unique);
  free(g->name);
  g->name = name;
}

static char *short_message(const char *message) {
  size_t length = strlen(message);
  struct str s = STR_INIT(4 * MESSAGE_MAX);
  str_add_utf8(&s, message, length < MESSAGE_MAX ? length : MESSAGE_MAX);
  if (s.length > MESSAGE_MAX - 3) {
    size_t keep = text_utf8_prefix(s.data, MESSAGE_MAX - 3);
    cleanup_free char *start = mem_strndup(s.data, keep);
    str_clear(&s);
    str_add(&s, start);
    str_add(&s, "...");
  }
  return str_take(&s);
}

static json *new_body(struct gathering *g, const struct kube_kind *kind, const struct meta *object, bool warning,
                      const char *reason, const char *message) {
  json *o = meta_new_object("v1", "Event", g->namespace, g->name);
  json *involved = json_add_object(o, "involvedObject");
  char api_version[256], version[LOG_NUMBER_SIZE];
  json_add_text(involved, "apiVersion", kube_kind_api_version(kind, api_version, sizeof api_version));
  json_add_text(involved, "kind", kind->kind);
  json_add_text(involved, "namespace", object->namespace);
  json_add_text(involved, "name", object->name);
  json_add_text(involved, "uid", object->uid);
  snprintf(version, sizeof version, "%" PRIu64, object->version);
  json_add_text(involved, "resourceVersion", version);

  json_add_text(o, "type", warning ? "Warning" : "Normal");
  json_add_text(o, "reason", reason);
  cleanup_free char *text = short_message(message);
  json_add_text(o, "message", text);

  json *source = json_add_object(o, "source");
  json_add_text(source, "component", g->recorder->component);
  json_add_text(source, "host", g->recorder->instance);
  json_add_text(o, "reportingComponent", g->recorder->component);
  json_add_text(o, "reportingInstance", g->recorder->instance);
  json_add_time(o, "firstTimestamp", g->first);
  return o;
}

// --- the line ---

static void append(struct gathering *g) {
  struct event_recorder *r = g->recorder;
  if (g->waiting || g->call != NULL) return;
  g->waiting = true;
  g->next = NULL;
  *(r->last_in_line != NULL ? &r->last_in_line->next : &r->first) = g;
  r->last_in_line = g;
  r->waiting++;
}

static struct gathering *take_first(struct event_recorder *r) {
  struct gathering *g = r->first;
  r->first = g->next;
  if (r->first == NULL) r->last_in_line = NULL;
  r->waiting--;
  g->waiting = false;
  return g;
}

static void forget(struct gathering *g) {
  map_take(g->recorder->known, g->key);
  gathering_free(g);
}

// What nobody will count up any more, oldest first; what is still to be written stays.
static void forget_old(struct event_recorder *r, msec now) {
  map_each (r->known, entry) {
    struct gathering *g = map_value(entry);
    if (map_count(r->known) <= KNOWN_MAX && now - g->last < GATHER_MS) return;
    if (!g->waiting && g->call == NULL) forget(g);
  }
}

static void drop(struct gathering *g, const struct error *e) {
  log_warn("event not recorded", "object", json_text(json_get(g->body, "involvedObject"), "name"), "reason",
           json_text(g->body, "reason"), "error", e->text);
  g->recorder->dropped++;
  forget(g);
}

static void on_failure(struct gathering *g, const struct error *e) {
  struct event_recorder *r = g->recorder;
  if (e->code == ERR_NOT_FOUND && g->written > 0) {
    // The API server has let the Event go, as it does after an hour: begin another.
    g->written = 0;
    name_event(g, json_text(json_get(g->body, "involvedObject"), "name"));
    json_add_text(json_get(g->body, "metadata"), "name", g->name);
  } else if (!error_is_transient(e->code) || ++g->failures >= TRIES_MAX) {
    drop(g, e);
    return;
  } else {
    msec delay = backoff_jitter(backoff_delay(g->failures, BACKOFF_FIRST_MS, BACKOFF_MOST_MS), 1.0, backoff_random());
    if (delay < e->retry_after_ms) delay = e->retry_after_ms;
    r->not_before = clock_monotonic() + delay;
  }
  append(g);
}

static void on_sent(void *context, const struct kube_answer *answer, const struct error *e) {
  (void)answer;
  struct gathering *g = context;
  struct event_recorder *r = g->recorder;
  g->call = NULL;
  r->running--;
  // "Already exists" is the answer to a POST whose first try had arrived after all.
  if (e != NULL && e->code != ERR_EXISTS) {
    on_failure(g, e);
  } else {
    g->failures = 0;
    g->written = g->sending;
    if (g->count > g->written) append(g);
  }
  work(r);
}

static void send_gathering(struct gathering *g) {
  bool create = g->written == 0;
  cleanup_json json *count = create ? json_object_get(g->body) : json_new_object();
  json_add_int(count, "count", g->count);
  json_add_time(count, "lastTimestamp", g->last);
  struct kube_request r = {
      .method = create ? "POST" : "PATCH",
      .kind = &event_kind,
      .namespace = g->namespace,
      .name = create ? NULL : g->name,
      .content_type = create ? NULL : "application/merge-patch+json",
      .body = count,
  };
  g->sending = g->count;
  g->recorder->running++;
  g->call = kube_call_start(g->recorder->client, &r, on_sent, g);
}

// Sends what the rate allows now, and sets the timer for the rest.
static void work(void *context) {
  struct event_recorder *r = context;
  msec now = clock_monotonic();
  r->tokens += (double)(now - r->tokens_at) * RATE_PER_SECOND / 1000;
  if (r->tokens > BURST) r->tokens = BURST;
  r->tokens_at = now;
  while (r->first != NULL && r->running < CONCURRENCY && now >= r->not_before && r->tokens >= 1) {
    r->tokens -= 1;
    send_gathering(take_first(r));
  }
  if (r->first == NULL || r->running == CONCURRENCY || timer_is_set(r->timer)) return;
  timer_set(r->timer, now < r->not_before ? r->not_before - now : 1000 / RATE_PER_SECOND);
}

// --- emitting ---

static char *key_of(const struct meta *object, const struct kube_kind *kind, bool warning, const char *reason,
                    const char *message) {
  return mem_printf("%s/%s/%s/%d/%s/%s", kind->kind, object->namespace != NULL ? object->namespace : "",
                    object->uid != NULL ? object->uid : object->name, warning, reason, message);
}

static struct gathering *new_gathering(struct event_recorder *r, char *take_key, const struct meta *object, msec now) {
  struct gathering *g = mem_alloc(sizeof *g);
  g->recorder = r;
  g->key = take_key;
  g->namespace = mem_strdup(text_empty(object->namespace) ? "default" : object->namespace);
  g->first = now;
  name_event(g, object->name);
  return g;
}

void event_recorder_emit(struct event_recorder *r, const struct kube_kind *kind, const struct meta *object,
                         bool warning, const char *reason, const char *message) {
  msec now = clock_now();
  forget_old(r, now);
  char *key = key_of(object, kind, warning, reason, message);
  struct gathering *g = map_take(r->known, key);
  if (g != NULL) {
    free(key);
  } else if (r->waiting >= BACKLOG_MAX) {
    r->dropped++;
    free(key);
    log_debug("event dropped, too many wait", "object", object->name, "reason", reason);
    return;
  } else {
    g = new_gathering(r, key, object, now);
    g->body = new_body(g, kind, object, warning, reason, message);
  }
  map_put(r->known, g->key, g);  // again, as the youngest
  g->count++;
  g->last = now;
  append(g);
  if (!timer_is_set(r->timer)) timer_set(r->timer, 0);
}
