"""The controller's clock jumps by an hour, ahead and back, while it is at work.

libfaketime moves its wall clock alone: the monotonic clock, which the lease and all timers go by, can not be
set on a real machine either. What each decision makes of it: test/unit/controller_clock.c.
"""

from __future__ import annotations

import glob
import pathlib
import random
from collections.abc import Callable
from datetime import datetime

import pytest

from .arena import Arena
from .disturb import again_and_again

Begin = Callable[..., Arena]
LIBRARY = "/usr/lib/*/faketime/libfaketime.so.1"
HOUR = 3600


class Clock:
    """The wall clock of one process."""

    def __init__(self, file: pathlib.Path) -> None:
        self.file = file
        self.set(0)
        (library,) = glob.glob(LIBRARY)
        self.environment = {
            "LD_PRELOAD": library,
            "FAKETIME_TIMESTAMP_FILE": str(file),
            "FAKETIME_NO_CACHE": "1",
            "DONT_FAKE_MONOTONIC": "1",
            # The sanitizer wants to be the first library.
            "ASAN_OPTIONS": "verify_asan_link_order=0:detect_leaks=0",
        }

    def set(self, seconds: int) -> None:
        new = self.file.with_suffix(".new")
        new.write_text(f"{seconds:+d}\n")
        new.replace(self.file)


@pytest.mark.parametrize("seconds", (HOUR, -HOUR))
@pytest.mark.parametrize("when", ("building", "playing", "rated"))
def test_it_jumps_once(arena: Begin, when: str, seconds: int) -> None:
    one = arena()
    clock = Clock(one.folder / "clock")
    one.apply_all()
    one.start(**clock.environment)
    reached: dict[str, Callable[[], object]] = {
        "building": lambda: one.now("jobs"),
        "playing": one.agents_pods,
        "rated": lambda: any(one.is_rated(match) for match in one.now("matches")),
    }
    one.wait(when, reached[when])
    clock.set(seconds)
    one.settle()
    one.check()


@pytest.mark.parametrize("seconds", (HOUR, -HOUR))
def test_it_differs_from_all_others(arena: Begin, seconds: int) -> None:
    """From the API server's, which stamps what is made, and the nodes', from the first look to the last."""
    one = arena()
    clock = Clock(one.folder / "clock")
    clock.set(seconds)
    one.apply_all()
    one.start(**clock.environment)
    one.settle()
    match = one.one("matches", "by-hand")
    made, began = match["metadata"]["creationTimestamp"], match["status"]["startTime"]
    apart = datetime.fromisoformat(began) - datetime.fromisoformat(made)
    assert abs(apart.total_seconds() - seconds) < HOUR / 2  # the library is at work
    one.check()


@pytest.mark.parametrize("seconds", (HOUR, -HOUR))
def test_another_takes_over_with_another_clock(arena: Begin, seconds: int) -> None:
    one = arena()
    clock = Clock(one.folder / "clock")
    clock.set(seconds)
    one.apply_all()
    first = one.start(**clock.environment)
    one.wait("a match is played", one.agents_pods)
    first.kill()
    one.start()
    one.settle()
    one.check()


def test_it_jumps_all_the_time(arena: Begin) -> None:
    one = arena()
    clock = Clock(one.folder / "clock")
    one.apply_all()
    one.start(**clock.environment)
    chance = random.Random(1)
    with again_and_again(lambda: clock.set(chance.randint(-HOUR, HOUR)), 0.02, 0.2) as jumps:
        one.settle()
    assert jumps[0] > 5
    one.check()
