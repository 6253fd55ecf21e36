"""Played matches: every environment, seeds, replays, forfeits, and what has to wait."""

from __future__ import annotations

from typing import Any

import cluster
import pytest
from checks import assert_no_contradictions, assert_replay
from cluster import Object, condition, holds, status
from objects import Run

ENVIRONMENTS = {
    "pong": ("pong-chaser", "pong-prophet"),
    "connect-four": ("connect-four-lookahead", "connect-four-tower"),
    "tic-tac-toe": ("tic-tac-toe-corners", "tic-tac-toe-minimax"),
    "rock-paper-scissors": ("rock-paper-scissors-counter", "rock-paper-scissors-echo"),
    "leduc-holdem": ("leduc-holdem-careful", "leduc-holdem-bold"),
    "chess": ("chess-hungry", "chess-wanderer"),
}
FORFEITS_MAX = 5
RAISES = """
    def agent(observation):
        raise ValueError("no idea what to play")
"""
HANGS = """
    import time


    def agent(observation):
        time.sleep(3600)
"""
BROKEN = """
    import a_module_that_is_not_there


    def agent(observation):
        return 0
"""
ILLEGAL = """
    def agent(observation):
        return 99
"""
EXITS = """
    import os


    def agent(observation):
        os._exit(3)
"""
BAD = {"raises": RAISES, "hangs": HANGS, "broken": BROKEN, "broken-too": BROKEN, "illegal": ILLEGAL, "exits": EXITS}


def objects(run: Run) -> list[Object]:
    made: list[Object] = []
    for environment in ENVIRONMENTS:
        made += run.example(f"{environment}.yaml")
    for name, code in BAD.items():
        made += [run.agent(name, "tic-tac-toe"), run.inline(f"{name}-v1", name, code)]
    for name in ("steady", "steadier"):
        made += [run.agent(name, "tic-tac-toe"), run.image(f"{name}-v1", name)]
    made.append(run.agent("empty-handed", "tic-tac-toe"))
    return made + matches(run)


def matches(run: Run) -> list[Object]:
    """All of them at once: each starts when its agents are there and free."""
    made = [run.match(f"plays-{environment}", environment, *pair) for environment, pair in ENVIRONMENTS.items()]
    for name, seed in (("seed-42", 42), ("seed-42-again", 42), ("seed-43", 43)):
        made.append(run.match(f"pong-{name}", "pong", *ENVIRONMENTS["pong"], rated=False, seed=seed))
        made.append(run.match(f"leduc-{name}", "leduc-holdem", *ENVIRONMENTS["leduc-holdem"], rated=False, seed=seed))
    for number, name in enumerate(("hangs", "broken", "illegal", "exits")):
        # The bad one on either side.
        pair = (name, "steady") if number % 2 else ("steady", name)
        made.append(run.match(f"forfeit-{name}", "tic-tac-toe", *pair))
    for number in range(FORFEITS_MAX):
        made.append(run.match(f"raises-{number}", "tic-tac-toe", "raises", "steadier", recordReplay=number == 0))
    return [
        *made,
        run.match("both-forfeit", "tic-tac-toe", "broken", "broken-too"),
        run.match("waits", "tic-tac-toe", "empty-handed", "steadier"),
        run.match("mismatch", "pong", "steady", "pong-chaser"),
        run.match("nowhere", "tic-tac-toe", "steady", "nobody-at-all"),
    ]


def outcomes(match: Object) -> list[str]:
    return [seat.get("outcome", "") for seat in status(match)["participants"]]


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_environment_is_played_and_rated(run: Run, environment: str) -> None:
    match = cluster.wait_for_condition("matches", run.name(f"plays-{environment}"), "Complete")
    state = status(match)
    assert sorted(outcomes(match)) in (["Loss", "Win"], ["Draw", "Draw"]), state["participants"]
    # More than one attempt where somebody restarts the executor meanwhile.
    assert state["phase"] == "Complete" and state["attempt"] in (1, 2, 3) and state["steps"] > 0
    for kind in ("Prepared", "Executed", "Rated", "Complete"):
        assert holds(match, kind), condition(match, kind)
    assert condition(match, "Reconciling") == {} and condition(match, "Failed") == {}
    assert state["startTime"] <= state["completionTime"]
    assert state["environmentVersion"] and state["executionMilliseconds"] > 0
    for seat, name in zip(state["participants"], ENVIRONMENTS[environment], strict=True):
        assert seat["agent"] == run.name(name) and seat["version"] == 1
        assert "@sha256:" in seat["image"] and seat["submission"] == run.name(f"{name}-v1")
        assert seat["matchNumber"] == 1 and seat["eloBefore"] == 1500
        agent = cluster.until("agents", run.name(name), lambda a: status(a)["rating"]["matches"] == 1, "rated")
        assert status(agent)["rating"]["elo"] == seat["eloAfter"]
    assert sum(seat["eloChange"] for seat in state["participants"]) == 0


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_replay_can_be_downloaded_and_is_what_its_hashes_say(run: Run, environment: str) -> None:
    match = cluster.complete_match(run.name(f"plays-{environment}"))
    replay = assert_replay(match)
    assert replay["game"]["steps"] == status(match)["steps"]
    assert replay["game"]["finalScore"] == [seat["score"] for seat in status(match)["participants"]]
    assert len(replay["frames"]) >= 2


@pytest.mark.parametrize("game", ["pong", "leduc"])
def test_same_seed_is_the_same_game(run: Run, game: str) -> None:
    first, again, other = (
        status(cluster.complete_match(run.name(f"{game}-{seed}"))) for seed in ("seed-42", "seed-42-again", "seed-43")
    )
    assert first["seed"] == again["seed"] == 42 and other["seed"] == 43
    assert first["environmentVersion"] == again["environmentVersion"]
    assert [s["image"] for s in first["participants"]] == [s["image"] for s in again["participants"]]
    assert first["replay"]["sha256"] == again["replay"]["sha256"]
    assert first["replay"]["url"] != again["replay"]["url"]
    assert first["replay"]["sha256"] != other["replay"]["sha256"]


def test_unrated_match_changes_no_rating(run: Run) -> None:
    match = cluster.complete_match(run.name("pong-seed-42"))
    assert condition(match, "Rated")["status"] == "False" and condition(match, "Rated")["reason"] == "Unrated"
    assert all("matchNumber" not in seat and "eloAfter" not in seat for seat in status(match)["participants"])
    for name in ENVIRONMENTS["pong"]:
        assert status(cluster.get("agents", run.name(name)))["rating"]["matches"] <= 1


FORFEITS: dict[str, tuple[str, ...]] = {
    "hangs": ("took more than", "time bank"),
    "broken": ("a_module_that_is_not_there",),
    "illegal": ("99",),
    "exits": ("3",),
}


@pytest.mark.parametrize("name", FORFEITS)
def test_agent_that_fails_forfeits_and_the_other_side_wins(run: Run, name: str) -> None:
    match = cluster.complete_match(run.name(f"forfeit-{name}"))
    state = status(match)
    assert_forfeit(run, match, name, "steady", FORFEITS[name])
    assert holds(match, "Rated")
    lost, won = sorted(state["participants"], key=lambda seat: str(seat["outcome"]))
    assert lost["eloChange"] < 0 < won["eloChange"]


def assert_forfeit(run: Run, match: Object, loser: str, winner: str, words: tuple[str, ...]) -> None:
    seats: dict[str, Any] = {seat["agent"]: seat for seat in status(match)["participants"]}
    assert seats[run.name(loser)]["outcome"] == "Forfeit"
    for word in words:
        assert word in seats[run.name(loser)]["errorMessage"]
    assert seats[run.name(winner)]["outcome"] == "Win"
    assert status(match)["winner"] == run.name(winner)


def test_exception_and_its_words_are_told(run: Run) -> None:
    match = cluster.complete_match(run.name("raises-0"))
    assert_forfeit(run, match, "raises", "steadier", ("ValueError", "no idea what to play"))
    assert_replay(match)


def test_recording_can_be_left_out(run: Run) -> None:
    replay = status(cluster.complete_match(run.name("raises-1"))).get("replay", {})
    assert not replay.get("url") and not replay.get("htmlUrl")


def test_five_forfeits_running_take_an_agent_out_of_the_queue(run: Run) -> None:
    for number in range(FORFEITS_MAX):
        cluster.complete_match(run.name(f"raises-{number}"))
    agent = cluster.until(
        "agents",
        run.name("raises"),
        lambda a: status(a).get("queue", {}).get("state") == "Suspended",
        "suspended after five forfeits",
    )
    assert status(agent)["consecutiveForfeits"] == FORFEITS_MAX
    cluster.assert_told(agent, "Queued", "TooManyForfeits", "5 times running", "new submission")


def test_both_sides_forfeit_and_nobody_is_rated(run: Run) -> None:
    match = cluster.until("matches", run.name("both-forfeit"), cluster.is_over, "over", 900)
    assert status(match)["phase"] == "Failed" and not holds(match, "Complete")
    both = ("nobody's rating changes", run.name("broken") + ":", run.name("broken-too") + ":", "a_module_that_is_not")
    cluster.assert_told(match, "Failed", "BothForfeited", *both)
    assert outcomes(match) == ["Forfeit", "Forfeit"]
    assert all("matchNumber" not in seat for seat in status(match)["participants"])


def test_match_of_an_agent_without_submission_waits_with_a_reason(run: Run) -> None:
    cluster.ready_submission(run.name("steadier-v1"))
    match = cluster.until(
        "matches",
        run.name("waits"),
        lambda m: condition(m, "Prepared").get("reason") == "AgentNotReady",
        "it waits for a submission",
    )
    cluster.assert_told(match, "Prepared", "AgentNotReady", run.name("empty-handed"), "kubectl get submissions")
    assert status(match)["phase"] == "Pending" and not cluster.is_over(match)
    agent = cluster.get("agents", run.name("empty-handed"))
    advice = f"Apply a Submission with spec.agent: {run.name('empty-handed')}"
    cluster.assert_told(agent, "Ready", "NoSubmission", advice)
    assert condition(agent, "Stalled") == {}


def test_match_of_agents_of_different_environments_fails_with_words(run: Run) -> None:
    match = cluster.until("matches", run.name("mismatch"), cluster.is_over, "over")
    cluster.assert_told(match, "Failed", "EnvironmentMismatch", run.name("steady"), "tic-tac-toe", "pong")
    assert holds(match, "Stalled")


def test_match_of_an_agent_that_does_not_exist_waits(run: Run) -> None:
    match = cluster.until(
        "matches",
        run.name("nowhere"),
        lambda m: condition(m, "Prepared").get("reason") == "AgentNotFound",
        "it says who is missing",
        900,
    )
    cluster.assert_told(match, "Prepared", "AgentNotFound", run.name("nobody-at-all"), "Create it")


def assert_without_pods(match: str) -> None:
    cluster.eventually(lambda: not cluster.listed("pods", f"rl-arena.io/match={match}"), f"no Pods of {match}", 20)


def test_finished_matches_leave_no_pods(run: Run) -> None:
    for environment in ENVIRONMENTS:
        name = run.name(f"plays-{environment}")
        cluster.complete_match(name)
        assert_without_pods(name)


def test_no_contradictions(run: Run) -> None:
    assert_no_contradictions()
