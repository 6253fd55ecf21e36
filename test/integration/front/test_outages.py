"""What is answered while PostgreSQL or the API server is away, or the arena is read-only."""

from __future__ import annotations

import concurrent.futures
import itertools
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
import requests

from .blobs import AGENT, finish, submission_of, submit, taken
from .plane import Plane
from .postgres import Postgres, connect, free_port
from .server import ApiServer, Client, seen
from .test_accounts import refused
from .test_agents import NOWHERE, make, ready

Start = Callable[..., ApiServer]
PRIVATE = ("build-status", "build-logs", "scan")


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
    submission = one.get(f"/submissions/agent/{agent['id']}").json()["submissions"][0]["id"]
    for answer in (
        submit(reader, agent["id"], "a.py", AGENT),
        reader.put(f"/submissions/{submission}/activate"),
        reader.post(f"/submissions/{submission}/rebuild"),
    ):
        refused(answer, 503, "read-only")
    assert still.register().get("/users/me").status_code == 200  # accounts are the front's own


class Early(ApiServer):
    """One that is not waited for until it is ready."""

    def is_ready(self) -> bool:
        try:
            return bool(requests.get(f"{self.url}/healthz", timeout=5).status_code == 200)
        except requests.RequestException:
            return False

    def waits_for(self, words: str) -> None:
        def look() -> bool:
            answer = requests.get(f"{self.url}/readyz", timeout=5)
            away(answer)
            return words in answer.json()["message"]

        for _ in range(3):
            seen(f"it waits for {words}", look)


def test_it_is_not_ready_before_its_first_copy(
    plane: Plane, postgres: Postgres, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The API server has not been reached yet: there is nothing to show."""
    namespace, real = plane.namespace(), plane.control.port
    plane.control.port = free_port()  # nobody is there
    try:
        server = Early(tmp_path_factory.mktemp("early"), postgres.database(), namespace)
    finally:
        plane.control.port = real
    try:
        server.waits_for("mirror")
    finally:
        server.stop()


def test_it_is_not_ready_before_its_migrations(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Another replica is at them, and takes its time."""
    database = postgres.database(migrated=False)
    with connect(database) as c, c.transaction():
        c.execute("SELECT pg_advisory_xact_lock(7361421)")
        server = Early(tmp_path_factory.mktemp("early"), database, None)
        try:
            server.waits_for("up to date")
        except BaseException:
            server.kill()
            raise
    seen("it is ready", lambda: requests.get(f"{server.url}/readyz", timeout=5).status_code == 200)
    server.stop()


def test_postgresql_away(plane: Plane, start_server: Start) -> None:
    server_of_its_own = Postgres()
    try:
        namespace = plane.namespace()
        server = start_server(server_of_its_own.database(), namespace)
        one = server.register()
        agent = make(one)
        server_of_its_own.stop()
        anyone = server.client()
        body = {"username": "late-comer", "email": "late@example.com", "password": "correct horse"}
        passwords = {"oldPassword": "correct horse", "newPassword": "battery staple"}
        public = [
            "/agents", f"/agents/{agent['id']}", f"/agents/{agent['id']}/stats", "/leaderboard", "/environments",
            "/queue/pong", "/matches", f"/matches/{NOWHERE}", "/matches/replays", f"/matches/{NOWHERE}/replay",
            f"/submissions/agent/{agent['id']}", f"/submissions/{NOWHERE}",
        ]  # fmt: skip
        own = ["/users/me", "/agents/my", *(f"/submissions/{NOWHERE}/{what}" for what in PRIVATE)]
        asked: list[tuple[Client, str, str, Any]] = [
            *((anyone, "GET", path, None) for path in public),
            *((one, "GET", path, None) for path in own),
            (anyone, "POST", "/auth/login", {"email": one.name, "password": "correct horse"}),
            (anyone, "POST", "/auth/register", body),
            (one, "POST", "/auth/password", passwords),
            (one, "PUT", "/users/me", {"fullName": "Nobody"}),
            (one, "POST", "/agents", {"name": "Lost", "environmentId": "pong"}),
        ]

        def ask(request: tuple[Client, str, str, Any]) -> Any:
            who, method, path, content = request
            return server.again(who).request(method, path, json=content)

        # Together: for each, the front looks out for PostgreSQL for some seconds.
        with concurrent.futures.ThreadPoolExecutor(len(asked)) as pool:
            for answer in pool.map(ask, asked):
                away(answer)
        server_of_its_own.start()
        seen("reads are back", lambda: anyone.get(f"/agents/{agent['id']}").status_code == 200)
        assert anyone.post("/auth/register", body).status_code == 201
        assert make(one, "Found")["name"] == "Found"
        assert one.get("/agents/my").json()["total"] == 2
    finally:
        server_of_its_own.close()


def test_postgresql_comes_and_goes_amid_writes(plane: Plane, start_server: Start) -> None:
    """On two replicas. Each write is answered with 201, and is there, or with 503; in the end all that the API server
    took is shown, and nothing twice."""
    own = Postgres()
    try:
        namespace, database = plane.namespace(), own.database()
        servers = [start_server(database, namespace) for _ in range(2)]
        people = [servers[0].register() for _ in range(4)]
        for number, person in enumerate(people):  # known at their replica: who they are is not to be asked again
            make(servers[number % 2].again(person), "First")
        stop, anyone = threading.Event(), servers[1].client()
        answers: list[dict[str, Any]] = [{} for _ in people]

        def write(number: int) -> None:
            client = servers[number % 2].again(people[number])
            for n in itertools.count():
                if stop.is_set():
                    return
                name = f"Agent {n}"
                answers[number][name] = client.post("/agents", {"name": name, "environmentId": "pong"})
                time.sleep(0.02)

        writers = [threading.Thread(target=write, args=(number,)) for number in range(len(people))]
        for one in writers:
            one.start()
        try:
            for mode in ("fast", "immediate"):
                time.sleep(1)
                own.stop(mode)
                time.sleep(1)
                own.start()
                seen("reads are back", lambda: anyone.get("/agents").status_code == 200)
            time.sleep(1)
        finally:
            stop.set()
            for one in writers:
                one.join()
        codes = [answer.status_code for each in answers for answer in each.values()]
        assert set(codes) == {201, 503}, {code: codes.count(code) for code in codes}
        for each in answers:
            for answer in each.values():
                if answer.status_code == 503:
                    away(answer)
        for number, person in enumerate(people):
            objects = [item for item in namespace.list("agents") if item["spec"]["owner"] == person.name]
            made = [item["spec"]["displayName"] for item in objects]
            promised = {name for name, answer in answers[number].items() if answer.status_code == 201}
            assert len(made) == len(set(made)) and promised <= set(made)
            for server in servers:
                client = server.again(person)

                def is_shown(client: Client = client, made: list[str] = made) -> bool:
                    mine = client.get("/agents/my").json()
                    return mine["total"] == len(made) and sorted(a["name"] for a in mine["agents"]) == sorted(made)

                seen("all of them are shown", is_shown)
    finally:
        own.close()


def test_the_api_server_away(plane: Plane, postgres: Postgres, start_server: Start) -> None:
    namespace = plane.namespace()
    server = start_server(postgres.database(), namespace)
    one = server.register()
    agent = make(one)
    player, other = ready(namespace, one, make(one)), ready(namespace, one, make(one))
    failed = taken(submit(one, agent["id"], "a.py", AGENT))
    finish(namespace, failed, "Failed")
    submission_of(one, failed, status="build_failed")
    active = one.get(f"/submissions/agent/{player['id']}").json()["submissions"][0]["id"]
    agent = one.get(f"/agents/{agent['id']}").json()["agent"]
    plane.control.kill("apiserver")
    try:
        away(one.post("/matches", {"agent1Id": player["id"], "agent2Id": other["id"]}))
        away(submit(one, agent["id"], "a.py", AGENT))
        away(one.put(f"/submissions/{active}/activate"))
        away(one.post(f"/submissions/{failed['id']}/rebuild"))
        away(one.post(f"/agents/{player['id']}/dequeue"))
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
    # What was refused has left nothing behind, and can be asked for again.
    assert namespace.list("matches") == [] and len(namespace.list("submissions")) == 3
    assert one.post(f"/submissions/{failed['id']}/rebuild").status_code == 201
    assert submit(one, agent["id"], "a.py", AGENT).status_code == 201


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
