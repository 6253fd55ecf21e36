// The internal port's blobs: build Pods read uploads, the executor brings replays. Each asks with its service account's
// token; which account may what is configuration.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/str.h"

#include "app.h"
#include "blob_reply.h"
#include "blobs.h"
#include "handlers.h"
#include "query.h"
#include "settings.h"
#include "token_review.h"

enum { REPLAY_MAX = 256 << 20, NUMBER_SIZE = 24, ADDRESS_MAX = 2048 };

// ---- who asks --------------------------------------------------------------------------------------

static const char *bearer_of(const struct exchange *x) {
  static const char SCHEME[] = "Bearer ";
  const char *header = exchange_header(x, "authorization");
  if (!header || strncasecmp(header, SCHEME, strlen(SCHEME)) != 0) return "";
  return header + strlen(SCHEME) + strspn(header + strlen(SCHEME), " ");
}

// True: `account` is on the list. Otherwise answered.
static bool judge(struct exchange *x, const char *list, const char *account, const struct error *e) {
  if (e && e->code == ERR_FORBIDDEN) {
    exchange_fail(x, 401, "unauthorized",
                  "A service account token for the audience " TOKEN_REVIEW_AUDIENCE " is needed here.");
    return false;
  }
  if (e) {
    log_warn("a token could not be checked", "error", e->text);
    exchange_add_header(x, "Retry-After", "1");
    exchange_fail(x, 503, "unavailable", "The token cannot be checked now. Try again.");
    return false;
  }
  if (token_review_list_has(list, account)) return true;
  log_warn("a service account asked for what is not its own", "account", account, "path", exchange_path(x));
  exchange_fail(x, 403, "forbidden", "This service account may not do that.");
  return false;
}

// ---- sources ---------------------------------------------------------------------------------------

static void on_stat(void *context, int64_t size, const char *media_type, const struct error *e) {
  (void)media_type;
  struct exchange *x = context;
  if (e) {
    exchange_fail_error(x, e);
    return;
  }
  blob_reply(x, &(struct blob_answer){
                    .sha256 = exchange_param(x, "sha256"), .size = size, .content_type = "application/octet-stream"});
}

static void on_fetch_account(void *context, const char *account, const struct error *e) {
  struct exchange *x = context;
  const struct app *app = exchange_app(x);
  if (!judge(x, app->settings->fetch_users, account, e)) return;
  blob_stat(app->blobs, exchange_param(x, "sha256"), on_stat, x);
}

void handle_internal_source(struct exchange *x) {
  if (!blob_is_sha256(exchange_param(x, "sha256"))) {
    exchange_fail(x, 404, "not_found", "There is no such upload.");
    return;
  }
  token_review_check(exchange_app(x)->token_review, bearer_of(x), on_fetch_account, x);
}

// ---- replays: in -----------------------------------------------------------------------------------

// A late upload of an earlier attempt replaces nothing, and is none the worse for it.
static const struct db_statement KEEP = {
    "replay_keep",
    "INSERT INTO replays (match_id, kind, sha256, size, attempt) VALUES ($1::uuid, $2, $3, $4::bigint, $5::int)"
    " ON CONFLICT (match_id, kind) DO UPDATE SET sha256 = excluded.sha256, size = excluded.size,"
    " attempt = excluded.attempt, created_at = now() WHERE replays.attempt <= excluded.attempt"};

struct bringing {
  struct exchange *x;
  struct blob_writer *writer;
  bool html;
  bool checking, slow, over, dead;  // dead: answered while the token was being checked
  int64_t attempt, size;
  char head[2];
};

static struct exchange *bringing_free(struct bringing *b) {
  struct exchange *x = b->x;
  if (b->writer) blob_abandon(b->writer);
  free(b);
  return x;
}

static void set_flow(struct bringing *b) {
  if (!b->over) exchange_pause(b->x, b->checking || b->slow);
}

static void on_ready(void *context) {
  struct bringing *b = context;
  b->slow = false;
  set_flow(b);
}

static void on_row(void *context, const struct db_rows *rows, const struct error *e, const char *constraint) {
  (void)rows, (void)constraint;
  struct bringing *b = context;
  bool html = b->html;
  struct exchange *x = bringing_free(b);
  if (e) {
    query_fail(x, e);
    return;
  }
  const struct settings *s = exchange_app(x)->settings;
  const char *match = exchange_param(x, "match"), *kind = html ? "html" : "json";
  char address[ADDRESS_MAX];
  // Without a public address, the one that answers inside the cluster.
  if (s->public_url)
    snprintf(address, sizeof address, "%s/api/v1/matches/%s/replay?format=%s", s->public_url, match, kind);
  else
    snprintf(address, sizeof address, "%s/internal/v1/replays/%s?kind=%s", s->internal_url, match, kind);
  json *answer = json_new_object();
  json_add_text(answer, "url", address);
  exchange_reply(x, 200, answer);
}

static void on_kept(void *context, const char *sha256, int64_t size, const struct error *e) {
  struct bringing *b = context;
  b->writer = NULL;
  if (e) {
    exchange_fail_error(bringing_free(b), e);
    return;
  }
  char length[NUMBER_SIZE], attempt[NUMBER_SIZE];
  snprintf(length, sizeof length, "%lld", (long long)size);
  snprintf(attempt, sizeof attempt, "%lld", (long long)b->attempt);
  const struct db_value values[] = {DB_TEXT(exchange_param(b->x, "match")), DB_TEXT(b->html ? "html" : "json"),
                                    DB_TEXT(sha256), DB_TEXT(length), DB_TEXT(attempt)};
  db_query(exchange_app(b->x)->db, &KEEP, values, array_size(values), on_row, b);
}

static void end_of_replay(struct bringing *b) {
  bool gzip = b->size >= 2 && memcmp(b->head, "\x1f\x8b", 2) == 0;
  if (b->size == 0 || gzip == b->html) {
    bool html = b->html;
    exchange_fail(bringing_free(b), 400, "invalid", html ? "kind=html is a page." : "kind=json is packed by gzip.");
    return;
  }
  blob_finish(b->writer, on_kept, b);
}

static void on_body(void *context, const void *bytes, size_t length, bool complete) {
  struct bringing *b = context;
  if (bytes) {
    for (size_t i = 0; i < length && b->size + (int64_t)i < 2; i++)
      b->head[b->size + (int64_t)i] = ((const char *)bytes)[i];
    b->size += (int64_t)length;
    if (!blob_write(b->writer, bytes, length)) b->slow = true;
    const struct error *problem = blob_problem(b->writer);
    if (problem) {
      struct error e = *problem;
      exchange_fail_error(bringing_free(b), &e);
    } else if (b->slow) {
      set_flow(b);
    }
    return;
  }
  b->over = true;
  if (b->checking) {  // the client left before its token was known: on_replay_account ends it
    b->dead = true;
    return;
  }
  if (complete)
    end_of_replay(b);
  else
    exchange_fail(bringing_free(b), 400, "incomplete", "The upload broke off.");
}

static void on_replay_account(void *context, const char *account, const struct error *e) {
  struct bringing *b = context;
  b->checking = false;
  if (b->dead) {
    exchange_fail(bringing_free(b), 400, "incomplete", "The upload broke off.");
    return;
  }
  struct exchange *x = b->x;
  if (!judge(x, exchange_app(x)->settings->replay_users, account, e)) {
    bringing_free(b);
    return;
  }
  set_flow(b);
}

// True: kind is json or html; otherwise answered.
static bool read_kind(struct exchange *x, bool *ret_html) {
  const char *kind = exchange_query(x, "kind");
  *ret_html = text_equal(kind, "html");
  if (*ret_html || text_equal(kind, "json")) return true;
  exchange_fail(x, 400, "invalid", "kind must be json or html.");
  return false;
}

void handle_internal_put_replay(struct exchange *x) {
  bool html;
  int64_t attempt;
  if (!read_kind(x, &html) || !exchange_query_int(x, "attempt", 0, 0, 1000000, &attempt)) return;
  struct bringing *b = mem_alloc(sizeof *b);
  b->x = x;
  b->html = html;
  b->attempt = attempt;
  b->checking = true;
  b->writer = blob_create(exchange_app(x)->blobs, html ? "text/html" : "application/gzip", REPLAY_MAX, on_ready, b);
  exchange_receive(x, on_body, b);
  set_flow(b);
  token_review_check(exchange_app(x)->token_review, bearer_of(x), on_replay_account, b);
}

// ---- replays: out ----------------------------------------------------------------------------------

static const struct db_statement FIND = {"replay_find_internal",
                                         "SELECT sha256, size FROM replays WHERE match_id = $1::uuid AND kind = $2"};

static void on_found(void *context, const struct db_rows *rows, const struct error *e, const char *constraint) {
  (void)constraint;
  struct exchange *x = context;
  bool html = text_equal(exchange_query(x, "kind"), "html");
  if (e)
    query_fail(x, e);
  else if (db_rows_count(rows) == 0)
    exchange_fail(x, 404, "not_found", "There is no such replay.");
  else
    blob_reply(x, &(struct blob_answer){
                      .sha256 = db_rows_text(rows, 0, 0),
                      .size = db_rows_int(rows, 0, 1, 0),
                      .content_type = html ? "text/html; charset=utf-8" : "application/json",
                      .gzip = !html,
                  });
}

static void on_reader_account(void *context, const char *account, const struct error *e) {
  struct exchange *x = context;
  const struct app *app = exchange_app(x);
  if (!judge(x, app->settings->replay_users, account, e)) return;
  const char *kind = exchange_query(x, "kind");
  const struct db_value values[] = {DB_TEXT(exchange_param(x, "match")), DB_TEXT(kind)};
  db_query(app->db, &FIND, values, 2, on_found, x);
}

void handle_internal_get_replay(struct exchange *x) {
  bool html;
  if (!read_kind(x, &html)) return;
  token_review_check(exchange_app(x)->token_review, bearer_of(x), on_reader_account, x);
}
