"""Lives of a controller that end at a fault point, one after the other, each over an arena of its own."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

from .arena import Arena, Stage

AT_ONCE = int(os.environ.get("ARENA_WALKS_AT_ONCE", "2"))

Prepare = Callable[[Arena], None]


def reference(stage: Stage, prepare: Prepare = Arena.apply_all) -> list[str]:
    """The fault points that a life passes to which nothing happens, in their order."""
    one = Arena(stage)
    try:
        prepare(one)
        life = one.start()
        one.settle()
        life.end()
        one.check()
        return life.points()
    finally:
        one.close()


class Walk:
    def __init__(self, stage: Stage, prepare: Prepare = Arena.apply_all, at_once: int = AT_ONCE) -> None:
        self.stage, self.prepare, self.at_once = stage, prepare, at_once
        self.died: Counter[str] = Counter()
        self.problems: list[str] = []

    def go(self, steps: Iterable[tuple[str, int]]) -> None:
        """To each place, given as FAULT_ONLY, when it is passed for the n-th time."""
        with ThreadPoolExecutor(self.at_once) as pool:
            for glob, died, problems in pool.map(lambda step: self.step(*step), steps):
                self.died[glob] += died
                self.problems += problems

    def step(self, glob: str, number: int) -> tuple[str, bool, list[str]]:
        one = Arena(self.stage)
        what = f"killed {glob} for the {number}. time: "
        try:
            self.prepare(one)
            first = one.start(FAULT_ONLY=glob, FAULT_AT=str(number))
            died = not one.settle(dies=first)
            if died:
                assert first.process.wait() == -signal.SIGKILL, first.words()
                second = one.start()
                one.settle()
                second.end()
            return glob, died, [what + text for text in one.problems()]
        except AssertionError as error:
            return glob, False, [what + str(error)]
        finally:
            one.close()
