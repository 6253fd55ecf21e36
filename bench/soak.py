"""Half an hour of everything at once on the embedded cluster: nothing may grow, nothing may become slower.

All the time: matches of tic-tac-toe, two at once; a build from source, then the next; listeners at the front that
connect, subscribe and go away again; somebody who reads the leaderboard, all at the rate that one address may have.
Memory and file descriptors of controller, api-server and executor are read again and again, and how long the
leaderboard and a match took is kept. The first sixth is compared with the last one, after a start in which caches and
pools fill.
"""

from __future__ import annotations

import itertools
import os
import random
import secrets
import textwrap
import threading
import time
from collections.abc import Callable

from common import Context, embedded, median, process, quantile
from common.embedded import PREFIX, cluster, thing

import front_user  # isort: skip - of the e2e suite, whose folder common.embedded adds

PROGRAMS = {"controller": "controller", "api-server": "api-server", "executor": "executor/start.py"}
ENVIRONMENT = "tic-tac-toe"
SAMPLES = 180
PLAYERS, LISTENERS = 4, 16  # one user's, who may have 20 connections
CODE = """
    import random

    def agent(observation, configuration):
        # build {number}
        legal = [i for i, free in enumerate(observation["action_mask"]) if free]
        return random.choice(legal)
"""


class Soak:
    def __init__(self, context: Context, warm: float, length: float) -> None:
        self.context = context
        self.begin = time.monotonic() + warm
        self.end = self.begin + length
        self.length = length
        self.trouble: list[str] = []
        self.samples: dict[str, list[tuple[float, float]]] = {}
        self.done: dict[str, int] = {"matches": 0, "builds": 0, "connections": 0, "reads": 0}
        self.pids = {name: embedded.pid_of(command) for name, command in PROGRAMS.items()}
        self.url = front_user.address()

    def runs(self) -> bool:
        return time.monotonic() < self.end and not self.trouble

    def keep(self, what: str, value: float) -> None:
        self.samples.setdefault(what, []).append((time.monotonic() - self.begin, value))

    # ---- what goes on all the time, each on a thread of its own

    def sample(self) -> None:
        while self.runs():
            for name, pid in self.pids.items():
                self.keep(f"{name}, memory|MiB", process.memory(pid) / 1024 / 1024)
                self.keep(f"{name}, open files|", len(os.listdir(f"/proc/{pid}/fd")))
            time.sleep(self.length / SAMPLES)

    def play(self, first: str, second: str) -> None:
        for number in itertools.count():
            if not self.runs():
                return
            name, began = f"soak-{first}-{number}", time.monotonic()
            cluster.create(embedded.match(name, ENVIRONMENT, first, second))
            wanted = f"match/{PREFIX}{name}"
            cluster.kubectl("wait", "--for=condition=Complete", wanted, "--timeout=120s", limit=130)
            self.keep("a match, as kubectl wait sees it|s", time.monotonic() - began)
            self.done["matches"] += 1
            cluster.delete("matches", PREFIX + name)

    def build(self) -> None:
        for number in itertools.count():
            if not self.runs():
                return
            code = textwrap.dedent(CODE).lstrip().format(number=number)
            spec = {"agent": PREFIX + "built", "source": {"inline": {"files": {"agent.py": code}}}}
            cluster.apply([thing("Submission", f"built-v{number}", spec)])
            wanted = f"submission/{PREFIX}built-v{number}"
            cluster.kubectl("wait", "--for=condition=Ready", wanted, "--timeout=600s", limit=620)
            self.done["builds"] += 1

    def listen(self) -> None:
        environment = self.environment["id"]
        while self.runs():
            events = front_user.Events(self.listener, [f"leaderboard:{environment}", f"queue:{environment}"])
            time.sleep(random.uniform(30, 60))
            events.close()
            self.done["connections"] += 1

    def read(self) -> None:
        connection = front_user.Front(self.url).connection()
        while self.runs():
            began = time.monotonic()
            connection.request("GET", "/api/v1/leaderboard?limit=20")
            answer = connection.getresponse()
            answer.read()
            if answer.status == 429:
                time.sleep(int(answer.headers["Retry-After"]))
                continue
            assert answer.status == 200, answer.status
            self.keep("GET /leaderboard|ms", 1000 * (time.monotonic() - began))
            self.done["reads"] += 1
            time.sleep(2.5)

    # ----

    def guarded(self, work: Callable[[], None]) -> Callable[[], None]:
        def watched() -> None:
            try:
                work()
            except Exception as error:  # noqa: BLE001 - told below; the others stop by it
                self.trouble.append(f"{getattr(work, '__name__', 'play')}: {error}")

        return watched

    def go(self) -> None:
        players = [f"player-{number}" for number in range(PLAYERS)]
        embedded.agents(ENVIRONMENT, players)
        spec = {"owner": PREFIX + "built", "environment": ENVIRONMENT, "matchmaking": {"enabled": False}}
        cluster.apply([thing("Agent", "built", spec)])
        self.listener, _ = front_user.signed_in(f"soak-{secrets.token_hex(4)}")
        every = front_user.Front(self.url).get("/environments")["environments"]
        self.environment = next(one for one in every if one["name"] == ENVIRONMENT)
        work: list[Callable[[], None]] = [self.sample, self.build, self.read, *[self.listen] * LISTENERS]
        work += [lambda pair=pair: self.play(*pair) for pair in zip(players[::2], players[1::2], strict=True)]
        threads = [threading.Thread(target=self.guarded(one), daemon=True) for one in work]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self.trouble:
            raise RuntimeError("; ".join(self.trouble))

    def parts(self, what: str) -> tuple[list[float], list[float]]:
        """The values of the first sixth and of the last."""
        sixth = self.length / 6
        first = [value for at, value in self.samples[what] if 0 <= at < sixth]
        last = [value for at, value in self.samples[what] if at >= self.length - sixth]
        return first, last

    def tell(self) -> None:
        for key in sorted(self.samples):
            what, unit = key.split("|")
            first, last = self.parts(key)
            if self.context.small and not (first and last):  # ten seconds are short
                self.context.say(f"{what}: {len(first)} values in the first sixth, {len(last)} in the last")
                continue
            self.context.row(what, unit, first, "first sixth")
            self.context.row(what, unit, last, "last sixth")
            if what.endswith("memory"):
                flat = median(last) <= 1.05 * median(first) + 1
                self.context.goal(what, flat, "the last sixth's within 5% and 1 MiB of the first's")
            elif what.endswith("open files"):
                self.context.goal(what, median(last) <= median(first) + 2, "the same, two more at most")
            else:
                slower = quantile(last, 0.9) / quantile(first, 0.9)
                self.context.goal(f"{what}, p90", slower <= 1.2, "the last sixth's within 20% of the first's")


def run(context: Context) -> None:
    embedded.require()
    soak = Soak(context, *((10, 60) if context.small else (300, 1800)))
    try:
        soak.go()
    finally:
        embedded.clear()
    context.input(seconds=round(soak.length), listeners=LISTENERS, **soak.done)
    soak.tell()
