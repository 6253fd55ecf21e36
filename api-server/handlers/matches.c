// Matches: lists and one. Asking for one is matches_create.c's.
#include <string.h>

#include "base/memory.h"
#include "base/str.h"

#include "handlers.h"
#include "query.h"

// A page of `source`, matches newest first: $1 LIMIT, $2 OFFSET, $3 page, $4 statuses as PostgreSQL's array.
#define MATCH_PAGE(source, count)                                                                                \
  "WITH page AS (" source                                                                                        \
  " ORDER BY created_at DESC, id LIMIT $1::int OFFSET $2::bigint) "                                              \
  "SELECT jsonb_build_object('matches', coalesce((SELECT jsonb_agg(match_json(m) ORDER BY (m).created_at DESC, " \
  "(m).id) FROM page), '[]'), 'total', (" count "), 'page', $3::int, 'pageSize', $1::int)::text "

#define WITH_STATUS "m.status = ANY($4::text[])"
#define SIDE(n) "SELECT m, m.created_at, m.id FROM matches m WHERE m.agent" n "_id = $5::uuid AND " WITH_STATUS
#define SIDE_COUNT(n) "(SELECT count(*) FROM matches m WHERE m.agent" n "_id = $5::uuid AND " WITH_STATUS ")"
#define OF_AGENT                                                            \
  MATCH_PAGE("SELECT m FROM (" SIDE("1") " UNION ALL " SIDE("2") ") sides", \
             "SELECT " SIDE_COUNT("1") " + " SIDE_COUNT("2"))

static const struct db_statement ALL = {"matches_all", MATCH_PAGE("SELECT m FROM matches m WHERE " WITH_STATUS,
                                                                  "SELECT count(*) FROM matches m WHERE " WITH_STATUS)};
static const struct db_statement OF_ENVIRONMENT = {
    "matches_environment",
    MATCH_PAGE("SELECT m FROM matches m WHERE m.environment = environment_name($5) AND " WITH_STATUS,
               "SELECT count(*) FROM matches m WHERE m.environment = environment_name($5) AND " WITH_STATUS)};
// Also of an agent that is deleted: its matches stay.
static const struct db_statement OF_ONE = {"matches_agent", OF_AGENT "FROM agents a WHERE a.id = $5::uuid"};
// Whose agent lost by itself reads all of its last words; others read what happened.
static const struct db_statement ONE = {
    "matches_one",
    "SELECT jsonb_build_object('match', match_json(m) || match_own_json(m, $2))::text FROM matches m "
    "WHERE m.id = $1::uuid"};

// The `status` of the query as an array; NULL: answered.
static const char *statuses(struct exchange *x) {
  static const char *const words[][2] = {{"pending", "{pending}"},
                                         {"running", "{running}"},
                                         {"completed", "{completed}"},
                                         {"failed", "{failed}"},
                                         {"", "{pending,running,completed,failed}"}};
  const char *asked = exchange_query(x, "status");
  for (size_t i = 0; i < array_size(words); i++)
    if (text_equal(words[i][0], asked)) return words[i][1];
  exchange_fail(x, 400, "invalid", "status must be pending, running, completed or failed.");
  return NULL;
}

static void reply_page(struct exchange *x, const struct db_statement *s, const char *whose, const char *missing) {
  struct page page;
  const char *array = statuses(x);
  if (array == NULL || !query_page(x, 20, &page)) return;
  const struct db_value values[] = {DB_TEXT(page.size), DB_TEXT(page.offset), DB_TEXT(page.number), DB_TEXT(array),
                                    DB_TEXT(whose)};
  query_reply(x, s, values, whose != NULL ? 5 : 4, missing);
}

void handle_list_matches(struct exchange *x) {
  const char *environment = exchange_query(x, "environmentId");
  if (text_empty(environment))
    reply_page(x, &ALL, NULL, "match");
  else
    reply_page(x, &OF_ENVIRONMENT, environment, "match");
}

void handle_agent_matches(struct exchange *x) {
  reply_page(x, &OF_ONE, exchange_param(x, "agentId"), "agent");
}

void handle_get_match(struct exchange *x) {
  const struct db_value values[] = {DB_TEXT(exchange_param(x, "id")), DB_TEXT(exchange_username(x))};
  query_reply(x, &ONE, values, 2, "match");
}
