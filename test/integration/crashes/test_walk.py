"""The controller is killed at every fault point there is, started again, and all is as if it had not died."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Callable

from .arena import LONG, Arena, Stage
from .controller import glob_of, place_of
from .walk import Walk, reference

# The lease is written by the clock, and Events are counted up when two of a kind come together: a run
# may end without either.
BY_CHANCE = ("PUT leases", "PATCH events")
# What a plain day has.
EXPECTED = {
    f"{when} {what}"
    for when in ("before", "after")
    for what in (
        "POST jobs", "POST configmaps", "POST pods", "POST matches", "POST leases", "POST events",
        "PATCH submissions/status", "PATCH agents/status", "PATCH matches/status", "PATCH matchmakingqueues/status",
        "DELETE pods", "GET pods/log", "RunMatch", "ListEnvironments",
    )
}  # fmt: skip


def every_step(passed: Counter[str]) -> list[tuple[str, int]]:
    """Every place, and every time that it is passed; once more than usual, since no two runs are alike."""
    steps = [(glob_of(place), n) for place, count in sorted(passed.items()) for n in range(1, count + 2)]
    if not LONG:  # each place for the first time, and of the other times every fifth that is no Event's
        first = [step for step in steps if step[1] == 1]
        steps = first + [step for step in steps if step[1] > 1 and "/events" not in step[0]][::5]
    return steps


def test_killed_at_every_point_nothing_is_lost_and_nothing_done_twice(stage: Stage) -> None:
    passed = Counter(place_of(line) for line in reference(stage))
    assert not EXPECTED - set(passed), "a place that is not passed any more is not tested any more"
    walk = Walk(stage)
    walk.go(every_step(passed))
    print(f"{sum(walk.died.values())} deaths at {len(walk.died)} places, {sum(passed.values())} points in a run")
    assert not walk.problems, "\n".join(walk.problems)
    never = {place for place in passed if not walk.died[glob_of(place)] and not place.endswith(BY_CHANCE)}
    assert not never


def test_killed_while_it_renews_its_lease(arena: Callable[..., Arena]) -> None:
    for when in ("before", "after"):
        one = arena()
        one.apply_all()
        first = one.start(FAULT_ONLY=f"{when} PUT */leases/*", FAULT_AT="1")
        assert first.process.wait(30) == -signal.SIGKILL
        second = one.start()
        one.settle()
        second.end()
        one.check()


def test_killed_again_and_again(arena: Callable[..., Arena]) -> None:
    """Each life ends after a few more writes; the work gets done all the same."""
    for steps in (4, 11):
        one = arena()
        one.apply_all()
        while not one.settle(dies=one.start(FAULT_AT=str(steps))):
            steps += 1  # a life has to be long enough to get anywhere
            assert steps < 300, one.story()
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
    rest = ("PUT leases", "PATCH matchmakingqueues/status", "ListEnvironments")
    assert written <= {f"{when} {what}" for when in ("before", "after") for what in rest}
    one.check()
