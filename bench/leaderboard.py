"""GET /leaderboard?limit=20: 10,000 agents, 32 connections; beside a plain Go server over the same database."""

from __future__ import annotations

from collections.abc import Callable

from common import Context, median
from serving import changes, go, load, seed, servers

PATH = "/api/v1/leaderboard?limit=20"
PER_SECOND, P99_MS = 10_000, 20
CHANGES_PER_SECOND = 50


def run(context: Context) -> None:
    (seconds,) = context.sizes([8], [2])
    size = seed.Size()
    context.input(agents=size.agents, connections=load.CONNECTIONS, seconds=seconds, changes=CHANGES_PER_SECOND)
    with servers.database() as url:
        seed.fill(url, size)
        with servers.front(context, url) as front, go.leaderboard(context, url) as reference:
            sides = {"arena": front.url, "go": reference}
            measure(context, "at rest", sides, seconds)
            with changes.changes(url, CHANGES_PER_SECOND, size.agents) as done:
                measure(context, "while ratings move", sides, seconds)
                context.row("ratings that moved", "changes/s", [done()], "PostgreSQL")


def measure(context: Context, when: str, sides: dict[str, str], seconds: int) -> None:
    found: dict[str, list[load.Speed]] = {side: [] for side in sides}

    def side(name: str, url: str) -> Callable[[], float]:
        def once() -> float:
            found[name].append(load.load(url + PATH, seconds))
            return found[name][-1].per_second

        return once

    context.in_turns({name: side(name, url) for name, url in sides.items()})
    for name, speeds in found.items():
        assert not any(speed.errors for speed in speeds), f"{name} answers with errors"
        context.row(f"leaderboard {when}", "requests/s", [s.per_second for s in speeds], side=name)
        context.row(f"leaderboard {when}: p99", "ms", [s.p99_ms for s in speeds], side=name)
    ours = found["arena"]
    context.goal(f"leaderboard {when}", median([s.per_second for s in ours]) >= PER_SECOND, f"{PER_SECOND:,}/s")
    context.goal(f"leaderboard {when}: p99", median([s.p99_ms for s in ours]) < P99_MS, f"under {P99_MS} ms")
