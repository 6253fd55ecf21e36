"""Logs of builds: kept as they are printed, each line once, and beyond their Pods."""

from __future__ import annotations

import itertools
import pathlib
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from .kubelet import Kubelet, pod_of, state_of
from .live import live
from .plane import Namespace, Plane, wait_until
from .postgres import Postgres, connect
from .server import ApiServer, Client

StartServer = Callable[..., ApiServer]
numbers = itertools.count(1)


class Build:
    """A submission whose build runs, with what its containers print."""

    def __init__(self, server: ApiServer, namespace: Namespace, kubelet: Kubelet) -> None:
        self.server, self.namespace, self.kubelet = server, namespace, kubelet
        self.owner: Client = server.register()
        answer = self.owner.post("/agents", {"name": "builder", "environmentId": "pong"})
        self.agent = namespace.by_uid("agents", answer.json()["agent"]["id"])["metadata"]["name"]
        self.submit()

    def submit(self) -> None:
        source = {"inline": {"files": {"agent.py": "x = 1"}}}
        name = f"{self.owner.name}-s{next(numbers)}"
        self.submission = self.namespace.create("submissions", name, {"agent": self.agent, "source": source})
        self.uid = self.submission["metadata"]["uid"]

    def pods(self, name: str = "") -> str:
        return f"/api/v1/namespaces/{self.namespace.name}/pods" + (f"/{name}" if name else "")

    def start(self, attempt: int = 1, component: str = "build") -> None:
        job = f"{self.submission['metadata']['name']}-{component}-{attempt}"
        containers = ["fetch", "build", "push"] if component == "build" else ["scan", "report"]
        pod = pod_of(job, component, self.submission, self.kubelet.name, containers)
        self.pod = self.namespace.plane.call("POST", self.pods(), pod)["metadata"]["name"]

    def states(self, *states: tuple[str, bool]) -> None:
        """(container, whether it runs), the last one being the Pod's main container or still to come."""
        same = {"image": "x", "imageID": "x", "ready": False, "restartCount": 0}
        statuses = [{"name": name, "state": state_of(running), **same} for name, running in states]
        init = [one for one in statuses if one["name"] in ("fetch", "build", "scan")]
        main = [one for one in statuses if one["name"] not in ("fetch", "build", "scan")]
        status = {"phase": "Running", "initContainerStatuses": init, "containerStatuses": main}
        self.namespace.plane.call("PATCH", self.pods(self.pod) + "/status", {"status": status})

    def stored(self, container: str = "build", attempt: int = 1) -> str:
        with connect(self.server.database) as c:
            rows = c.execute(
                "SELECT text FROM build_logs WHERE submission_id = %s AND container = %s AND attempt = %s"
                " ORDER BY number",
                (self.uid, container, attempt),
            ).fetchall()
        return "".join(row[0] for row in rows)

    def wait(self, lines: list[str], container: str = "build", attempt: int = 1) -> None:
        text = "".join(f"{line}\n" for line in lines)
        wait_until("the log is stored", lambda: len(self.stored(container, attempt)) >= len(text))
        assert self.stored(container, attempt) == text


@pytest.fixture
def kubelet(plane: Plane, tmp_path: pathlib.Path) -> Iterator[Kubelet]:
    one = Kubelet(plane, tmp_path, f"node-{next(numbers)}")
    yield one
    one.stop()


@pytest.fixture
def build(plane: Plane, postgres: Postgres, kubelet: Kubelet, start_server: StartServer) -> Build:
    namespace = plane.namespace()
    return Build(start_server(postgres.database(), namespace), namespace, kubelet)


def test_lines_are_kept_and_told(build: Build) -> None:
    build.start()
    build.states(("fetch", True))
    wait_until("it is mirrored", lambda: build.owner.get(f"/submissions/{build.uid}").status_code == 200)
    with live(build.server.url, build.owner.token) as ws:
        ws.subscribe(f"build:{build.uid}")
        build.kubelet.say(build.pod, "fetch", "fetching", "done")
        frame = ws.expect("build_log", submissionId=build.uid, container="fetch")
        lines = frame["payload"]["lines"]
        while len(lines) < 2:
            lines += ws.expect("build_log", container="fetch")["payload"]["lines"]
        assert lines == ["fetching", "done"]
        build.kubelet.end(build.pod, "fetch")
        build.states(("fetch", False), ("build", True))
        build.kubelet.say(build.pod, "build", "step 1", "", "step 3")
        ws.expect("build_log", container="build")
    build.wait(["fetching", "done"], "fetch")
    build.wait(["step 1", "", "step 3"])
    answer = build.owner.get(f"/submissions/{build.uid}/build-logs")
    assert answer.status_code == 200 and "step 3" in answer.text
    # Beyond the Pod.
    build.kubelet.end(build.pod, "build")
    build.namespace.plane.call("DELETE", build.pods(build.pod) + "?gracePeriodSeconds=0")
    assert "step 3" in build.owner.get(f"/submissions/{build.uid}/build-logs").text


def test_what_push_says_is_kept_behind_what_the_build_said(build: Build) -> None:
    build.start()
    build.kubelet.say(build.pod, "build", "built")
    build.kubelet.end(build.pod, "build")
    build.states(("fetch", False), ("build", False), ("push", True))
    build.kubelet.say(build.pod, "push", "the registry does not take it")
    build.wait(["the registry does not take it"], "push")
    build.wait(["built"])
    text = build.owner.get(f"/submissions/{build.uid}/build-logs").text
    assert 0 < text.index("built") < text.index("the registry does not take it")


def test_cuts_lose_and_double_nothing(build: Build) -> None:
    build.start()
    build.states(("fetch", False), ("build", True))
    expected = []
    for n in range(8):
        lines = [f"line {n}.{i}" for i in range(5)]
        # Several of the same moment, and within the second that sinceTime knows.
        build.kubelet.say(build.pod, "build", *lines, seconds=0.0 if n % 2 else 0.01)
        expected += lines
        build.wait(expected)
        build.kubelet.cut()
    build.kubelet.say(build.pod, "build", "the end")
    build.kubelet.end(build.pod, "build")
    build.states(("fetch", False), ("build", False))
    build.wait([*expected, "the end"])
    assert len(build.kubelet.log(build.pod, "build").asked) >= 8


def test_a_log_that_ended_while_nobody_followed(build: Build) -> None:
    build.start()
    build.states(("fetch", False), ("build", True))
    build.kubelet.say(build.pod, "build", "one", "two", seconds=0)
    build.wait(["one", "two"])
    build.server.kill()
    build.kubelet.say(build.pod, "build", "three", "four", seconds=0)  # of the same moment as what is known
    build.kubelet.end(build.pod, "build")
    build.states(("fetch", False), ("build", False))
    build.server.start()
    build.wait(["one", "two", "three", "four"])
    # A complete log is not read for ever.
    time.sleep(2.5)
    asked = len(build.kubelet.log(build.pod, "build").asked)
    time.sleep(2.5)
    assert len(build.kubelet.log(build.pod, "build").asked) == asked


def test_another_replica_goes_on(build: Build, start_server: StartServer) -> None:
    build.start()
    build.states(("fetch", False), ("build", True))
    build.kubelet.say(build.pod, "build", *(f"a{n}" for n in range(50)))
    build.wait([f"a{n}" for n in range(50)])
    second = start_server(build.server.database, build.namespace)
    build.server.stop()
    build.kubelet.say(build.pod, "build", *(f"b{n}" for n in range(50)))
    build.wait([f"a{n}" for n in range(50)] + [f"b{n}" for n in range(50)])
    assert second.metric("leader_election_master_status") == 1


def test_postgresql_is_away(build: Build, postgres: Postgres) -> None:
    build.start()
    build.states(("fetch", False), ("build", True))
    build.kubelet.say(build.pod, "build", "before")
    build.wait(["before"])
    postgres.stop("immediate")
    try:
        # More than is kept in memory: the rest stays with the kubelet.
        many = [f"{n} " + "x" * 200 for n in range(4000)]
        build.kubelet.say(build.pod, "build", *many)
        time.sleep(2)
    finally:
        postgres.start()
    build.wait(["before", *many])


def test_the_last_mebibyte_is_kept(build: Build) -> None:
    build.start()
    build.states(("fetch", False), ("build", True))
    many = [f"{n:05} " + "x" * 490 for n in range(4000)]  # 2 MB
    build.kubelet.say(build.pod, "build", *many, "the end")
    wait_until("its end is stored", lambda: build.stored().endswith("the end\n"))
    text = build.stored()
    assert 1024 * 1024 <= len(text) < 1024 * 1024 + 300_000
    whole = "".join(f"{line}\n" for line in [*many, "the end"])
    assert whole.endswith(text)


def test_attempts_and_scans_are_apart(build: Build) -> None:
    for attempt in (1, 2):
        build.start(attempt)
        build.kubelet.say(build.pod, "build", f"attempt {attempt}")
        build.kubelet.end(build.pod, "build")
        build.states(("fetch", False), ("build", False))
    build.start(1, "scan")
    build.kubelet.say(build.pod, "scan", "scanning")
    build.kubelet.say(build.pod, "report", "{secret: of the controller}")
    build.states(("scan", False), ("report", True))
    build.kubelet.end(build.pod, "scan")
    build.wait(["attempt 1"])
    build.wait(["attempt 2"], attempt=2)
    build.wait(["scanning"], "scan")
    with connect(build.server.database) as c:
        assert c.execute("SELECT count(*) FROM build_logs WHERE text LIKE '%secret%'").fetchone() == (0,)


def test_bytes_that_are_no_text(build: Build, plane: Plane) -> None:
    build.start()
    build.states(("fetch", False), ("build", True))
    long = "y" * 100_000
    build.kubelet.say(build.pod, "build", "a\x00b", "\x1b[31mred\x1b[0m", long, "after")
    wait_until("all is stored", lambda: build.stored().endswith("after\n"))
    first, second, third, _ = build.stored().splitlines()
    assert (first, second) == ("a\ufffdb", "\x1b[31mred\x1b[0m")
    assert third.endswith("y...") and len(third) < 17_000


def test_many_builds_at_once(build: Build) -> None:
    """More than are followed at a time: the others come when there is room."""
    pods: list[tuple[Any, str]] = []
    for n in range(70):
        build.submit()
        build.start()
        build.kubelet.say(build.pod, "build", f"build {n}")
        build.states(("fetch", False), ("build", True))
        pods.append((build.uid, build.pod))
    for _, pod in pods:
        build.kubelet.end(pod, "build")
        build.pod = pod
        build.states(("fetch", False), ("build", False))

    def all_are_there() -> bool:
        with connect(build.server.database) as c:
            row = c.execute("SELECT count(DISTINCT submission_id) FROM build_logs WHERE container = 'build'").fetchone()
        return row == (70,)

    wait_until("all are stored", all_are_there)
