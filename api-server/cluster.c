#include "cluster.h"

#include <stdio.h>
#include <string.h>

#include <openssl/rand.h>

#include "arena/resources.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/str.h"
#include "io/timer.h"
#include "kube/client.h"

#include "app.h"
#include "mirror_object.h"
#include "settings.h"

enum { CALL_MS = 8000, AGAIN_MS = 300, TRIES = 2, AT_ONCE = 32, LINE_MS = 30 * 1000 };

#define REQUEST_KEY "rl-arena.io/request"

struct writing {
  struct app *app;
  enum stored_kind kind;
  const char *method;
  char *name;
  char *uid;   // of what is deleted
  json *body;  // NULL for a read
  unsigned tries;
  struct timer *later;   // NULL until something is sent again
  json *answer;          // while it goes into PostgreSQL
  struct writing *next;  // in the line
  msec since;            // monotonic: it stands there since then
  cluster_done_fn *done;
  void *context;
};

// Each request is a connection of its own to the API server: a thousand at once would spend their time on handshakes.
// So few are sent at a time, and the others stand in a line.
static struct {
  struct writing *first, **last;
  unsigned under_way;
} line = {.last = &line.first};

static void send_request(void *context);

static void finish(struct writing *w, json *object, const struct error *e) {
  w->done(w->context, object, e);
  timer_free(w->later);  // NULL is fine
  json_put(&w->body);
  json_put(&w->answer);
  free(w->name);
  free(w->uid);
  free(w);
}

bool cluster_is_writable(struct exchange *x) {
  if (exchange_app(x)->kube != NULL) return true;
  exchange_fail(x, 503, "read_only", "This arena is read-only: it shows what was, and takes nothing new.");
  return false;
}

json *cluster_new_object(struct app *app, enum stored_kind kind, const char *name) {
  json *o = meta_new_object(ARENA_API_VERSION, MIRRORED_TYPES[kind].kind->kind, app->settings->namespace, name);
  json *annotations = json_add_object(json_at(o, "metadata", NULL), "annotations");
  json_add_text(annotations, "rl-arena.io/created-by", "api-server");
  // Tells our own object from another of the same name when the answer to its creation was lost.
  unsigned char random[16];
  if (RAND_bytes(random, sizeof random) != 1) abort();
  char hex[2 * sizeof random + 1];
  for (size_t i = 0; i < sizeof random; i++) snprintf(hex + 2 * i, 3, "%02x", random[i]);
  json_add_text(annotations, REQUEST_KEY, hex);
  return o;
}

// ---- the answer goes into PostgreSQL -------------------------------------------------------------

static void stored(void *context, const struct error *e) {
  struct writing *w = context;
  finish(w, w->answer, e);
}

static void store(struct writing *w, json *object) {
  w->answer = json_object_get(object);
  store_put_object(w->app->db, w->kind, w->answer, stored, w);
}

static void vanished(struct writing *w) {
  char *uids[] = {w->uid};
  store_vanished(w->app->db, w->kind, uids, 1, stored, w);
}

// ---- the API server ------------------------------------------------------------------------------

static bool is_unknown(const struct error *e) {
  return e->code == ERR_UNAVAILABLE || e->code == ERR_TIMEOUT || e->code == ERR_INTERNAL;
}

static const char *request_of(json *object) {
  return json_text(json_at(object, "metadata", "annotations", NULL), REQUEST_KEY);
}

static void line_goes_on(void);

// An object of the name was there when a creation was sent for the second time: the first one's, or another?
static void existing_read(void *context, const struct kube_answer *answer, const struct error *e) {
  struct writing *w = context;
  struct error own = {0};
  line.under_way--;
  if (e != NULL) {
    finish(w, NULL, e);
  } else if (text_equal(request_of(w->body), request_of(answer->object))) {
    store(w, answer->object);
  } else {
    error_set(&own, ERR_EXISTS, "it exists already");
    finish(w, NULL, &own);
  }
  line_goes_on();
}

static void request(struct writing *w, const char *method, json *body, kube_done_fn *done) {
  const bool creates = strcmp(method, "POST") == 0;
  const struct kube_request r = {
      .method = method,
      .kind = MIRRORED_TYPES[w->kind].kind,
      .namespace = w->app->settings->namespace,
      .name = creates ? NULL : w->name,
      .query = creates || strcmp(method, "PATCH") == 0 ? "fieldValidation=Strict" : NULL,
      .content_type = strcmp(method, "PATCH") == 0 ? "application/merge-patch+json" : NULL,
      .body = body,
      .timeout = CALL_MS,
  };
  line.under_way++;
  kube_call_start(w->app->kube, &r, done, w);
}

static void failed(struct writing *w, const struct error *e) {
  const bool creates = strcmp(w->method, "POST") == 0, deletes = strcmp(w->method, "DELETE") == 0;
  if (is_unknown(e) && w->tries < TRIES) {
    if (w->later == NULL) w->later = timer_new(w->app->loop, send_request, w);
    timer_set(w->later, AGAIN_MS);
  } else if (creates && e->code == ERR_NOT_FOUND) {
    struct error own = *e;  // no namespace, or no CRDs: an arena that is not set up
    error_set(&own, ERR_UNAVAILABLE, "%s", e->text);
    finish(w, NULL, &own);
  } else if (creates && e->code == ERR_EXISTS && w->tries > 1) {
    request(w, "GET", NULL, existing_read);
  } else if (deletes && (e->code == ERR_NOT_FOUND || e->code == ERR_CONFLICT)) {
    vanished(w);  // 409: another object has taken the name, so this one is gone
  } else {
    finish(w, NULL, e);
  }
}

static void answered(void *context, const struct kube_answer *answer, const struct error *e) {
  struct writing *w = context;
  const bool is_status = e == NULL && text_equal(json_text(answer->object, "kind"), "Status");
  line.under_way--;
  if (e != NULL)
    failed(w, e);
  else if (strcmp(w->method, "DELETE") != 0)
    store(w, answer->object);
  else if (!is_status && json_text(json_at(answer->object, "metadata", NULL), "deletionTimestamp") != NULL &&
           json_length(json_at(answer->object, "metadata", "finalizers", NULL)) > 0)
    store(w, answer->object);  // a finalizer holds it still
  else
    vanished(w);
  line_goes_on();
}

static struct writing *line_take(void) {
  struct writing *w = line.first;
  line.first = w->next;
  if (line.first == NULL) line.last = &line.first;
  return w;
}

static void line_goes_on(void) {
  while (line.first != NULL && line.under_way < AT_ONCE) {
    struct writing *w = line_take();
    if (clock_monotonic() - w->since > LINE_MS) {
      struct error e = {0};
      error_set(&e, ERR_UNAVAILABLE, "the line to the API server is too long");
      finish(w, NULL, &e);
    } else {
      w->tries++;
      request(w, w->method, w->body, answered);
    }
  }
}

static void send_request(void *context) {
  struct writing *w = context;
  w->since = clock_monotonic();
  w->next = NULL;
  *line.last = w;
  line.last = &w->next;
  line_goes_on();
}

static struct writing *writing_new(struct app *app, enum stored_kind kind, const char *method, const char *name,
                                   json *take_body, cluster_done_fn *done, void *context) {
  struct writing *w = mem_alloc(sizeof *w);
  *w =
      (struct writing){.app = app, .kind = kind, .method = method, .body = take_body, .done = done, .context = context};
  w->name = mem_strdup(name);
  return w;
}

void cluster_create(struct app *app, enum stored_kind kind, json *take_object, cluster_done_fn *done, void *context) {
  const char *name = json_text(json_at(take_object, "metadata", NULL), "name");
  send_request(writing_new(app, kind, "POST", name, take_object, done, context));
}

void cluster_read(struct app *app, enum stored_kind kind, const char *name, cluster_done_fn *done, void *context) {
  send_request(writing_new(app, kind, "GET", name, NULL, done, context));
}

void cluster_patch(struct app *app, enum stored_kind kind, const char *name, json *take_patch, cluster_done_fn *done,
                   void *context) {
  send_request(writing_new(app, kind, "PATCH", name, take_patch, done, context));
}

void cluster_delete(struct app *app, enum stored_kind kind, const char *name, const char *uid, cluster_done_fn *done,
                    void *context) {
  json *options = json_new_object();
  json_add_text(options, "apiVersion", "v1");
  json_add_text(options, "kind", "DeleteOptions");
  json_add_text(options, "propagationPolicy", "Background");
  json_add_text(json_add_object(options, "preconditions"), "uid", uid);
  struct writing *w = writing_new(app, kind, "DELETE", name, options, done, context);
  w->uid = mem_strdup(uid);
  send_request(w);
}

// ---- refusals ------------------------------------------------------------------------------------

// The API server says `Agent.rl-arena.io "x-1a2b3c" is invalid: spec.displayName: Too long: ...`: whose object it is
// is our business, what is wrong with it the client's.
static const char *words_of(const char *text) {
  const char *invalid = strstr(text, " is invalid: ");
  return invalid != NULL ? invalid + strlen(" is invalid: ") : text;
}

void cluster_fail(struct exchange *x, const char *what, const struct error *e) {
  struct error own = *e;
  switch (e->code) {
    case ERR_INVALID: exchange_fail(x, 400, "invalid", "The %s is refused: %s", what, words_of(e->text)); return;
    case ERR_EXISTS: exchange_fail(x, 409, "exists", "There is such a %s already.", what); return;
    case ERR_CONFLICT:
      exchange_fail(x, 409, "conflict", "The %s is being changed by somebody else. Try again.", what);
      return;
    case ERR_NOT_FOUND: exchange_fail(x, 404, "not_found", "There is no such %s any more.", what); return;
    case ERR_TOO_LARGE: exchange_fail_error(x, e); return;
    case ERR_BUSY:
    case ERR_UNAVAILABLE:
    case ERR_TIMEOUT:
      log_warn("write to the Kubernetes API failed", "kind", what, "error", e->text);
      error_set(&own, ERR_UNAVAILABLE, "The arena cannot write the %s now. Try again in a moment.", what);
      exchange_fail_error(x, &own);
      return;
    case ERR_FORBIDDEN:  // what the front's account may not do is no fault of the client's
      error_set(&own, ERR_INTERNAL, "%s", e->text);
      error_prefix(&own, "the Kubernetes API refuses the front's account to write a %s", what);
      exchange_fail_error(x, &own);
      return;
    case ERR_NONE:
    case ERR_GONE:
    case ERR_CANCELLED:
    case ERR_INTERNAL: exchange_fail_error(x, e); return;
  }
}
