"""A controller that sees the past: its watches are late, its lists are old, its writes arrive.

What is decided on an old state is either refused by the API server (status writes carry the version
they were decided on) or makes what is there already (names are derived).
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

from .arena import Arena

Begin = Callable[..., Arena]
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
