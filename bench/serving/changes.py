"""Ratings that move while somebody reads: as many commits a second as a busy arena has."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

from .servers import connect

CHANGE = "UPDATE agents SET elo = elo + %s, resource_version = resource_version + 1 WHERE object_name = %s"


@contextlib.contextmanager
def changes(url: str, per_second: int, agents: int) -> Iterator[Callable[[], float]]:
    """Each is an agent's new rating, with all that follows of it: its event, and the queue's look at it. Tells how many
    a second there have been: the machine may not manage all that are asked for."""
    over = threading.Event()
    number, begun = 0, time.monotonic()

    def change() -> None:
        nonlocal number
        with connect(url) as c:
            while not over.wait(max(0.0, begun + number / per_second - time.monotonic())):
                number += 1
                c.execute(CHANGE, (1 if number % 2 else -1, f"agent-{1 + number * 7919 % agents}"))

    thread = threading.Thread(target=change)
    thread.start()
    try:
        yield lambda: number / (time.monotonic() - begun)
    finally:
        over.set()
        thread.join()
