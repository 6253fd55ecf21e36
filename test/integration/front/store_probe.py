"""The program probe.c: objects of the API server go into a database as api-server puts them there."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import uuid
from typing import Any

from .postgres import ROOT

Object = dict[str, Any]
BUILDS = ("build/sanitize", "build/gcc", "build")
versions = itertools.count(1000)


def program() -> str:
    """$ARENA_FRONT_PROBE, otherwise from a build folder, the sanitized one first."""
    given = os.environ.get("ARENA_FRONT_PROBE")
    built = [ROOT / build / "test" / "integration" / "front" / "front-probe" for build in BUILDS]
    found = [given] if given else [str(path) for path in built if path.exists()]
    assert found, f"front-probe is not built: none of {built}"
    return found[0]


def run(*arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run([program(), *arguments], input=text, capture_output=True, text=True, timeout=120, check=False)


def row(kind: str, thing: Object) -> dict[str, Any]:
    done = run("-", "row", kind, text=json.dumps(thing))
    assert done.returncode == 0, done.stdout + done.stderr
    made: dict[str, Any] = json.loads(done.stdout)
    return made


class Store:
    """One process for many objects."""

    def __init__(self, url: str) -> None:
        self.process = subprocess.Popen(
            [program(), url, "store"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def line(self, text: str) -> str:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def refused(self, kind: str, thing: Object) -> str:
        """Why it is not taken."""
        answer = self.line(f"{kind} {json.dumps(thing)}")
        assert answer != "ok"
        return answer

    def put(self, kind: str, thing: Object) -> Object:
        answer = self.line(f"{kind} {json.dumps(thing)}")
        assert answer == "ok", answer
        return thing

    def vanished(self, kind: str, thing: Object) -> None:
        answer = self.line(f"vanished {kind} {thing['metadata']['uid']}")
        assert answer == "ok", answer

    def close(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        assert self.process.wait(30) == 0, self.process.stderr.read() if self.process.stderr else ""


# ---- objects as the API server has them ----


def an_object(name: str, spec: Object, created: str = "2026-01-02T03:04:05Z") -> Object:
    return {
        "metadata": {
            "name": name,
            "namespace": "rl-arena",
            "uid": str(uuid.uuid4()),
            "resourceVersion": str(next(versions)),
            "creationTimestamp": created,
        },
        "spec": spec,
    }


def changed(thing: Object, **status: Any) -> Object:
    """The object with another status, at a newer resourceVersion."""
    after: Object = json.loads(json.dumps(thing))
    after["metadata"]["resourceVersion"] = str(next(versions))
    after.setdefault("status", {}).update(status)
    return after


def condition(kind: str, status: str, reason: str = "Because", message: str = "") -> Object:
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message,
        "lastTransitionTime": "2026-01-02T03:04:05Z",
    }


def an_environment(name: str = "pong", **spec: Any) -> Object:
    return an_object(name, {"environment": {"name": name, "displayName": name.title()}, **spec})


def an_agent(name: str, owner: str = "alice", environment: str = "pong", **spec: Any) -> Object:
    return an_object(name, {"owner": owner, "environment": environment, **spec})


def rating(elo: int, wins: int = 0, losses: int = 0, draws: int = 0) -> Object:
    matches = wins + losses + draws
    return {
        "elo": elo,
        "matches": matches,
        "wins": wins,
        "losses": losses,
        "draws": draws,
        "peak": elo,
        "provisional": matches < 10,
    }


def a_submission(name: str, agent: str, **source: Any) -> Object:
    return an_object(name, {"agent": agent, "source": source or {"inline": {"files": {"agent.py": "x"}}}})


def ready(thing: Object, version: int = 1) -> Object:
    return changed(
        thing,
        phase="Ready",
        version=version,
        image="registry/agent@sha256:" + "a" * 64,
        conditions=[condition("Ready", "True", "Ready", f"Version {version} may play.")],
    )


def a_match(name: str, one: Object, two: Object, made_by_matchmaker: bool = True, rated: bool = True) -> Object:
    match = an_object(
        name,
        {
            "environment": one["spec"]["environment"],
            "participants": [{"agent": one["metadata"]["name"]}, {"agent": two["metadata"]["name"]}],
            "rated": rated,
        },
    )
    if made_by_matchmaker:
        match["metadata"]["labels"] = {"rl-arena.io/made-by": "matchmaker"}
    return match


def seats(one: Object, two: Object, outcomes: tuple[str, str], number: int = 1, change: int = 20) -> list[Object]:
    signs = {"Win": 1, "Loss": -1, "Forfeit": -1, "Draw": 0}
    return [
        {
            "agent": agent["metadata"]["name"],
            "agentUID": agent["metadata"]["uid"],
            "submission": f"{agent['metadata']['name']}-v1",
            "version": 1,
            "outcome": outcome,
            "score": 1.5 if outcome == "Win" else 0,
            "eloBefore": 1500,
            "eloAfter": 1500 + signs[outcome] * change,
            "matchNumber": number,
            **({"errorMessage": "it was late"} if outcome == "Forfeit" else {}),
        }
        for agent, outcome in zip((one, two), outcomes, strict=True)
    ]


def running(match: Object) -> Object:
    return changed(match, phase="Running", startTime="2026-01-02T03:05:00.250000Z")


def completed(match: Object, one: Object, two: Object, outcomes: tuple[str, str], number: int = 1) -> Object:
    return changed(
        match,
        phase="Complete",
        participants=seats(one, two, outcomes, number),
        startTime="2026-01-02T03:05:00.250000Z",
        completionTime="2026-01-02T03:06:00.500000Z",
        seed=7,
        steps=100,
        executionMilliseconds=1234,
        conditions=[condition("Rated", "True"), condition("Complete", "True")],
    )
