"""A real etcd and kube-apiserver with the arena's kinds, and many agents that have long been Ready.

The control plane, the scripted kubelet and the controller as a process are those of the integration tests.
"""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .context import Context
from .machine import ROOT

sys.path.insert(0, str(ROOT / "test" / "integration"))

import crashes  # noqa: E402, F401 - puts what it needs itself on the path
from control_plane import TOKEN, ControlPlane, free_port, wait_until  # noqa: E402
from crashes.api import Api, ApiError, Mirror, Object  # noqa: E402
from crashes.conftest import define  # noqa: E402
from crashes.controller import Controller  # noqa: E402
from crashes.kubelet import Kubelet  # noqa: E402
from invariants import status  # noqa: E402

from .etcd import Etcd  # noqa: E402

NAMESPACE = "bench"
ENVIRONMENT = "tic-tac-toe"
CACHES = 7  # that the controller has
START_SECONDS = 300
QUIET = {"LOG_LEVEL": "info", "LOG_FORMAT": "json"}
# Of the pair that all others are copies of.
AGENT, SUBMISSION, OWNER = "agent-template", "submission-template", "owner-template"


def made(kind: str, name: str, spec: Object) -> Object:
    return {"apiVersion": "rl-arena.io/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec}


class Plane:
    def __init__(self, context: Context) -> None:
        self.context = context
        self.control = ControlPlane(context.folder)
        self.server = f"https://127.0.0.1:{self.control.port}"
        self.api = Api(self.control.port)
        self.etcd = Etcd(self.control.etcd_port)
        self.started: list[subprocess.Popen[Any]] = []
        self.copied = 0
        define(self.api)
        self.control.create_namespace(NAMESPACE)

    def queue(self, **rules: Any) -> None:
        """Paused: what is played is what the bench creates."""
        spec = {"environment": {"name": ENVIRONMENT}, "paused": True, **rules}
        self.api.create("matchmakingqueues", NAMESPACE, made("MatchmakingQueue", ENVIRONMENT, spec))

    def controller(self, executor: str = "http://127.0.0.1:1", **more: str) -> Controller:
        """As released; it leads when this returns."""
        program = self.context.program("controller/controller")
        listen = f"127.0.0.1:{free_port()}"
        one = Controller(program, self.context.folder, NAMESPACE, self.server, executor, listen, **{**QUIET, **more})
        self.started.append(one.process)
        return one

    def start(self, *command: str, **more: Any) -> subprocess.Popen[str]:
        environment = {**os.environ, "SERVER": self.server, "TOKEN": TOKEN}
        process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, **more
        )
        self.started.append(process)
        return process

    # ---- agents

    @contextmanager
    def scripted(self) -> Iterator[tuple[Mirror, Kubelet]]:
        """Jobs and Pods live as long as this does."""
        folder = self.context.folder / "kubelet"
        folder.mkdir(exist_ok=True)
        mirror = Mirror(self.api)
        kubelet = Kubelet(self.api, mirror, folder, ["127.0.0.1"])
        try:
            yield mirror, kubelet
        finally:
            mirror.stop()
            kubelet.stop()

    def template(self, mirror: Mirror, **agent: Any) -> None:
        """One agent with one submission, from creation to Ready by a controller of its own."""
        first = self.controller()
        spec = {"owner": OWNER, "environment": ENVIRONMENT, **agent}
        self.api.create("agents", NAMESPACE, made("Agent", AGENT, spec))
        source = {"image": f"registry.example/x/{SUBMISSION}:v1"}
        self.api.create("submissions", NAMESPACE, made("Submission", SUBMISSION, {"agent": AGENT, "source": source}))

        def is_ready() -> bool:
            agents = mirror.now(NAMESPACE, "agents")
            return any(status(one).get("activeSubmission") for one in agents if one["metadata"]["name"] == AGENT)

        mirror.wait("the first agent is Ready", NAMESPACE, is_ready, 60, quiet=1.0)
        self.stop(first.process)

    def copies(self, until: int) -> None:
        """So many agents in all, each with its submission: agent-000000 and so on."""
        kinds = {"agents": AGENT, "submissions": SUBMISSION}
        keys = [f"/registry/rl-arena.io/{kind}/{NAMESPACE}/{name}" for kind, name in kinds.items()]
        uids = [
            self.api.call("GET", self.api.path(kind, NAMESPACE, name))["metadata"]["uid"]
            for kind, name in kinds.items()
        ]
        numbers = range(self.copied, until)
        names = (
            {AGENT: f"agent-{n:06}", SUBMISSION: f"submission-{n:06}", OWNER: f"owner-{n // 10:06}"} for n in numbers
        )
        self.etcd.copy(keys, uids, names)
        self.copied = max(self.copied, until)
        # It hears of what etcd was given behind its back by its own watches, a thousand objects a second.
        for kind in kinds:
            wait_until(f"the API server has all {kind}", lambda kind=kind: self.is_current(kind), START_SECONDS)

    def is_current(self, kind: str) -> bool:
        """Whether what the API server keeps is as new as etcd is, which it waits three seconds for."""
        path = self.api.path(kind, NAMESPACE) + "?limit=1"
        try:
            version = self.api.call("GET", path)["metadata"]["resourceVersion"]
            self.api.call("GET", f"{path}&resourceVersion={version}&resourceVersionMatch=NotOlderThan")
        except ApiError as error:
            if error.code != 504:
                raise
            return False
        return True

    # ---- what the API server counted

    def writes(self) -> dict[str, int]:
        """Requests so far that change something, by 'VERB resource/subresource'; leases are left out."""
        found: dict[str, int] = {}
        for line in self.control.call("GET", "/metrics", parse=False).decode().splitlines():
            if not line.startswith("apiserver_request_total{"):
                continue
            text, _, value = line.rpartition(" ")
            labels = dict(part.split("=", 1) for part in text[text.index("{") + 1 : -1].split(","))
            verb, resource, sub = (labels[key].strip('"') for key in ("verb", "resource", "subresource"))
            if verb in ("POST", "PUT", "PATCH", "DELETE") and resource != "leases":
                name = f"{verb} {resource}" + (f"/{sub}" if sub else "")
                found[name] = found.get(name, 0) + int(float(value))
        return found

    # ---- its end

    def stop(self, process: subprocess.Popen[Any]) -> None:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self.started.remove(process)

    def __enter__(self) -> Plane:
        return self

    def __exit__(self, *_: object) -> None:
        for process in list(self.started):
            self.stop(process)
        self.control.stop()


def synced(one: Controller) -> None:
    """Waits until all caches are."""
    wait_until("the caches are synced", lambda: one.log.read_text().count('"cache synced"') == CACHES, START_SECONDS)


def go_program(context: Context, name: str) -> pathlib.Path:
    """Of bench/reference/NAME, built with the pinned modules."""
    target, sources = ROOT / "build" / "bench" / name, ROOT / "bench" / "reference" / name
    # The go command takes a while to find out that nothing has changed.
    if target.exists() and all(file.stat().st_mtime < target.stat().st_mtime for file in sources.iterdir()):
        return target
    environment = {**os.environ, "GOTOOLCHAIN": "local"}
    go = os.environ.get("ARENA_GO", "go")
    command = [go, "build", "-mod=readonly", "-buildvcs=false", "-o", str(target), "."]
    context.say(f"building {name}")
    subprocess.run(command, cwd=sources, env=environment, check=True)
    return target


__all__ = [
    "ENVIRONMENT",
    "NAMESPACE",
    "START_SECONDS",
    "Controller",
    "Plane",
    "go_program",
    "made",
    "synced",
    "wait_until",
]
