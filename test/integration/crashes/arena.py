"""One arena in a namespace of its own: two agents from source to ratings, and what must hold after."""

from __future__ import annotations

import itertools
import os
import pathlib
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import invariants
from control_plane import ControlPlane
from invariants import condition, holds, status

from .api import PATHS, Api, Mirror, Object
from .controller import Controller
from .executor import NETWORK, Executor
from .kubelet import Kubelet
from .proxy import Proxy

ENVIRONMENT = "tic-tac-toe"
SETTLE = 120.0
LONG = bool(os.environ.get("ARENA_WALK_LONG"))  # everything that a test can go through; otherwise a selection
CHILDREN = ("jobs", "pods", "configmaps")
KINDS = ("agents", "submissions", "matches", "matchmakingqueues")


@dataclass
class Stage:
    """What all arenas of a run share."""

    plane: ControlPlane
    api: Api
    mirror: Mirror
    kubelet: Kubelet
    executor: Executor
    program: pathlib.Path
    folder: pathlib.Path


numbers = itertools.count(1)


def made(kind: str, name: str, spec: Object) -> Object:
    return {"apiVersion": "rl-arena.io/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec}


class Arena:
    def __init__(self, stage: Stage, **queue: Any) -> None:
        self.stage, self.api, self.mirror = stage, stage.api, stage.mirror
        self.number = next(numbers)
        self.namespace = f"walk-{self.number}"
        self.folder = stage.folder / self.namespace
        self.folder.mkdir()
        self.server = f"https://127.0.0.1:{stage.plane.port}"
        host = f"{self.number // 250}.{self.number % 250 + 1}:8080"
        first = 78 + 2 * int(NETWORK)
        self.listen, self.second_listen = f"127.{first}.{host}", f"127.{first + 1}.{host}"
        self.controllers: list[Controller] = []
        self.proxies: list[Proxy] = []
        stage.plane.create_namespace(self.namespace)
        # One match by hand and at least one by the matchmaker, then the day is over for both agents.
        rules = {"intervalSeconds": 1, "cooldownSeconds": 0, "maxMatchesPerAgentPerDay": 2, **queue}
        self.apply(made("MatchmakingQueue", ENVIRONMENT, {"environment": {"name": ENVIRONMENT}, **rules}))

    # ---- what is in it

    def apply(self, *objects: Object) -> None:
        plurals = {"Match": "matches"}
        for one in objects:
            self.api.create(plurals.get(one["kind"], one["kind"].lower() + "s"), self.namespace, one)

    def agent(self, name: str, **spec: Any) -> Object:
        return made("Agent", name, {"owner": f"owner-of-{name}", "environment": ENVIRONMENT, **spec})

    def inline(self, name: str, agent: str, **build: Any) -> Object:
        source = {"inline": {"files": {"agent.py": "def agent(observation): return 0\n"}}}
        return made("Submission", name, {"agent": agent, "source": source, "build": build})

    def image(self, name: str, agent: str) -> Object:
        return made("Submission", name, {"agent": agent, "source": {"image": "registry.example/x/ready:v1"}})

    def match(self, name: str, **spec: Any) -> Object:
        sides = [{"agent": "a"}, {"agent": "b"}]
        return made("Match", name, {"environment": ENVIRONMENT, "participants": sides, **spec})

    def apply_all(self) -> None:
        """Two agents, three submissions (one ready-made), a match by hand; more come from the matchmaker."""
        self.apply(
            self.agent("a"), self.agent("b"), self.inline("a-1", "a"), self.inline("b-1", "b"), self.image("a-2", "a"),
            self.match("by-hand"),
        )  # fmt: skip

    def start(self, **more: Any) -> Controller:
        shared = {"server": self.server, "executor": self.stage.executor.url, "listen": self.listen, **more}
        one = Controller(self.stage.program, self.folder, self.namespace, **shared)
        self.controllers.append(one)
        return one

    def proxy(self) -> Proxy:
        """A way of one's own to the API server."""
        self.proxies.append(Proxy(self.api))
        return self.proxies[-1]

    def wait(self, what: str, reached: Callable[[], Any]) -> None:
        try:
            self.mirror.wait(what, self.namespace, lambda: bool(reached()), SETTLE)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.story()}") from None

    def one(self, kind: str, name: str) -> Object:
        return next((one for one in self.now(kind) if one["metadata"]["name"] == name), {})

    def are_waiting(self, *agents: str) -> bool:
        return all(status(self.one("agents", name)).get("queue", {}).get("state") == "Waiting" for name in agents)

    def agents_pods(self) -> list[Object]:
        return [pod for pod in self.now("pods") if invariants.label(pod, "rl-arena.io/component") == "agent"]

    def is_rated(self, match: Object) -> bool:
        return bool(holds(match, "Rated"))

    def is_over(self, match: str) -> bool:
        """Rated and put away."""
        return status(self.one("matches", match)).get("phase") == "Complete" and not self.agents_pods()

    def now(self, kind: str) -> list[Object]:
        return self.mirror.now(self.namespace, kind)

    def ever(self, kind: str) -> list[Object]:
        return list(self.mirror.ever.get((self.namespace, kind), {}).values())

    # ---- settled

    def is_settled(self) -> bool:
        """Nothing is on its way: all is built and scanned or has failed, all is played and put away, and
        both agents have played what a day allows."""
        matches, agents = self.now("matches"), self.now("agents")
        return (
            all(status(one).get("phase") in ("Ready", "Rejected", "Failed") for one in self.now("submissions"))
            and all(status(one).get("phase") in ("Complete", "Failed") for one in matches)
            and any(invariants.label(one, "rl-arena.io/made-by") for one in matches)
            and not self.agents_pods()
            and all(condition(one, "Queued").get("reason") == "DailyLimit" for one in agents)
        )

    def settle(self, dies: Controller | None = None, quiet: float = 0.3) -> bool:
        """Waits until it is settled and nothing moves for a while; False when this controller has died before."""
        seen = False

        def reached() -> bool:
            nonlocal seen
            if dies is not None and dies.is_dead():
                return True
            seen = self.is_settled()
            return seen

        try:
            self.mirror.wait("the arena has settled", self.namespace, reached, SETTLE, quiet)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.story()}") from None
        return dies is None or not dies.is_dead()

    def story(self) -> str:
        lines = [f"--- {self.namespace}"]
        for kind in (*KINDS, *CHILDREN):
            for one in self.now(kind):
                facts = {key: status(one).get(key) for key in ("phase", "reason", "attempt", "rating", "queue")}
                lines.append(f"{kind} {one['metadata']['name']}: {facts}")
        lines += self.stage.kubelet.trouble[-10:]
        lines += [controller.words() for controller in self.controllers[-1:]]
        return "\n".join(lines)

    # ---- what must hold

    def snapshot(self) -> list[Object]:
        return [one for kind in (*CHILDREN, *KINDS) for one in self.api.list(kind, self.namespace)]

    def problems(self, events: bool = True) -> list[str]:
        items = self.snapshot()
        found: list[str] = invariants.contradictions(items, time.time())
        found += self.lost_matches() + self.wrong_ratings() + self.too_much_work() + self.orphans(items)
        found += self.wrong_versions() + self.stage.kubelet.trouble
        return found + (self.repeated_events() if events else [])

    def lost_matches(self) -> list[str]:
        """Every match that was ever there is there, and was played at the first attempt: that a controller
        dies is no fault of the match."""
        here = {one["metadata"]["uid"] for one in self.now("matches")}
        gone = [one for one in self.ever("matches") if one["metadata"]["uid"] not in here]
        found = [f"match {one['metadata']['name']} is lost" for one in gone]
        for one in self.now("matches"):
            if not holds(one, "Complete") or not holds(one, "Rated") or status(one)["attempt"] != 1:
                found.append(f"match {one['metadata']['name']}: {status(one)}")
        return found

    def wrong_ratings(self) -> list[str]:
        """The list of matches, played again from the beginning, gives the ratings."""
        found = []
        matches = sorted(self.now("matches"), key=lambda one: status(one)["participants"][0]["matchNumber"])
        ratings = {one["metadata"]["name"]: Counter(elo=1500, peak=1500) for one in self.now("agents")}
        for one in matches:
            seats = status(one)["participants"]
            before = [Counter(ratings[seat["agent"]]) for seat in seats]
            for i, seat in enumerate(seats):
                mine = ratings[seat["agent"]]
                own, other = before[i], before[1 - i]
                elo = invariants.elo_after(own["elo"], other["elo"], seat["outcome"], own["matches"])
                mine["elo"], mine["peak"] = elo, max(mine["peak"], elo)
                mine["matches"] += 1
                mine[{"Win": "wins", "Draw": "draws"}.get(seat["outcome"], "losses")] += 1
                if (seat["matchNumber"], seat["eloBefore"], seat["eloAfter"]) != (mine["matches"], own["elo"], elo):
                    found.append(f"match {one['metadata']['name']}: {seat}, replayed {dict(mine)}")
        for agent in self.now("agents"):
            rating, mine = status(agent)["rating"], ratings[agent["metadata"]["name"]]
            if any(rating[key] != mine[key] for key in ("elo", "peak", "matches", "wins", "losses", "draws")):
                found.append(f"agent {agent['metadata']['name']}: {rating}, replayed {dict(mine)}")
        return found

    def too_much_work(self) -> list[str]:
        """One Job for each attempt that is recorded, ever; one Pod for each seat and attempt, one game."""
        recorded = [
            each["job"]
            for one in self.now("submissions")
            for each in status(one).get("attempts", []) + status(one).get("scanAttempts", [])
        ]
        jobs = [one["metadata"]["name"] for one in self.ever("jobs")]
        found = [] if sorted(recorded) == sorted(jobs) else [f"attempts {sorted(recorded)}, Jobs {sorted(jobs)}"]
        pods = Counter(one["metadata"]["name"] for one in self.ever("pods") if "-agent-" in one["metadata"]["name"])
        found += [f"Pod {name} was made {count} times" for name, count in pods.items() if count > 1]
        return found

    def orphans(self, items: list[Object]) -> list[str]:
        """Agents' Pods go with the match; what a build made stays with its submission."""
        sources = {f"{one['metadata']['name']}-source" for one in self.now("submissions")}

        def is_left(one: Object) -> bool:
            if one["kind"] == "Pod":
                return bool(invariants.label(one, "rl-arena.io/component") == "agent")
            own = one["kind"] == "ConfigMap" and invariants.label(one, invariants.OURS)
            return bool(own) and one["metadata"]["name"] not in sources

        return [f"{one['kind']} {one['metadata']['name']} is left over" for one in items if is_left(one)]

    def wrong_versions(self) -> list[str]:
        """1, 2, 3... for each agent, in the order of its submissions."""
        found = []
        for agent in self.now("agents"):
            name = agent["metadata"]["name"]
            own = sorted(
                (one for one in self.now("submissions") if one["spec"]["agent"] == name),
                key=lambda one: (one["metadata"]["creationTimestamp"], one["metadata"]["name"]),
            )
            given = [status(one)["version"] for one in own]
            if given != list(range(1, len(own) + 1)) or status(agent)["latestVersion"] != len(own):
                found.append(f"agent {name}: versions {given}, latest {status(agent).get('latestVersion')}")
        return found

    def repeated_events(self) -> list[str]:
        """An Event may be lost with the process that had it; none says twice that an image is built."""
        counts: Counter[tuple[str, str]] = Counter()
        for one in self.api.list("events", self.namespace):
            if one["reason"] in ("Built", "Scanned"):
                counts[one["involvedObject"]["uid"], one["reason"]] += one.get("count", 1)
        return [f"Event {reason} of {uid}: {count} times" for (uid, reason), count in counts.items() if count > 1]

    def check(self, events: bool = True) -> None:
        found = self.problems(events)
        assert not found, "\n".join([*found, self.story()])

    def close(self) -> None:
        for controller in self.controllers:
            controller.kill()
        for proxy in self.proxies:
            proxy.close()
        for kind in PATHS:
            self.api.call("DELETE", self.api.path(kind, self.namespace) + "?gracePeriodSeconds=0")
        self.mirror.forget(self.namespace)
