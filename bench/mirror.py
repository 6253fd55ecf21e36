"""The mirror: 10,000 changed objects until their rows are committed, and how soon a single change is to be seen."""

from __future__ import annotations

import contextlib
import json
import time
import uuid
from collections.abc import Iterator

from common import Context, median, quantile
from serving import feed, servers
from serving.feed import Object, thing

ROWS_PER_SECOND = 5_000
SINGLE_MS = 20
SINGLES = 100
BATCH = 500  # rows that the mirror writes at once, at most
READY = {"type": "Ready", "status": "True", "reason": "Ready", "message": "It plays.", "lastTransitionTime": feed.NOW}


def agent(number: int, version: int) -> Object:
    matches = version % 1000
    rating = {"elo": 1200 + (number * 37 + version) % 700, "matches": matches, "wins": matches, "losses": 0, "draws": 0}
    status = {
        "activeSubmission": f"agent-{number}-1",
        "activeVersion": 1,
        "latestVersion": 1,
        "rating": {**rating, "peak": 1900, "provisional": False},
        "queue": {"state": "Idle", "reason": "It played just now."},
        "conditions": [READY],
    }
    spec = {"owner": f"user-{number % 2000}", "environment": "pong"}
    return thing("agents", f"agent-{number}", str(uuid.UUID(int=number)), version, spec, status)


def match(number: int, version: int, over: bool) -> Object:
    sides = [{"agent": f"agent-{(number * step) % 10_000}"} for step in (3, 7)]
    done = {"type": "Complete", "status": "True", "reason": "Complete", "message": "", "lastTransitionTime": feed.NOW}
    status: Object = {"phase": "Pending"}
    if over:
        results = [{"agent": side["agent"], "outcome": word, "score": score} for side, word, score in
                   zip(sides, ("Win", "Loss"), (1, 0), strict=True)]  # fmt: skip
        status = {"phase": "Complete", "winner": sides[0]["agent"], "participants": results, "conditions": [done]}
        status |= {"startTime": feed.NOW, "completionTime": feed.NOW}
    spec = {"environment": "pong", "participants": sides, "rated": False}
    return thing("matches", f"match-{number}", str(uuid.UUID(int=1_000_000 + number)), version, spec, status)


def committed(database: servers.Connection, table: str, version: int, things: list[Object]) -> None:
    """Waits until all have that version. All are counted only once the last is there: counting takes the cores from
    what is measured."""
    of_last = f"SELECT 1 FROM {table} WHERE id = %s AND resource_version >= %s"
    of_all = f"SELECT count(*) FROM {table} WHERE resource_version >= %s"
    until = time.monotonic() + 120
    while not database.execute(of_last, (things[-1]["metadata"]["uid"], version)).fetchall() or database.execute(
        of_all, (version,)
    ).fetchall()[0][0] < len(things):
        assert time.monotonic() < until, f"{table} do not come"
        time.sleep(0.005)


def run(context: Context) -> None:
    (count,) = context.sizes([10_000], [1_000])
    context.input(objects=count, single_changes=SINGLES)
    with mirroring(context) as (source, database, front), alone(database) as postgres:
        rates(context, source, database, front, postgres, count)
        times = singles(source, database)
    context.row("a single change is to be seen after", "ms", times)
    context.row("a single change is to be seen after: p99", "ms", [quantile(times, 0.99)])
    context.goal("a single change is to be seen", quantile(times, 0.99) < SINGLE_MS, f"p99 within {SINGLE_MS} ms")


@contextlib.contextmanager
def mirroring(context: Context) -> Iterator[tuple[feed.Feed, servers.Connection, int]]:
    """An API server that has one queue, an empty database that is filled from there, and the front's process."""
    spec = {"environment": {"name": "pong", "displayName": "Pong"}}
    source = feed.Feed([thing("matchmakingqueues", "pong", str(uuid.UUID(int=9)), 1, spec, {"conditions": [READY]})])
    settings = {
        "USE_K8S": "true",
        "KUBECONFIG": str(source.kubeconfig(context.folder / "kubeconfig")),
        "K8S_NAMESPACE": feed.NAMESPACE,
        "POD_NAMESPACE": feed.NAMESPACE,
    }
    with (
        contextlib.closing(source),
        servers.database() as url,
        servers.connect(url) as database,
        servers.front(context, url, **settings) as front,
    ):
        assert front.process
        yield source, database, front.process.pid


class Alone:
    """PostgreSQL's own limit: a database into which the same rows are written by the same functions, by one connection
    that does nothing else."""

    def __init__(self, read: servers.Connection, write: servers.Connection) -> None:
        self.read, self.write = read, write

    def store(self, table: str, version: int) -> float:
        """What the mirror has written at that version; rows a second."""
        # As objects tell it: which agents these are is looked up.
        of = f"SELECT to_jsonb(t) - '{{agent1_id,agent2_id}}'::text[] FROM {table} t WHERE resource_version = %s"
        rows = [row for (row,) in self.read.execute(of, (version,)).fetchall()]
        parts = [json.dumps(rows[at : at + BATCH]) for at in range(0, len(rows), BATCH)]
        begun = time.monotonic()
        stored = [self.write.execute(f"SELECT store_{table}(%s::jsonb)", (part,)).fetchall()[0][0] for part in parts]
        seconds = time.monotonic() - begun
        assert sum(stored) == len(rows) > 0, f"{sum(stored)} of {len(rows)} {table} were written"
        return len(rows) / seconds


@contextlib.contextmanager
def alone(database: servers.Connection) -> Iterator[Alone]:
    with servers.database() as url, servers.connect(url) as write:
        write.execute("SET jit = off")  # as the front's connections have it
        postgres = Alone(database, write)
        postgres.store("environments", 1)
        yield postgres


Sent = tuple[str, str, list[Object], int]  # the kind, the event's word, the objects, the version that all of them have


def rate(source: feed.Feed, database: servers.Connection, front: int, sent: Sent) -> tuple[float, float]:
    """Rows a second, and the front's processor time for each in microseconds."""
    kind, word, things, version = sent
    pieces = source.prepare(word, things)
    used, begun = servers.seconds_of(front), time.monotonic()
    source.send(kind, pieces)
    committed(database, kind, version, things)
    return len(things) / (time.monotonic() - begun), (servers.seconds_of(front) - used) / len(things) * 1e6


def rates(
    context: Context, source: feed.Feed, database: servers.Connection, front: int, postgres: Alone, count: int
) -> None:
    version = 10
    numbers = range(1, count + 1)
    found: dict[str, list[tuple[float, float, float]]] = {}

    def measure(what: str, kind: str, word: str, things: list[Object]) -> None:
        ours = rate(source, database, front, (kind, word, things, version))
        found.setdefault(what, []).append((*ours, postgres.store(kind, version)))

    measure("new agents", "agents", "ADDED", [agent(n, version) for n in numbers])
    for turn in range(context.runs):
        version += 1
        measure("changed agents", "agents", "MODIFIED", [agent(n, version) for n in numbers])
        mine = range(1 + turn * count, 1 + (turn + 1) * count)
        version += 1
        measure("new matches", "matches", "ADDED", [match(n, version, False) for n in mine])
        version += 1
        measure("finished matches", "matches", "MODIFIED", [match(n, version, True) for n in mine])
        context.say(", ".join(f"{what} {v[-1][0]:.0f}/s of {v[-1][2]:.0f}/s" for what, v in found.items()))
    for what, values in found.items():
        context.row(what, "rows/s", [value[0] for value in values])
        context.row(what, "rows/s", [value[2] for value in values], side="PostgreSQL")
        context.row(f"{what}: the front's processor time", "us/row", [value[1] for value in values])
        if what != "new agents":
            context.goal(what, median([v[0] for v in values]) >= ROWS_PER_SECOND, f"{ROWS_PER_SECOND:,} rows/s")


def singles(source: feed.Feed, database: servers.Connection) -> list[float]:
    """One change at a time, read until it is there: milliseconds."""
    times = []
    for number in range(1, SINGLES + 1):
        version = 1_000_000 + number
        pieces = source.prepare("MODIFIED", [agent(number, version)])
        time.sleep(0.02)
        begun = time.monotonic()
        source.send("agents", pieces)
        read = "SELECT resource_version FROM agents WHERE id = %s"
        while database.execute(read, (str(uuid.UUID(int=number)),)).fetchall()[0][0] < version:
            time.sleep(0.001)  # who asks without a pause takes the cores from what is measured
        times.append((time.monotonic() - begun) * 1e3)
    return times
