// Requests to the Kubernetes API: paths, authentication, Status errors, retry hints, metrics.
#pragma once

#include <stdint.h>

#include "base/json.h"
#include "io/http.h"
#include "io/metrics.h"
#include "kube/config.h"

// A kind's place in the API, static data.
struct kube_kind {
  const char *group;  // "" for core
  const char *version;
  const char *plural;
  const char *kind;
  bool spec_unread;  // nobody here reads the spec, so it is not parsed; no such object is written back whole
};
// What is empty in every object that is read, for json_parse_without.
const char *const *kube_kind_skipped(const struct kube_kind *k);
// "rl-arena.io/v1alpha1" or "v1"
const char *kube_kind_api_version(const struct kube_kind *k, char *ret, size_t size);

struct kube_client;
struct kube_call;

// One loop, one thread. `m` may be NULL. Freeing cancels what still runs, without callbacks; caches,
// leases and recorders on the client go first.
struct kube_client *kube_client_new(struct http *http, struct kube_config *take_config, struct metrics *m);
void kube_client_free(struct kube_client *c);

// `object` is the parsed answer, borrowed, NULL for text (logs); `text`/`length` the raw body.
// Errors come from the Status object: its reason gives the code, its message the text.
struct kube_answer {
  json *object;
  const char *text;
  size_t length;
  int status;
};
typedef void kube_done_fn(void *context, const struct kube_answer *answer, const struct error *e);

// subresource NULL, "status" or "log"; query NULL or "a=b&c=d" (already escaped).
struct kube_request {
  const char *method;
  const struct kube_kind *kind;
  const char *namespace;
  const char *name;  // NULL: the collection
  const char *subresource;
  const char *query;
  const char *content_type;  // NULL: application/json; "application/merge-patch+json"
  json *body;                // borrowed, NULL without one
  size_t max_response;       // 0: 8 MiB
  bool text_answer;
  bool unguarded;      // a write that http_guard's function is not asked about
  msec timeout;        // whole call; 0: 30 s; -1: none (watches)
  msec idle_timeout;   // nothing received for so long is ERR_TIMEOUT; 0: none
  http_data_fn *data;  // streams a 2xx answer's body (with the call's context) instead of keeping it
};
// `done` comes once, later, never from inside; the call is dead when it returns.
struct kube_call *kube_call_start(struct kube_client *c, const struct kube_request *r, kube_done_fn *done,
                                  void *context);
void kube_call_cancel(struct kube_call *call);  // no callback comes after; NULL is fine

// Adds "key=value", escaped, to a request's query.
void kube_query_add(struct str *query, const char *key, const char *value);

// Pure: a non-2xx answer as an error.
enum error_code kube_status_to_error(int http_status, const char *body, size_t length, int retry_after_ms,
                                     struct error *e);
