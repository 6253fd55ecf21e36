"""Killed on days that are not plain: attempts fail, a match is removed after its time, another one is cancelled."""

from __future__ import annotations

import fnmatch
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import invariants
import pytest
from invariants import condition, status

from .api import Object
from .arena import LONG, Arena, Stage
from .controller import Controller
from .kubelet import Ending, goes_well
from .walk import AT_ONCE, Walk, reference

BOTH = pytest.mark.parametrize("when", ["before", "after"])
# As in FAULT_ONLY, behind "before" or "after".
OF_ATTEMPTS = ("POST */jobs", "PATCH */submissions/a-1/status*", "GET */pods/a-1-*/log*")


def first_ones_fail(pod: Object) -> Ending:
    job = pod["metadata"]["labels"]["batch.kubernetes.io/job-name"]
    if job == "a-1-build-1":
        return Ending(codes={"build": 1}, logs={"build": "no such module\n"})
    if job == "a-1-scan-1":
        return Ending(codes={"scan": 1}, logs={"scan": "no database\n"})
    return goes_well(pod)


def bad_day(one: Arena) -> None:
    one.stage.kubelet.scripts[one.namespace] = first_ones_fail
    one.apply_all()


def test_killed_while_attempts_fail_no_attempt_is_lost_or_made_twice(stage: Stage) -> None:
    """A build and a scan fail once, and are tried again ten seconds later."""
    points = reference(stage, bad_day)
    steps = []
    for what in OF_ATTEMPTS:
        count = sum(fnmatch.fnmatchcase(line.strip(), f"before {what}") for line in points)
        assert count >= 2, what
        steps += [(f"{when} {what}", n) for n in range(1, count + 1) for when in ("before", "after")]
    walk = Walk(stage, bad_day, at_once=2 * AT_ONCE)  # most of it is waiting
    walk.go(steps if LONG else steps[::3])
    print(f"{sum(walk.died.values())} deaths at {len(walk.died)} places")
    assert not walk.problems, "\n".join(walk.problems)
    assert len([place for place, died in walk.died.items() if died]) == 2 * len(OF_ATTEMPTS)


def ready(one: Arena, **fault: str) -> Controller:
    """Both agents may play, and nobody plays but by hand."""
    one.apply(one.agent("a"), one.agent("b"), one.image("a-1", "a"), one.image("b-1", "b"))
    life = one.start(**fault)
    one.wait("both agents wait", lambda: one.are_waiting("a", "b"))
    return life


def assert_played(one: Arena, count: int) -> None:
    for agent in one.now("agents"):
        assert status(agent)["rating"]["matches"] == count, one.story()
    assert not invariants.contradictions(one.snapshot(), time.time())


@BOTH
def test_killed_as_it_removes_a_match_whose_time_is_over(arena: Callable[..., Arena], when: str) -> None:
    one = arena(paused=True)
    first = ready(one, FAULT_ONLY=f"{when} DELETE */matches/*", FAULT_AT="1")
    one.apply(one.match("short", ttlSecondsAfterFinished=0))
    assert first.process.wait(60) == -signal.SIGKILL
    second = one.start()
    one.wait("the match is gone", lambda: not one.now("matches") and not one.agents_pods())
    one.wait("both agents wait", lambda: one.are_waiting("a", "b"))
    second.end()
    assert_played(one, 1)


@contextmanager
def busy_for_ever(stage: Stage) -> Iterator[None]:
    """The executor answers nobody until the end."""
    stage.executor.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        stage.executor.process.send_signal(signal.SIGCONT)


def collect(one: Arena) -> None:
    """As the garbage collector would, which is not here: whose owner is gone, goes."""
    for pod in one.agents_pods():
        one.api.delete("pods", one.namespace, pod["metadata"]["name"], gracePeriodSeconds=0)


@BOTH
def test_killed_as_it_cancels_the_match_that_was_deleted(arena: Callable[..., Arena], when: str) -> None:
    one = arena(paused=True)
    first = ready(one, FAULT_ONLY=f"{when} cancel RunMatch *", FAULT_AT="1")
    with busy_for_ever(one.stage):
        one.apply(one.match("unwanted"))
        one.wait("it runs", lambda: condition(one.one("matches", "unwanted"), "Executed").get("reason") == "Running")
        one.api.delete("matches", one.namespace, "unwanted")
        assert first.process.wait(60) == -signal.SIGKILL
        collect(one)
    second = one.start()
    one.wait("it is put away", lambda: not one.now("matches") and not one.agents_pods())
    one.apply(one.match("next"))
    one.wait("the next one is played", lambda: one.is_over("next"))
    second.end()
    assert_played(one, 1)
