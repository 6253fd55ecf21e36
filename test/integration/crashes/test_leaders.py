"""Two controllers, and the one that leads dies, is cut off, or stands still: never are two at work."""

from __future__ import annotations

import signal
import time
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

from control_plane import wait_until

from .arena import LONG, Arena, Stage
from .controller import Controller
from .proxy import Proxy, Request

Begin = Callable[..., Arena]
LEASE = 15.0  # seconds for which a silent leader is believed
CACHES = 7  # that a controller has
AT_ONCE = 7  # paused arenas: they wait for leases, and cost little
# The leader is paused right after the n-th such write was answered, before it looks at the answer.
PAUSES = (
    ("after PATCH */matches/*/status", 4),
    ("after POST */pods", 2),
    ("after PATCH */agents/*/status", 5),
    ("after POST */jobs", 2),
    ("after POST */matches", 1),
    ("after PATCH */submissions/*/status", 6),
    ("after RunMatch *", 1),
)
# This one is in its hand: begun, and not yet on its way.
IN_HAND = (
    ("before PATCH */matches/*/status", 3),
    ("before POST */pods", 1),
    ("before PATCH */agents/*/status", 8),
    ("before POST */jobs", 2),
    ("before POST */matches", 1),
    ("before DELETE */pods/*", 1),
    ("before RunMatch *", 1),
)


class Pair:
    """Two controllers, each with a way of its own, so that it is known who wrote what when."""

    def __init__(self, arena: Arena) -> None:
        self.arena = arena
        self.ways = [arena.proxy(), arena.proxy()]

    def first(self, **more: str) -> Controller:
        return self.arena.start(identity="first", server=self.ways[0].url, **more)

    def second(self) -> Controller:
        return self.arena.start(identity="second", server=self.ways[1].url, listen=self.arena.second_listen)

    def both(self) -> tuple[Controller, Controller]:
        """The first leads, the second stands by."""
        self.arena.apply_all()
        first = self.first()
        first.wait_for("leading")
        return first, self.second()

    def work(self, way: Proxy) -> list[Request]:
        """What the API server took, apart from the lease itself."""
        return [r for r in way.writes() if r.kind != "leases"]

    def late(self) -> list[Request]:
        """Writes of the first after the second had begun to write."""
        others = self.work(self.ways[1])
        assert others, "the second has never worked"
        return [r for r in self.work(self.ways[0]) if r.ended > others[0].began]


def test_a_leader_that_dies_is_followed(arena: Begin) -> None:
    one = arena()
    pair = Pair(one)
    first, second = pair.both()
    one.wait("a match is played", lambda: one.now("pods") and one.agents_pods())
    first.kill()
    died = time.monotonic()
    one.settle()
    assert pair.work(pair.ways[1])[0].began - died > LEASE - 4  # not before the lease was over
    assert pair.late() == []
    second.end()
    one.check()


def test_who_stands_by_has_nothing_in_line(arena: Begin) -> None:
    """It would never be worked off, and all that is in line is looked at when it begins to lead anyway."""
    one = arena()
    _, second = Pair(one).both()
    wait_until("the second knows all there is", lambda: second.log.read_text().count("cache synced") == CACHES)
    one.settle()
    with urllib.request.urlopen(f"http://{one.second_listen}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    added = [line for line in lines if line.startswith(("workqueue_adds_total{", "workqueue_depth{"))]
    assert all(float(line.split()[-1]) == 0 for line in added), added
    assert 'leader_election_master_status{name="rl-arena-controller"} 0' in lines


def test_a_leader_that_ends_hands_over_at_once(arena: Begin) -> None:
    one = arena()
    pair = Pair(one)
    first, _ = pair.both()
    one.wait("something is built", lambda: one.now("jobs"))
    first.end()
    ended = time.monotonic()
    one.settle()
    assert pair.work(pair.ways[1])[0].began - ended < LEASE / 2
    assert pair.late() == []
    one.check()


def test_a_leader_that_is_cut_off_ends_before_another_begins(arena: Begin) -> None:
    one = arena()
    pair = Pair(one)
    first, _ = pair.both()
    one.wait("something is built", lambda: one.now("jobs"))
    pair.ways[0].silent = True
    assert first.process.wait(LEASE + 10) == 1
    ended = time.monotonic()
    assert "leadership lost" in first.words()
    one.settle()
    assert pair.work(pair.ways[1])[0].began > ended
    assert pair.late() == []
    one.check()


def pause(stage: Stage, place: str, number: int) -> list[Request]:
    """Pauses the leader there for longer than its lease, lets it go on when the other has done all the work,
    and gives what it then still wrote."""
    with closing(Arena(stage)) as one:
        pair = Pair(one)
        one.apply_all()
        first = pair.first(FAULT_ONLY=place, FAULT_AT=str(number), FAULT_SIGNAL="STOP")
        pid = first.process.pid
        wait_until("it is paused", lambda: is_stopped(pid))
        second = pair.second()
        one.settle()
        seen = len(pair.work(pair.ways[0]))
        first.signal(signal.SIGCONT)
        assert first.process.wait(30) == 1, first.words()
        assert "leadership lost" in first.words()
        one.settle()
        written = pair.work(pair.ways[0])[seen:]
        again = pair.first()  # as Kubernetes starts it again
        again.wait_for("started")
        one.settle()
        again.kill()
        second.end()
        problems = one.problems()
        assert not problems, "\n".join([place, *problems, one.story()])
        return written


def is_stopped(pid: int) -> bool:
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rpartition(")")[2].split()[0] == "T"


def test_a_leader_that_stood_still_writes_nothing_when_it_goes_on(stage: Stage) -> None:
    """SIGSTOP for longer than the lease, after a write was answered or with one in hand: it looks at the lease
    again right before anything leaves."""
    places = (PAUSES + IN_HAND)[:: 1 if LONG else 2]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for place, written in zip(places, pool.map(lambda p: pause(stage, *p), places), strict=True):
            assert written == [], place
