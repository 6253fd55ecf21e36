#include "token_review.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/map.h"
#include "base/memory.h"
#include "base/str.h"
#include "kube/client.h"

#include "app.h"
#include "s3_sign.h"

enum {
  KEPT_MS = 60000,
  REFUSED_MS = 10000,
  KEPT_MAX = 1024,
  UNDER_WAY_MAX = 64,
  TOKEN_MAX = 8192,
  ANSWER_MAX = 64 << 10,
  CALL_MS = 10000,
};

static const struct kube_kind KIND = {"authentication.k8s.io", "v1", "tokenreviews", "TokenReview", false};
static const char PREFIX[] = "system:serviceaccount:";

struct verdict {
  char *account;  // NULL: refused
  msec until;
};

struct asker {
  struct asker *next;
  token_review_done_fn *done;
  void *context;
};

struct review {
  struct token_review *t;
  char hash[S3_HEX_SIZE];
  struct kube_call *call;
  struct asker *askers;
};

struct token_review {
  struct app *app;
  struct map *verdicts;  // by hash, oldest first
  struct map *reviews;   // under way, by hash
};

static void verdict_free(void *verdict) {
  free(((struct verdict *)verdict)->account);
  free(verdict);
}

static void review_free(void *review) {
  struct review *r = review;
  kube_call_cancel(r->call);
  for (struct asker *a = r->askers, *next; a; a = next) {
    next = a->next;
    free(a);
  }
  free(r);
}

struct token_review *token_review_new(struct app *app) {
  struct token_review *t = mem_alloc(sizeof *t);
  t->app = app;
  t->verdicts = map_new(verdict_free);
  t->reviews = map_new(review_free);
  return t;
}

void token_review_free(struct token_review *t) {
  if (!t) return;
  map_free(t->verdicts);
  map_free(t->reviews);
  free(t);
}

// ---- what the API server says --------------------------------------------------------------------

static bool has_audience(json *audiences) {
  for (size_t i = 0; i < json_length(audiences); i++) {
    json *one = json_item(audiences, i);
    if (json_object_is_type(one, json_type_string) && text_equal(json_object_get_string(one), TOKEN_REVIEW_AUDIENCE))
      return true;
  }
  return false;
}

// An API server that knows nothing of audiences names none: its answer is for another one.
static const char *account_of(json *status) {
  const char *user = json_text(json_get(status, "user"), "username");
  if (!json_bool(status, "authenticated", false) || !has_audience(json_get(status, "audiences"))) return NULL;
  return user && text_starts(user, PREFIX) ? user + strlen(PREFIX) : NULL;
}

static void tell(const struct asker *a, const char *account) {
  struct error e;
  if (!account) error_set(&e, ERR_FORBIDDEN, "The token is none that this port takes.");
  a->done(a->context, account, account ? NULL : &e);
}

static void keep(struct token_review *t, const char *hash, const char *account) {
  if (map_count(t->verdicts) >= KEPT_MAX) map_remove(t->verdicts, map_key(map_first(t->verdicts)));
  struct verdict *v = mem_alloc(sizeof *v);
  v->account = mem_strdup(account);
  v->until = clock_monotonic() + (account ? KEPT_MS : REFUSED_MS);
  map_remove(t->verdicts, hash);  // or it would keep its place in the line
  map_put(t->verdicts, hash, v);
}

static void on_reviewed(void *context, const struct kube_answer *answer, const struct error *e) {
  struct review *r = context;
  r->call = NULL;
  map_take(r->t->reviews, r->hash);
  cleanup_free char *account = e ? NULL : mem_strdup(account_of(json_get(answer->object, "status")));
  if (!e) keep(r->t, r->hash, account);
  for (struct asker *a = r->askers; a; a = a->next) {
    if (e)
      a->done(a->context, NULL, e);
    else
      tell(a, account);
  }
  review_free(r);
}

static void send_review(struct review *r, const char *token) {
  cleanup_json json *o = json_new_object();
  json_add_text(o, "apiVersion", "authentication.k8s.io/v1");
  json_add_text(o, "kind", "TokenReview");
  json *spec = json_add_object(o, "spec");
  json_add_text(spec, "token", token);
  json_push_text(json_add_array(spec, "audiences"), TOKEN_REVIEW_AUDIENCE);
  const struct kube_request request = {
      .method = "POST",
      .kind = &KIND,
      .body = o,
      .max_response = ANSWER_MAX,
      .timeout = CALL_MS,
  };
  r->call = kube_call_start(r->t->app->kube, &request, on_reviewed, r);
}

// ---- asking --------------------------------------------------------------------------------------

static bool may_be_token(const char *text) {
  size_t length = strlen(text);
  if (length == 0 || length > TOKEN_MAX) return false;
  for (; *text; text++)
    if (!isalnum((unsigned char)*text) && !strchr("-._~+/=", *text)) return false;
  return true;
}

void token_review_check(struct token_review *t, const char *token, token_review_done_fn *done, void *context) {
  struct asker asker = {.done = done, .context = context};
  if (!may_be_token(token)) {
    tell(&asker, NULL);
    return;
  }
  char hash[S3_HEX_SIZE];
  s3_sha256(token, strlen(token), hash);
  const struct verdict *v = map_get(t->verdicts, hash);
  if (v && v->until > clock_monotonic()) {
    cleanup_free char *account = mem_strdup(v->account);  // `done` may ask for another, which pushes this one out
    tell(&asker, account);
    return;
  }
  struct review *r = map_get(t->reviews, hash);
  struct error e;
  if (!t->app->kube) {
    error_set(&e, ERR_UNAVAILABLE, "There is no cluster behind this arena.");
    done(context, NULL, &e);
    return;
  }
  if (!r && map_count(t->reviews) >= UNDER_WAY_MAX) {
    error_set(&e, ERR_UNAVAILABLE, "Too many tokens are being checked. Try again.");
    done(context, NULL, &e);
    return;
  }
  bool first = !r;
  if (first) {
    r = mem_alloc(sizeof *r);
    r->t = t;
    memcpy(r->hash, hash, sizeof hash);
    map_put(t->reviews, hash, r);
  }
  struct asker *a = mem_alloc(sizeof *a);
  *a = asker;
  a->next = r->askers;
  r->askers = a;
  if (first) send_review(r, token);
}

// ---- lists ---------------------------------------------------------------------------------------

// The next entry at *at, without blanks; its length, 0 at the end.
static size_t next_entry(const char **at) {
  *at += strspn(*at, " ,");
  return strcspn(*at, " ,");
}

static bool is_name(const char *text, size_t length) {
  if (length == 0 || length > 63) return false;
  for (size_t i = 0; i < length; i++)
    if (!islower((unsigned char)text[i]) && !isdigit((unsigned char)text[i]) && !strchr("-.", text[i])) return false;
  return true;
}

bool token_review_list_is_valid(const char *list) {
  for (size_t length; (length = next_entry(&list)) > 0; list += length) {
    const char *colon = memchr(list, ':', length);
    if (!colon || !is_name(list, (size_t)(colon - list)) || !is_name(colon + 1, length - (size_t)(colon - list) - 1))
      return false;
  }
  return true;
}

bool token_review_list_has(const char *list, const char *account) {
  if (!list || !account) return false;
  for (size_t length; (length = next_entry(&list)) > 0; list += length)
    if (strlen(account) == length && memcmp(list, account, length) == 0) return true;
  return false;
}
