// The signed-in user's own page.
#include "base/memory.h"
#include "base/str.h"

#include "fields.h"
#include "handlers.h"
#include "query.h"

// Deleted agents stay in the sums: what they won was won. Matches of two agents of one owner are told from the first
// one's side.
static const struct db_statement ME = {
    "users_me",
    "WITH me AS (SELECT u FROM users u WHERE u.id = $1::uuid), "
    "own AS (SELECT a FROM agents a WHERE a.owner = (SELECT (u).username FROM me)), "
    "ranked AS (SELECT a, agent_rank(a) AS rank FROM own WHERE (a).vanished_at IS NULL), "
    "played AS (SELECT m, seat FROM own, LATERAL ("
    "    (SELECT m, 1 AS seat FROM matches m WHERE m.agent1_id = (a).id AND m.status = 'completed' "
    "     ORDER BY m.created_at DESC LIMIT 10) UNION ALL "
    "    (SELECT m, 2 FROM matches m WHERE m.agent2_id = (a).id AND m.status = 'completed' AND NOT EXISTS "
    "     (SELECT FROM own o WHERE (o.a).id = m.agent1_id) ORDER BY m.created_at DESC LIMIT 10)) f "
    "  ORDER BY (m).completed_at DESC LIMIT 10) "
    "SELECT (jsonb_build_object('user', user_json(u), 'username', (u).username, 'email', (u).email, "
    "  'stats', jsonb_build_object("
    "    'totalSubmissions', (SELECT count(*) FROM submissions s WHERE s.agent_id IN (SELECT (a).id FROM own)), "
    "    'activeAgents', (SELECT count(*) FROM ranked WHERE (a).active_submission IS NOT NULL), "
    "    'totalMatches', (SELECT coalesce(sum((a).rated_matches), 0) FROM own), "
    "    'totalWins', (SELECT coalesce(sum((a).wins), 0) FROM own), "
    "    'bestRank', (SELECT min(rank) FROM ranked)), "
    "  'recentAgents', coalesce((SELECT jsonb_agg(jsonb_build_object('id', (a).id, 'name', (a).display_name, "
    "      'status', agent_status(a), 'competition', coalesce((SELECT e.display_name FROM environments e "
    "        WHERE e.id = environment_id((a).environment)), (a).environment), 'rank', rank) ORDER BY (a).updated_at "
    "DESC) "
    "    FROM (SELECT a, rank FROM ranked ORDER BY (a).updated_at DESC LIMIT 10) r), '[]'), "
    "  'matchHistory', coalesce((SELECT jsonb_agg(jsonb_build_object('id', (m).id, 'opponent', "
    "      coalesce((SELECT o.display_name FROM agents o WHERE o.id = CASE seat WHEN 1 THEN (m).agent2_id "
    "        ELSE (m).agent1_id END), CASE seat WHEN 1 THEN (m).agent2 ELSE (m).agent1 END), "
    "      'result', CASE WHEN (m).winner IS NULL THEN 'draw' WHEN (m).winner = seat THEN 'win' ELSE 'loss' END, "
    "      'competition', coalesce((SELECT e.display_name FROM environments e "
    "        WHERE e.id = environment_id((m).environment)), (m).environment), "
    "      'timestamp', rfc3339((m).completed_at)) ORDER BY (m).completed_at DESC) FROM played), '[]')))::text "
    "FROM me"};

// NULL: not given, keeps its value; empty: none from now on.
static const struct db_statement CHANGE_ME = {
    "users_change_me",
    "UPDATE users u SET full_name = CASE WHEN $2::text IS NULL THEN full_name ELSE nullif($2, '') END, "
    "avatar_url = CASE WHEN $3::text IS NULL THEN avatar_url ELSE nullif($3, '') END, updated_at = now() "
    "WHERE u.id = $1::uuid "
    "RETURNING jsonb_build_object('message', 'The profile is changed.', 'user', user_json(u))::text"};

void handle_get_me(struct exchange *x) {
  query_reply(x, &ME, (const struct db_value[]){DB_TEXT(exchange_user_id(x))}, 1, "user");
}

void handle_change_me(struct exchange *x) {
  cleanup_free char *full_name = NULL, *avatar_url = NULL;
  if (!field_text(x, &(struct field){.key = "fullName", .most = 200}, &full_name)) return;
  if (!field_text(x, &(struct field){.key = "avatarUrl", .most = 2048}, &avatar_url)) return;
  if (!text_empty(avatar_url) && !field_is_link(avatar_url)) {
    exchange_fail(x, 400, "invalid", "avatarUrl must be an http:// or https:// address, or empty.");
    return;
  }
  const struct db_value values[] = {DB_TEXT(exchange_user_id(x)), DB_TEXT(full_name), DB_TEXT(avatar_url)};
  query_change(x, 200, &CHANGE_ME, values, 3, "user");
}
