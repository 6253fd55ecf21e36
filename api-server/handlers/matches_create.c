// A match by request. Who may have what:
//
// One side is the caller's own, both agents are ready and of one environment that makes matches. It does not count,
// unless both sides are the caller's and the environment pairs agents of one owner, and then within the matchmaker's
// limits: nobody touches a stranger's rating, or plays a rating up faster than the matchmaker would. Since matches take
// an agent's time and count in its day, a stranger's agent can be asked for a quarter of its day only.
#include <stdio.h>
#include <string.h>

#include "arena/resources.h"
#include "base/memory.h"
#include "base/meta.h"
#include "base/str.h"

#include "app.h"
#include "cluster.h"
#include "fields.h"
#include "handlers.h"
#include "object_names.h"
#include "query.h"
#include "router.h"

enum { UNFINISHED_MAX = 5, SIDES = 2, OTHERS_PART = 4 };

struct side {
  char *object_name, *owner;
  bool own;
  int64_t today;      // matches of the last 24 hours
  int64_t requested;  // those of them that somebody else than its owner asked for
};

struct asked_match {
  struct exchange *exchange;
  bool rated;
  char *environment;
  struct side sides[SIDES];
  int64_t unfinished;          // of those that the caller asked for
  int64_t seconds_since_pair;  // since these two met in a rated match; -1: never
  char object_name[NAME_SIZE];
};

static struct exchange *asked_free(struct asked_match *m) {
  struct exchange *x = m->exchange;
  free(m->environment);
  for (size_t i = 0; i < SIDES; i++) {
    free(m->sides[i].object_name);
    free(m->sides[i].owner);
  }
  free(m);
  return x;
}

#define REFUSE(m, status, word, ...) exchange_fail(asked_free(m), status, word, __VA_ARGS__)

// ---- the match ---------------------------------------------------------------------------------------

static const struct db_statement WRITTEN_MATCH = {
    "matches_written",
    "SELECT jsonb_build_object('message', 'The match is on its way.', 'match', match_json(m))::text FROM matches m "
    "WHERE m.id = $1::uuid"};

static void reply_match(struct asked_match *m, json *object) {
  cleanup_free char *uid = json_text_copy(json_at(object, "metadata", NULL), "uid");
  query_change(asked_free(m), 201, &WRITTEN_MATCH, (const struct db_value[]){DB_TEXT(uid)}, 1, "match");
}

// The same key was used before by this user: the same match, if it is one between the same two.
static void existing_read(void *context, json *object, const struct error *e) {
  struct asked_match *m = context;
  json *participants = json_at(object, "spec", "participants", NULL);
  bool same = e == NULL && json_length(participants) == SIDES;
  for (size_t i = 0; same && i < SIDES; i++)
    same = text_equal(json_text(json_item(participants, i), "agent"), m->sides[i].object_name);
  if (e != NULL)
    cluster_fail(asked_free(m), "match", e);
  else if (!same)
    REFUSE(m, 409, "exists", "This Idempotency-Key was used for another match.");
  else
    reply_match(m, object);
}

static void created(void *context, json *object, const struct error *e) {
  struct asked_match *m = context;
  if (e == NULL)
    reply_match(m, object);
  else if (e->code == ERR_EXISTS)
    cluster_read(exchange_app(m->exchange), STORED_MATCH, m->object_name, existing_read, m);
  else
    cluster_fail(asked_free(m), "match", e);
}

// Played as the environment's own matches are.
static void create(struct asked_match *m, json *defaults) {
  struct app *app = exchange_app(m->exchange);
  const char *username = exchange_username(m->exchange);
  object_name_match(m->object_name, username, exchange_header(m->exchange, "idempotency-key"));
  json *object = cluster_new_object(app, STORED_MATCH, m->object_name);
  meta_add_label(object, "rl-arena.io/requested-by", username);
  json_push_text(json_add_array(json_at(object, "metadata", NULL), "finalizers"), MIRROR_FINALIZER);
  json *spec = json_add_object(object, "spec");
  json_add_text(spec, "environment", m->environment);
  json *participants = json_add_array(spec, "participants");
  for (size_t i = 0; i < SIDES; i++) json_add_text(json_push_object(participants), "agent", m->sides[i].object_name);
  json_add_bool(spec, "rated", m->rated);
  json_add_bool(spec, "recordReplay", json_bool(defaults, "recordReplay", true));
  json_add_int(spec, "timeoutSeconds", json_int(defaults, "timeoutSeconds", 300));
  json_add_int(spec, "ttlSecondsAfterFinished", json_int(defaults, "ttlSecondsAfterFinished", 7 * 24 * 3600));
  cluster_create(app, STORED_MATCH, object, created, m);
}

// ---- the environment's rules -------------------------------------------------------------------------

// NULL: it may be rated.
static const char *rated_problem(const struct asked_match *m, json *queue) {
  if (!m->sides[0].own || !m->sides[1].own)
    return "Only the matchmaker makes rated matches between agents of different owners. Ask for it with rated false.";
  if (!json_bool(queue, "allowSameOwner", false))
    return "This environment does not rate matches between agents of one owner. Ask for it with rated false.";
  return NULL;
}

static bool is_within_day(struct asked_match *m, int64_t most) {
  const int64_t of_others = most / OTHERS_PART > 0 ? most / OTHERS_PART : 1;
  for (size_t i = 0; i < SIDES; i++) {
    const struct side *s = &m->sides[i];
    if (!s->own && s->requested >= of_others) return false;
    if (m->rated && s->today >= most) return false;
  }
  return true;
}

static void queue_read(void *context, json *object, const struct error *e) {
  struct asked_match *m = context;
  if (e != NULL && e->code != ERR_NOT_FOUND) {
    cluster_fail(asked_free(m), "match", e);
    return;
  }
  json *queue = json_get(object, "spec");
  const char *problem = m->rated ? rated_problem(m, queue) : NULL;
  const int64_t cooldown = json_int(queue, "cooldownSeconds", 300);
  if (e != NULL || json_bool(queue, "paused", false)) {
    REFUSE(m, 409, "conflict", "This environment makes no matches at present.");
  } else if (problem != NULL) {
    REFUSE(m, 403, "forbidden", "%s", problem);
  } else if (m->rated && m->seconds_since_pair >= 0 && m->seconds_since_pair < cooldown) {
    REFUSE(m, 409, "conflict", "These two met less than %lld seconds ago. Try again later, or with rated false.",
           (long long)cooldown);
  } else if (!is_within_day(m, json_int(queue, "maxMatchesPerAgentPerDay", 100))) {
    exchange_add_header(m->exchange, "Retry-After", "3600");
    REFUSE(m, 429, "too_many", "An agent of this match has played as much as a day allows. Try again later.");
  } else {
    create(m, json_get(queue, "match"));
  }
}

// ---- both sides ----------------------------------------------------------------------------------------

// One row for each side that there is, in the order asked. $1, $2: the agents; $3: who asks.
static const struct db_statement BEFORE_CREATE = {
    "matches_before_create",
    "SELECT a.object_name, a.owner, a.environment, a.display_name, a.active_submission IS NOT NULL AND a.ready, "
    "a.suspended, a.id = $1::uuid, "
    "(SELECT count(*) FROM matches m WHERE (m.agent1_id = a.id OR m.agent2_id = a.id) "
    "  AND m.created_at > now() - interval '1 day'), "
    "(SELECT count(*) FROM matches m WHERE (m.agent1_id = a.id OR m.agent2_id = a.id) "
    "  AND m.created_at > now() - interval '1 day' AND m.requested_by IS NOT NULL AND m.requested_by <> a.owner), "
    "(SELECT count(*) FROM matches m JOIN agents o ON o.owner = $3 AND o.id IN (m.agent1_id, m.agent2_id) "
    "  WHERE m.status IN ('pending', 'running') AND m.requested_by = $3 AND m.vanished_at IS NULL), "
    "(SELECT floor(extract(epoch FROM now() - max(m.created_at)))::bigint FROM matches m WHERE m.rated "
    "  AND ((m.agent1_id = $1::uuid AND m.agent2_id = $2::uuid) OR (m.agent1_id = $2::uuid AND m.agent2_id = "
    "$1::uuid))) "
    "FROM agents a WHERE a.id IN ($1::uuid, $2::uuid) AND a.vanished_at IS NULL ORDER BY a.id = $1::uuid DESC"};
enum {
  COLUMN_OBJECT,
  COLUMN_OWNER,
  COLUMN_ENVIRONMENT,
  COLUMN_NAME,
  COLUMN_READY,
  COLUMN_SUSPENDED,
  COLUMN_FIRST,
  COLUMN_TODAY,
  COLUMN_REQUESTED,
  COLUMN_UNFINISHED,
  COLUMN_SINCE_PAIR
};

static void read_side(struct asked_match *m, const struct db_rows *rows, size_t i) {
  struct side *s = &m->sides[i];
  s->object_name = mem_strdup(db_rows_text(rows, i, COLUMN_OBJECT));
  s->owner = mem_strdup(db_rows_text(rows, i, COLUMN_OWNER));
  s->own = text_equal(s->owner, exchange_username(m->exchange));
  s->today = db_rows_int(rows, i, COLUMN_TODAY, 0);
  s->requested = db_rows_int(rows, i, COLUMN_REQUESTED, 0);
  mem_replace(&m->environment, db_rows_text(rows, i, COLUMN_ENVIRONMENT));
  m->unfinished = db_rows_int(rows, i, COLUMN_UNFINISHED, 0);
  m->seconds_since_pair = db_rows_int(rows, i, COLUMN_SINCE_PAIR, -1);
}

// false: answered.
static bool is_ready(struct asked_match *m, const struct db_rows *rows, size_t i) {
  const char *name = db_rows_text(rows, i, COLUMN_NAME);
  if (db_rows_bool(rows, i, COLUMN_SUSPENDED)) {
    REFUSE(m, 409, "conflict", "Agent %s is suspended and does not play.", name);
    return false;
  }
  if (db_rows_bool(rows, i, COLUMN_READY)) return true;
  REFUSE(m, 409, "conflict", "Agent %s is not ready: it has no active submission.", name);
  return false;
}

static void sides_found(void *context, const struct db_rows *rows, const struct error *e, const char *constraint) {
  (void)constraint;
  struct asked_match *m = context;
  if (e != NULL) {
    query_fail(asked_free(m), e);
    return;
  }
  const size_t count = db_rows_count(rows);
  if (count < SIDES) {
    const bool first_is_there = count == 1 && db_rows_bool(rows, 0, COLUMN_FIRST);
    REFUSE(m, 404, "not_found", "There is no agent %s.", first_is_there ? "agent2Id" : "agent1Id");
    return;
  }
  for (size_t i = 0; i < SIDES; i++) read_side(m, rows, i);
  if (!m->sides[0].own && !m->sides[1].own) {
    REFUSE(m, 403, "forbidden", "One side of the match must be an agent of yours.");
  } else if (!text_equal(db_rows_text(rows, 0, COLUMN_ENVIRONMENT), db_rows_text(rows, 1, COLUMN_ENVIRONMENT))) {
    REFUSE(m, 400, "invalid", "agent1Id and agent2Id play different environments: %s and %s.",
           db_rows_text(rows, 0, COLUMN_ENVIRONMENT), db_rows_text(rows, 1, COLUMN_ENVIRONMENT));
  } else if (!is_ready(m, rows, 0) || !is_ready(m, rows, 1)) {
    return;
  } else if (m->unfinished >= UNFINISHED_MAX) {
    exchange_add_header(m->exchange, "Retry-After", "30");
    REFUSE(m, 429, "too_many", "%d matches that you asked for are not played yet. Wait for one of them.",
           UNFINISHED_MAX);
  } else {
    cluster_read(exchange_app(m->exchange), STORED_QUEUE, m->environment, queue_read, m);
  }
}

// false: answered.
static bool id_field(struct exchange *x, const char *key, char **ret) {
  if (!field_text(x, &(struct field){.key = key, .least = 1, .most = 100, .required = true}, ret)) return false;
  if (text_is_uuid(*ret)) return true;
  exchange_fail(x, 400, "invalid", "%s must be an agent's id, a UUID.", key);
  return false;
}

void handle_create_match(struct exchange *x) {
  if (!cluster_is_writable(x)) return;
  cleanup_free char *id1 = NULL, *id2 = NULL;
  if (!id_field(x, "agent1Id", &id1) || !id_field(x, "agent2Id", &id2)) return;
  json *rated = json_get(exchange_body(x), "rated");
  if (rated != NULL && !json_object_is_type(rated, json_type_boolean)) {
    exchange_fail(x, 400, "invalid", "rated must be true or false.");
  } else if (strcasecmp(id1, id2) == 0) {
    exchange_fail(x, 400, "invalid", "agent1Id and agent2Id must be two agents: none plays against itself.");
  } else {
    struct asked_match *m = mem_alloc(sizeof *m);
    *m = (struct asked_match){.exchange = x, .rated = json_bool(exchange_body(x), "rated", false)};
    const struct db_value values[] = {DB_TEXT(id1), DB_TEXT(id2), DB_TEXT(exchange_username(x))};
    db_query(exchange_app(x)->db, &BEFORE_CREATE, values, 3, sides_found, m);
  }
}
