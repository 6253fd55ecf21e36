"""A real API server with the arena's kinds, one for the run, and what the controller would write into it."""

from __future__ import annotations

import http.client
import itertools
import json
import pathlib
import ssl
import sys
import threading
from typing import Any

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "test" / "integration" / "kube"))

from control_plane import TOKEN, ControlPlane, find_program, until_it_is_ready, wait_until  # noqa: E402

GROUP = "/apis/rl-arena.io/v1alpha1"
KINDS = ("agents", "submissions", "matches", "matchmakingqueues")
NOW = "2026-01-02T03:04:05Z"
Object = dict[str, Any]
numbers = itertools.count(1)


class ApiError(Exception):
    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code


def condition(kind: str, status: str, reason: str, message: str = "") -> Object:
    fields = {"type": kind, "status": status, "reason": reason, "message": message or f"{reason}."}
    return {**fields, "lastTransitionTime": NOW}


class Plane:
    """The control plane; killed and started again at will."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.control = ControlPlane(folder)
        self.local = threading.local()
        self.context = ssl.create_default_context()
        self.context.check_hostname, self.context.verify_mode = False, ssl.CERT_NONE
        for file in sorted((ROOT / "crds").glob("*.yaml")):
            for one in yaml.safe_load_all(file.read_text()):
                if one["kind"] == "CustomResourceDefinition":
                    self.call("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", one)
        wait_until("the arena's kinds are served", self.is_serving)

    def is_serving(self) -> bool:
        try:
            return all(self.call("GET", f"{GROUP}/namespaces/default/{kind}") for kind in KINDS)
        except ApiError:
            return False

    def call(self, method: str, path: str, body: Object | None = None) -> Object:
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
        if method == "PATCH":
            headers["Content-Type"] = "application/merge-patch+json"
        for _ in until_it_is_ready():
            connection = http.client.HTTPSConnection("127.0.0.1", self.control.port, context=self.context, timeout=30)
            try:
                connection.request(method, path, None if body is None else json.dumps(body), headers)
                answer = connection.getresponse()
                text = answer.read()
            finally:
                connection.close()
            if answer.status != 429:
                break
        if answer.status >= 300:
            raise ApiError(answer.status, text.decode(errors="replace"))
        return dict(json.loads(text))

    def kubeconfig(self, path: pathlib.Path) -> pathlib.Path:
        path.write_text(
            "current-context: c\n"
            "contexts: [{name: c, context: {cluster: k, user: u}}]\n"
            f"clusters: [{{name: k, cluster: {{server: 'https://127.0.0.1:{self.control.port}', "
            "insecure-skip-tls-verify: true}}]\n"
            f"users: [{{name: u, user: {{token: {TOKEN}}}}}]\n"
        )
        return path

    def namespace(self) -> Namespace:
        return Namespace(self, f"front-{next(numbers)}")

    def stop(self) -> None:
        self.control.stop()


class Namespace:
    """One arena's objects, and the statuses that its controller would give them."""

    def __init__(self, plane: Plane, name: str) -> None:
        self.plane, self.name = plane, name
        plane.control.create_namespace(name)
        self.queue("pong")

    def path(self, kind: str, name: str = "") -> str:
        return f"{GROUP}/namespaces/{self.name}/{kind}" + (f"/{name}" if name else "")

    def get(self, kind: str, name: str) -> Object:
        return self.plane.call("GET", self.path(kind, name))

    def list(self, kind: str) -> list[Object]:
        return list(self.plane.call("GET", self.path(kind))["items"])

    def create(self, kind: str, name: str, spec: Object, **metadata: Any) -> Object:
        kinds = {"agents": "Agent", "submissions": "Submission", "matches": "Match"}
        one = {
            "apiVersion": "rl-arena.io/v1alpha1",
            "kind": kinds.get(kind, "MatchmakingQueue"),
            "metadata": {"name": name, **metadata},
            "spec": spec,
        }
        return self.plane.call("POST", self.path(kind), one)

    def patch(self, kind: str, name: str, body: Object) -> Object:
        return self.plane.call("PATCH", self.path(kind, name), body)

    def status(self, kind: str, name: str, status: Object) -> Object:
        return self.plane.call("PATCH", self.path(kind, name) + "/status", {"status": status})

    def delete(self, kind: str, name: str) -> None:
        self.plane.call("DELETE", self.path(kind, name))

    def by_uid(self, kind: str, uid: str) -> Object:
        return next(one for one in self.list(kind) if one["metadata"]["uid"] == uid)

    # ---- as the controller does

    def queue(self, name: str, **spec: Any) -> Object:
        environment = {"name": name, "displayName": name.title(), "description": f"The game of {name}."}
        made = self.create("matchmakingqueues", name, {"environment": environment, **spec})
        self.status("matchmakingqueues", name, {"waiting": 0, "playing": 0, "medianWaitSeconds": 12})
        return self.status("matchmakingqueues", name, {"conditions": [condition("Ready", "True", "Ready")]}) or made

    def agent(self, name: str, owner: str, environment: str = "pong", **spec: Any) -> Object:
        return self.create("agents", name, {"owner": owner, "environment": environment, **spec})

    def ready(self, uid: str, elo: int = 1500, wins: int = 0, losses: int = 0, draws: int = 0) -> Object:
        """The agent of that uid has an active submission, and waits."""
        agent = self.by_uid("agents", uid)
        name = agent["metadata"]["name"]
        submission = f"{name[:40]}-1"
        if not any(one["metadata"]["name"] == submission for one in self.list("submissions")):
            self.create("submissions", submission, {"agent": name, "source": {"image": "registry.example/x:1"}})
            ready = [condition("Ready", "True", "Ready")]
            self.status("submissions", submission, {"phase": "Ready", "version": 1, "conditions": ready})
        matches = wins + losses + draws
        rating = {"elo": elo, "matches": matches, "wins": wins, "losses": losses, "draws": draws, "peak": elo}
        status = {
            "activeSubmission": submission,
            "activeVersion": 1,
            "latestVersion": 1,
            "rating": {**rating, "provisional": matches < 10},
            "queue": {"state": "Waiting", "enqueuedAt": NOW, "reason": "It waits for an opponent."},
            "conditions": [condition("Ready", "True", "Ready")],
        }
        return self.status("agents", name, status)

    def queue_state(self, uid: str, state: str, reason: str = "As the test has it.") -> Object:
        name = self.by_uid("agents", uid)["metadata"]["name"]
        return self.status("agents", name, {"queue": {"state": state, "reason": reason, "enqueuedAt": None}})

    def play(self, match: str, winner: int | None, numbers: tuple[int, int] | None = None) -> Object:
        """The match of that name is over; `winner` 0 or 1, None: a draw. Rated with `numbers`."""
        one = self.get("matches", match)
        sides = []
        for seat, participant in enumerate(one["spec"]["participants"]):
            agent = self.get("agents", participant["agent"])
            outcome = "Draw" if winner is None else "Win" if seat == winner else "Loss"
            side = {
                "agent": participant["agent"],
                "agentUID": agent["metadata"]["uid"],
                "score": float(seat == winner),
                "outcome": outcome,
            }
            if numbers is not None:
                side |= {
                    "matchNumber": numbers[seat],
                    "eloBefore": 1500,
                    "eloAfter": 1500 + (20 if seat == winner else -20),
                }
                side |= {"eloChange": side["eloAfter"] - side["eloBefore"]}
            sides.append(side)
        conditions = [condition("Complete", "True", "Complete")]
        if numbers is not None:
            conditions.append(condition("Rated", "True", "Rated"))
        status = {"phase": "Complete", "participants": sides, "startTime": NOW, "completionTime": NOW}
        if winner is not None:
            status["winner"] = sides[winner]["agent"]
        return self.status("matches", match, {**status, "attempt": 1, "conditions": conditions})


__all__ = ["Namespace", "Plane", "find_program", "wait_until"]
