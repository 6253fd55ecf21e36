// Submissions: what became of them, which of them plays, and building one again.
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/str.h"

#include "app.h"
#include "cluster.h"
#include "handlers.h"
#include "query.h"
#include "reads.h"
#include "submission_new.h"

// ---- for everyone: state, without code -------------------------------------------------------------

static const struct db_statement ONE = {
    "submissions_one",
    "SELECT jsonb_build_object('submission', submission_json(s, coalesce(a.owner = $2, false)))::text"
    " FROM submissions s LEFT JOIN agents a ON a.id = s.agent_id WHERE s.id = $1::uuid"};

void handle_get_submission(struct exchange *x) {
  const struct db_value values[] = {DB_TEXT(exchange_param(x, "id")), DB_TEXT(exchange_username(x))};
  query_reply(x, &ONE, values, 2, "submission");
}

// The newest version first; one without a number yet is newer than all that have one.
static const struct db_statement OF_AGENT = {
    "submissions_of_agent",
    "WITH page AS (SELECT s FROM submissions s WHERE s.agent_id = $4::uuid"
    " ORDER BY s.version = 0 DESC, s.version DESC, s.created_at DESC, s.id LIMIT $1::int OFFSET $2::bigint)"
    " SELECT jsonb_build_object('submissions', coalesce((SELECT jsonb_agg(submission_json(s, coalesce(a.owner = $5,"
    " false)) ORDER BY (s).version = 0 DESC, (s).version DESC, (s).created_at DESC, (s).id) FROM page), '[]'),"
    " 'total', (SELECT count(*) FROM submissions s WHERE s.agent_id = $4::uuid), 'page', $3::int,"
    " 'pageSize', $1::int)::text FROM agents a WHERE a.id = $4::uuid"};

void handle_agent_submissions(struct exchange *x) {
  struct page page;
  if (!query_page(x, 20, &page)) return;
  const struct db_value values[] = {DB_TEXT(page.size), DB_TEXT(page.offset), DB_TEXT(page.number),
                                    DB_TEXT(exchange_param(x, "agentId")), DB_TEXT(exchange_username(x))};
  query_reply(x, &OF_AGENT, values, 5, "agent");
}

// ---- for the owner ---------------------------------------------------------------------------------

// Two columns: whether the submission is the user's, and the answer.
#define FOR_OWNER(answer)                                                      \
  "SELECT coalesce(a.owner = $2, false), CASE WHEN a.owner = $2 THEN (" answer \
  ")::text END FROM submissions s LEFT JOIN agents a ON a.id = s.agent_id WHERE s.id = $1::uuid"

static const struct db_statement BUILD_STATUS = {
    "submissions_build_status",
    FOR_OWNER("jsonb_build_object('submissionId', s.id, 'attempts', s.attempts)"
              " || (submission_json(s, true) - '{id,scan,codeUrl,source,isActive}'::text[])"
              " || jsonb_strip_nulls(jsonb_build_object('imageUrl', s.image, 'attemptReason', s.attempt_reason))")};

static const struct db_statement SCAN = {
    "submissions_scan",
    FOR_OWNER("jsonb_build_object('submissionId', s.id, 'status', submission_status(s), 'scanned', s.scan IS NOT NULL,"
              " 'critical', 0, 'high', 0, 'medium', 0, 'low', 0, 'unknown', 0, 'fixable', 0, 'findings', '[]'::jsonb)"
              " || coalesce(s.scan, '{}')")};

static void private_answer(void *context, const struct db_rows *rows, const struct error *e, const char *constraint) {
  (void)constraint;
  struct exchange *x = context;
  if (query_is_owner(x, rows, e, "submission"))
    exchange_reply_bytes(x, 200, "application/json", db_rows_text(rows, 0, 1), db_rows_length(rows, 0, 1), true);
}

static void private_reply(struct exchange *x, const struct db_statement *s) {
  const struct db_value values[] = {DB_TEXT(exchange_param(x, "id")), DB_TEXT(exchange_username(x))};
  db_query(exchange_app(x)->db, s, values, 2, private_answer, x);
}

void handle_build_status(struct exchange *x) {
  private_reply(x, &BUILD_STATUS);
}

void handle_scan(struct exchange *x) {
  private_reply(x, &SCAN);
}

// ---- writes: what both look at first ---------------------------------------------------------------

static const struct db_statement FIND = {
    "submissions_find",
    "SELECT a.owner = $2, s.object_name, s.status, s.vanished_at IS NOT NULL, a.id, a.object_name,"
    " coalesce((SELECT c.rebuild_of FROM submission_claims c WHERE c.object_name = s.object_name), s.id),"
    " a.vanished_at IS NOT NULL FROM submissions s JOIN agents a ON a.id = s.agent_id WHERE s.id = $1::uuid"};

struct found {
  const char *object_name, *status, *agent_id, *agent_object, *root;
  bool is_gone;  // the object
};
typedef void found_fn(struct exchange *x, const struct found *f);

struct finding {
  struct exchange *x;
  found_fn *fn;
};

static void on_found(void *context, const struct db_rows *rows, const struct error *e, const char *constraint) {
  (void)constraint;
  struct finding finding = *(struct finding *)context;
  struct exchange *x = finding.x;
  free(context);
  if (e) {
    query_fail(x, e);
  } else if (db_rows_count(rows) == 0 || db_rows_bool(rows, 0, 7)) {
    exchange_fail(x, 404, "not_found", "There is no such submission.");
  } else if (!db_rows_bool(rows, 0, 0)) {
    exchange_fail(x, 403, "forbidden", "This submission belongs to somebody else.");
  } else {
    const struct found f = {
        .object_name = db_rows_text(rows, 0, 1),
        .status = db_rows_text(rows, 0, 2),
        .is_gone = db_rows_bool(rows, 0, 3),
        .agent_id = db_rows_text(rows, 0, 4),
        .agent_object = db_rows_text(rows, 0, 5),
        .root = db_rows_text(rows, 0, 6),
    };
    finding.fn(x, &f);
  }
}

static void find(struct exchange *x, found_fn *fn) {
  if (!cluster_is_writable(x)) return;
  struct finding *f = mem_alloc(sizeof *f);
  *f = (struct finding){.x = x, .fn = fn};
  const struct db_value values[] = {DB_TEXT(exchange_param(x, "id")), DB_TEXT(exchange_username(x))};
  db_query(exchange_app(x)->db, &FIND, values, 2, on_found, f);
}

// ---- activate --------------------------------------------------------------------------------------

static const struct db_statement ACTIVATED = {
    "submissions_activated",
    "SELECT jsonb_build_object('message', 'It plays from the next match on.', 'submission',"
    " submission_json(s, true))::text FROM submissions s WHERE s.id = $1::uuid"};

static void on_activated(void *context, json *object, const struct error *e) {
  (void)object;
  struct exchange *x = context;
  if (e)
    cluster_fail(x, "agent", e);
  else
    query_change(x, 200, &ACTIVATED, (struct db_value[]){DB_TEXT(exchange_param(x, "id"))}, 1, "submission");
}

static void activate(struct exchange *x, const struct found *f) {
  if (f->is_gone) {
    exchange_fail(x, 409, "gone", "This submission was removed. Submit the code again.");
    return;
  }
  if (!text_equal(f->status, "success")) {
    exchange_fail(x, 409, "not_ready", "Only a submission that was built and scanned can play; this one is %s.",
                  f->status);
    return;
  }
  json *patch = json_new_object();
  json_add_text(json_add_object(patch, "metadata"), "uid", f->agent_id);  // no later agent of this name
  json_add_text(json_add_object(patch, "spec"), "activeSubmission", f->object_name);
  cluster_patch(exchange_app(x), STORED_AGENT, f->agent_object, patch, on_activated, x);
}

void handle_activate(struct exchange *x) {
  find(x, activate);
}

// ---- build again -----------------------------------------------------------------------------------

// A Submission never changes: built again it is another one with the same source, and the agent's next version.
struct rebuilding {
  struct exchange *x;
  char *agent_id, *root;
};

static void on_read(void *context, json *object, const struct error *e) {
  struct rebuilding r = *(struct rebuilding *)context;
  free(context);
  json *source = e ? NULL : json_at(object, "spec", "source", NULL);
  if (e && e->code != ERR_NOT_FOUND)
    cluster_fail(r.x, "submission", e);
  else if (!source)
    exchange_fail(r.x, 409, "gone", "This submission was removed. Submit the code again.");
  else
    submission_new(r.x, r.agent_id, json_object_get(source), r.root);
  free(r.agent_id);
  free(r.root);
}

static void rebuild(struct exchange *x, const struct found *f) {
  static const char *const ended[] = {"build_failed", "failed", "rejected"};
  bool may = false;
  for (size_t i = 0; i < array_size(ended); i++) may |= text_equal(f->status, ended[i]);
  if (!may) {
    exchange_fail(x, 409, "not_failed", "Only a submission that failed can be built again; this one is %s.", f->status);
    return;
  }
  struct rebuilding *r = mem_alloc(sizeof *r);
  *r = (struct rebuilding){.x = x, .agent_id = mem_strdup(f->agent_id), .root = mem_strdup(f->root)};
  cluster_read(exchange_app(x), STORED_SUBMISSION, f->object_name, on_read, r);
}

void handle_rebuild(struct exchange *x) {
  find(x, rebuild);
}
