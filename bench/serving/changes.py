"""Ratings that move while somebody reads: as many commits a second as a busy arena has."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator

from .servers import connect

CHANGE = "UPDATE agents SET elo = elo + %s, resource_version = resource_version + 1 WHERE object_name = %s"


@contextlib.contextmanager
def changes(url: str, per_second: int, agents: int) -> Iterator[None]:
    """Each is an agent's new rating, with all that follows of it: its event, and the queue's look at it."""
    over = threading.Event()

    def change() -> None:
        with connect(url) as c:
            begun = time.monotonic()
            number = 0
            while not over.wait(max(0.0, begun + number / per_second - time.monotonic())):
                number += 1
                c.execute(CHANGE, (1 if number % 2 else -1, f"agent-{1 + number * 7919 % agents}"))

    thread = threading.Thread(target=change)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
