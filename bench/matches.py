"""Matches through the control plane: rate against a plain loop of the same writes, writes, CPU and reaction.

etcd and kube-apiserver are real and share this machine's cores with everything else. A scripted scheduler and
kubelet (bench/reference/plain) binds Pods, makes them Ready and takes them away; the executor answers at
once (common/instant_executor.py). Agents are in the queue, which is paused: matches are created by the bench,
each between two agents that play no other one.

The plain loop does what the API server was asked to do for one recorded match, all of it: the bench's
creation, the controller's writes, the kubelet's; it decides nothing, watches nothing and waits for nothing.

Reaction is measured before that, one thing at a time: between two events that one watcher sees (Job Complete and
Submission Ready), and between the executor's answer and the event that shows the match Rated. The watcher's
own delay is in these figures. Beside it stands how long the plain loop needs, one match at a time, for the writes from
the answer to Rated: without an event, without anything that watches.
"""

from __future__ import annotations

import gc
import json
import pathlib
import resource
import sys
import time
from collections import Counter
from typing import Any

from common import Context, median, process, quantile
from common.plane import NAMESPACE, Controller, Plane, go_program, made, synced, wait_until
from common.recording import MATCH, match, steps
from crashes.api import Mirror, Object
from crashes.proxy import Proxy
from invariants import holds, label, status

from control_plane import free_port  # isort: skip

RULES = {
    "entryTTLSeconds": 86400,
    "maxMatchesPerAgentPerDay": 1000,
    "maxConcurrentMatches": 10_000,
    "elo": {"range": 500, "maxRange": 500},  # nobody's range widens while we measure
}
AGENTS = ("agent-000000", "agent-000001")
CREATORS = 8
MADE_BY_OTHERS = {"POST matches": 1, "POST pods/binding": 2, "PATCH pods/status": 2, "DELETE pods": 2}


class Bench:
    def __init__(self, context: Context, plane: Plane) -> None:
        self.context, self.plane = context, plane
        self.answers = context.folder / "answers"
        self.executor_address = f"127.0.0.1:{free_port()}"
        script = pathlib.Path(__file__).parent / "common" / "instant_executor.py"
        self.executor = plane.start(sys.executable, str(script), self.executor_address, str(self.answers))
        assert self.executor.stdout and self.executor.stdout.readline() == "ready\n"
        self.plain = str(go_program(context, "plain"))
        self.used = len(AGENTS)
        self.steps: list[dict[str, str]] = []
        self.runs = 0
        # What both sides work with, each match's cost of it counted beside their own.
        self.servers = {name: one.pid for name, one in plane.control.processes.items()}

    def controller(self, **more: str) -> Controller:
        one = self.plane.controller(f"http://{self.executor_address}", **more)
        one.wait_for('"leading"')
        synced(one)
        self.settle(one)
        return one

    def settle(self, one: Controller) -> None:
        """Agents that the plain loop has played with have the status of others, and are put right first."""
        before: dict[str, int] = {}
        while (now := self.plane.writes()) != before:
            before = now
            process.rest(one.process.pid)
            time.sleep(2)

    # ---- one thing at a time

    def record(self, mirror: Mirror) -> None:
        """One match, with a proxy between the controller and the API server that remembers what was written."""
        way = Proxy(self.plane.api)
        original, self.plane.server = self.plane.server, way.url
        one = self.controller()
        self.plane.server = original
        way.requests.clear()
        created = self.plane.api.create("matches", NAMESPACE, match(*AGENTS, MATCH))
        mirror.wait("the first match is over", NAMESPACE, lambda: is_over(mirror, MATCH), 60, quiet=1.5)
        self.plane.stop(one.process)
        self.steps = steps(self.plane, way.requests, AGENTS, created["metadata"]["uid"])
        way.close()
        self.plane.api.delete("matches", NAMESPACE, MATCH)

    def reactions(self, mirror: Mirror, count: int) -> None:
        seen = Seen()
        mirror.listeners.append(seen.listen)
        one = self.controller()
        gc.collect()
        gc.disable()  # a collection of the mirror's many objects here would be told as the controller's delay
        for number in range(count):
            name = f"react-{number}"
            pair = self.next_agents(1)
            self.plane.api.create("matches", NAMESPACE, match(*pair, name))
            mirror.wait("it is over", NAMESPACE, lambda name=name: is_over(mirror, name), 60, quiet=0.05)
            submission = {"agent": pair[0], "source": {"image": f"registry.example/x/{name}:v1"}}
            self.plane.api.create("submissions", NAMESPACE, made("Submission", name, submission))
            mirror.wait("it is Ready", NAMESPACE, lambda name=name: name in seen.ready, 60, quiet=0.05)
        gc.enable()
        self.plane.stop(one.process)
        mirror.listeners.remove(seen.listen)
        rated = self.since_the_answers(seen.rated)
        verdicts = [(at - seen.jobs[name]) / 1e6 for name, at in seen.ready.items()]
        for what, values in {"executor answered -> Rated": rated, "Job finished -> Submission": verdicts}.items():
            p99 = quantile(values, 0.99)
            self.context.row(f"{what}, p50 of {len(values)}", "ms", [quantile(values, 0.5)])
            self.context.row(f"{what}, p99 of {len(values)}", "ms", [p99])
            self.context.goal(what, p99 < 50, "p99 under 50 ms")

    def rated_alone(self, count: int) -> None:
        """The writes that follow the executor's answer until Rated, by the plain loop, one match at a time."""
        found = self.tell("writes", self.plan(count, 1))
        assert found["failed"] == 0, "writes failed"
        self.clear()
        for part in (0.5, 0.99):
            what = f"executor answered -> Rated, p{100 * part:.0f} of {count}"
            self.context.row(what, "ms", [quantile(found["parts"], part)], "plain loop")

    def after_the_answer(self) -> tuple[int, int]:
        """The first and the last of these steps."""

        def shows(step: dict[str, str], word: str) -> bool:
            is_status = "/matches/" in step["Path"] and step["Path"].partition("?")[0].endswith("/status")
            return is_status and holds(json.loads(step["Body"]), word)

        numbers = range(len(self.steps))
        return tuple(next(n for n in numbers if shows(self.steps[n], word)) for word in ("Executed", "Rated"))

    def since_the_answers(self, rated: dict[str, int]) -> list[float]:
        """Milliseconds from the executor's answer for each of these matches, by uid, until it was seen to be rated."""
        answered = {uid: int(at) for uid, at in (line.split() for line in self.answers.read_text().splitlines())}
        return [(at - answered[uid]) / 1e6 for uid, at in rated.items()]

    # ---- many at a time

    def next_agents(self, matches: int) -> tuple[str, str]:
        """Reserves agents that have not played yet; the first two of them."""
        first, self.used = self.used, self.used + 2 * matches
        assert self.used <= self.plane.copied
        return f"agent-{first:06}", f"agent-{first + 1:06}"

    def plan(self, count: int, at_once: int) -> str:
        first, _ = self.next_agents(count)
        self.runs += 1
        file = self.context.folder / f"plan-{self.runs}.json"
        content = {"Matches": count, "Concurrency": at_once, "Prefix": f"run-{self.runs}-", "Agent": "agent-"}
        timed = dict(zip(("From", "To"), self.after_the_answer(), strict=True))
        file.write_text(json.dumps({**content, **timed, "FirstAgent": int(first[-6:]), "Steps": self.steps}))
        return str(file)

    def tell(self, command: str, plan: str) -> dict[str, Any]:
        one = self.plane.start(self.plain, command, NAMESPACE, plan)
        found: dict[str, Any] = json.loads(one.communicate()[0])
        assert one.returncode == 0
        self.plane.started.remove(one)
        return found

    def clear(self) -> None:
        """What one side left is not there for the other."""
        for kind in ("matches", "pods"):
            self.plane.control.call("DELETE", self.plane.api.path(kind, NAMESPACE), parse=False)
        wait_until("the matches are gone", lambda: not self.plane.api.list("matches", NAMESPACE), 300)

    def plain_loop(self, count: int, at_once: int, kept: dict[str, list[float]]) -> float:
        before, servers = resource.getrusage(resource.RUSAGE_CHILDREN), self.used_by_servers()
        found = self.tell("writes", self.plan(count, at_once))
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        kept.setdefault("plain loop's servers", []).append((self.used_by_servers() - servers) * 1000 / count)
        used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        kept.setdefault("plain loop", []).append(used * 1000 / count)
        # A Pod may have gone before its last DELETE; more than a few of these, and it is not the same work.
        failed, gone = found["failed"], found["gone"]
        assert failed == 0 and gone * 200 <= found["writes"], f"{failed} writes failed, {gone} Pods had gone"
        self.clear()
        return count / found["seconds"]

    def used_by_servers(self) -> float:
        return sum(process.cpu(pid) for pid in self.servers.values())

    def through_controller(self, count: int, kept: dict[str, list[float]], writes: Counter[str]) -> float:
        kubelet = self.plane.start(self.plain, "kubelet", NAMESPACE)
        assert kubelet.stdout and kubelet.stdout.readline() == "ready\n"
        one = self.controller()
        pids = {"controller": one.process.pid, "executor": self.executor.pid}
        before = {name: process.cpu(pid) for name, pid in pids.items()}
        counted, servers = self.plane.writes(), self.used_by_servers()
        seconds = self.tell("matches", self.plan(count, CREATORS))["seconds"]
        kept.setdefault("arena's servers", []).append((self.used_by_servers() - servers) * 1000 / count)
        process.rest(one.process.pid)
        for name, pid in pids.items():
            kept.setdefault(name, []).append((process.cpu(pid) - before[name]) * 1000 / count)
        for name, total in self.plane.writes().items():
            writes[name] += total - counted.get(name, 0)
        self.plane.stop(one.process)
        self.plane.stop(kubelet)
        self.clear()
        return count / seconds


class Seen:
    """When a watcher heard of what."""

    def __init__(self) -> None:
        self.rated: dict[str, int] = {}  # by the match's uid
        self.jobs: dict[str, int] = {}  # by the submission
        self.ready: dict[str, int] = {}

    def listen(self, kind: str, change: str, item: Object) -> None:
        now, meta = time.monotonic_ns(), item["metadata"]
        if kind == "matches" and meta["name"].startswith("react-") and holds(item, "Rated"):
            self.rated.setdefault(meta["uid"], now)
        elif kind == "jobs" and holds(item, "Complete"):
            self.jobs.setdefault(meta["labels"]["rl-arena.io/submission"], now)
        elif kind == "submissions" and meta["name"].startswith("react-") and status(item).get("phase") == "Ready":
            self.ready.setdefault(meta["name"], now)


def is_over(mirror: Mirror, name: str) -> bool:
    """Rated and put away."""
    found = [one for one in mirror.now(NAMESPACE, "matches") if one["metadata"]["name"] == name]
    playing = [one for one in mirror.now(NAMESPACE, "pods") if label(one, "rl-arena.io/match") == name]
    return bool(found) and status(found[0]).get("phase") == "Complete" and not playing


def run(context: Context) -> None:
    count, reactions = (50, 10) if context.small else (1000, 200)
    tried = (16,) if context.small else (8, 16, 32, 64)
    with Plane(context) as plane:
        plane.queue(**RULES)
        with plane.scripted() as (mirror, _):
            plane.template(mirror)
            plane.copies(2 + 4 * reactions + 2 * count * (2 * context.runs + len(tried)))
            bench = Bench(context, plane)
            bench.record(mirror)
            bench.reactions(mirror, reactions)
        bench.clear()
        bench.rated_alone(reactions)
        context.input(matches=count, agents=plane.copied, writes_of_a_match=len(bench.steps))
        rates: dict[int, float] = {}
        for at_once in tried:
            rates[at_once] = bench.plain_loop(count, at_once, {})
            context.say(f"the plain loop, {at_once} matches at a time: {rates[at_once]:.1f} matches/s")
        best = max(rates, key=lambda at_once: rates[at_once])
        context.input(plain_loop_at_once=best, plain_loop_by_at_once={n: round(rate, 1) for n, rate in rates.items()})
        kept: dict[str, list[float]] = {}
        writes: Counter[str] = Counter()
        found = context.in_turns(
            {
                "arena": lambda: bench.through_controller(count, kept, writes),
                "plain loop": lambda: bench.plain_loop(count, best, kept),
            }
        )
    tell(context, found, kept, of_the_controller(writes, count * context.runs))


def of_the_controller(writes: Counter[str], matches: int) -> dict[str, float]:
    """Its writes for a match, of all that were counted for so many."""
    ours = {name: total / matches - MADE_BY_OTHERS.get(name, 0) for name, total in writes.items() if total}
    return {name: round(value, 2) for name, value in ours.items() if value > 0.005}


def tell(context: Context, found: dict, kept: dict, ours: dict[str, float]) -> None:
    for side, values in found.items():
        context.row("matches through the control plane", "matches/s", values, side)
    shares = [100 * ours / theirs for ours, theirs in zip(*found.values(), strict=True)]
    context.row("arena's rate of the plain loop's, run by run", "%", shares)
    context.goal("matches through the control plane", median(shares) >= 90, "at least 90% of the plain loop's rate")
    context.row("the controller's API writes for a match", "", [sum(ours.values())])
    context.note(f"writes for a match: {json.dumps(ours)}")
    context.goal("the controller's API writes for a match", sum(ours.values()) <= 12, "12 or fewer")
    context.row("controller's CPU for 1,000 matches", "s", kept["controller"])
    # All of a match's writes, also those that are not the controller's.
    context.row("CPU for all writes of 1,000 matches", "s", kept["plain loop"], "plain loop")
    for side in found:
        context.row("CPU of API server and etcd for 1,000 matches", "s", kept[f"{side}'s servers"], side)
    context.row("executor's CPU for 1,000 matches", "s", kept["executor"], "instant executor")
    context.goal("controller's CPU", median(kept["controller"]) < 1, "under 1 s for 1,000 matches")
