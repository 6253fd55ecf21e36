#include "pages.h"

#include <assert.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"

#include "store.h"

enum {
  PAGE_LIMIT = 500,
  PAGE_BYTES_MAX = 32 * 1024 * 1024,
  PAGE_BYTES_SMALL = 1024 * 1024,
  CONTINUE_MAX = 16 * 1024,
  PAGE_TIMEOUT_MS = 60 * 1000,
};

struct pages {
  struct kube_client *client;
  const struct cache_type *type;
  char *namespace;
  pages_item_fn *item;
  pages_done_fn *done;
  void *context;

  struct kube_call *call;
  char *continue_token;  // of the next page
  unsigned limit;        // of a page; 0: all in one
  bool too_large;        // a page of this list was: no larger ones
};

static void ask(struct pages *p);

static unsigned first_limit(const struct pages *p) {
  return p->type->page_limit > 0 ? p->type->page_limit : PAGE_LIMIT;
}

struct pages *pages_new(struct kube_client *client, const struct cache_type *type, const char *namespace,
                        pages_item_fn *item, pages_done_fn *done, void *context) {
  struct pages *p = mem_alloc(sizeof *p);
  p->client = client;
  p->type = type;
  p->namespace = mem_strdup(namespace);
  p->item = item;
  p->done = done;
  p->context = context;
  p->limit = first_limit(p);
  return p;
}

void pages_start(struct pages *p) {
  assert(p->call == NULL && p->continue_token == NULL);
  ask(p);
}

void pages_cancel(struct pages *p) {
  kube_call_cancel(p->call);
  p->call = NULL;
  p->too_large = false;
  mem_replace(&p->continue_token, NULL);
}

void pages_free(struct pages *p) {
  if (p == NULL) return;
  pages_cancel(p);
  free(p->namespace);
  free(p);
}

static void fail(struct pages *p, const struct error *e) {
  const bool compacted = e->code == ERR_GONE && p->continue_token != NULL;
  pages_cancel(p);
  if (compacted) p->limit = 0;
  p->done(p->context, 0, e);
}

static void on_error(struct pages *p, const struct error *e) {
  if (e->code != ERR_TOO_LARGE || p->limit == 1) {
    fail(p, e);
    return;
  }
  p->too_large = true;
  p->limit = p->limit == 0 ? PAGE_LIMIT : p->limit / 2;  // the same page again, in smaller pieces
  ask(p);
}

static enum error_code take_page(struct pages *p, json *list, uint64_t *ret_version, struct error *e) {
  json *items = json_get(list, "items");
  *ret_version = store_version_of(list);
  if (*ret_version == 0) return error_set(e, ERR_INTERNAL, "the list has no resourceVersion");
  for (size_t i = 0; i < json_length(items); i++) p->item(p->context, json_item(items, i));

  const char *token = json_text(json_get(list, "metadata"), "continue");
  if (!text_empty(token) && strlen(token) > CONTINUE_MAX)
    return error_set(e, ERR_TOO_LARGE, "the list's continue token is longer than %d bytes", CONTINUE_MAX);
  mem_replace(&p->continue_token, text_empty(token) ? NULL : token);
  return ERR_NONE;
}

// Kinds whose objects can be heavy begin with few at a time. Most are light, and 100,000 of them by fifties would take
// 2,000 questions.
static void grow(struct pages *p) {
  if (p->limit == 0 || p->limit >= PAGE_LIMIT) return;
  p->limit = p->limit <= PAGE_LIMIT / 2 ? 2 * p->limit : PAGE_LIMIT;
}

static void on_page(void *context, const struct kube_answer *answer, const struct error *http_error) {
  struct pages *p = context;
  p->call = NULL;
  if (http_error != NULL) {
    on_error(p, http_error);
    return;
  }
  uint64_t version = 0;
  struct error e = {0};
  if (take_page(p, answer->object, &version, &e) != ERR_NONE) {
    fail(p, &e);
  } else if (p->continue_token != NULL) {
    if (answer->length < PAGE_BYTES_SMALL && !p->too_large) grow(p);
    ask(p);
  } else {
    p->too_large = false;
    p->limit = first_limit(p);
    p->done(p->context, version, NULL);
  }
}

// The first page, or the next one. Without a resourceVersion the answer is a consistent read: never older than what was
// written.
static void ask(struct pages *p) {
  cleanup_str struct str query = STR_INIT(64 * 1024);
  char number[LOG_NUMBER_SIZE];
  if (p->limit > 0) kube_query_add(&query, "limit", log_number(p->limit, number));
  if (p->continue_token != NULL) kube_query_add(&query, "continue", p->continue_token);
  if (p->type->label_selector != NULL) kube_query_add(&query, "labelSelector", p->type->label_selector);
  struct kube_request r = {
      .method = "GET",
      .kind = p->type->kind,
      .namespace = p->namespace,
      .query = str_text(&query),
      .max_response = PAGE_BYTES_MAX,
      .timeout = PAGE_TIMEOUT_MS,
  };
  p->call = kube_call_start(p->client, &r, on_page, p);
}
