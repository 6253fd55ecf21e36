"""WebSockets: who hears what, on which replica, and what was missed."""

from __future__ import annotations

import contextlib
import json
import secrets
import socket
import time
from collections.abc import Callable
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from .live import live
from .plane import Namespace
from .postgres import Postgres, connect
from .server import ApiServer, Client, seen

StartServer = Callable[..., ApiServer]


def agent_of(client: Client, name: str) -> dict[str, Any]:
    answer = client.post("/agents", {"name": name, "environmentId": "pong"})
    assert answer.status_code == 201, answer.text
    return dict(answer.json()["agent"])


def object_of(namespace: Namespace, agent: dict[str, Any]) -> str:
    return str(namespace.by_uid("agents", agent["id"])["metadata"]["name"])


def pair(server: ApiServer, namespace: Namespace) -> tuple[Client, Client, dict[str, Any], dict[str, Any]]:
    """Two people with an agent each, ready to play."""
    one, two = server.register(), server.register()
    first, second = agent_of(one, "first"), agent_of(two, "second")
    for each in (first, second):
        namespace.ready(each["id"])
    return one, two, first, second


def match_of(server: ApiServer, namespace: Namespace, first: dict[str, Any], second: dict[str, Any]) -> str:
    """Made by somebody with kubectl; its id, when the mirror has it."""
    sides = [{"agent": object_of(namespace, one)} for one in (first, second)]
    made = namespace.create("matches", f"m-{secrets.token_hex(6)}", {"environment": "pong", "participants": sides})
    uid = str(made["metadata"]["uid"])
    seen("it is mirrored", lambda: server.client().get(f"/matches/{uid}").status_code == 200)
    return uid


# ---- who is it ----


def test_ways_to_say_who_it_is(server: ApiServer) -> None:
    one = server.register()
    assert one.token is not None
    with live(server.url, one.token) as by_query:
        assert by_query.expect("connected", username=one.name)["payload"]["userId"] == one.user["id"]
    with live(server.url, additional_headers={"Authorization": f"Bearer {one.token}"}) as by_header:
        by_header.expect("connected", username=one.name)
    with live(server.url) as by_message:
        by_message.say(type="subscribe", topics=["queue:pong"])
        by_message.expect("error", error="unauthorized")
        by_message.say(type="auth", token=one.token)
        by_message.expect("authenticated", username=one.name)
    with live(server.url) as forged:
        forged.say(type="auth", token=one.token[:-2] + "xx")
        assert forged.closed() == 4001
    with pytest.raises(InvalidStatus):
        with live(server.url, "no-token"):
            pass


def test_who_says_nothing_goes(server: ApiServer) -> None:
    with live(server.url) as silent:
        assert silent.closed() == 4001


def test_password_change_ends_connections_on_every_replica(servers: list[ApiServer]) -> None:
    one, other = servers[0].register(), servers[0].register()
    with (
        live(servers[0].url, one.token) as here,
        live(servers[1].url, one.token) as there,
        live(servers[1].url, other.token) as unconcerned,
    ):
        for each in (here, there, unconcerned):
            each.expect("connected")
        assert one.put("/users/me", {"fullName": "The One"}).status_code == 200
        body = {"oldPassword": "correct horse", "newPassword": "battery staple"}
        answer = one.post("/auth/password", body)
        assert answer.status_code == 200, answer.text
        assert here.closed() == 4001
        assert there.closed() == 4001
        unconcerned.now()
    with live(servers[1].url, answer.json()["token"]) as anew:
        anew.expect("connected")


# ---- who hears what ----


def test_a_match_is_told_on_every_replica(servers: list[ApiServer], namespace: Namespace) -> None:
    one, two, first, second = pair(servers[0], namespace)
    stranger = servers[0].register()
    with (
        live(servers[0].url, one.token) as mine,
        live(servers[1].url, one.token) as mine_too,
        live(servers[1].url, two.token) as theirs,
        live(servers[1].url, stranger.token) as watching,
        live(servers[0].url, stranger.token) as elsewhere,
    ):
        watching.subscribe(f"leaderboard:{first['environmentId']}", "queue:pong")
        elsewhere.expect("connected")
        answer = one.post("/matches", {"agent1Id": first["id"], "agent2Id": second["id"]})
        assert answer.status_code in (201, 202), answer.text
        match = answer.json()["match"]
        for each in (mine, mine_too, theirs):
            assert each.expect("match_created", id=match["id"])["payload"]["status"] == "pending"
            each.expect("match:update", id=match["id"])
        watching.subscribe(f"match:{match['id']}")
        name = namespace.by_uid("matches", match["id"])["metadata"]["name"]
        running = {"phase": "Running", "attempt": 1, "startTime": "2026-01-02T03:04:05Z"}
        namespace.status("matches", name, running)
        for each in (mine, mine_too, theirs, watching):
            each.expect("match_started", id=match["id"])
        namespace.play(name, 0)
        for each in (mine, mine_too, theirs, watching):
            frame = each.expect("match_completed", id=match["id"])
            # Who reads on an event sees it, on any replica.
            for server in servers:
                shown = server.client().get(f"/matches/{match['id']}").json()["match"]
                assert (shown["status"], shown["winnerId"]) == ("completed", first["id"])
            assert frame["payload"]["winnerId"] == first["id"]
        assert elsewhere.now("match_completed") == []
        namespace.ready(first["id"], elo=1600, wins=1)
        rows = watching.expect("leaderboard_update")["payload"]["rows"]
        assert [(row["id"], row["elo"]) for row in rows] == [(first["id"], 1600)]
        watching.expect("leaderboard:update")


def test_builds_are_private(servers: list[ApiServer], namespace: Namespace) -> None:
    one, two = servers[0].register(), servers[0].register()
    agent = agent_of(one, "mine")
    with live(servers[1].url, one.token) as mine, live(servers[1].url, two.token) as others:
        spec = {"agent": object_of(namespace, agent), "source": {"inline": {"files": {"agent.py": "x = 1"}}}}
        made = namespace.create("submissions", f"{one.name}-s1", spec)
        frame = mine.expect("build_status", submissionId=made["metadata"]["uid"], status="pending")
        assert frame["payload"]["agentId"] == agent["id"]
        mine.expect("submission:status", submissionId=made["metadata"]["uid"], status="pending")
        namespace.status("submissions", made["metadata"]["name"], {"phase": "Building", "version": 1})
        mine.expect("build_status", submissionId=made["metadata"]["uid"], status="building")
        others.say(type="subscribe", topics=[f"build:{made['metadata']['uid']}"])
        others.expect("error", error="not_found")
        assert [f for f in others.now() if f["type"].startswith(("build", "submission"))] == []


def test_queue_is_told_to_topic_and_owner(servers: list[ApiServer], namespace: Namespace) -> None:
    one, stranger = servers[0].register(), servers[0].register()
    agent = agent_of(one, "mine")
    with live(servers[0].url, one.token) as mine, live(servers[1].url, stranger.token) as watching:
        watching.subscribe("queue:pong")
        namespace.ready(agent["id"])
        mine.expect("queue_update", agentId=agent["id"], state="waiting")
        assert "agentId" not in watching.expect("queue_update")["payload"]


def test_topics_that_do_not_exist(server: ApiServer) -> None:
    one = server.register()
    with live(server.url, one.token) as c:
        for topic in ("match:00000000-0000-0000-0000-000000000000", "queue:chess", "leaderboard:chess"):
            c.say(type="subscribe", topics=[topic])
            c.expect("error", error="not_found", topic=topic)
        c.say(type="subscribe", topics=["nonsense"])
        c.expect("error", error="invalid")
        c.socket.send("{")
        c.expect("error", error="invalid")
        c.subscribe("queue:pong")
        c.say(type="unsubscribe", topics=["queue:pong"])
        assert c.expect("unsubscribed")["payload"]["topics"] == ["queue:pong"]


# ---- what was missed ----


def test_resume(servers: list[ApiServer], namespace: Namespace) -> None:
    one, two, first, second = pair(servers[0], namespace)
    with live(servers[0].url, one.token) as c:
        since = c.expect("connected")["id"]
    ids = [match_of(servers[0], namespace, first, second) for _ in range(3)]
    with live(servers[1].url, one.token, since) as c:  # at another replica
        assert [c.expect("match_created")["payload"]["id"] for _ in ids] == ids
        c.heard("resumed", since=since)
        assert len({f["id"] for f in c.now("match_created")}) == len(ids)
        late = match_of(servers[0], namespace, first, second)
        assert c.expect("match_created")["payload"]["id"] == late
        last = c.last_id()
    with live(servers[0].url, one.token, last) as c:
        c.expect("resumed")
        assert c.now("match_created") == []
    # Topics too, with the `since` of the connection or one of their own; what is private comes by itself.
    with live(servers[0].url, two.token) as c:
        c.expect("connected")
        c.subscribe(f"match:{ids[0]}", since=since)
        c.expect("resumed", since=since)
        assert c.now("match_created") == []
    watcher = servers[0].register()
    with live(servers[1].url, watcher.token, since) as c:
        c.expect("resumed")
        c.subscribe(f"match:{ids[0]}")
        c.expect("match_created", id=ids[0])
        c.expect("resumed")


def test_resume_by_the_auth_message(server: ApiServer, namespace: Namespace) -> None:
    one, _, first, second = pair(server, namespace)
    with live(server.url, one.token) as c:
        since = c.expect("connected")["id"]
    match = match_of(server, namespace, first, second)
    with live(server.url) as c:
        c.say(type="auth", token=one.token, since=since)
        c.expect("authenticated")
        # What a transaction under way holds back comes after the word that all before was told, as what is new does.
        c.heard("match_created", id=match)
        c.heard("resumed", since=since)


def test_what_can_not_be_resumed_is_said(start_server: StartServer, postgres: Postgres) -> None:
    database = postgres.database()
    server = start_server(database)
    one = server.register()
    with connect(database) as c:
        c.execute("INSERT INTO events (type, usernames, payload) SELECT 'old', '{}', '{}' FROM generate_series(1, 50)")
        c.execute("DELETE FROM events WHERE id <= 40")
        oldest, newest = c.execute("SELECT min(id), max(id) FROM events").fetchone() or (0, 0)
    for since in (oldest - 2, newest + 1000):
        with live(server.url, one.token, since) as ws:
            payload = ws.expect("resume_failed")["payload"]
            assert (payload["since"], payload["oldest"], payload["latest"]) == (since, oldest, newest)
            with connect(database) as c:
                c.execute("INSERT INTO events (type, usernames, payload) VALUES ('new', %s, '{}')", ([one.name],))
            ws.expect("new")  # goes on from now
            newest += 1
    with live(server.url, one.token, oldest - 1) as ws:
        assert len([ws.expect("new") for _ in range(2)]) == 2
        ws.expect("resumed")


def test_a_long_absence_comes_in_pages(start_server: StartServer, postgres: Postgres) -> None:
    database = postgres.database()
    server = start_server(database)
    one = server.register()
    with connect(database) as c:
        c.execute(
            "INSERT INTO events (type, usernames, payload)"
            " SELECT 'news', %s, jsonb_build_object('n', n, 'x', repeat('x', 900)) FROM generate_series(1, 3000) n",
            ([one.name],),
        )
    with live(server.url, one.token, 0) as ws:
        with connect(database) as c:
            insert = "INSERT INTO events (type, usernames, payload) VALUES (%s, %s, %s)"
            c.execute(insert, ("news", [one.name], '{"n": 3001}'))
        ws.expect("resumed")
        seen("the last one", lambda: ws.now("news")[-1]["payload"]["n"] == 3001)
        assert [f["payload"]["n"] for f in ws.now("news")] == list(range(1, 3002))


# ---- readers that do not read ----


def raw_socket(server: ApiServer, token: str) -> socket.socket:
    """A client that has shaken hands and reads nothing any more, with as little room as the kernel gives."""
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    s.connect(("127.0.0.1", server.port))
    s.sendall(
        f"GET /api/v1/ws?token={token} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
    )
    assert b" 101 " in s.recv(200)
    return s


def test_readers_that_never_read(start_server: StartServer, postgres: Postgres) -> None:
    database = postgres.database()
    # A sanitizer would hold on to what was freed.
    server = start_server(database, ASAN_OPTIONS="quarantine_size_mb=1")
    slow, quick = server.register(), server.register()
    assert slow.token
    dead = [raw_socket(server, slow.token) for _ in range(5)]
    before = memory_of(server)
    with live(server.url, quick.token) as ws:
        ws.expect("connected")
        with connect(database) as c:
            for n in range(200):
                c.execute(
                    "INSERT INTO events (type, usernames, payload)"
                    " SELECT 'news', %s, jsonb_build_object('x', repeat('x', 10000)) FROM generate_series(1, 10)",
                    ([slow.name, quick.name],),
                )
                ws.wait("them", lambda count=10 * (n + 1): len(ws.frames) > count)  # type: ignore[misc]
        assert ws.code is None
    seen("they are dropped", lambda: server.metric("rl_arena_websocket_dropped_total") == 5)
    words = [json.loads(line) for line in server.words(10**8).splitlines() if "too slow" in line]
    assert len(words) == 5 and words[0]["user"] == slow.name
    # 20 MB were sent to each of five: none of it is kept.
    assert memory_of(server) - before < 30_000_000
    seen("they are gone", lambda: server.metric("rl_arena_websocket_connections") == 0, 120)
    for one in dead:
        one.close()


def memory_of(server: ApiServer) -> int:
    return int(server.metric("process_resident_memory_bytes"))


def test_one_who_is_slow_for_a_while_is_kept(start_server: StartServer, postgres: Postgres) -> None:
    database = postgres.database()
    server = start_server(database)
    one = server.register()
    assert one.token
    s = raw_socket(server, one.token)
    with connect(database) as c:
        c.execute(
            "INSERT INTO events (type, usernames, payload)"
            " SELECT 'news', %s, jsonb_build_object('n', n, 'x', repeat('x', 1000)) FROM generate_series(1, 100) n",
            ([one.name],),
        )
    time.sleep(1)
    text = b""
    s.settimeout(60)
    while b'"n": 100' not in text:
        part = s.recv(65536)
        assert part
        text += part
    assert text.count(b'"type":"news"') == 100
    s.close()


def test_too_many_connections_of_one(server: ApiServer) -> None:
    one = server.register()
    assert one.token
    many = [raw_socket(server, one.token) for _ in range(20)]
    with live(server.url, one.token) as late:
        assert late.closed() == 1013
    many.pop().close()
    with live(server.url, one.token) as late:
        seen("there is room", lambda: late.code is not None or late.now("connected"))
    for s in many:
        s.close()


def test_one_who_talks_without_end_is_sent_away(server: ApiServer) -> None:
    one = server.register()
    with live(server.url, one.token) as c:
        with contextlib.suppress(ConnectionClosed):
            for _ in range(300):
                c.say(type="ping")
        assert c.closed() == 4029


# ---- PostgreSQL away ----


def test_postgresql_is_away(start_server: StartServer, postgres: Postgres) -> None:
    database = postgres.database()
    server = start_server(database)
    one = server.register()
    with live(server.url, one.token) as ws:
        since = ws.expect("connected")["id"]
        postgres.stop("immediate")
        ws.say(type="ping")
        ws.expect("pong")
        postgres.start()
        with connect(database) as c:
            c.execute("INSERT INTO events (type, usernames, payload) VALUES ('after', %s, '{}')", ([one.name],))
        ws.expect("after")
    with live(server.url, one.token, since) as ws:
        ws.expect("after")
        ws.expect("resumed")
