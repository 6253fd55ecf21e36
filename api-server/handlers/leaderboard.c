// Who is best: agents with an active submission by elo, then fewer matches, then older.
#include <string.h>

#include "base/memory.h"
#include "base/str.h"

#include "handlers.h"
#include "query.h"

// $1 LIMIT, $2 OFFSET, $3 page, $4 type. A place in the list is the rank: nothing else is counted for it.
#define LADDER(environment, filter)                                                                         \
  "WITH best AS (SELECT a, $2::bigint + row_number() OVER () AS rank FROM (SELECT a FROM agents a "         \
  "  WHERE active_submission IS NOT NULL AND vanished_at IS NULL AND $4 <> 'private' AND " filter           \
  "  ORDER BY elo DESC, rated_matches, created_at, id LIMIT $1::int OFFSET $2::bigint) p), "                \
  "rows AS (SELECT coalesce(jsonb_agg(agent_json(a, rank) ORDER BY rank), '[]') AS list FROM best), "       \
  "whole AS (SELECT count(*) AS total FROM agents a "                                                       \
  "  WHERE active_submission IS NOT NULL AND vanished_at IS NULL AND $4 <> 'private' AND " filter           \
  ") "                                                                                                      \
  "SELECT jsonb_build_object(" environment                                                                  \
  " 'type', $4::text, 'leaderboard', list, 'data', list, 'total', total, 'totalItems', total, "             \
  "'totalPages', greatest(1, ceil(total / $1::numeric))::int, 'page', $3::int, 'pageSize', $1::int)::text " \
  "FROM rows, whole"

static const struct db_statement GLOBAL = {"leaderboard_all", LADDER("", "true")};
static const struct db_statement OF_ENVIRONMENT = {
    "leaderboard_environment", LADDER("'environmentId', e.id, 'environmentName', e.name,",
                                      "environment = environment_name($5)") ", environments e "
                                                                            "WHERE e.name = environment_name($5) AND "
                                                                            "e.vanished_at IS NULL"};

// There is one ladder, of rated matches, for everybody to see. Clients may ask for private ones: those are empty.
static const char *const types[] = {"public", "all", "private"};

// false: answered.
static bool ladder_of(struct exchange *x, struct page *ret_page, const char **ret_type) {
  const char *type = exchange_query(x, "type");
  *ret_type = text_empty(type) ? types[0] : NULL;
  for (size_t i = 0; *ret_type == NULL && i < array_size(types); i++)
    if (strcmp(types[i], type) == 0) *ret_type = types[i];
  if (*ret_type == NULL) {
    exchange_fail(x, 400, "invalid", "type must be public, private or all.");
    return false;
  }
  return query_page(x, 20, ret_page);
}

void handle_leaderboard(struct exchange *x) {
  struct page page;
  const char *type = NULL;
  if (!ladder_of(x, &page, &type)) return;
  const struct db_value values[] = {DB_TEXT(page.size), DB_TEXT(page.offset), DB_TEXT(page.number), DB_TEXT(type)};
  query_reply(x, &GLOBAL, values, 4, "leaderboard");
}

void handle_environment_leaderboard(struct exchange *x) {
  struct page page;
  const char *type = NULL;
  if (!ladder_of(x, &page, &type)) return;
  const struct db_value values[] = {DB_TEXT(page.size), DB_TEXT(page.offset), DB_TEXT(page.number), DB_TEXT(type),
                                    DB_TEXT(exchange_param(x, "envId"))};
  query_reply(x, &OF_ENVIRONMENT, values, 5, "environment");
}
