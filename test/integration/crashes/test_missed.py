"""What happens is missed: watches end, connections break, answers are lost. All gets done once all the same."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable

import pytest

from .arena import Arena
from .disturb import again_and_again

Begin = Callable[..., Arena]


@pytest.mark.parametrize("seed", range(3))
def test_watches_break_all_the_time(arena: Begin, seed: int) -> None:
    one = arena()
    way = one.proxy()
    one.apply_all()
    one.start(server=way.url)
    with again_and_again(way.cut_watches, 0.02, 0.4, seed) as breaks:
        one.settle()
    assert breaks[0] > 3
    one.check()


@pytest.mark.parametrize("seed", range(2))
def test_every_connection_breaks_all_the_time(arena: Begin, seed: int) -> None:
    """Also those in the middle of a write: nobody knows whether it arrived."""
    one = arena()
    way = one.proxy()
    one.apply_all()
    one.start(server=way.url)
    with again_and_again(way.cut, 0.05, 0.5, seed) as breaks:
        one.settle()
    assert breaks[0] > 3
    one.check()


def test_no_watch_for_a_while(arena: Begin) -> None:
    """It builds, and hears of nothing until its watches are let in again."""
    one = arena()
    way = one.proxy()
    first = one.start(server=way.url)
    first.wait_for("leading")
    for kind in ("Agent", "Submission", "Match", "MatchmakingQueue", "Job", "Pod"):
        first.wait_for(f"listed kind={kind}")
    way.watches_open = False
    way.cut_watches()
    one.apply_all()
    time.sleep(3)
    assert not one.now("jobs"), "nothing can be known of the submissions"
    way.watches_open = True
    one.settle()
    one.check()


def test_410_in_a_busy_watch(arena: Begin) -> None:
    """By an event in the middle of what the watch tells, as a client sees it that has fallen behind."""
    one = arena()
    way = one.proxy()
    one.apply_all()
    controller = one.start(server=way.url)
    with again_and_again(lambda: way.end_watches(410, "Expired"), 0.1, 0.5) as ends:
        one.settle()
    assert ends[0] > 3
    assert "listing again" in controller.words(100_000)
    one.check()


@pytest.mark.parametrize("every", (2, 3, 5))
def test_answers_to_writes_are_lost(arena: Begin, every: int) -> None:
    """The API server has done it, and the connection breaks before it can say so."""
    one = arena()
    way = one.proxy()
    counter = itertools.count(1)
    lost: list[str] = []

    def lose(method: str, path: str) -> bool:
        if method == "GET" or "/leases" in path or next(counter) % every:
            return False
        lost.append(f"{method} {path}")
        return True

    way.lose_answer = lose
    one.apply_all()
    one.start(server=way.url)
    one.settle()
    assert len(lost) > 10
    one.check(events=False)  # an Event that was written is written again: there is no telling


def test_a_way_that_goes_silent(arena: Begin) -> None:
    """Nothing gets through and nobody is told, for less than the lease lasts."""
    one = arena()
    way = one.proxy()
    one.apply_all()
    controller = one.start(server=way.url)
    one.wait("it builds", lambda: one.now("jobs"))
    way.silent = True
    time.sleep(6)
    way.silent = False
    one.settle()
    assert not controller.is_dead()
    one.check()
