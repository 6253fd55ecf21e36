#include "submission_new.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/rand.h>

#include "arena/resources.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/meta.h"
#include "base/str.h"
#include "io/db.h"

#include "app.h"
#include "cluster.h"
#include "query.h"
#include "settings.h"

enum { SUFFIX_BYTES = 5, REBUILDS_MAX = 3, NUMBER_SIZE = 24, RETRY_SECONDS = 60 };

// ---- refusals ------------------------------------------------------------------------------------

static void refuse(struct submission_refusal *r, int status, const char *word, const char *message) {
  *r = (struct submission_refusal){.status = status, .word = word};
  snprintf(r->message, sizeof r->message, "%s", message);
}

static void refuse_quota(struct submission_refusal *r, int64_t a_day, int64_t seconds) {
  refuse(r, 429, "quota_exceeded", "");
  int64_t minutes = (seconds + 59) / 60;
  snprintf(r->message, sizeof r->message,
           "This agent has had %lld submissions within a day, which is the limit. Try again in %lld h %lld min.",
           (long long)a_day, (long long)(minutes / 60), (long long)(minutes % 60));
  r->retry_seconds = (int)seconds;
}

static void refuse_error(struct submission_refusal *r, const struct error *e) {
  log_warn("a submission could not be checked", "error", e->text);
  refuse(r, 503, "unavailable", "The arena's database cannot be reached. Try again in a minute.");
  r->retry_seconds = RETRY_SECONDS;
}

// By the word that submission_claim answers with; false: "ok".
static bool judge(struct submission_refusal *r, const char *word, int64_t a_day, int64_t seconds) {
  if (text_equal(word, "ok")) return false;
  if (text_equal(word, "quota"))
    refuse_quota(r, a_day, seconds);
  else if (text_equal(word, "rebuilds"))
    refuse(r, 409, "rebuilds_exhausted", "It has been built again 3 times, which is the limit. Submit the code anew.");
  else if (text_equal(word, "forbidden"))
    refuse(r, 403, "forbidden", "This agent belongs to somebody else.");
  else
    refuse(r, 404, "not_found", "There is no such agent.");
  return true;
}

void submission_refuse(struct exchange *x, const struct submission_refusal *r) {
  char seconds[NUMBER_SIZE];
  if (r->retry_seconds > 0) {
    snprintf(seconds, sizeof seconds, "%d", r->retry_seconds);
    exchange_add_header(x, "Retry-After", seconds);
  }
  exchange_fail(x, r->status, r->word, "%s", r->message);
}

// ---- the early question --------------------------------------------------------------------------

static const struct db_statement PEEK = {
    "submission_peek",
    "SELECT CASE WHEN a.owner <> $2 THEN 'forbidden' WHEN q.taken >= $3::int THEN 'quota' ELSE 'ok' END,"
    " greatest(1, ceil(extract(epoch FROM q.oldest + interval '1 day' - now())))::int"
    " FROM agents a, LATERAL (SELECT count(*) AS taken, min(c.created_at) AS oldest FROM submission_claims c"
    " WHERE c.agent_id = a.id AND c.rebuild_of IS NULL AND c.created_at > now() - interval '1 day'"
    " AND submission_claim_counts(c, true)) q WHERE a.id = $1::uuid AND a.vanished_at IS NULL"};

struct submission_check {
  struct db_call *call;
  int64_t a_day;
  submission_check_fn *done;
  void *context;
};

static void peeked(void *context, const struct db_rows *rows, const struct error *e, const char *constraint) {
  (void)constraint;
  struct submission_check c = *(struct submission_check *)context;
  free(context);
  struct submission_refusal r;
  bool refused = true;
  if (e)
    refuse_error(&r, e);
  else if (db_rows_count(rows) == 0)
    judge(&r, "not_found", 0, 0);
  else
    refused = judge(&r, db_rows_text(rows, 0, 0), c.a_day, db_rows_int(rows, 0, 1, 1));
  c.done(c.context, refused ? &r : NULL);
}

struct submission_check *submission_check(struct exchange *x, const char *agent_id, submission_check_fn *done,
                                          void *context) {
  struct app *app = exchange_app(x);
  struct submission_check *c = mem_alloc(sizeof *c);
  c->a_day = app->settings->submissions_per_day;
  c->done = done;
  c->context = context;
  char a_day[NUMBER_SIZE];
  snprintf(a_day, sizeof a_day, "%lld", (long long)c->a_day);
  const struct db_value values[] = {DB_TEXT(agent_id), DB_TEXT(exchange_username(x)), DB_TEXT(a_day)};
  c->call = db_query(app->db, &PEEK, values, array_size(values), peeked, c);
  return c;
}

void submission_check_cancel(struct submission_check *c) {
  if (!c) return;
  db_cancel(c->call);
  free(c);
}

// ---- the object ----------------------------------------------------------------------------------

static const struct db_statement CLAIM = {"submission_claim",
                                          "SELECT result, object_name, agent_object, retry_seconds, $1::uuid"
                                          " FROM submission_claim($1::uuid, $2, $3, $4::uuid, $5::int, $6::int)"};
static const struct db_statement RELEASE = {"submission_release",
                                            "DELETE FROM submission_claims WHERE object_name = $1"};
static const struct db_statement WRITTEN = {
    "submission_written",
    "SELECT jsonb_build_object('message', $2::text, 'submission', submission_json(s, true))::text"
    " FROM submissions s WHERE s.id = $1::uuid"};

struct making {
  struct exchange *x;
  json *source;
  char *object_name;
  bool again;
};

static void making_free(struct making *m) {
  json_put(&m->source);
  free(m->object_name);
  free(m);
}

static void released(void *context, const struct db_rows *rows, const struct error *e, const char *constraint) {
  (void)context, (void)rows, (void)constraint;
  if (e) log_warn("a place in the quota could not be given back", "error", e->text);  // it counts for 15 minutes more
}

// Whether the object may be there all the same: then its place in the quota stays taken.
static bool is_open(const struct error *e) {
  return e->code == ERR_UNAVAILABLE || e->code == ERR_TIMEOUT || e->code == ERR_INTERNAL;
}

static void created(void *context, json *object, const struct error *e) {
  struct making *m = context;
  struct exchange *x = m->x;
  if (e) {
    if (!is_open(e))
      db_query(exchange_app(x)->db, &RELEASE, (struct db_value[]){DB_TEXT(m->object_name)}, 1, released, NULL);
    cluster_fail(x, "submission", e);
  } else {
    const char *message = m->again ? "The submission is built again." : "The submission is taken and will be built.";
    const struct db_value values[] = {DB_TEXT(json_text(json_at(object, "metadata", NULL), "uid")), DB_TEXT(message)};
    query_change(x, 201, &WRITTEN, values, array_size(values), "submission");
  }
  making_free(m);
}

static void claimed(void *context, const struct db_rows *rows, const struct error *e, const char *constraint) {
  (void)constraint;
  struct making *m = context;
  struct exchange *x = m->x;
  struct app *app = exchange_app(x);
  struct submission_refusal refusal;
  if (e) {
    query_fail(x, e);
    making_free(m);
    return;
  }
  if (judge(&refusal, db_rows_text(rows, 0, 0), app->settings->submissions_per_day, db_rows_int(rows, 0, 3, 0))) {
    submission_refuse(x, &refusal);
    making_free(m);
    return;
  }
  m->object_name = mem_strdup(db_rows_text(rows, 0, 1));
  json *object = cluster_new_object(app, STORED_SUBMISSION, m->object_name);
  // Who comes by REST cannot delete a submission: it goes with its agent.
  meta_goes_with(object, ARENA_API_VERSION, "Agent", db_rows_text(rows, 0, 2), db_rows_text(rows, 0, 4));
  json *spec = json_add_object(object, "spec");
  json_add_text(spec, "agent", db_rows_text(rows, 0, 2));
  json_add(spec, "source", m->source);
  m->source = NULL;
  cluster_create(app, STORED_SUBMISSION, object, created, m);
}

void submission_new(struct exchange *x, const char *agent_id, json *take_source, const char *root) {
  if (!cluster_is_writable(x)) {
    json_put(&take_source);
    return;
  }
  struct app *app = exchange_app(x);
  unsigned char random[SUFFIX_BYTES];
  char suffix[2 * SUFFIX_BYTES + 1], a_day[NUMBER_SIZE], rebuilds[NUMBER_SIZE];
  if (RAND_bytes(random, sizeof random) != 1) abort();
  for (size_t i = 0; i < sizeof random; i++) snprintf(suffix + 2 * i, 3, "%02x", random[i]);
  snprintf(a_day, sizeof a_day, "%lld", (long long)app->settings->submissions_per_day);
  snprintf(rebuilds, sizeof rebuilds, "%d", REBUILDS_MAX);
  struct making *m = mem_alloc(sizeof *m);
  m->x = x;
  m->source = take_source;
  m->again = root != NULL;
  const struct db_value values[] = {DB_TEXT(agent_id), DB_TEXT(exchange_username(x)),
                                    DB_TEXT(suffix),   DB_TEXT(root),
                                    DB_TEXT(a_day),    DB_TEXT(rebuilds)};
  db_query(app->db, &CLAIM, values, array_size(values), claimed, m);
}
