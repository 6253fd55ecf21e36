"""What is answered while PostgreSQL or the API server is away, or the arena is read-only."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from typing import Any

from .plane import Plane
from .postgres import Postgres
from .server import ApiServer, seen
from .test_accounts import refused
from .test_agents import make, ready

Start = Callable[..., ApiServer]


def away(answer: Any) -> None:
    refused(answer, 503)
    assert int(answer.headers["Retry-After"]) > 0


def test_a_read_only_arena_shows_and_takes_nothing(plane: Plane, postgres: Postgres, start_server: Start) -> None:
    namespace, database = plane.namespace(), postgres.database()
    full = start_server(database, namespace)
    one = full.register()
    agent, second = ready(namespace, one, make(one)), ready(namespace, one, make(one))
    still = start_server(database)
    reader = still.again(one)
    assert reader.get(f"/agents/{agent['id']}").json()["agent"]["name"] == agent["name"]
    assert reader.get("/users/me").status_code == 200
    pair = {"agent1Id": agent["id"], "agent2Id": second["id"]}
    for answer in (
        reader.post("/agents", {"name": "x", "environmentId": "pong"}),
        reader.put(f"/agents/{agent['id']}", {"name": "x"}),
        reader.delete(f"/agents/{agent['id']}"),
        reader.post(f"/agents/{agent['id']}/enqueue"),
        reader.post(f"/agents/{agent['id']}/dequeue"),
        reader.post("/matches", pair),
    ):
        refused(answer, 503, "read-only")
    assert still.register().get("/users/me").status_code == 200  # accounts are the front's own


def test_postgresql_away(plane: Plane, start_server: Start) -> None:
    server_of_its_own = Postgres()
    try:
        namespace = plane.namespace()
        server = start_server(server_of_its_own.database(), namespace)
        one = server.register()
        agent = make(one)
        server_of_its_own.stop()
        anyone = server.client()
        for path in ("/agents", f"/agents/{agent['id']}", "/leaderboard", "/environments", "/matches", "/queue/pong"):
            away(anyone.get(path))
        away(anyone.post("/auth/login", {"email": one.name, "password": "correct horse"}))
        body = {"username": "late-comer", "email": "late@example.com", "password": "correct horse"}
        away(anyone.post("/auth/register", body))
        away(one.post("/agents", {"name": "Lost", "environmentId": "pong"}))
        server_of_its_own.start()
        seen("reads are back", lambda: anyone.get(f"/agents/{agent['id']}").status_code == 200)
        assert anyone.post("/auth/register", body).status_code == 201
        assert make(one, "Found")["name"] == "Found"
        assert one.get("/agents/my").json()["total"] == 2
    finally:
        server_of_its_own.close()


def test_the_api_server_away(plane: Plane, postgres: Postgres, start_server: Start) -> None:
    namespace = plane.namespace()
    server = start_server(postgres.database(), namespace)
    one = server.register()
    agent = make(one)
    plane.control.kill("apiserver")
    try:
        away(one.post("/agents", {"name": "Stranded", "environmentId": "pong"}))
        away(one.put(f"/agents/{agent['id']}", {"name": "Stranded"}))
        away(one.delete(f"/agents/{agent['id']}"))
        assert one.get(f"/agents/{agent['id']}").json()["agent"] == agent  # reads go on
        assert one.put("/users/me", {"fullName": "Still here"}).status_code == 200
    finally:
        plane.control.start_apiserver()
    assert one.get(f"/agents/{agent['id']}").status_code == 200
    made = seen(
        "writes are back", lambda: one.post("/agents", {"name": "Stranded", "environmentId": "pong"}).status_code == 201
    )
    assert made
    assert [item["spec"]["displayName"] for item in namespace.list("agents")].count("Stranded") == 1


def test_a_lost_answer_makes_nothing_twice(plane: Plane, postgres: Postgres, start_server: Start) -> None:
    """The API server carries a write out and its answer is lost: it is sent again and finds itself."""
    namespace = plane.namespace()
    cut = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))

    def pump(source: socket.socket, sink: socket.socket, answers: bool) -> None:
        try:
            while data := source.recv(65536):
                if answers and cut.is_set():
                    break  # what came back is thrown away
                sink.sendall(data)
        except OSError:
            pass
        finally:
            for one in (source, sink):
                try:
                    one.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def serve() -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", real))
            for arguments in ((near, far, False), (far, near, True)):
                threading.Thread(target=pump, args=arguments, daemon=True).start()

    real = plane.control.port
    threading.Thread(target=serve, daemon=True).start()
    plane.control.port = listener.getsockname()[1]
    try:
        server = start_server(postgres.database(), namespace)
    finally:
        plane.control.port = real
    one = server.register()
    agent = ready(namespace, one, make(one))
    second = ready(namespace, one, make(one))

    def lose_one_answer(send: Callable[[], Any]) -> Any:
        cut.set()
        threading.Timer(0.15, cut.clear).start()  # before it is sent again, 300 ms later
        return send()

    answer = lose_one_answer(lambda: one.post("/agents", {"name": "Once", "environmentId": "pong"}))
    assert answer.status_code in (201, 503), answer.text
    assert [item["spec"]["displayName"] for item in namespace.list("agents")].count("Once") == 1
    pair = {"agent1Id": agent["id"], "agent2Id": second["id"]}
    answer = lose_one_answer(lambda: one.post("/matches", pair, headers={"Idempotency-Key": "k"}))
    if answer.status_code != 201:  # the way was cut for longer than two tries take: asked again, it is the same match
        answer = one.post("/matches", pair, headers={"Idempotency-Key": "k"})
    assert answer.status_code == 201, answer.text
    assert len(namespace.list("matches")) == 1
    listener.close()
