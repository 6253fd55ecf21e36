"""The mirror against a real API server and a real PostgreSQL, either of which may be away."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from .plane import ROOT, Namespace, Plane, wait_until
from .postgres import Postgres, connect
from .server import ApiServer, seen

FINALIZER = "rl-arena.io/mirror"
TABLES = {"agents": "agents", "submissions": "submissions", "matches": "matches", "matchmakingqueues": "environments"}
StartServer = Callable[..., ApiServer]


class Rows:
    """What PostgreSQL holds, asked anew each time; survives its restarts."""

    def __init__(self, url: str) -> None:
        self.url = url

    def all(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with connect(self.url) as c:
            return c.execute(statement, values).fetchall()

    def one(self, statement: str, *values: Any) -> Any:
        return self.all(statement, *values)[0][0]

    def row(self, kind: str, uid: str) -> tuple[int, bool] | None:
        """resourceVersion and whether it has vanished."""
        found = self.all(
            f"SELECT resource_version, vanished_at IS NOT NULL FROM {TABLES[kind]} WHERE id = %s",  # noqa: S608
            uid,
        )
        return found[0] if found else None

    def is_level(self, namespace: Namespace) -> bool:
        """Every object has its row at its version, every other row has vanished."""
        for kind, table in TABLES.items():
            there = {o["metadata"]["uid"]: int(o["metadata"]["resourceVersion"]) for o in namespace.list(kind)}
            rows = self.all(f"SELECT id::text, resource_version FROM {table} WHERE vanished_at IS NULL")  # noqa: S608
            if dict(rows) != there:
                return False
        return True


class Arena:
    def __init__(self, namespace: Namespace, database: str, server: ApiServer) -> None:
        self.namespace, self.server = namespace, server
        self.rows = Rows(database)

    def level(self) -> None:
        wait_until("the mirror is level", lambda: self.rows.is_level(self.namespace))

    def match(self, **more: Any) -> dict[str, Any]:
        name = f"m-{secrets.token_hex(6)}"
        sides = [{"agent": "alpha"}, {"agent": "beta"}]
        return self.namespace.create("matches", name, {"environment": "pong", "participants": sides}, **more)

    def finalizers(self, match: dict[str, Any]) -> list[str]:
        return list(self.namespace.get("matches", match["metadata"]["name"])["metadata"].get("finalizers", []))


@pytest.fixture
def arena(plane: Plane, postgres: Postgres, start_server: StartServer) -> Iterator[Arena]:
    namespace, database = plane.namespace(), postgres.database()
    for name in ("alpha", "beta"):
        namespace.agent(name, name)
    yield Arena(namespace, database, start_server(database, namespace))


def test_what_was_there_and_what_changes(arena: Arena) -> None:
    arena.level()
    match = arena.match()
    arena.namespace.patch("agents", "alpha", {"spec": {"description": "New words."}})
    arena.level()
    assert arena.rows.one("SELECT description FROM agents WHERE object_name = 'alpha'") == "New words."
    assert arena.rows.one("SELECT status FROM matches WHERE id = %s", match["metadata"]["uid"]) == "pending"
    # The metric tells of the last second.
    wait_until("nothing is pending", lambda: arena.server.metric("rl_arena_mirror_pending_objects") == 0)
    assert arena.server.metric("leader_election_master_status") == 1


def test_what_is_gone_is_marked(arena: Arena) -> None:
    arena.level()
    uid = arena.namespace.get("agents", "beta")["metadata"]["uid"]
    arena.namespace.delete("agents", "beta")
    wait_until("it has vanished", lambda: (arena.rows.row("agents", uid) or (0, False))[1])
    again = arena.namespace.agent("beta", "beta")["metadata"]["uid"]
    arena.level()
    assert again != uid


def test_gone_while_nobody_looked(arena: Arena) -> None:
    arena.level()
    uid = arena.namespace.get("agents", "beta")["metadata"]["uid"]
    arena.server.kill()
    arena.namespace.delete("agents", "beta")
    arena.namespace.agent("gamma", "gamma")
    arena.server.start()
    arena.level()
    wait_until("it has vanished", lambda: (arena.rows.row("agents", uid) or (0, False))[1])


def test_rows_that_no_object_ever_explained(arena: Arena) -> None:
    """A handler's row whose object came and went while the mirror was away; one that is newer than all it saw."""
    arena.level()
    arena.server.kill()
    version = arena.namespace.get("agents", "alpha")["metadata"]["resourceVersion"]
    with connect(arena.rows.url) as c:
        for name, at in (("lost", int(version)), ("future", 2**62)):
            c.execute(
                "INSERT INTO agents"
                " (id, object_name, owner, display_name, environment, elo, created_at, resource_version)"
                " VALUES (gen_random_uuid(), %s, 'x', 'x', 'pong', 1500, now(), %s)",
                (name, at),
            )
    arena.server.start()
    gone = "SELECT vanished_at IS NOT NULL FROM agents WHERE object_name = %s"
    wait_until("the lost one has vanished", lambda: arena.rows.one(gone, "lost"))
    assert not arena.rows.one(gone, "future")


def test_more_than_a_page_is_compared(arena: Arena) -> None:
    arena.level()
    arena.server.kill()
    with connect(arena.rows.url) as c:
        c.execute(
            "INSERT INTO agents (id, object_name, owner, display_name, environment, elo, created_at, resource_version)"
            " SELECT gen_random_uuid(), 'x-' || n, 'x', 'x', 'pong', 1500, now(), 1 FROM generate_series(1, 2500) n"
        )
    arena.server.start()
    arena.level()


def test_postgresql_is_away(arena: Arena, postgres: Postgres) -> None:
    arena.level()
    postgres.stop("immediate")
    try:
        match = arena.match()
        for n in range(20):
            arena.namespace.patch("agents", "alpha", {"spec": {"description": f"Words {n}."}})
        uid = arena.namespace.get("agents", "beta")["metadata"]["uid"]
        arena.namespace.delete("agents", "beta")
        seen("it knows that it lags", lambda: arena.server.metric("rl_arena_mirror_lag_seconds") > 0)
        assert not arena.server.is_ready()
        # What finishes meanwhile is kept.
        short = arena.match()
        arena.namespace.status(
            "matches", short["metadata"]["name"], {"conditions": [{**FAILED, "type": "Failed"}], "phase": "Failed"}
        )
        wait_until("it is held", lambda: arena.finalizers(short) == [FINALIZER])
    finally:
        postgres.start()
    arena.level()
    assert arena.rows.one("SELECT description FROM agents WHERE object_name = 'alpha'") == "Words 19."
    assert arena.rows.row("matches", match["metadata"]["uid"]) is not None
    wait_until("it has vanished", lambda: (arena.rows.row("agents", uid) or (0, False))[1])
    wait_until("it is ready again", arena.server.is_ready)


FAILED = {"status": "True", "reason": "Broken", "message": "Broken.", "lastTransitionTime": "2026-01-02T03:04:05Z"}


def test_the_api_server_is_away(arena: Arena, plane: Plane) -> None:
    arena.level()
    plane.control.kill("apiserver")
    try:
        time.sleep(2)
        assert arena.server.is_ready()  # what PostgreSQL holds can be read all the same
        assert arena.server.client().get("/environments").status_code == 200
    finally:
        plane.control.start_apiserver()
    arena.namespace.patch("agents", "alpha", {"spec": {"description": "After."}})
    arena.level()


def test_away_for_longer_than_the_lease(arena: Arena, plane: Plane) -> None:
    arena.level()
    plane.control.kill("apiserver")
    try:
        seen("the lease is lost", lambda: arena.server.metric("leader_election_master_status") == 0)
        assert arena.server.is_ready()
    finally:
        plane.control.start_apiserver()
    arena.namespace.patch("agents", "alpha", {"spec": {"description": "After."}})
    arena.level()
    assert arena.server.metric("leader_election_master_status") == 1


def test_relist_after_a_compaction(arena: Arena, plane: Plane) -> None:
    arena.level()
    uid = arena.namespace.get("agents", "beta")["metadata"]["uid"]
    plane.control.kill("apiserver")
    plane.control.start_apiserver()  # its watch cache is empty now
    arena.namespace.delete("agents", "beta")
    for n in range(5):
        arena.namespace.patch("agents", "alpha", {"spec": {"description": f"{n}"}})
    plane.control.compact()
    arena.level()
    wait_until("it has vanished", lambda: (arena.rows.row("agents", uid) or (0, False))[1])


def test_old_news_never_replaces_newer(arena: Arena) -> None:
    """Writers at once: the mirror and (as handlers would) others with older and newer states; versions only grow."""
    arena.level()
    stop = threading.Event()
    with connect(arena.rows.url) as c:
        c.execute(
            "CREATE FUNCTION never_back() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            " IF NEW.resource_version < OLD.resource_version THEN RAISE EXCEPTION 'back in time'; END IF;"
            " RETURN NEW; END $$;"
            "CREATE TRIGGER never_back BEFORE UPDATE ON agents FOR EACH ROW EXECUTE FUNCTION never_back()"
        )

    def write(name: str) -> None:
        n = 0
        while not stop.is_set():
            arena.namespace.patch("agents", name, {"spec": {"description": f"{n}"}})
            n += 1

    def restart() -> None:
        for _ in range(3):
            time.sleep(0.7)
            arena.server.kill()
            arena.server.start()

    writers = [threading.Thread(target=write, args=(name,)) for name in ("alpha", "beta")]
    for one in writers:
        one.start()
    try:
        restart()
    finally:
        stop.set()
        for one in writers:
            one.join()
    arena.level()
    assert "back in time" not in arena.server.words(10**7)


def test_a_row_that_postgresql_refuses_holds_up_no_other(arena: Arena) -> None:
    arena.level()
    with connect(arena.rows.url) as c:
        c.execute("ALTER TABLE agents ADD CONSTRAINT no_evil CHECK (display_name <> 'evil')")
    arena.namespace.agent("evil", "x", displayName="evil")
    for n in range(5):
        arena.namespace.agent(f"good-{n}", "x")
    wait_until("the others are there", lambda: arena.rows.one("SELECT count(*) FROM agents WHERE owner = 'x'") == 5)
    seen("it is told", lambda: arena.server.metric("rl_arena_mirror_refused_objects") == 1)
    assert "refuses a row" in arena.server.words()
    arena.namespace.patch("agents", "evil", {"spec": {"displayName": "good"}})
    arena.level()


# ---- the finalizer ----


def test_a_match_is_kept_until_it_is_mirrored(arena: Arena, postgres: Postgres) -> None:
    match = arena.match()
    name, uid = match["metadata"]["name"], match["metadata"]["uid"]
    wait_until("it has the finalizer", lambda: arena.finalizers(match) == [FINALIZER])
    arena.level()
    postgres.stop()
    try:
        arena.namespace.play(name, 0)
        arena.namespace.delete("matches", name)
        time.sleep(1.5)
        assert arena.finalizers(match) == [FINALIZER]  # PostgreSQL does not know how it ended
    finally:
        postgres.start()
    wait_until("it is gone", lambda: name not in [m["metadata"]["name"] for m in arena.namespace.list("matches")])
    wait_until("its row is marked", lambda: (arena.rows.row("matches", uid) or (0, False))[1])
    assert arena.rows.one("SELECT status || winner FROM matches WHERE id = %s", uid) == "completed1"


def test_a_match_that_came_and_went_while_the_mirror_was_away(arena: Arena) -> None:
    """As the matchmaker makes it: it has the finalizer before any mirror has seen it."""
    arena.level()
    arena.server.kill()
    match = arena.match(finalizers=[FINALIZER])
    name, uid = match["metadata"]["name"], match["metadata"]["uid"]
    arena.namespace.play(name, 1)
    arena.namespace.delete("matches", name)
    arena.server.start()
    wait_until("it is gone", lambda: name not in [m["metadata"]["name"] for m in arena.namespace.list("matches")])
    wait_until("its row is marked", lambda: (arena.rows.row("matches", uid) or (0, False))[1])
    assert arena.rows.one("SELECT status || winner FROM matches WHERE id = %s", uid) == "completed2"


def test_other_finalizers_stay(arena: Arena) -> None:
    match = arena.match(finalizers=["example.com/first", "example.com/second"])
    name = match["metadata"]["name"]
    wait_until("it has ours", lambda: FINALIZER in arena.finalizers(match))
    arena.namespace.delete("matches", name)
    wait_until("ours is gone", lambda: arena.finalizers(match) == ["example.com/first", "example.com/second"])
    arena.namespace.patch("matches", name, {"metadata": {"finalizers": None}})
    arena.level()


def test_a_finished_match_is_not_touched(arena: Arena) -> None:
    arena.server.stop()
    match = arena.match()
    arena.namespace.play(match["metadata"]["name"], None)
    before = arena.namespace.get("matches", match["metadata"]["name"])["metadata"]["resourceVersion"]
    arena.server.start()
    arena.level()
    assert arena.namespace.get("matches", match["metadata"]["name"])["metadata"]["resourceVersion"] == before


def test_many_matches_end_and_go(arena: Arena) -> None:
    """As with a TTL: nothing is lost, nothing stays."""
    made = [arena.match() for _ in range(30)]
    for one in made:
        arena.namespace.play(one["metadata"]["name"], 1)
        arena.namespace.delete("matches", one["metadata"]["name"])
    wait_until("all are gone", lambda: not arena.namespace.list("matches"))
    wait_until("all are history", lambda: arena.rows.all("SELECT * FROM matches WHERE vanished_at IS NULL") == [])
    counted = "SELECT status, winner, count(*) FROM matches GROUP BY status, winner"
    assert arena.rows.all(counted) == [("completed", 2, 30)]


# ---- a restored etcd ----


def test_etcd_restored_from_a_backup(arena: Arena) -> None:
    """PostgreSQL knows of what etcd has forgotten; the page says what to do."""
    arena.match()
    arena.level()
    arena.server.stop()
    backup = arena.rows.one("SELECT now()")
    with connect(arena.rows.url) as c:
        for table in TABLES.values():
            c.execute(f"UPDATE {table} SET resource_version = resource_version + 1000000000")  # noqa: S608
        c.execute("UPDATE agents SET description = 'Since then.' WHERE object_name = 'alpha'")
        c.execute("UPDATE agents SET vanished_at = now() WHERE object_name = 'beta'")
        c.execute(
            "INSERT INTO agents"
            " (id, object_name, owner, display_name, environment, elo, created_at, resource_version)"
            " VALUES (gen_random_uuid(), 'gamma', 'x', 'x', 'pong', 1500, now() + interval '1 second', 2000000000)"
        )
    arena.server.start()
    time.sleep(1)
    assert arena.rows.one("SELECT description FROM agents WHERE object_name = 'alpha'") == "Since then."
    arena.server.stop()
    page = (ROOT / "docs" / "reliability.md").read_text()
    statement = page.partition("```sql\n")[2].partition("```")[0]
    assert "'2026-01-02 03:04:05+00'" in statement
    with connect(arena.rows.url) as c:
        c.execute(statement.replace("2026-01-02 03:04:05+00", str(backup)))
    arena.server.start()
    arena.level()
    assert arena.rows.one("SELECT description FROM agents WHERE object_name = 'alpha'") == ""
    gone = arena.rows.all("SELECT object_name FROM agents WHERE vanished_at IS NOT NULL")
    assert gone == [("gamma",)]


# ---- two replicas ----


def test_another_replica_takes_over(arena: Arena, start_server: StartServer) -> None:
    arena.level()
    second = start_server(arena.rows.url, arena.namespace)
    assert second.metric("leader_election_master_status") == 0
    arena.server.stop()  # gives the lease up
    wait_until("the second leads", lambda: second.metric("leader_election_master_status") == 1)
    arena.namespace.patch("agents", "alpha", {"spec": {"description": "By the second."}})
    arena.level()
    arena.server.start()
    second.kill()  # gives nothing up: the lease has to end
    arena.namespace.patch("agents", "alpha", {"spec": {"description": "By the first again."}})
    arena.level()


def test_a_writer_that_slept_through_its_lease(arena: Arena, start_server: StartServer) -> None:
    import signal

    arena.level()
    second = start_server(arena.rows.url, arena.namespace)
    assert arena.server.process is not None
    arena.server.process.send_signal(signal.SIGSTOP)
    try:
        wait_until("the second leads", lambda: second.metric("leader_election_master_status") == 1)
        match = arena.match()
        arena.namespace.play(match["metadata"]["name"], 0)
    finally:
        arena.server.process.send_signal(signal.SIGCONT)
    arena.level()
    seen("the first has noticed", lambda: arena.server.metric("leader_election_master_status") == 0)
    assert arena.server.metric("leader_election_master_status") + second.metric("leader_election_master_status") == 1
    arena.level()


def test_events_end_after_a_while(arena: Arena) -> None:
    """Old ones go, from the oldest on; the newest stays whatever its age."""
    for _ in range(3):
        arena.match()
    arena.level()
    with connect(arena.rows.url) as c:
        c.execute("UPDATE events SET created_at = now() - interval '1 hour'")
        newest = c.execute("SELECT max(id) FROM events").fetchone()
        assert newest is not None
    arena.server.stop()
    arena.server.start()  # the writer begins with it
    wait_until("they are gone", lambda: arena.rows.one("SELECT count(*) FROM events") == 1)
    assert arena.rows.one("SELECT min(id) FROM events") == newest[0]
