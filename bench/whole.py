"""A match end to end: from `kubectl create` to Complete, with real Pods, on the embedded cluster.

Two agents play tic-tac-toe by a match after the other. A watcher of matches and one of Pods note when they heard
of each step. What is beyond Pod start and play is the arena's own: from the creation to the Pods' creation, from
the later Pod's Ready to the call, and from the answer to Complete, with the watchers' delay. What kubectl itself takes
is in the first row alone.
"""

from __future__ import annotations

import time
from typing import Any

from common import Context, embedded, median
from common.embedded import PREFIX, cluster

ENVIRONMENT = "tic-tac-toe"


class Times:
    """Of one match: when it was heard of first that..."""

    def __init__(self) -> None:
        self.at: dict[str, float] = {}
        self.play = 0.0

    def note(self, what: str, now: float) -> None:
        self.at.setdefault(what, now)


def is_ready(pod: dict[str, Any]) -> bool:
    return any(one["type"] == "Ready" and one["status"] == "True" for one in cluster.status(pod).get("conditions", []))


class Listener:
    def __init__(self) -> None:
        self.times: dict[str, Times] = {}

    def match(self, now: float, _: str, item: dict[str, Any]) -> None:
        times = self.times.get(cluster.name_of(item))
        if times is None:
            return
        times.note("created", now)
        if cluster.is_over(item):
            times.note("over", now)
            times.play = cluster.status(item).get("executionMilliseconds", 0) / 1000

    def pod(self, now: float, _: str, item: dict[str, Any]) -> None:
        times = self.times.get(item["metadata"].get("labels", {}).get("rl-arena.io/match", ""))
        if times is None:
            return
        times.note("pods", now)
        if is_ready(item):
            times.note("ready " + cluster.name_of(item), now)


def one(listener: Listener, name: str) -> dict[str, float]:
    """Seconds: with kubectl, in all, for the Pods' start, for the play, and beyond both."""
    times = listener.times[PREFIX + name] = Times()
    begin = time.monotonic()
    cluster.create(embedded.match(name, ENVIRONMENT, "first", "second"))
    end = begin + 120
    while "over" not in times.at:
        if time.monotonic() > end:
            raise RuntimeError(cluster.diagnosis("matches", PREFIX + name))
        time.sleep(0.01)
    ready = [at for what, at in times.at.items() if what.startswith("ready ")]
    assert len(ready) == 2, times.at
    total, pods = times.at["over"] - times.at["created"], max(ready) - times.at["pods"]
    return {
        "applied": times.at["over"] - begin,
        "total": total,
        "pods": pods,
        "play": times.play,
        "beyond": total - pods - times.play,
    }


def run(context: Context) -> None:
    embedded.require()
    count = 3 if context.small else 30
    listener = Listener()
    watches = [embedded.Watch("matches", listener.match), embedded.Watch("pods", listener.pod)]
    try:
        embedded.agents(ENVIRONMENT, ["first", "second"])
        one(listener, "warm")  # the image is on the node from here on
        found = [one(listener, f"whole-{number}") for number in range(count)]
    finally:
        for watch in watches:
            watch.close()
        embedded.clear()
    context.input(environment=ENVIRONMENT, matches=count)
    names = {
        "applied": "a match, from the start of kubectl to Complete",
        "total": "a match, from its creation to Complete",
        "pods": "of it the Pods' start",
        "play": "of it the play",
        "beyond": "beyond both",
    }
    for key, what in names.items():
        context.row(what, "s", [each[key] for each in found])
    context.goal("a match end to end", median([each["applied"] for each in found]) < 4, "under 4 s")
    context.goal("beyond Pod start and play", median([each["beyond"] for each in found]) < 0.2, "under 0.2 s")
