"""A controller that sees the past: its watches are late, its lists are old, its writes arrive.

What is decided on an old state is either refused by the API server (status writes carry the version
they were decided on) or makes what is there already (names are derived).
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TypeVar

from .arena import LONG, Arena, Stage

Begin = Callable[..., Arena]
Case = TypeVar("Case", int, str)
AT_ONCE = 3  # arenas: they mostly wait
KINDS = ("agents", "submissions", "matches", "matchmakingqueues", "jobs", "pods")


def test_a_leader_that_takes_over_rates_from_what_the_last_one_wrote(arena: Begin) -> None:
    """The second's watch of Agents is far behind when it takes over: a rating that it has not seen yet
    must not be given a second time."""
    one = arena(paused=True)
    one.apply(one.agent("a"), one.agent("b"), one.image("a-1", "a"), one.image("b-1", "b"))
    behind = one.proxy()
    first = one.start(identity="first")
    first.wait_for("leading")
    second = one.start(identity="second", server=behind.url, listen=one.second_listen)
    second.wait_for("cache synced kind=Match")
    one.wait("both agents are in the queue", lambda: one.are_waiting("a", "b"))
    time.sleep(1)  # until the second has heard of it
    behind.lag["agents"] = 12.0
    one.apply(one.match("first"))
    one.wait("the first match is over", lambda: one.is_over("first"))
    first.signal(signal.SIGTERM)
    second.wait_for("leading")
    one.apply(one.match("second"))
    one.wait("the second match is over", lambda: one.is_over("second"))
    one.check()


def assert_no_problems(run: Callable[[Case], list[str]], cases: Iterable[Case]) -> None:
    """Of any case; several are run at a time."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        problems = [text for found in pool.map(run, cases) for text in found]
    assert not problems, "\n".join(problems)


def test_every_watch_is_late(arena: Begin) -> None:
    one = arena()
    way = one.proxy()
    way.lag[""] = 1.0
    one.apply_all()
    one.start(server=way.url)
    one.settle(quiet=2.5)
    one.check()


def test_one_watch_is_late(stage: Stage) -> None:
    """Also against each other: what belongs together is seen apart."""

    def run(kind: str) -> list[str]:
        with closing(Arena(stage)) as one:
            way = one.proxy()
            way.lag[kind] = 1.5
            one.apply_all()
            one.start(server=way.url)
            one.settle(quiet=3.5)
            return [f"{kind} late: {text}" for text in one.problems()]

    assert_no_problems(run, KINDS)


def test_killed_and_started_again_over_an_old_list(stage: Stage) -> None:
    """An API server that answers from the past: lists are two seconds old, watches one. What the lease's write
    says about the present keeps the new process from acting before it has seen it."""
    numbers = range(5, 230, 15 if LONG else 60)

    def run(number: int) -> list[str]:
        with closing(Arena(stage)) as one:
            way = one.proxy()
            way.remember_versions()
            one.apply_all()
            first = one.start(FAULT_AT=str(number))
            if one.settle(dies=first):
                return [f"nothing was killed: a life has fewer than {number} points"]
            way.past, way.lag[""] = 2.0, 1.0
            one.start(server=way.url)
            one.settle(quiet=2.5)
            return [f"killed at {number}: {text}" for text in one.problems()]

    assert_no_problems(run, numbers)
