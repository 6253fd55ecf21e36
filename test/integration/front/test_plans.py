"""The statements that are run often use the index that was made for them, on tables of a size where it matters."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
import requests

from .postgres import Postgres, connect
from .server import ApiServer
from .test_accounts import token

Connection = psycopg.Connection[Any]

FILL = """
    SET session_replication_role = replica;  -- rows without their consequences
    INSERT INTO environments (id, name, display_name, created_at, resource_version)
      SELECT gen_random_uuid(), 'env-' || e, 'Env', now(), e FROM generate_series(0, 19) e;
    INSERT INTO users (id, username, email, password_hash)
      SELECT gen_random_uuid(), 'user-' || u, 'u' || u || '@example.org', 'x' FROM generate_series(0, 999) u;
    INSERT INTO agents (id, object_name, owner, display_name, environment, elo, rated_matches, active_submission,
                        active_version, created_at, resource_version, vanished_at)
      SELECT gen_random_uuid(), 'agent-' || a, 'user-' || a % 1000, 'Agent ' || a, 'env-' || a % 20,
             1000 + (a * 7919) % 1000, a % 50, CASE WHEN a % 10 > 0 THEN 'agent-' || a || '-v1' END, 1,
             now() - a * interval '1 minute', a, CASE WHEN a % 50 = 0 THEN now() END
      FROM generate_series(1, 10000) a;
    INSERT INTO submissions (id, object_name, agent_object, agent_id, version, status, source_kind, created_at,
                             resource_version)
      SELECT gen_random_uuid(), a.object_name || '-v' || v, a.object_name, a.id, v, 'success', 'inline',
             a.created_at + v * interval '1 second', v
      FROM agents a, generate_series(1, 2) v;
    INSERT INTO matches (id, object_name, environment, agent1, agent2, agent1_id, agent2_id, status, rated, rated_done,
                         replay_sha256, completed_at, created_at, resource_version)
      SELECT gen_random_uuid(), 'm-' || m, a.environment, a.object_name, b.object_name, a.id, b.id,
             CASE WHEN m % 100 = 0 THEN 'running' ELSE 'completed' END, true, true,
             CASE WHEN m % 100 <> 0 THEN repeat('a', 64) END, now() - m * interval '10 second',
             now() - m * interval '10 second', m
      FROM generate_series(1, 30000) m
      JOIN agents a ON a.object_name = 'agent-' || (1 + m % 10000)
      JOIN agents b ON b.object_name = 'agent-' || (1 + (m * 31 + 5) % 10000);
    INSERT INTO matchmaking_queue SELECT id, environment, 1 + resource_version % 10, elo, 100, created_at, NULL
      FROM agents WHERE active_submission IS NOT NULL;
    INSERT INTO events (type, payload, created_at)
      SELECT 'match_created', '{}', now() - (20000 - e) * interval '1 second' FROM generate_series(1, 20000) e;
    INSERT INTO blobs (sha256, size, media_type, upload) VALUES (repeat('a', 64), 1, 'text/html', gen_random_uuid());
    INSERT INTO replays (match_id, kind, sha256, size)
      SELECT id, 'html', repeat('a', 64), 1 FROM matches WHERE status = 'completed';
    INSERT INTO head_to_head SELECT DISTINCT ON (agent1_id, agent2_id) agent1_id, agent2_id, 1, 0, 0 FROM matches;
    SET session_replication_role = origin;
    SELECT ranked_elos_count()
"""


@pytest.fixture(scope="module")
def database(postgres: Postgres) -> str:
    url = postgres.database()
    with connect(url) as c:
        c.execute(FILL)
        c.execute("VACUUM ANALYZE")
    return url


@pytest.fixture(scope="module")
def sql(database: str) -> Iterator[Connection]:
    with connect(database) as c:
        yield c


def plan(sql: Connection, statement: str) -> dict[str, Any]:
    """Of the generic plan: what a prepared statement gets, whose values are not known yet."""
    agent = sql.execute("SELECT id FROM agents WHERE object_name = 'agent-77'").fetchone()
    assert agent
    text = statement.replace("$agent", f"'{agent[0]}'")
    sql.execute("SET plan_cache_mode = force_generic_plan")
    row = sql.execute(f"EXPLAIN (FORMAT JSON, ANALYZE, TIMING OFF, BUFFERS) {text}").fetchone()
    assert row
    made: dict[str, Any] = row[0][0]["Plan"]
    return made


def nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("Plans", []):
        yield from nodes(child)


@pytest.mark.parametrize(
    ("index", "statement"),
    [
        ("agents_ranking", "SELECT id FROM agents WHERE environment = 'env-1' AND active_submission IS NOT NULL AND"
         " vanished_at IS NULL ORDER BY elo DESC, rated_matches, created_at, id LIMIT 20"),
        ("agents_ranking_all", "SELECT id FROM agents WHERE active_submission IS NOT NULL AND vanished_at IS NULL"
         " ORDER BY elo DESC, rated_matches, created_at, id LIMIT 20"),
        ("agents_owner", "SELECT id FROM agents WHERE owner = 'user-7' ORDER BY created_at DESC"),
        ("agents_environment", "SELECT count(*) FROM agents WHERE environment = 'env-1'"),
        ("agents_recent", "SELECT id FROM agents ORDER BY created_at DESC, id LIMIT 20"),
        ("agents_object", "SELECT id FROM agents WHERE object_name = 'agent-77' AND vanished_at IS NULL"),
        ("submissions_agent", "SELECT id FROM submissions WHERE agent_id = $agent"
         " ORDER BY version DESC, created_at DESC LIMIT 20"),
        ("submissions_object", "SELECT id FROM submissions WHERE object_name = 'agent-77-v1'"),
        ("matches_agent1", "SELECT id FROM matches WHERE agent1_id = $agent ORDER BY created_at DESC LIMIT 20"),
        ("matches_agent2", "SELECT id FROM matches WHERE agent2_id = $agent ORDER BY created_at DESC LIMIT 20"),
        ("matches_agent1", "SELECT id FROM matches WHERE agent1_id = $agent OR agent2_id = $agent"
         " ORDER BY created_at DESC LIMIT 20"),
        ("matches_environment", "SELECT id FROM matches WHERE environment = 'env-1' ORDER BY created_at DESC LIMIT 20"),
        ("matches_recent", "SELECT id FROM matches ORDER BY created_at DESC, id LIMIT 20"),
        ("matches_finished", "SELECT id FROM matches ORDER BY completed_at DESC NULLS LAST, id LIMIT 20"),
        ("matchmaking_queue_order", "SELECT agent_id FROM matchmaking_queue WHERE environment = 'env-1'"
         " ORDER BY priority, enqueued_at LIMIT 20"),
        ("matchmaking_queue_order", "SELECT count(*) FROM matchmaking_queue WHERE environment = 'env-1'"),
        ("events_pkey", "SELECT id, type, payload FROM events WHERE id > 19900 ORDER BY id LIMIT 500"),
        ("events_created", "DELETE FROM events WHERE created_at < now() - interval '5 hours'"),
        ("head_to_head_pkey", "SELECT * FROM head_to_head WHERE agent_id = $agent"),
        ("agents_living", "SELECT id FROM agents WHERE id > $agent AND vanished_at IS NULL ORDER BY id LIMIT 1000"),
        ("users_username", "SELECT id FROM users WHERE username = 'user-7'"),
        ("users_email", "SELECT id FROM users WHERE lower(email) = lower('U7@example.org')"),
    ],
)  # fmt: skip
def test_the_index_is_used(sql: Connection, index: str, statement: str) -> None:
    top = plan(sql, statement)
    used = {node.get("Index Name") for node in nodes(top)}
    assert index in used, top
    scanned = [node for node in nodes(top) if node["Node Type"] == "Seq Scan"]
    assert not scanned, scanned


def test_a_rank_reads_the_elos_above_and_those_of_its_own(sql: Connection) -> None:
    row = sql.execute(
        "SELECT agent_rank(a) FROM agents a WHERE environment = 'env-1' AND agent_is_ranked(a) ORDER BY agent_rank(a)"
    ).fetchall()
    assert [r[0] for r in row] == list(range(1, len(row) + 1))
    ordered = sql.execute(
        "SELECT agent_rank(a) FROM agents a WHERE environment = 'env-1' AND active_submission IS NOT NULL"
        " AND vanished_at IS NULL ORDER BY elo DESC, rated_matches, created_at, id"
    ).fetchall()
    assert [r[0] for r in ordered] == list(range(1, len(row) + 1))
    top = plan(
        sql,
        "SELECT count(*) FROM agents b,"
        " (SELECT * FROM agents WHERE object_name = 'agent-9999' AND vanished_at IS NULL) a"
        " WHERE b.environment = a.environment AND b.active_submission IS NOT NULL AND b.vanished_at IS NULL"
        " AND b.elo = a.elo AND (b.rated_matches, b.created_at, b.id) < (a.rated_matches, a.created_at, a.id)",
    )
    found = [n for n in nodes(top) if n.get("Index Name") == "agents_ranking"]
    assert found and found[0]["Node Type"] == "Index Only Scan", top
    assert "elo = " in found[0]["Index Cond"] and "ROW(" in found[0]["Index Cond"], top


def test_shapes_are_taken_into_their_statement(sql: Connection) -> None:
    for call in (
        "agent_json(a, 1) FROM agents a",
        "match_json(a) FROM matches a",
        "submission_json(a, true) FROM submissions a",
    ):
        row = sql.execute(f"EXPLAIN (VERBOSE, FORMAT JSON) SELECT {call} LIMIT 1").fetchone()
        assert row
        outputs = " ".join(str(node.get("Output")) for node in nodes(row[0][0]["Plan"]))
        assert "jsonb_build_object" in outputs, outputs


# ---- the front's own statements, as it runs them ----

BIG = 2000  # rows; a page needs a few


@pytest.fixture(scope="module")
def front(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """Over those tables. PostgreSQL writes down the plan of each statement."""
    name = database.rsplit("/", 1)[1]
    with connect(database) as c:
        c.execute("LOAD 'auto_explain'")
        c.execute(f"ALTER DATABASE {name} SET session_preload_libraries = 'auto_explain'")
        for setting, value in (("log_min_duration", "0"), ("log_format", "json"), ("log_analyze", "on")):
            c.execute(f"ALTER DATABASE {name} SET auto_explain.{setting} = '{value}'")
    server = ApiServer(tmp_path_factory.mktemp("plans"), database, None)
    yield server
    server.stop()


def plans_of(postgres: Postgres, ask: Callable[[], requests.Response]) -> list[dict[str, Any]]:
    """Of all that ran for it."""
    before = len(postgres.log())
    answer = ask()
    assert answer.status_code == 200, answer.text
    end = time.monotonic() + 10
    while True:
        text = postgres.log()[before:]
        found = [json.loads(plan) for plan in re.findall(r"plan:\n((?:\t.*\n)+)", text)]
        if found and text.endswith("\n") or time.monotonic() > end:
            return found
        time.sleep(0.05)


def sorted_rows(top: dict[str, Any]) -> int:
    """The most that were sorted at once."""
    sorts = [node for node in nodes(top) if node["Node Type"] == "Sort"]
    return max((int(child["Actual Rows"]) for node in sorts for child in node["Plans"]), default=0)


@pytest.mark.parametrize(
    ("path", "indexes"),
    [
        ("/agents", {"agents_recent"}),
        ("/agents?environmentId=env-1", {"agents_environment"}),
        ("/agents/AGENT/stats", {"head_to_head_pkey"}),
        ("/agents/my", {"agents_owner"}),
        ("/leaderboard", {"agents_ranking_all"}),
        ("/leaderboard/environment/env-1", {"agents_ranking"}),
        ("/matches", {"matches_recent"}),
        ("/matches?environmentId=env-1", {"matches_environment"}),
        ("/matches/MATCH", {"matches_pkey"}),
        ("/matches/agent/AGENT", {"matches_agent1", "matches_agent2"}),
        ("/matches/replays", {"matches_finished"}),
        ("/matches/replays?agentId=AGENT", {"matches_agent1", "matches_agent2"}),
        ("/submissions/agent/AGENT", {"submissions_agent"}),
        ("/users/me", {"agents_owner", "matches_agent1", "matches_agent2"}),
    ],
)
def test_each_page_is_read_by_its_index(
    front: ApiServer, sql: Connection, postgres: Postgres, path: str, indexes: set[str]
) -> None:
    """A total counts what it counts; nothing is sorted for a page but the page."""
    ids = {}
    for word, statement in (
        ("AGENT", "SELECT id FROM agents WHERE object_name = 'agent-77'"),
        ("MATCH", "SELECT id FROM matches WHERE object_name = 'm-77'"),
        ("USER", "SELECT id FROM users WHERE username = 'user-77'"),
    ):
        row = sql.execute(statement).fetchone()
        assert row
        ids[word] = str(row[0])
    now = int(time.time())
    claims = {"userId": ids["USER"], "username": "user-77", "email": "u77@example.org"}
    person = front.client(token({**claims, "iat": now, "nbf": now, "exp": now + 3600}))
    for word, value in ids.items():
        path = path.replace(word, value)
    plans = plans_of(postgres, lambda: person.get(path))
    used = {node.get("Index Name") for each in plans for node in nodes(each["Plan"])}
    assert indexes <= used, (used, plans)
    assert max(sorted_rows(each["Plan"]) for each in plans) < BIG, plans
