"""Reads give what PostgreSQL has at that moment, on every replica, though answers are kept while nothing changes."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from .postgres import Postgres, connect
from .server import ApiServer

StartServer = Callable[..., ApiServer]
AGENTS = 4


@pytest.fixture
def replicas(postgres: Postgres, start_server: StartServer) -> tuple[str, list[ApiServer]]:
    """Two, over a database with some agents."""
    database = postgres.database()
    with connect(database) as c:
        c.execute(
            "INSERT INTO environments (id, name, display_name, ready, created_at, resource_version)"
            " VALUES (gen_random_uuid(), 'pong', 'Pong', true, now(), 1)"
        )
        c.execute(
            "INSERT INTO agents (id, object_name, owner, display_name, environment, elo, active_submission, created_at,"
            " resource_version) SELECT gen_random_uuid(), 'agent-' || n, 'nobody', 'agent-' || n, 'pong', 1000 + n,"
            " 'agent-' || n || '-1', now(), n FROM generate_series(1, %s) n",
            (AGENTS,),
        )
    return database, [start_server(database) for _ in range(2)]


def ratings(server: ApiServer) -> dict[str, int]:
    return {row["name"]: row["elo"] for row in server.client().get("/leaderboard").json()["leaderboard"]}


def test_a_commit_is_seen_by_every_later_read(replicas: tuple[str, list[ApiServer]]) -> None:
    database, servers = replicas
    with connect(database) as c:
        for elo in range(2000, 2050):
            c.execute("UPDATE agents SET elo = %s WHERE object_name = 'agent-1'", (elo,))
            for server in servers:
                assert ratings(server)["agent-1"] == elo


def test_transactions_that_end_in_any_order_are_each_seen_from_their_end_on(
    replicas: tuple[str, list[ApiServer]], postgres: Postgres
) -> None:
    database, servers = replicas
    dice = random.Random(8)
    # Changes of other lines: the triggers on agents would let one transaction at a time in.
    names = [f"person-{n}" for n in range(AGENTS)]
    people = [server.register(name) for name, server in zip(names, servers * 2, strict=True)]
    committed = dict.fromkeys(names, "")
    connections = [connect(database) for _ in names]
    open_values: dict[int, str] = {}
    for step in range(200):
        at = dice.randrange(AGENTS)
        if at not in open_values:
            open_values[at] = f"name {step}"
            connections[at].execute("BEGIN")
            update = "UPDATE users SET full_name = %s WHERE username = %s"
            connections[at].execute(update, (open_values[at], names[at]))
        elif dice.random() < 0.7:
            connections[at].execute("COMMIT")
            committed[names[at]] = open_values.pop(at)
        else:
            connections[at].execute("ROLLBACK")
            open_values.pop(at)
        for server in servers:
            for person in people:
                answer: dict[str, Any] = server.again(person).get("/users/me").json()
                assert (answer["user"]["fullName"] or "") == committed[person.name]
    for connection in connections:
        connection.close()


def test_an_answer_is_worked_out_once_while_nothing_changes(replicas: tuple[str, list[ApiServer]]) -> None:
    database, (server, _) = replicas
    first = server.client().get("/leaderboard")
    asked = server.metric("rl_arena_reads_total")
    for _ in range(20):
        again = server.client().get("/leaderboard")
        assert (again.content, again.headers["ETag"]) == (first.content, first.headers["ETag"])
    text = server.client().get("/leaderboard").headers["ETag"]
    assert server.metric("rl_arena_reads_total") == asked + 21
    calls = statement_calls(server, "leaderboard_all")
    assert calls == 1
    with connect(database) as c:
        c.execute("UPDATE agents SET elo = 3000 WHERE object_name = 'agent-2'")
    assert server.client().get("/leaderboard").headers["ETag"] != text
    assert statement_calls(server, "leaderboard_all") == 2


def statement_calls(server: ApiServer, statement: str) -> float:
    return server.metric(f'rl_arena_db_calls_total{{statement="{statement}",result="OK"}}')
