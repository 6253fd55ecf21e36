// Replays: which matches have one, and the recording itself, as data or as a page that plays it.
#include <string.h>

#include "base/memory.h"
#include "base/str.h"

#include "app.h"
#include "blob_reply.h"
#include "handlers.h"
#include "query.h"

enum { NAME_SIZE_MAX = 96 };

// The page brings its own script and needs nothing else from anywhere. It may stand in a frame of the arena's own page.
static const char PAGE_POLICY[] =
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'; "
    "sandbox allow-scripts";

// ---- lists -----------------------------------------------------------------------------------------

#define REPLAY_PAGE(filter)                                                                                        \
  "WITH page AS (SELECT m FROM matches m WHERE EXISTS (SELECT FROM replays r WHERE r.match_id = m.id) AND " filter \
  " ORDER BY m.completed_at DESC NULLS LAST, m.id LIMIT $1::int OFFSET $2::bigint)"                                \
  " SELECT jsonb_build_object('matches', coalesce((SELECT jsonb_agg(match_json(m) ORDER BY (m).completed_at DESC"  \
  " NULLS LAST, (m).id) FROM page), '[]'), 'total', (SELECT count(*) FROM matches m WHERE EXISTS"                  \
  " (SELECT FROM replays r WHERE r.match_id = m.id) AND " filter "), 'page', $3::int, 'pageSize', $1::int)::text"

static const struct db_statement ALL = {"replays_all", REPLAY_PAGE("true")};
static const struct db_statement OF_AGENT = {"replays_of_agent",
                                             REPLAY_PAGE("(m.agent1_id = $4::uuid OR m.agent2_id = $4::uuid)")};

void handle_list_replays(struct exchange *x) {
  struct page page;
  if (!query_page(x, 20, &page)) return;
  const char *agent = exchange_query(x, "agentId");
  const struct db_value values[] = {DB_TEXT(page.size), DB_TEXT(page.offset), DB_TEXT(page.number), DB_TEXT(agent)};
  query_reply(x, agent ? &OF_AGENT : &ALL, values, agent ? 4 : 3, "match");
}

static const struct db_statement ADDRESSES = {
    "replays_addresses",
    "SELECT jsonb_build_object('matchId', id, 'replayUrl', j->'replayUrl', 'replayHtmlUrl', j->'replayHtmlUrl')::text"
    " FROM (SELECT m.id, match_json(m) AS j FROM matches m WHERE m.id = $1::uuid) m"
    " WHERE j ? 'replayUrl' OR j ? 'replayHtmlUrl'"};

void handle_replay_url(struct exchange *x) {
  query_reply(x, &ADDRESSES, (const struct db_value[]){DB_TEXT(exchange_param(x, "id"))}, 1, "replay");
}

// ---- the recording ---------------------------------------------------------------------------------

static const struct db_statement FIND = {
    "replays_find",
    "SELECT r.sha256, r.size, m.status, m.replay_url IS NOT NULL FROM matches m"
    " LEFT JOIN replays r ON r.match_id = m.id AND r.kind = $2 WHERE m.id = $1::uuid"};

static bool is_html(const struct exchange *x) {
  return text_equal(exchange_query(x, "format"), "html");
}

static void add_headers(struct exchange *x) {
  bool html = is_html(x);
  exchange_add_header(x, "Cache-Control", "public, max-age=300");
  if (html) exchange_add_header(x, "Content-Security-Policy", PAGE_POLICY);
  if (!text_equal(exchange_query(x, "download"), "1")) return;
  char name[NAME_SIZE_MAX];
  snprintf(name, sizeof name, "attachment; filename=\"replay-%s.%s\"", exchange_param(x, "id"), html ? "html" : "json");
  exchange_add_header(x, "Content-Disposition", name);
}

static void on_found(void *context, const struct db_rows *rows, const struct error *e, const char *constraint) {
  (void)constraint;
  struct exchange *x = context;
  if (e) {
    query_fail(x, e);
    return;
  }
  if (db_rows_count(rows) == 0) {
    exchange_fail(x, 404, "not_found", "There is no such match.");
    return;
  }
  const char *sha256 = db_rows_text(rows, 0, 0), *status = db_rows_text(rows, 0, 2);
  if (!sha256) {
    bool over = text_equal(status, "completed") || text_equal(status, "failed");
    exchange_fail(x, 404, "no_replay", "%s",
                  !over                      ? "The match is not over yet: its replay comes with the result."
                  : db_rows_bool(rows, 0, 3) ? "The replay of this match was kept outside of the arena's front."
                                             : "This match has no replay.");
    return;
  }
  add_headers(x);
  blob_reply(x, &(struct blob_answer){
                    .sha256 = sha256,
                    .size = db_rows_int(rows, 0, 1, 0),
                    .content_type = is_html(x) ? "text/html; charset=utf-8" : "application/json",
                    .gzip = !is_html(x),
                });
}

void handle_get_replay(struct exchange *x) {
  const char *format = exchange_query(x, "format");
  if (format && !text_equal(format, "json") && !text_equal(format, "html")) {
    exchange_fail(x, 400, "invalid", "format must be json or html.");
    return;
  }
  const struct db_value values[] = {DB_TEXT(exchange_param(x, "id")), DB_TEXT(is_html(x) ? "html" : "json")};
  db_query(exchange_app(x)->db, &FIND, values, 2, on_found, x);
}
