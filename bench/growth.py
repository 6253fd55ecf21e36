"""Figures with 1,000, 10,000 and 100,000 agents in the same run, and how what they cost grows with them.

The exponent is of a power law through the three medians: 1 grows as the agents do, 0 not at all. Rates are turned into
time for one first. Control plane: as `memory` and `matches` measure it, with that many agents in a paused queue and one
submission each. Front: a database with that many agents, five matches for each, a fifth as many users. Mirror: that
many agents come, then single ones change. What does not know of agents is left out: the executor, sizes, logins.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import Counter, defaultdict

import leaderboard
import matches
import mirror
import pairing
import reads
from common import Context, exponent, median, process
from common.plane import NAMESPACE, Plane
from invariants import holds
from memory import MIB, idle, start_arena
from serving import changes, load, people, seed, servers

SIZES, TRIAL = (1000, 10_000, 100_000), (600, 1000)
REACTIONS = 30
Found = dict[str, dict[int, list[float]]]  # "what|unit" -> size -> values


class Growth:
    def __init__(self, context: Context) -> None:
        self.context = context
        self.sizes = context.sizes(SIZES, TRIAL)
        self.found: Found = defaultdict(lambda: defaultdict(list))

    def keep(self, what: str, unit: str, size: int, value: float) -> None:
        self.found[f"{what}|{unit}"][size].append(value)
        self.context.say(f"{size} agents: {what} {value:.4g} {unit}")

    # ---- the control plane

    def control_plane(self) -> None:
        # The first agents have to be enough for all runs.
        count = 20 if self.context.small else (self.sizes[0] - 2 - REACTIONS * 2) // (2 * self.context.runs)
        self.context.input(matches=count, reactions=REACTIONS)
        with Plane(self.context) as plane:
            plane.queue(**matches.RULES)
            with plane.scripted() as (watcher, _):
                plane.template(watcher)
                plane.copies(len(matches.AGENTS))
                bench = matches.Bench(self.context, plane)
                bench.record(watcher)
            for size in self.sizes:
                plane.copies(size)
                for _ in range(self.context.runs):
                    self.start(plane, size)
                bench.used = len(matches.AGENTS)
                reactions = self.reactions(bench, size)
                self.keep("executor answered -> Rated, p50", "ms", size, median(reactions))
                self.keep(f"executor answered -> Rated, slowest of {REACTIONS}", "ms", size, max(reactions))
                for _ in range(self.context.runs):
                    kept: dict[str, list[float]] = {}
                    writes: Counter[str] = Counter()
                    rate = bench.through_controller(count, kept, writes)
                    ours = matches.of_the_controller(writes, count)
                    self.keep("controller's API writes for a match", "", size, sum(ours.values()))
                    self.keep("a match through the control plane", "ms", size, 1000 / rate)
                    self.keep("controller's CPU for 1,000 matches", "s", size, kept["controller"][0])

    def start(self, plane: Plane, size: int) -> None:
        one, seconds = start_arena(plane)
        process.rest(one.pid)
        self.keep("cold start", "s", size, seconds)
        self.keep("controller's memory", "MiB", size, process.memory(one.pid) / MIB)
        self.keep("controller's idle CPU", "% of a core", size, idle(one.pid, 5 if self.context.small else 30))
        plane.stop(one)

    def reactions(self, bench: matches.Bench, size: int) -> list[float]:
        """From the executor's answer to the event that tells of the rating, one match after the other: milliseconds.
        The watcher of matches alone, not of all there is: the agents would be its own cost."""
        plane = bench.plane
        seen: queue.Queue[tuple[str, int]] = queue.Queue()
        stop = threading.Event()

        def watch() -> None:
            for _, item in plane.api.watch("matches", stop):
                if holds(item, "Rated"):
                    seen.put((item["metadata"]["uid"], time.monotonic_ns()))
                if stop.is_set():
                    return

        threading.Thread(target=watch, daemon=True).start()
        kubelet = plane.start(bench.plain, "kubelet", NAMESPACE)
        assert kubelet.stdout and kubelet.stdout.readline() == "ready\n"
        one = bench.controller()
        rated: dict[str, int] = {}
        for number in range(REACTIONS):
            made = matches.match(*bench.next_agents(1), f"react-{size}-{number}")
            uid = plane.api.create("matches", NAMESPACE, made)["metadata"]["uid"]
            while uid not in rated:
                other, at = seen.get(timeout=60)
                rated.setdefault(other, at)
        stop.set()
        plane.stop(one.process)
        plane.stop(kubelet)
        bench.clear()
        return bench.since_the_answers(rated)

    # ---- pairing

    def pairing(self) -> None:
        for one in pairing.passes(self.context, str(self.context.program(pairing.PROGRAM))):
            if one["crowd"] == "spread" and one["agents"] in self.sizes:
                self.keep("one pass of pairing", "ms", one["agents"], median(one["times"]))

    # ---- the front

    def front(self) -> None:
        (seconds,) = self.context.sizes([8], [2])
        for size in self.sizes:
            with servers.database() as url:
                seed.fill(url, seed.Size(users=size // 5, agents=size, matches=5 * size))
                with servers.front(self.context, url) as front:
                    for _ in range(self.context.runs):
                        self.asked(front.url, "at rest", size, seconds)
                        with changes.changes(url, leaderboard.CHANGES_PER_SECOND, size):
                            self.asked(front.url, "while ratings move", size, seconds)

    def asked(self, url: str, when: str, size: int, seconds: int) -> None:
        asked = range(1, 1 + min(reads.MANY, size // 5))
        tokens = [f"Bearer {people.token(number)}" for number in asked]
        speeds = {
            "leaderboard": load.load(url + leaderboard.PATH, seconds),
            "users/me": load.load(url, seconds, paths=["/api/v1/users/me"], authorizations=tokens),
            "matches/agent": load.load(url, seconds, paths=[reads.agent_path(number) for number in asked]),
        }
        for name, speed in speeds.items():
            assert not speed.errors, f"{name} answers with errors"
            self.keep(f"{name} {when}", "us", size, 1e6 / speed.per_second)

    # ---- the mirror

    def mirror(self) -> None:
        for size in self.sizes:
            for _ in range(self.context.runs):
                self.mirrored(size)

    def mirrored(self, size: int) -> None:
        with mirror.mirroring(self.context) as (source, database, front):
            agents = [mirror.agent(number, 10) for number in range(1, size + 1)]
            per_second, _ = mirror.rate(source, database, front, ("agents", "ADDED", agents, 10))
            self.keep("a new agent's row", "us", size, 1e6 / per_second)
            agents = [mirror.agent(number, 11) for number in range(1, size + 1)]
            per_second, _ = mirror.rate(source, database, front, ("agents", "MODIFIED", agents, 11))
            self.keep("a changed agent's row", "us", size, 1e6 / per_second)
            self.keep("a single change is to be seen", "ms", size, median(mirror.singles(source, database)))

    # ----

    def tell(self) -> None:
        for key, sizes in self.found.items():
            what, unit = key.split("|")
            for size, values in sizes.items():
                self.context.row(f"{what}, {size} agents", unit, values)
            points = {size: median(values) for size, values in sizes.items()}
            if len(points) > 1 and min(points.values()) > 0:
                self.context.row(f"{what}: exponent", "", [exponent(points)])


def run(context: Context) -> None:
    growth = Growth(context)
    context.input(agents=growth.sizes, namespace=NAMESPACE)
    try:
        for part in (growth.pairing, growth.front, growth.mirror, growth.control_plane):
            part()
    finally:
        growth.tell()
