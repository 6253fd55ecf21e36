// Agents: lists, one, its record against others; and its owner's writes, which become Agent objects.
#include <string.h>

#include "base/memory.h"
#include "base/str.h"

#include "app.h"
#include "cluster.h"
#include "fields.h"
#include "handlers.h"
#include "object_names.h"
#include "owned.h"
#include "query.h"

// ---- reads -----------------------------------------------------------------------------------------

// A page of agents, $1 LIMIT, $2 OFFSET, $3 page; the total is of all that the filter takes in.
#define AGENT_PAGE(filter, order)                                                                                 \
  "WITH page AS (SELECT a, row_number() OVER () AS place FROM (SELECT a FROM agents a WHERE vanished_at IS NULL " \
  "AND " filter " ORDER BY " order                                                                                \
  " LIMIT $1::int OFFSET $2::bigint) p) "                                                                         \
  "SELECT jsonb_build_object('agents', coalesce((SELECT jsonb_agg(agent_json(a) ORDER BY place) FROM page), "     \
  "'[]'), 'total', (SELECT count(*) FROM agents a WHERE vanished_at IS NULL AND " filter                          \
  "), "                                                                                                           \
  "'page', $3::int, 'pageSize', $1::int)::text"
#define ALL_OF_THEM "true"
#define OF_ENVIRONMENT "environment = environment_name($4)"

struct order {
  const char *word;
  struct db_statement all, of_environment;
};
#define ORDER(word, order)                                                \
  {                                                                       \
    word, {"agents_by_" word, AGENT_PAGE(ALL_OF_THEM, order)}, {          \
      "agents_of_environment_by_" word, AGENT_PAGE(OF_ENVIRONMENT, order) \
    }                                                                     \
  }
static const struct order orders[] = {
    ORDER("newest", "created_at DESC, id"),
    ORDER("oldest", "created_at, id"),
    ORDER("elo", "elo DESC, rated_matches, created_at, id"),
    ORDER("matches", "rated_matches DESC, created_at, id"),
    ORDER("name", "lower(display_name), created_at, id"),
};

void handle_list_agents(struct exchange *x) {
  struct page page;
  if (!query_page(x, 20, &page)) return;
  const char *word = exchange_query(x, "sort"), *environment = exchange_query(x, "environmentId");
  const struct order *order = text_empty(word) ? &orders[0] : NULL;
  for (size_t i = 0; order == NULL && i < array_size(orders); i++)
    if (strcmp(orders[i].word, word) == 0) order = &orders[i];
  if (order == NULL) {
    exchange_fail(x, 400, "invalid", "sort must be newest, oldest, elo, matches or name.");
    return;
  }
  const struct db_value values[] = {DB_TEXT(page.size), DB_TEXT(page.offset), DB_TEXT(page.number),
                                    DB_TEXT(environment)};
  if (text_empty(environment))
    query_reply(x, &order->all, values, 3, "agent");
  else
    query_reply(x, &order->of_environment, values, 4, "agent");
}

// All of them: a user has few.
static const struct db_statement MY_AGENTS = {
    "agents_my",
    "WITH own AS (SELECT a FROM agents a WHERE a.owner = $1 AND a.vanished_at IS NULL "
    "AND ($2::text IS NULL OR a.environment = environment_name($2))) "
    "SELECT jsonb_build_object('agents', coalesce((SELECT jsonb_agg(agent_json(a) ORDER BY (a).created_at DESC, "
    "(a).id) "
    "FROM (SELECT a FROM own ORDER BY (a).created_at DESC LIMIT 1000) o), '[]'), "
    "'total', (SELECT count(*) FROM own))::text"};

void handle_my_agents(struct exchange *x) {
  const char *environment = exchange_query(x, "environmentId");
  const struct db_value values[] = {DB_TEXT(exchange_username(x)),
                                    DB_TEXT(text_empty(environment) ? NULL : environment)};
  query_reply(x, &MY_AGENTS, values, 2, "agent");
}

static const struct db_statement ONE_AGENT = {"agents_one",
                                              "SELECT jsonb_build_object('agent', agent_json(a))::text FROM agents a "
                                              "WHERE a.id = $1::uuid AND a.vanished_at IS NULL"};

void handle_get_agent(struct exchange *x) {
  query_reply(x, &ONE_AGENT, (const struct db_value[]){DB_TEXT(exchange_param(x, "id"))}, 1, "agent");
}

// A deleted agent's record stays, for those who played against it.
static const struct db_statement AGENT_STATS = {
    "agents_stats",
    "WITH page AS (SELECT h.*, h.wins + h.losses + h.draws AS matches FROM head_to_head h WHERE h.agent_id = $4::uuid "
    "ORDER BY h.wins + h.losses + h.draws DESC, h.opponent_id LIMIT $1::int OFFSET $2::bigint) "
    "SELECT jsonb_build_object('agentId', a.id, 'stats', coalesce((SELECT jsonb_agg(jsonb_build_object("
    "'opponentId', p.opponent_id, 'opponentName', coalesce(o.display_name, ''), 'wins', p.wins, 'losses', p.losses, "
    "'draws', p.draws, 'totalMatches', p.matches) ORDER BY p.matches DESC, p.opponent_id) "
    "FROM page p LEFT JOIN agents o ON o.id = p.opponent_id), '[]'), "
    "'total', (SELECT count(*) FROM head_to_head h WHERE h.agent_id = $4::uuid), "
    "'page', $3::int, 'pageSize', $1::int)::text FROM agents a WHERE a.id = $4::uuid"};

void handle_agent_stats(struct exchange *x) {
  struct page page;
  if (!query_page(x, 100, &page)) return;
  const struct db_value values[] = {DB_TEXT(page.size), DB_TEXT(page.offset), DB_TEXT(page.number),
                                    DB_TEXT(exchange_param(x, "id"))};
  query_reply(x, &AGENT_STATS, values, 4, "agent");
}

// ---- create ----------------------------------------------------------------------------------------

static const struct db_statement WRITTEN_AGENT = {
    "agents_written",
    "SELECT jsonb_build_object('message', $2::text, 'agent', agent_json(a))::text FROM agents a WHERE a.id = $1::uuid"};

static void reply_written(struct exchange *x, int status, const char *message, json *object) {
  const struct db_value values[] = {DB_TEXT(json_text(json_at(object, "metadata", NULL), "uid")), DB_TEXT(message)};
  query_change(x, status, &WRITTEN_AGENT, values, 2, "agent");
}

// The environment's name, and whether the user has an agent of that name.
static const struct db_statement BEFORE_CREATE = {
    "agents_before_create",
    "SELECT environment_name($1), "
    "EXISTS (SELECT FROM agents a WHERE a.owner = $2 AND a.display_name = $3 AND a.vanished_at IS NULL)"};

enum { NAMES_MAX = 4 };

struct creation {
  struct exchange *exchange;
  char *name, *environment, *description;
  unsigned tries;
};

static struct exchange *creation_free(struct creation *c) {
  struct exchange *x = c->exchange;
  free(c->name);
  free(c->environment);
  free(c->description);
  free(c);
  return x;
}

static void create(struct creation *c);

// An agent of that object name is there. It may be one that was renamed since, or somebody else's with the same six
// digits; then another number gives another name.
static void existing_read(void *context, json *object, const struct error *e) {
  struct creation *c = context;
  json *spec = json_get(object, "spec");
  const bool same = e == NULL && text_equal(json_text(spec, "owner"), exchange_username(c->exchange)) &&
                    text_equal(json_text(spec, "displayName"), c->name);
  if (e != NULL && e->code != ERR_NOT_FOUND)
    cluster_fail(creation_free(c), "agent", e);
  else if (same || ++c->tries == NAMES_MAX)
    exchange_fail(creation_free(c), 409, "exists", "You have an agent of this name already. Choose another name.");
  else
    create(c);
}

static void created(void *context, json *object, const struct error *e) {
  struct creation *c = context;
  if (e == NULL) {
    reply_written(creation_free(c), 201, "The agent is created. Upload a submission to let it play.", object);
  } else if (e->code == ERR_EXISTS) {
    char object_name[NAME_SIZE];
    object_name_agent(object_name, exchange_username(c->exchange), c->name, c->tries);
    cluster_read(exchange_app(c->exchange), STORED_AGENT, object_name, existing_read, c);
  } else {
    cluster_fail(creation_free(c), "agent", e);
  }
}

static void create(struct creation *c) {
  struct app *app = exchange_app(c->exchange);
  char object_name[NAME_SIZE];
  object_name_agent(object_name, exchange_username(c->exchange), c->name, c->tries);
  json *object = cluster_new_object(app, STORED_AGENT, object_name);
  json *spec = json_add_object(object, "spec");
  json_add_text(spec, "owner", exchange_username(c->exchange));
  json_add_text(spec, "environment", c->environment);
  json_add_text(spec, "displayName", c->name);
  if (!text_empty(c->description)) json_add_text(spec, "description", c->description);
  cluster_create(app, STORED_AGENT, object, created, c);
}

static void before_create(void *context, const struct db_rows *rows, const struct error *e, const char *constraint) {
  (void)constraint;
  struct creation *c = context;
  if (e != NULL) {
    query_fail(creation_free(c), e);
    return;
  }
  const char *environment = db_rows_text(rows, 0, 0);
  if (environment == NULL) {
    exchange_fail(creation_free(c), 400, "invalid",
                  "environmentId names no environment of this arena: see GET /api/v1/environments.");
  } else if (db_rows_bool(rows, 0, 1)) {
    exchange_fail(creation_free(c), 409, "exists", "You have an agent of this name already. Choose another name.");
  } else {
    mem_replace(&c->environment, environment);
    create(c);
  }
}

static const struct field NAME = {.key = "name", .least = 1, .most = 100};
static const struct field DESCRIPTION = {.key = "description", .most = 2000, .lines = true};

void handle_create_agent(struct exchange *x) {
  if (!cluster_is_writable(x)) return;
  struct creation *c = mem_alloc(sizeof *c);
  c->exchange = x;
  struct field name = NAME;
  name.required = true;
  if (!field_text(x, &name, &c->name) ||
      !field_text(x, &(struct field){.key = "environmentId", .least = 1, .most = 100, .required = true},
                  &c->environment) ||
      !field_text(x, &DESCRIPTION, &c->description)) {
    creation_free(c);
    return;
  }
  const struct db_value values[] = {DB_TEXT(c->environment), DB_TEXT(exchange_username(x)), DB_TEXT(c->name)};
  db_query(exchange_app(x)->db, &BEFORE_CREATE, values, 3, before_create, c);
}

// ---- change ----------------------------------------------------------------------------------------

static void changed(void *context, json *object, const struct error *e) {
  struct exchange *x = context;
  if (e != NULL)
    cluster_fail(x, "agent", e);
  else
    reply_written(x, 200, "The agent is changed.", object);
}

struct change {
  struct exchange *exchange;
  char *object_name;
  json *patch;
};

static void name_is_free(void *context, const struct db_rows *rows, const struct error *e, const char *constraint) {
  (void)constraint;
  struct change c = *(struct change *)context;
  free(context);
  if (e == NULL && !db_rows_bool(rows, 0, 0)) {
    cluster_patch(exchange_app(c.exchange), STORED_AGENT, c.object_name, c.patch, changed, c.exchange);
  } else {
    json_put(&c.patch);
    if (e != NULL)
      query_fail(c.exchange, e);
    else
      exchange_fail(c.exchange, 409, "exists", "You have another agent of this name already. Choose another name.");
  }
  free(c.object_name);
}

static const struct db_statement IS_NAMED = {
    "agents_is_named",
    "SELECT EXISTS (SELECT FROM agents a WHERE a.owner = $1 AND a.display_name = $2 AND a.id <> $3::uuid "
    "AND a.vanished_at IS NULL)"};

static void change_owned(struct exchange *x, const struct owned_agent *a) {
  cleanup_free char *name = NULL, *description = NULL;
  if (!field_text(x, &NAME, &name) || !field_text(x, &DESCRIPTION, &description)) return;
  json *patch = json_new_object();
  json *spec = json_add_object(patch, "spec");
  json_add_text(spec, "displayName", name);
  if (description != NULL && *description == 0)
    json_add(spec, "description", NULL);
  else
    json_add_text(spec, "description", description);
  struct change *c = mem_alloc(sizeof *c);
  *c = (struct change){.exchange = x, .object_name = mem_strdup(a->object_name), .patch = patch};
  const struct db_value values[] = {DB_TEXT(a->owner), DB_TEXT(name), DB_TEXT(a->id)};
  db_query(exchange_app(x)->db, &IS_NAMED, values, 3, name_is_free, c);
}

void handle_change_agent(struct exchange *x) {
  if (cluster_is_writable(x)) owned_agent(x, exchange_param(x, "id"), change_owned);
}

// ---- delete ----------------------------------------------------------------------------------------

static void deleted(void *context, json *object, const struct error *e) {
  (void)object;
  struct exchange *x = context;
  if (e != NULL) {
    cluster_fail(x, "agent", e);
    return;
  }
  json *body = json_new_object();
  json_add_text(body, "message", "The agent is deleted. Its matches stay in the history.");
  json_add_text(body, "id", exchange_param(x, "id"));
  exchange_reply(x, 200, body);
}

static void delete_owned(struct exchange *x, const struct owned_agent *a) {
  cluster_delete(exchange_app(x), STORED_AGENT, a->object_name, a->id, deleted, x);
}

void handle_delete_agent(struct exchange *x) {
  if (cluster_is_writable(x)) owned_agent(x, exchange_param(x, "id"), delete_owned);
}
