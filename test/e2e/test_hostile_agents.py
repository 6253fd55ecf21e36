"""Agents that do not play fair: the other side wins, the reason stands in status, nobody is harmed.

What the runtime and the executor make of each vice is tested one by one in executor/tests; here it is
seen in Pods, through the controller, to the rating.
"""

from __future__ import annotations

import os
import re

import cluster
import pytest
from checks import assert_no_contradictions
from cluster import ROOT, Object, condition, holds, status
from objects import Run

HOSTILE = ROOT / "test" / "e2e" / "hostile"
GAME = "tic-tac-toe"
TAKES_TOO_LONG = ("took more than 1 s", "time bank of 10 s")

# Under the arena's runtime: what the agent does when, and words that its author gets to read.
VICES: dict[str, tuple[str, ...]] = {
    "import-spins": ("was not ready to play within 30 s",),
    "import-raises": ("ValueError: bad weights", "agent.py, line"),
    "import-exits": ("exited with status 5",),
    "import-eats": ("MemoryError",),
    "reset-hangs": ("was not ready to play within 30 s",),
    "reset-raises": ("ValueError: bad weights",),
    "move-raises": ("ValueError: bad weights",),
    "move-hangs": TAKES_TOO_LONG,
    "move-late": TAKES_TOO_LONG,
    "move-exits": ("exited with status 5",),
    "move-text": ("a string",),
    "move-boolean": ("True, where an integer",),
    "move-liar": ("77",),
    "move-nan": ("nan",),
    "move-array": ("32000000 bytes",),
    "move-taken": ("not legal",),
    "move-outside": ("64 bits",),
    "move-eats-shared": ("memory",),
    "move-forks": ("forked 0 times",),
    "move-fills": ("MB, then", "ENOSPC", "EROFS"),
    "move-floods": ("flooded",),
    "move-spies": ("got nothing",),
}
# Images of their own, without the runtime and its filter.
OWN: dict[str, tuple[str, ...]] = {
    "garbage": ("something that is no message",),
    "gigantic": ("could not be taken",),
    "endless": (),
    "silent": TAKES_TOO_LONG,
    "dies": ("",),
    "eats": ("killed for using more memory than its limit",),
    "deaf": ("did not answer on port 50051 within 30 s",),
    "http": ("within 30 s",),
    "quits": ("exit code 1",),
    "forks": ("",),
    "floods": ("used more disk than it may",),
    "spies": ("uid=10001",),
}
# What test_matches has too, or what differs from another one only in the executor, where each is tested:
# played when there is time, ARENA_E2E_LONG=1.
IF_LONG = ("import-raises", "move-raises", "move-hangs", "move-exits", "move-boolean", "move-outside")
if not os.environ.get("ARENA_E2E_LONG"):
    VICES = {vice: words for vice, words in VICES.items() if vice not in IF_LONG}
    OWN = {vice: words for vice, words in OWN.items() if vice != "http"}

DOCKERFILE = """ARG RUNTIME_IMAGE
FROM ${RUNTIME_IMAGE}
COPY server.py /agent/server.py
ENTRYPOINT ["python3", "/agent/server.py"]
"""
BLANK = "FROM scratch\nCOPY agent.py /agent.py\n"


def objects(run: Run) -> list[Object]:
    """Two of everything, since an agent plays one match at a time."""
    code = (HOSTILE / "agent.py").read_text()
    server = (HOSTILE / "server.py").read_text()
    own = {"Dockerfile": DOCKERFILE, "server.py": server}
    made = [
        run.agent("own", GAME),
        run.submission("own-v1", "own", {"inline": {"files": own}}),
        run.agent("blank", GAME),
        run.submission("blank-v1", "blank", {"inline": {"files": {"Dockerfile": BLANK, "agent.py": "\n"}}}),
    ]
    for name, game in (("bad-1", GAME), ("bad-2", GAME), ("paddle-1", "pong"), ("paddle-2", "pong")):
        made += [run.agent(name, game), run.inline(f"{name}-v1", name, code)]
    for name in ("fair-1", "fair-2", "fair-3"):
        made += [run.agent(name, GAME), run.image(f"{name}-v1", name)]
    return made + matches(run)


def matches(run: Run) -> list[Object]:
    made = []
    for number, vice in enumerate([*VICES, "move-just-in-time"]):
        made.append(run.match(f"bad-{vice}", GAME, *sides(number, f"bad-{number % 2 + 1}", f"fair-{number % 2 + 1}")))
    for number, vice in enumerate(OWN):
        made.append(run.match(f"own-{vice}", GAME, *sides(number, "own", "fair-3")))
    made.append(run.match("blank", GAME, "blank", "fair-3"))
    for vice in ("nan", "excused", "both-exit"):
        made.append(run.match(f"bad-move-pong-{vice}", "pong", "paddle-1", "paddle-2"))
    return made


def sides(number: int, bad: str, fair: str) -> tuple[str, str]:
    """The bad one in either seat."""
    return (bad, fair) if number // 2 % 2 else (fair, bad)


def seats(match: Object) -> dict[str, Object]:
    return {seat["agent"]: seat for seat in status(match)["participants"]}


def assert_lost(run: Run, name: str, words: tuple[str, ...], environment: str = GAME) -> Object:
    """It forfeited with these words at the first attempt, the other side won, both are rated."""
    match = cluster.complete_match(run.name(name))
    state = status(match)
    assert match["spec"]["environment"] == environment
    (loser,) = [seat for seat in state["participants"] if seat["outcome"] == "Forfeit"]
    (winner,) = [seat for seat in state["participants"] if seat["outcome"] == "Win"]
    bad = re.compile(run.name(r"(bad-\d|own|blank|paddle-1)"))
    assert bad.fullmatch(loser["agent"]) and not bad.fullmatch(winner["agent"]), state["participants"]
    assert state["winner"] == winner["agent"] and not winner.get("errorMessage")
    for word in words:
        assert word in loser["errorMessage"], loser["errorMessage"]
    assert 0 < len(loser["errorMessage"].encode()) <= 4096
    assert holds(match, "Rated") and loser["eloChange"] < 0 < winner["eloChange"]
    assert state["attempt"] == 1, condition(match, "Executed")
    return match


# Under the runtime's filter


@pytest.mark.parametrize("vice", VICES)
def test_under_the_filter(run: Run, vice: str) -> None:
    assert_lost(run, f"bad-{vice}", VICES[vice])


def test_slow_within_its_bank_is_fair(run: Run) -> None:
    match = cluster.complete_match(run.name("bad-move-just-in-time"))
    assert {seat["outcome"] for seat in status(match)["participants"]} in ({"Win", "Loss"}, {"Draw"}), status(match)
    assert status(match)["executionMilliseconds"] > 8000


def test_errors_are_excused_where_the_game_says_so(run: Run) -> None:
    excused = seats(cluster.complete_match(run.name("bad-move-pong-excused")))[run.name("paddle-1")]
    assert excused["outcome"] != "Forfeit" and excused["errors"] == 4
    assert "4 errors, the last at step 4" in excused["errorMessage"]
    lost = assert_lost(run, "bad-move-pong-nan", ("5 errors, the last at step 5", "nan"), "pong")
    assert seats(lost)[run.name("paddle-1")]["errors"] == 5


def test_both_forfeit_at_the_same_step(run: Run) -> None:
    match = cluster.until("matches", run.name("bad-move-pong-both-exit"), cluster.is_over, "over", 540)
    cluster.assert_told(match, "Failed", "BothForfeited", "nobody's rating changes", "exited with status 6")
    assert not holds(match, "Rated") and not status(match).get("winner")
    assert all("matchNumber" not in seat and seat["outcome"] == "Forfeit" for seat in status(match)["participants"])


# Images of their own


@pytest.mark.parametrize("vice", OWN)
def test_image_of_its_own(run: Run, vice: str) -> None:
    assert_lost(run, f"own-{vice}", OWN[vice])


def test_image_of_its_own_finds_no_way_out_of_its_pod(run: Run) -> None:
    """Whatever the cluster's network lets through: nothing there believes it."""
    match = cluster.complete_match(run.name("own-spies"))
    words = seats(match)[run.name("own")]["errorMessage"].split()
    seen = dict(word.split("=", 1) for word in words if "=" in word)
    assert seen["uid"] == "10001" and set(seen["caps"]) == {"0"}
    assert seen["privileges"] == "1" and seen["seccomp"] == "2"
    assert seen["token"] == "ENOENT" and seen["root"] == "EROFS" and seen["secrets"] == ""
    assert seen["raw"] == seen["packet"] == seen["mount"] == "EPERM"
    # Refused where it arrives, or, where policies are enforced, on its way.
    assert seen["api"] != "200" and seen["kubelet"] != "200" and seen["metadata"] != "200", seen
    if seen["api"].isdigit():
        assert seen["api"] in ("401", "403") and seen["kubelet"] == "401"
    assert not seen["readonly"].isdigit()
    # Or no way there, which is as good.
    assert seen["executor"] in ("UNAUTHENTICATED", "UNAVAILABLE", "DEADLINE_EXCEEDED"), seen
    if seen["api"].isdigit():
        assert seen["executor"] == "UNAUTHENTICATED"


def test_image_without_a_command_is_its_authors_fault(run: Run) -> None:
    assert_lost(run, "blank", ("cannot be started", "no command"))


# And then


def test_five_forfeits_running_suspend_it(run: Run) -> None:
    for vice in OWN:
        cluster.until("matches", run.name(f"own-{vice}"), cluster.is_over, "over", 540)
    agent = cluster.until(
        "agents",
        run.name("own"),
        lambda a: status(a).get("queue", {}).get("state") == "Suspended",
        "suspended",
    )
    assert status(agent)["consecutiveForfeits"] >= 5
    cluster.assert_told(agent, "Queued", "TooManyForfeits", "times running", "new submission")


def test_the_next_match_is_played_as_always(run: Run) -> None:
    cluster.apply([run.match("after", GAME, "bad-1", "fair-1")])
    match = cluster.complete_match(run.name("after"))
    assert sorted(seat["outcome"] for seat in status(match)["participants"]) in (["Loss", "Win"], ["Draw", "Draw"])
    assert status(match)["attempt"] == 1


def test_the_executor_is_unharmed(run: Run) -> None:
    cluster.complete_match(run.name("after"))
    began = cluster.get("matches", run.name("blank"))["metadata"]["creationTimestamp"]
    for pod in cluster.listed("pods", "app.kubernetes.io/name=executor", cluster.SYSTEM):
        (state,) = status(pod)["containerStatuses"]
        assert state["state"]["running"]["startedAt"] <= began, state
    words = cluster.kubectl("exec", "deployment/executor", "--", "cat", "/proc/1/status", namespace=cluster.SYSTEM)
    peak = re.search(r"^VmHWM:\s+(\d+) kB", words, re.MULTILINE)
    assert peak is not None and int(peak.group(1)) < 400 << 10, peak


def test_no_contradictions(run: Run) -> None:
    assert_no_contradictions()
