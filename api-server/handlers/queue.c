// Matchmaking as seen from outside: how long the line is, and an agent's way in and out of it.
#include <string.h>

#include "base/memory.h"
#include "base/str.h"

#include "app.h"
#include "cluster.h"
#include "handlers.h"
#include "owned.h"
#include "query.h"

// How long somebody who enters now may expect to wait: what others waited lately, but at least from one look for pairs
// to the next. NULL: nobody knows, since no pairs are made.
#define EXPECTED                                                                   \
  "CASE WHEN environment_status(e) = 'open' THEN greatest(e.median_wait_seconds, " \
  "ceil(extract(epoch FROM e.next_run_at - e.last_run_at))::int, 0) END"

static const struct db_statement QUEUE = {
    "queue_one",
    "SELECT jsonb_build_object('environmentId', e.id, 'environmentName', e.name, 'status', environment_status(e), "
    "'message', e.message, 'waiting', queue_waiting(e.name), 'playing', e.playing, 'matchedTotal', e.matched_total, "
    "'medianWaitSeconds', e.median_wait_seconds, 'expectedWaitSeconds', " EXPECTED
    ", "
    "'lastRunAt', rfc3339(e.last_run_at), 'nextRunAt', rfc3339(e.next_run_at))::text "
    "FROM environments e WHERE e.name = environment_name($1) AND e.vanished_at IS NULL"};

void handle_get_queue(struct exchange *x) {
  const struct db_value values[] = {DB_TEXT(exchange_param(x, "environmentId"))};
  query_reply_timed(x, &QUEUE, values, 1, "environment");
}

// ---- an agent's way in and out -----------------------------------------------------------------------

// What was asked is told as it will be: the controller writes the state a moment later. $3: whether it is to wait.
static const struct db_statement PLACE = {
    "queue_place",
    "SELECT jsonb_build_object('message', $2::text, 'agentId', a.id, 'environmentId', e.id, 'state', s.state, "
    "'reason', CASE WHEN s.state = lower(a.queue_state) THEN a.queue_reason ELSE '' END, "
    "'position', CASE WHEN s.state = 'waiting' THEN 1 + (SELECT count(*) FROM matchmaking_queue q "
    "  WHERE q.environment = a.environment AND q.agent_id <> a.id AND (q.priority < a.priority OR (q.priority = "
    "a.priority "
    "  AND q.enqueued_at < coalesce((SELECT o.enqueued_at FROM matchmaking_queue o WHERE o.agent_id = a.id), now())))) "
    "END, "
    "'waiting', queue_waiting(a.environment), 'medianWaitSeconds', e.median_wait_seconds, "
    "'expectedWaitSeconds', CASE WHEN s.state = 'waiting' THEN " EXPECTED
    " END, "
    "'enqueuedAt', CASE WHEN s.state = 'waiting' THEN rfc3339(a.enqueued_at) END, "
    "'expiresAt', CASE WHEN s.state = 'waiting' THEN rfc3339(a.expires_at) END, "
    "'agent', agent_json(a))::text "
    "FROM agents a LEFT JOIN environments e ON e.id = environment_id(a.environment), "
    "LATERAL (SELECT CASE WHEN a.queue_state = 'Playing' THEN 'playing' "
    "  WHEN NOT $3::bool THEN CASE WHEN a.queue_state IN ('Expired', 'Suspended') THEN lower(a.queue_state) ELSE "
    "'idle' END "
    "  WHEN a.queue_state IN ('Idle', 'Expired') THEN 'waiting' ELSE lower(a.queue_state) END AS state) s "
    "WHERE a.id = $1::uuid"};

static void reply_place(struct exchange *x, bool enters) {
  const char *message = enters ? "The agent is in the queue: it is paired as soon as an opponent suits it."
                               : "The agent is out of the queue. A match that is under way is played to its end.";
  const struct db_value values[] = {DB_TEXT(exchange_param(x, "id")), DB_TEXT(message),
                                    DB_TEXT(enters ? "true" : "false")};
  query_change(x, 200, &PLACE, values, 3, "agent");
}

static json *enabled_patch(bool enabled) {
  json *patch = json_new_object();
  json_add_bool(json_add_object(json_add_object(patch, "spec"), "matchmaking"), "enabled", enabled);
  return patch;
}

static void left(void *context, json *object, const struct error *e) {
  (void)object;
  struct exchange *x = context;
  if (e != NULL)
    cluster_fail(x, "agent", e);
  else
    reply_place(x, false);
}

static void entered(void *context, json *object, const struct error *e) {
  (void)object;
  struct exchange *x = context;
  if (e != NULL)
    cluster_fail(x, "agent", e);
  else
    reply_place(x, true);
}

static void toggled(void *context, json *object, const struct error *e) {
  struct exchange *x = context;
  if (e != NULL) {
    cluster_fail(x, "agent", e);
    return;
  }
  cluster_patch(exchange_app(x), STORED_AGENT, json_text(json_at(object, "metadata", NULL), "name"),
                enabled_patch(true), entered, x);
}

static void enter_owned(struct exchange *x, const struct owned_agent *a) {
  struct app *app = exchange_app(x);
  const bool is_idle = text_equal(a->queue_state, "Idle") || text_equal(a->queue_state, "Expired");
  if (a->suspended) {
    exchange_fail(x, 409, "conflict", "The agent is suspended (spec.suspended) and does not play.");
  } else if (text_equal(a->queue_state, "Suspended")) {
    exchange_fail(x, 409, "conflict", "The agent cannot enter the queue: %s", a->queue_reason);
  } else if (!a->has_active) {
    exchange_fail(x, 409, "conflict",
                  "The agent has no active submission. Upload one: once it is ready, the agent enters by itself.");
  } else if (!a->enabled) {
    cluster_patch(app, STORED_AGENT, a->object_name, enabled_patch(true), entered, x);
  } else if (is_idle) {
    // It was in and is out for good (expired, or played its one match): another generation of its spec is another
    // ticket, and there is nothing else in a spec to change than this.
    cluster_patch(app, STORED_AGENT, a->object_name, enabled_patch(false), toggled, x);
  } else {
    reply_place(x, true);
  }
}

static void leave_owned(struct exchange *x, const struct owned_agent *a) {
  if (a->enabled)
    cluster_patch(exchange_app(x), STORED_AGENT, a->object_name, enabled_patch(false), left, x);
  else
    reply_place(x, false);
}

void handle_enqueue(struct exchange *x) {
  if (cluster_is_writable(x)) owned_agent(x, exchange_param(x, "id"), enter_owned);
}

void handle_dequeue(struct exchange *x) {
  if (cluster_is_writable(x)) owned_agent(x, exchange_param(x, "id"), leave_owned);
}
