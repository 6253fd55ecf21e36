"""Something that goes on beside a test until it is over."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def again_and_again(act: Callable[[], object], shortest: float, longest: float, seed: int = 1) -> Iterator[list[int]]:
    """Calls `act` with pauses of that length; what it raises fails the test. Gives the count of calls so far."""
    chance = random.Random(seed)
    over = threading.Event()
    count = [0]
    trouble: list[BaseException] = []

    def run() -> None:
        try:
            while not over.wait(chance.uniform(shortest, longest)):
                act()
                count[0] += 1
        except BaseException as error:  # noqa: BLE001 - handed on below
            trouble.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield count
    finally:
        over.set()
        thread.join()
    assert not trouble, trouble
