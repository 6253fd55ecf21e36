"""Who waits is paired by itself, with whom, when, and when not.

The tests must not be disturbed by agents of others, nor disturb them. What needs no pairing has an
environment of its own that the executor does not know. What is played has a league of its own: an
Elo so far from all others that nobody else is in range.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

import cluster
import pytest
from checks import assert_no_contradictions, assert_replay
from cluster import Object, condition, holds, status
from objects import Run

LEAGUE = ("league-a", "league-b", "league-once")
LEAGUE_ENVIRONMENT = "connect-four"
LEAGUE_ELO = 6000
FAMILY_ENVIRONMENT = "leduc-holdem"
FAMILY_ELO = 8000
TWINS = ("twin-a", "twin-b")
ENTRY_SECONDS = 20


def prepare(run: Run) -> None:
    league = []
    for name in LEAGUE:
        mode = "Once" if name == "league-once" else "Continuous"
        agent = run.agent(name, LEAGUE_ENVIRONMENT, matchmaking={"enabled": True, "mode": mode})
        league += [agent, run.image(f"{name}-v1", name)]
    begin_with(LEAGUE_ENVIRONMENT, LEAGUE_ELO, league)
    family = []
    for name in TWINS:
        agent = run.agent(name, FAMILY_ENVIRONMENT, owner="parent", matchmaking={"enabled": True})
        family += [agent, run.image(f"{name}-v1", name)]
    stranger = run.agent("stranger", FAMILY_ENVIRONMENT, matchmaking={"enabled": True})
    begin_with(FAMILY_ENVIRONMENT, FAMILY_ELO, [*family, stranger])


def begin_with(environment: str, elo: int, made: list[Object]) -> None:
    """Agents begin with the Elo that the queue gives at that time."""
    queue = cluster.get("matchmakingqueues", environment)
    before = queue["spec"]["elo"]["initial"]
    cluster.patch("matchmakingqueues", environment, {"spec": {"elo": {"initial": elo}}})
    try:
        wait_until_observed(environment)
        cluster.apply(made)
        for one in made:
            if one["kind"] != "Agent":
                continue
            cluster.until(
                "agents",
                cluster.name_of(one),
                lambda a: status(a).get("rating", {}).get("elo") == elo,
                "it begins with the queue's initial Elo",
            )
    finally:
        cluster.patch("matchmakingqueues", environment, {"spec": {"elo": {"initial": before}}})
        wait_until_observed(environment)


def wait_until_observed(queue: str) -> None:
    cluster.until(
        "matchmakingqueues",
        queue,
        lambda q: status(q).get("observedGeneration") == q["metadata"]["generation"],
        "the controller has seen the change",
        every=0.3,
    )


def objects(run: Run) -> list[Object]:
    fast: Object = {"range": 100, "step": 100, "maxRange": 300, "widenSeconds": 2}
    lobby = run.name("lobby")
    return [
        run.queue("lobby", intervalSeconds=1, entryTTLSeconds=ENTRY_SECONDS, elo=fast),
        run.agent("loner", lobby, matchmaking={"enabled": True}),
        run.image("loner-v1", "loner"),
        run.agent("passer-by", lobby),
        run.image("passer-by-v1", "passer-by"),
    ]


def queue_state(agent: Object) -> str:
    return str(status(agent).get("queue", {}).get("state", ""))


def until_state(name: str, state: str, seconds: float = 900) -> Object:
    return cluster.until("agents", name, lambda a: queue_state(a) == state, f"its queue state is {state}", seconds)


def made_matches(environment: str, names: Iterable[str]) -> list[Object]:
    """What the matchmaker made among these agents, the oldest first."""
    allowed = set(names)
    found = []
    for match in cluster.listed("matches", "rl-arena.io/made-by=matchmaker"):
        agents = {seat["agent"] for seat in match["spec"]["participants"]}
        if match["spec"]["environment"] == environment and agents <= allowed:
            found.append(match)
    return sorted(found, key=lambda match: str(match["metadata"]["creationTimestamp"]))


def league_matches(run: Run) -> list[Object]:
    return made_matches(LEAGUE_ENVIRONMENT, [run.name(name) for name in LEAGUE])


def test_waiting_agents_are_paired_by_themselves_and_rated(run: Run) -> None:
    for name in LEAGUE:
        cluster.ready_submission(run.name(f"{name}-v1"))
    made = cluster.eventually(lambda: league_matches(run), "a match of the league", 120)[0]
    match = cluster.complete_match(made["metadata"]["name"], 400)
    assert match["spec"]["rated"] is True and match["spec"]["ttlSecondsAfterFinished"] >= 86400
    assert holds(match, "Rated") and status(match)["seed"] >= 0
    for seat in status(match)["participants"]:
        assert seat["matchNumber"] == 1 and seat["eloBefore"] == LEAGUE_ELO
    assert_replay(match)


def test_agent_of_mode_once_plays_once(run: Run) -> None:
    agent = cluster.until(
        "agents",
        run.name("league-once"),
        lambda a: condition(a, "Queued").get("reason") == "Once",
        "it has played its one match",
        600,
    )
    assert queue_state(agent) == "Idle" and status(agent)["rating"]["matches"] == 1
    cluster.assert_told(agent, "Queued", "Once", "enters again with a new submission")


def test_agent_without_opponent_waits_in_a_widening_range_and_expires(run: Run) -> None:
    name = run.name("loner")
    cluster.ready_submission(run.name("loner-v1"))
    agent = until_state(name, "Expired", ENTRY_SECONDS + 30)
    cluster.assert_told(
        agent, "Queued", "Expired", f"within {ENTRY_SECONDS} s", "new submission or a change of its spec"
    )
    assert "rangeNow" not in status(agent)["queue"] and "expiresAt" not in status(agent)["queue"]
    # An expired entry is not renewed by itself...
    time.sleep(3)
    assert queue_state(cluster.get("agents", name)) == "Expired"
    # ... but by any change of the spec.
    cluster.patch("agents", name, {"spec": {"description": "in again"}})
    agent = until_state(name, "Waiting", 15)
    entry = status(agent)["queue"]
    lifetime = cluster.seconds_between(entry["enqueuedAt"], entry["expiresAt"])
    assert abs(lifetime - ENTRY_SECONDS) <= 1, entry
    agent = cluster.until(
        "agents", name, lambda a: status(a)["queue"].get("rangeNow") == 300, "its range has widened to 300", 15
    )
    assert holds(agent, "Queued")
    until_state(name, "Expired", ENTRY_SECONDS + 10)
    assert not made_matches(run.name("lobby"), [name])


def test_suspended_agent_leaves_the_queue(run: Run) -> None:
    name = run.name("loner")
    cluster.ready_submission(run.name("loner-v1"))
    cluster.patch("agents", name, {"spec": {"suspended": True}})
    agent = until_state(name, "Suspended", 15)
    cluster.assert_told(agent, "Queued", "Suspended", "spec.suspended")
    cluster.patch("agents", name, {"spec": {"suspended": False}})
    until_state(name, "Waiting", 15)


def test_unknown_environment_is_refused_with_words(run: Run) -> None:
    lobby = run.name("lobby")
    queue = cluster.until(
        "matchmakingqueues", lobby, lambda q: condition(q, "Ready").get("reason") == "UnknownEnvironment", "told", 90
    )
    cluster.assert_told(queue, "Ready", "UnknownEnvironment", LEAGUE_ENVIRONMENT)
    for name in ("loner", "passer-by"):
        cluster.ready_submission(run.name(f"{name}-v1"))
    cluster.apply([run.match("refused", lobby, "loner", "passer-by")])
    match = cluster.until("matches", run.name("refused"), cluster.is_over, "over", 400)
    cluster.assert_told(match, "Failed", "ExecutorRefused", lobby)
    assert condition(match, "Rated")["status"] == "False"


def passes(queue: str, count: int) -> None:
    """Time for this many looks of the matchmaker. Those that change nothing are not told; that it looks, the next test
    shows, in which it finds a pair."""
    time.sleep(count * cluster.get("matchmakingqueues", queue)["spec"]["intervalSeconds"] + 1)


def test_agents_of_one_owner_are_not_paired(run: Run) -> None:
    twins = [run.name(name) for name in TWINS]
    for name in twins:
        until_state(name, "Waiting")
    passes(FAMILY_ENVIRONMENT, 3)
    assert not made_matches(FAMILY_ENVIRONMENT, twins)
    assert status(cluster.get("matchmakingqueues", FAMILY_ENVIRONMENT))["waiting"] >= 2


def test_stranger_is_paired_at_once(run: Run) -> None:
    everybody = [run.name(name) for name in (*TWINS, "stranger")]
    cluster.apply([run.image("stranger-v1", "stranger")])
    cluster.ready_submission(run.name("stranger-v1"))
    made = cluster.eventually(lambda: made_matches(FAMILY_ENVIRONMENT, everybody), "a match with the stranger", 120)[0]
    assert run.name("stranger") in {seat["agent"] for seat in made["spec"]["participants"]}
    # What follows is among the twins. A match that has begun goes on.
    cluster.until("matches", cluster.name_of(made), lambda m: status(m).get("attempt", 0) > 0, "it has begun", 120)
    cluster.patch("agents", run.name("stranger"), {"spec": {"suspended": True}})
    cluster.complete_match(cluster.name_of(made), 400)


def test_same_owner_may_be_allowed_and_a_queue_can_pause(run: Run) -> None:
    twins = [run.name(name) for name in TWINS]
    rules = cluster.get("matchmakingqueues", FAMILY_ENVIRONMENT)["spec"]
    before = {"paused": rules["paused"], "allowSameOwner": rules["allowSameOwner"]}
    cluster.patch("matchmakingqueues", FAMILY_ENVIRONMENT, {"spec": {"paused": True, "allowSameOwner": True}})
    try:
        queue = cluster.until("matchmakingqueues", FAMILY_ENVIRONMENT, lambda q: not holds(q, "Ready"), "paused", 15)
        cluster.assert_told(queue, "Ready", "Paused", "spec.paused")
        for name in twins:
            until_state(name, "Waiting", 400)
        passes(FAMILY_ENVIRONMENT, 2)
        assert not made_matches(FAMILY_ENVIRONMENT, twins)
        cluster.patch("matchmakingqueues", FAMILY_ENVIRONMENT, {"spec": {"paused": False}})
        cluster.eventually(lambda: made_matches(FAMILY_ENVIRONMENT, twins), "a match of the twins", 90)
    finally:
        cluster.patch("matchmakingqueues", FAMILY_ENVIRONMENT, {"spec": before})


def test_cooldown_of_a_pair_holds(run: Run) -> None:
    """The league's two plays again, and not before the queue's cooldown is over."""
    cooldown = cluster.get("matchmakingqueues", LEAGUE_ENVIRONMENT)["spec"]["cooldownSeconds"]
    if cooldown > 300:
        pytest.fail(f"a cooldown of {cooldown} s is too long to wait for: use manifests/overlays/embedded")
    pair = [run.name("league-a"), run.name("league-b")]

    def twice() -> list[Object]:
        found = made_matches(LEAGUE_ENVIRONMENT, pair)
        return found if len(found) >= 2 else []

    first, second = cluster.eventually(twice, "two matches of one pair", 2 * cooldown + 600)[:2]
    between = cluster.seconds_between(status(first)["completionTime"], second["metadata"]["creationTimestamp"])
    assert between >= cooldown, f"{between:.0f} s between {cluster.name_of(first)} and {cluster.name_of(second)}"
    match = cluster.complete_match(cluster.name_of(second), 400)
    sides = [[seat["agent"] for seat in one["spec"]["participants"]] for one in (first, match)]
    assert sides[0] == sides[1][::-1], "the pair changes seats"


def test_queue_tells_what_it_did(run: Run) -> None:
    queue = cluster.get("matchmakingqueues", FAMILY_ENVIRONMENT)
    assert holds(queue, "Ready") and status(queue)["matchedTotal"] >= 2
    assert status(queue)["nextRunTime"] >= status(queue)["lastRunTime"]


def test_no_contradictions(run: Run) -> None:
    assert_no_contradictions()
