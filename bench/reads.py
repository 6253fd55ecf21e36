"""GET /users/me and /matches/agent/:id, each asked for many in turn: 10,000 agents, 50,000 matches, 32 connections."""

from __future__ import annotations

import hashlib
import uuid

from common import Context, median
from serving import changes, load, people, seed, servers

PER_SECOND = 6_000
CHANGES_PER_SECOND = 50
MANY = 200  # users, and agents, that are asked for


def agent_path(number: int) -> str:
    agent = uuid.UUID(hashlib.md5(f"a{number}".encode()).hexdigest())
    return f"/api/v1/matches/agent/{agent}?limit=10"


def run(context: Context) -> None:
    (seconds,) = context.sizes([8], [2])
    size = seed.Size()
    context.input(
        agents=size.agents, matches=size.matches, connections=load.CONNECTIONS, seconds=seconds, asked_for=MANY
    )
    with servers.database() as url:
        seed.fill(url, size)
        with servers.front(context, url) as front:
            measure(context, "at rest", front.url, seconds)
            with changes.changes(url, CHANGES_PER_SECOND, size.agents) as done:
                measure(context, f"with {CHANGES_PER_SECOND} changes a second", front.url, seconds)
                context.row("ratings that moved", "changes/s", [done()], "PostgreSQL")


def measure(context: Context, when: str, url: str, seconds: int) -> None:
    tokens = [f"Bearer {people.token(n)}" for n in range(1, MANY + 1)]
    matches = [agent_path(n) for n in range(1, MANY + 1)]
    kinds = {
        "/users/me": lambda: load.load(url, seconds, paths=["/api/v1/users/me"], authorizations=tokens),
        "/matches/agent/:id": lambda: load.load(url, seconds, paths=matches),
    }
    for name, ask in kinds.items():
        speeds = []
        for run_number in range(context.runs):
            speeds.append(ask())
            context.say(f"run {run_number + 1} of {context.runs}: {name} {when} {speeds[-1].per_second:.0f}/s")
        assert not any(speed.errors for speed in speeds), f"{name} answers with errors"
        context.row(f"{name} {when}", "requests/s", [s.per_second for s in speeds])
        context.row(f"{name} {when}: p99", "ms", [s.p99_ms for s in speeds])
        context.goal(f"{name} {when}", median([s.per_second for s in speeds]) >= PER_SECOND, f"{PER_SECOND:,}/s")
