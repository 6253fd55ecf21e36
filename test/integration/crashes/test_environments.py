"""What the executor can play is asked of the real one."""

from __future__ import annotations

from collections.abc import Callable

from invariants import condition

from .arena import ENVIRONMENT, Arena, made


def test_a_queue_of_an_unknown_environment_says_which_there_are(arena: Callable[..., Arena]) -> None:
    one = arena()
    one.apply(made("MatchmakingQueue", "go", {"environment": {"name": "go"}, "intervalSeconds": 1}))
    one.start()

    def ready(queue: str) -> dict[str, str]:
        return dict(condition(one.one("matchmakingqueues", queue), "Ready"))

    one.wait("it is told of", lambda: ready("go").get("reason") == "UnknownEnvironment")
    assert ready("go")["status"] == "False" and ENVIRONMENT in ready("go")["message"], ready("go")
    one.wait("the other one works", lambda: ready(ENVIRONMENT).get("reason") == "Matchmaking")
