"""The API server says no: conflicts without end, too many requests, errors of its own."""

from __future__ import annotations

import contextlib
import functools
import itertools
import random
import time
from collections import defaultdict
from collections.abc import Callable

from .api import ApiError
from .arena import Arena
from .disturb import again_and_again
from .proxy import Answer, failure

Begin = Callable[..., Arena]


def test_others_write_the_same_objects_all_the_time(arena: Begin) -> None:
    """Every write of somebody else makes what was decided a conflict; it is decided again."""
    one = arena()
    way = one.proxy()
    notes = itertools.count()

    def write(kind: str) -> None:
        for item in one.now(kind):
            note = {"metadata": {"annotations": {"note": str(next(notes))}}}
            try:
                one.api.patch(kind, one.namespace, item["metadata"]["name"], note)
            except ApiError as error:
                assert error.code == 404, error

    one.apply_all()
    one.start(server=way.url)
    with contextlib.ExitStack() as storms:
        for kind in ("agents", "submissions", "matches"):
            storms.enter_context(again_and_again(functools.partial(write, kind), 0.0, 0.005))
        one.wait("all is done in the storm", one.is_settled)
    one.settle()
    conflicts = [r for r in way.requests if r.is_write and r.code == 409]
    assert len(conflicts) > 10
    one.check()


def test_too_many_requests_are_not_sent_again_before_their_time(arena: Begin) -> None:
    one = arena()
    way = one.proxy()
    times: dict[str, int] = defaultdict(int)

    def refuse(method: str, path: str) -> Answer | None:
        """The first two writes to every place."""
        if method == "GET" or "/leases" in path or "/events" in path:
            return None
        times[path] += 1
        return failure(429, "TooManyRequests", Retry_After="1") if times[path] <= 2 else None

    way.refuse = refuse
    one.apply_all()
    one.start(server=way.url)
    one.settle()
    one.check()
    refused = [r for r in way.requests if r.code == 429]
    assert len(refused) > 10
    for r in refused:
        after = [s for s in way.requests if s.path == r.path and s.method == r.method and s.began > r.began]
        # A write to a collection (POST) is that of any object of the kind.
        if r.method != "POST" and after:
            assert after[0].began - r.ended > 0.9, (r, after[0])


def test_every_third_request_fails(arena: Begin) -> None:
    one = arena()
    way = one.proxy()
    chance = random.Random(3)

    def refuse(method: str, path: str) -> Answer | None:
        # The lease apart: five in a row and it ends, as it should (test_leaders.py).
        if "/leases" in path or chance.random() > 1 / 3:
            return None
        return failure(*chance.choice(((500, "InternalError"), (503, "ServiceUnavailable"), (504, "Timeout"))))

    way.refuse = refuse
    one.apply_all()
    one.start(server=way.url)
    one.settle()
    one.check()
    assert len([r for r in way.requests if r.code >= 500]) > 30


def test_api_server_away_for_a_while(arena: Begin) -> None:
    """Connections are refused. For less than the lease lasts it goes on; after that somebody else could lead."""
    one = arena()
    way = one.proxy()
    one.apply_all()
    controller = one.start(server=way.url)
    one.wait("it builds", lambda: one.now("jobs"))
    way.open = False
    way.cut()
    time.sleep(5)
    way.open = True
    one.settle()
    assert not controller.is_dead()
    one.check()
