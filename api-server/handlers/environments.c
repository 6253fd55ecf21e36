// What can be played: one environment for each MatchmakingQueue.
#include "handlers.h"
#include "query.h"

static const struct db_statement ALL = {
    "environments_all",
    "SELECT jsonb_build_object('environments', coalesce(jsonb_agg(environment_json(e) ORDER BY e.name), '[]'), "
    "'total', count(*))::text FROM environments e WHERE e.vanished_at IS NULL"};
static const struct db_statement ONE = {
    "environments_one",
    "SELECT jsonb_build_object('environment', environment_json(e))::text FROM environments e "
    "WHERE e.name = environment_name($1) AND e.vanished_at IS NULL"};

void handle_list_environments(struct exchange *x) {
  query_reply(x, &ALL, NULL, 0, "environment");
}

void handle_get_environment(struct exchange *x) {
  query_reply(x, &ONE, (const struct db_value[]){DB_TEXT(exchange_param(x, "id"))}, 1, "environment");
}
