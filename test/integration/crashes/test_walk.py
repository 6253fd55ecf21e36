"""The controller is killed at every fault point there is, started again, and all is as if it had not died."""

from __future__ import annotations

import itertools
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from .arena import Arena, Stage
from .controller import place_of

AT_ONCE = int(os.environ.get("ARENA_WALKS_AT_ONCE", "2"))
# A run of this scenario passes about 240 points; one that passes far more goes round in circles.
MOST = 600


class Walk:
    def __init__(self, stage: Stage, first: int = 1, step: int = 1) -> None:
        self.stage = stage
        self.numbers = itertools.count(first, step)
        self.lock = threading.Lock()
        self.over = False
        self.died: list[str] = []  # the places where it died
        self.passed: set[str] = set()
        self.problems: list[str] = []

    def go(self) -> None:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for done in [pool.submit(self.work) for _ in range(AT_ONCE)]:
                done.result()

    def work(self) -> None:
        while not self.over:
            with self.lock:
                number = next(self.numbers)
            assert number <= MOST, "the controller writes without end"
            self.run(number)

    def run(self, number: int) -> None:
        arena = Arena(self.stage)
        try:
            arena.apply_all()
            first = arena.start(FAULT_AT=str(number))
            if arena.settle(dies=first):
                self.over = True
                first.kill()
            else:
                assert first.process.wait() == -signal.SIGKILL, first.words()
                second = arena.start()
                arena.settle()
                second.end()
            points = first.points()
            with self.lock:
                self.passed |= {place_of(line) for line in points}
                if not self.over:
                    self.died.append(place_of(points[-1]))
            self.problems += [f"killed at {number}, {points[-1]}: {text}" for text in arena.problems()]
        except AssertionError as error:
            self.problems.append(f"killed at {number}: {error}")
        finally:
            arena.close()


def test_killed_at_every_point_nothing_is_lost_and_nothing_done_twice(stage: Stage) -> None:
    walk = Walk(stage)
    walk.go()
    print(f"{len(walk.died)} deaths at {len(set(walk.died))} places")  # figures of docs/reliability.md
    assert not walk.problems, "\n".join(walk.problems)
    assert walk.passed == set(walk.died), walk.passed - set(walk.died)


def test_killed_again_and_again(arena: Callable[..., Arena], stage: Stage) -> None:
    """Each life ends after a few more writes; the work gets done all the same."""
    for steps in (3, 7, 13):
        one = arena()
        one.apply_all()
        for _ in range(MOST):
            if one.settle(dies=one.start(FAULT_AT=str(steps))):
                break
            steps += 1  # a life has to be long enough to get anywhere
        one.check()


def test_a_settled_arena_is_left_alone(arena: Callable[..., Arena]) -> None:
    """A controller that starts over a finished day writes nothing but its lease and the queue's passes."""
    one = arena()
    one.apply_all()
    first = one.start()
    one.settle()
    first.end()
    second = one.start()
    second.wait_for("leading")
    one.settle()
    second.end()
    written = {place_of(line) for line in second.points()}
    assert written <= {f"{when} {what}" for when in ("before", "after") for what in ("PUT leases", "PATCH matchmakingqueues/status")}
    one.check()
