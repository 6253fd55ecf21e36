"""The program's migrations: from nothing, from each earlier version, by several at once; and what they refuse."""

from __future__ import annotations

import concurrent.futures
import subprocess
import threading
import time

import psycopg
import pytest

from . import store_probe
from .postgres import Postgres, apply, connect, migration_files

SHAPE = """
    SELECT 'column', table_name, column_name, data_type || ' ' || is_nullable || ' ' || coalesce(column_default, '')
      FROM information_schema.columns WHERE table_schema = 'public'
    UNION ALL SELECT 'index', tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
    UNION ALL SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid)
      FROM pg_constraint WHERE connamespace = 'public'::regnamespace
    UNION ALL SELECT 'function', p.oid::regprocedure::text, '', p.prosrc FROM pg_proc p
      WHERE pronamespace = 'public'::regnamespace
    UNION ALL SELECT 'trigger', tgrelid::regclass::text, tgname, pg_get_triggerdef(oid) FROM pg_trigger
      WHERE NOT tgisinternal
    ORDER BY 1, 2, 3
"""


def migrate(url: str, *others: str) -> subprocess.CompletedProcess[str]:
    return store_probe.run(url, "migrate", *others)


def shape(url: str) -> list[tuple[str, ...]]:
    with connect(url) as c:
        return c.execute(SHAPE).fetchall()


def applied(url: str) -> list[str]:
    with connect(url) as c:
        return [row[0] for row in c.execute("SELECT name FROM schema_migrations ORDER BY version").fetchall()]


def test_an_empty_database_gets_all_of_them_once(postgres: Postgres) -> None:
    url = postgres.database(migrated=False)
    assert migrate(url).stdout.splitlines()[-1] == "ok"
    assert applied(url) == [file.name for file in migration_files()]
    before = shape(url)
    again = migrate(url)
    assert again.returncode == 0 and "applied" not in again.stderr
    assert shape(url) == before


# What every version since the first takes: a user, two agents with a submission and a match, a blob and a replay.
ROWS = """
    INSERT INTO users (username, email, password_hash) VALUES ('alice', 'a@example.org', 'x');
    INSERT INTO environments (id, name, display_name, created_at, resource_version)
      VALUES (gen_random_uuid(), 'pong', 'Pong', now(), 1);
    INSERT INTO agents (id, object_name, owner, display_name, environment, elo, queue_state, active_submission,
                        created_at, resource_version)
      SELECT gen_random_uuid(), n, 'alice', n, 'pong', 1500, 'Waiting', n || '-0', now(), 1
      FROM unnest('{a,b}'::text[]) n;
    INSERT INTO submissions (id, object_name, agent_object, agent_id, version, status, source_kind, created_at,
                             resource_version)
      SELECT gen_random_uuid(), 'a-1', 'a', id, 1, 'success', 'inline', now(), 1 FROM agents WHERE object_name = 'a';
    INSERT INTO matches (id, object_name, environment, agent1, agent2, agent1_id, agent2_id, status, winner, outcome1,
                         outcome2, error2, rated, completed_at, created_at, resource_version)
      SELECT gen_random_uuid(), 'm', 'pong', 'a', 'b', a.id, b.id, 'completed', 1, 'Win', 'Forfeit', 'it was late',
             true, now(), now(), 1
      FROM agents a, agents b WHERE a.object_name = 'a' AND b.object_name = 'b';
    INSERT INTO blobs (sha256, size, media_type, upload) VALUES (repeat('a', 64), 3, 'text/html', gen_random_uuid());
    INSERT INTO blob_parts (upload, number, bytes) SELECT upload, 0, 'abc' FROM blobs;
    INSERT INTO replays (match_id, kind, sha256, size) SELECT id, 'html', repeat('a', 64), 3 FROM matches
"""


@pytest.mark.parametrize("version", [int(file.name[:4]) for file in migration_files()])
def test_each_earlier_version_is_brought_up(postgres: Postgres, version: int) -> None:
    url = postgres.database(migrated=False)
    apply(url, last=version)
    with connect(url) as c:
        c.execute(ROWS)
    assert migrate(url).returncode == 0
    assert shape(url) == shape(postgres.database())
    with connect(url) as c:
        assert c.execute("SELECT username FROM users").fetchall() == [("alice",)]
        ((match,),) = c.execute("SELECT match_json(m) FROM matches m").fetchall()
        assert match["errorMessage"] == "b forfeited: it was late" and match["replayHtmlUrl"].endswith("format=html")
        ((submission,),) = c.execute("SELECT submission_json(s, true) FROM submissions s").fetchall()
        assert (submission["agentName"], submission["status"]) == ("a", "success")
        kept = c.execute("SELECT b.store, p.bytes FROM blobs b JOIN blob_parts p USING (upload)").fetchall()
        assert kept == [("postgres", b"abc")]
        assert c.execute("SELECT environment, elo, agents FROM ranked_elos").fetchall() == [("pong", 1500, 2)]


def test_several_at_once_take_turns(postgres: Postgres) -> None:
    url = postgres.database(migrated=False)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: migrate(url), range(4)))
    assert [r.returncode for r in results] == [0] * 4, [r.stdout for r in results]
    assert applied(url) == [file.name for file in migration_files()]


ONE = ("1", "0001_one.sql", "CREATE TABLE one (n int)")
TWO = ("2", "0002_two.sql", "CREATE TABLE two (n int); INSERT INTO one VALUES (1)")


def test_a_file_is_applied_whole_or_not_at_all(postgres: Postgres) -> None:
    url = postgres.database(migrated=False)
    broken = ("2", "0002_two.sql", "CREATE TABLE two (n int); INSERT INTO nowhere VALUES (1)")
    failed = migrate(url, *ONE, *broken)
    assert failed.returncode == 1
    assert "0002_two.sql" in failed.stdout and '"nowhere" does not exist' in failed.stdout
    assert applied(url) == ["0001_one.sql"]
    assert migrate(url, *ONE, *TWO).returncode == 0
    with connect(url) as c:
        assert c.execute("SELECT n FROM one").fetchall() == [(1,)]


def test_a_file_that_changed_is_refused(postgres: Postgres) -> None:
    url = postgres.database(migrated=False)
    assert migrate(url, *ONE).returncode == 0
    refused = migrate(url, "1", "0001_one.sql", "CREATE TABLE one (n bigint)", *TWO)
    assert refused.returncode == 1
    assert "0001_one.sql has changed since it was applied" in refused.stdout
    assert applied(url) == ["0001_one.sql"]


def test_a_newer_database_is_refused(postgres: Postgres) -> None:
    url = postgres.database(migrated=False)
    assert migrate(url, *ONE, *TWO).returncode == 0
    refused = migrate(url, *ONE)
    assert refused.returncode == 1
    assert "newer than this program" in refused.stdout and "0002_two.sql" in refused.stdout


def test_a_file_between_applied_ones_is_refused(postgres: Postgres) -> None:
    url = postgres.database(migrated=False)
    assert migrate(url, *ONE, "3", "0003_three.sql", "SELECT 1").returncode == 0
    refused = migrate(url, *ONE, *TWO, "3", "0003_three.sql", "SELECT 1")
    assert refused.returncode == 1
    assert "0002_two.sql was not applied, but 0003_three.sql was" in refused.stdout


def test_a_long_migration_has_no_time_limit_and_holds_others_back(postgres: Postgres) -> None:
    url = postgres.database(migrated=False)
    slow = ("1", "0001_slow.sql", "SELECT pg_sleep(11); CREATE TABLE slow (n int)")  # a statement's own limit is 10 s
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda _: migrate(url, *slow), range(2)))
    assert [r.returncode for r in results] == [0, 0], [r.stdout for r in results]


def test_it_waits_for_postgresql(postgres: Postgres) -> None:
    url = postgres.database(migrated=False)
    postgres.stop("immediate")
    starter = threading.Timer(1, postgres.start)
    starter.start()
    begun = time.monotonic()
    done = migrate(url)
    starter.join()
    assert done.returncode == 0 and time.monotonic() - begun > 1


# ---- constraints ----


USERS = "INSERT INTO users (username, email, password_hash) VALUES "
BLOBS = "INSERT INTO blobs (sha256, size, media_type, upload) VALUES "
REPLAYS = "INSERT INTO replays (match_id, kind, sha256, size) VALUES (gen_random_uuid(), "


@pytest.mark.parametrize(
    ("statement", "error"),
    [
        (USERS + "('alice', 'b@example.org', 'x')", "unique"),
        (USERS + "('bob', 'A@Example.org', 'x')", "unique"),
        (USERS + "('Bob', 'b@example.org', 'x')", "check"),
        (USERS + "('bo', 'b@example.org', 'x')", "check"),
        (USERS + "('-bob', 'b@example.org', 'x')", "check"),
        (USERS + "('bob', 'b', 'x')", "check"),
        (USERS + "('bob', 'b@example.org', NULL)", "not null"),
        (BLOBS + "('abc', 1, 't', gen_random_uuid())", "check"),
        (BLOBS + "(repeat('a', 64), -1, 't', gen_random_uuid())", "check"),
        (REPLAYS + "'json', repeat('a', 64), 1)", "foreign"),
        (REPLAYS + "'gif', repeat('a', 64), 1)", "check"),
        ("INSERT INTO build_logs VALUES (gen_random_uuid(), 1, 'other', 1, 0, 'x')", "check"),
        ("INSERT INTO matchmaking_queue VALUES (gen_random_uuid(), 'pong', 5, 1500, 100, now())", "foreign"),
    ],
)
def test_what_cannot_be_is_refused(database: str, statement: str, error: str) -> None:
    classes: dict[str, type[Exception]] = {
        "unique": psycopg.errors.UniqueViolation,
        "check": psycopg.errors.CheckViolation,
        "foreign": psycopg.errors.ForeignKeyViolation,
        "not null": psycopg.errors.NotNullViolation,
    }
    with connect(database) as c:
        c.execute("INSERT INTO users (username, email, password_hash) VALUES ('alice', 'a@example.org', 'x')")
        with pytest.raises(classes[error]):
            c.execute(statement)
