"""The invariants program itself: a sound namespace has no contradiction, each broken one has its own."""

from __future__ import annotations

import copy
import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from checks import INVARIANTS

Object = dict[str, Any]
Break = Callable[["Sound"], None]

NOW = 1_800_000_000.0
DIGEST = "sha256:" + "a" * 64


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("invariants", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


invariants = load(INVARIANTS)


def when(ago: float) -> str:
    return str(invariants.datetime.datetime.fromtimestamp(NOW - ago, invariants.datetime.UTC).isoformat())


def conditions(**each: bool) -> list[Object]:
    return [{"type": kind, "status": str(value), "reason": "Said", "message": "so"} for kind, value in each.items()]


def thing(kind: str, name: str, spec: Object, status: Object, ago: float = 1000, **metadata: Any) -> Object:
    about = {"name": name, "uid": f"uid-of-{name}", "generation": 1, "creationTimestamp": when(ago), **metadata}
    return {"kind": kind, "metadata": about, "spec": spec, "status": {"observedGeneration": 1, **status}}


def submission(name: str, agent: str) -> Object:
    attempt = {"number": 1, "job": f"{name}-build-1", "startedAt": when(900), "finishedAt": when(800)}
    state = {
        "phase": "Ready",
        "version": 1,
        "digest": DIGEST,
        "image": f"registry/{agent}@{DIGEST}",
        "attempts": [attempt],
        "scanAttempts": [attempt],
        "conditions": conditions(Fetched=True, Built=True, Scanned=True, Ready=True),
    }
    return thing("Submission", name, {"agent": agent, "source": {"image": "x"}}, state)


def agent(name: str, owner: str, elo: int, matches: int, wins: int) -> Object:
    state = {
        "activeSubmission": f"{name}-v1",
        "activeVersion": 1,
        "latestVersion": 1,
        "image": f"registry/{name}@{DIGEST}",
        "rating": {
            "elo": elo,
            "matches": matches,
            "wins": wins,
            "losses": matches - wins,
            "draws": 0,
            "peak": max(elo, 1500),
            "provisional": True,
        },
        "queue": {"state": "Waiting", "enqueuedAt": when(50), "expiresAt": when(-5000)},
        "conditions": conditions(Ready=True, Queued=True),
    }
    return thing("Agent", name, {"owner": owner, "environment": "pong"}, state)


def match(name: str, ago: float, number: int, before: tuple[int, int], after: tuple[int, int]) -> Object:
    seats = [
        {
            "agent": who,
            "agentUID": f"uid-of-{who}",
            "outcome": outcome,
            "matchNumber": number,
            "eloBefore": old,
            "eloAfter": new,
            "eloChange": new - old,
        }
        for who, outcome, old, new in zip(("ann", "ben"), ("Win", "Loss"), before, after, strict=True)
    ]
    state = {
        "phase": "Complete",
        "attempt": 1,
        "winner": "ann",
        "participants": seats,
        "completionTime": when(ago - 20),
        "conditions": conditions(Prepared=True, Executed=True, Rated=True, Complete=True),
    }
    spec = {"environment": "pong", "participants": [{"agent": "ann"}, {"agent": "ben"}]}
    return thing("Match", name, spec, state, ago, labels={"rl-arena.io/made-by": "matchmaker"})


class Sound:
    """A small namespace without a contradiction."""

    def __init__(self) -> None:
        self.ann = agent("ann", "alice", 1538, 2, 2)
        self.ben = agent("ben", "bob", 1462, 2, 0)
        self.ann_v1, self.ben_v1 = submission("ann-v1", "ann"), submission("ben-v1", "ben")
        self.first = match("first", 700, 1, (1500, 1500), (1520, 1480))
        self.second = match("second", 300, 2, (1520, 1480), (1538, 1462))
        rules = {"environment": {"name": "pong"}, "cooldownSeconds": 300, "maxMatchesPerAgentPerDay": 100}
        self.queue = thing("MatchmakingQueue", "pong", rules, {"conditions": conditions(Ready=True)})
        self.job = self.child("Job", "ann-v1-build-1", "Submission", "ann-v1", {"rl-arena.io/submission": "ann-v1"})
        self.more: list[Object] = []

    @staticmethod
    def child(kind: str, name: str, owner_kind: str, owner: str, labels: Object) -> Object:
        reference = {"kind": owner_kind, "name": owner, "uid": f"uid-of-{owner}", "controller": True}
        every = {"app.kubernetes.io/managed-by": "rl-arena", **labels}
        return thing(kind, name, {}, {}, labels=every, ownerReferences=[reference])

    def items(self) -> list[Object]:
        own = [self.ann, self.ben, self.ann_v1, self.ben_v1, self.first, self.second, self.queue, self.job]
        return copy.deepcopy(own + self.more)


def seat(item: Object, number: int = 0) -> Object:
    found: Object = item["status"]["participants"][number]
    return found


def set_conditions(item: Object, **each: bool) -> None:
    item["status"]["conditions"] = conditions(**each)


def rate_twice(s: Sound) -> None:
    s.more.append(match("again", 200, 2, (1520, 1480), (1538, 1462)))
    s.more[0]["metadata"]["labels"] = {}


def leave_pod(s: Sound) -> None:
    s.more.append(s.child("Pod", "first-agent-0", "Match", "first", {"rl-arena.io/match": "first"}))


def orphan(s: Sound) -> None:
    s.more.append(s.child("ConfigMap", "gone-source", "Submission", "gone", {}))


def second_version(s: Sound) -> None:
    s.more.append(submission("ann-v2", "ann"))


def play_unseen(s: Sound) -> None:
    s.more.append(match("third", 100, 3, (1538, 1462), (1554, 1446)))
    set_conditions(s.more[0], Prepared=True)
    s.more[0]["status"]["phase"] = "Running"
    s.more[0]["status"]["participants"] = []
    s.more[0]["metadata"]["labels"] = {}


def play_unrated(s: Sound) -> None:
    s.more.append(match("third", 100, 3, (1538, 1462), (1554, 1446)))
    set_conditions(s.more[0], Prepared=True, Executed=True)
    s.more[0]["status"]["phase"] = "Rating"
    s.more[0]["metadata"]["labels"] = {}


BROKEN: dict[str, tuple[Break, str]] = {
    "a version given twice": (second_version, "versions: Agent ann: version 1 was given 2 times"),
    "a version beyond the latest": (lambda s: s.ann_v1["status"].update(version=2), "versions: Agent ann"),
    "more attempts than allowed": (lambda s: s.ann_v1["spec"].update(build={"maxRetries": -1}), "attempts: Submission"),
    "an attempt without end": (lambda s: s.ann_v1["status"]["attempts"][0].pop("finishedAt"), "attempts: Submission"),
    "ready without a scan": (
        lambda s: set_conditions(s.ann_v1, Fetched=True, Built=True, Ready=True),
        "submissions: Submission ann-v1: Ready without Scanned",
    ),
    "an image without digest": (lambda s: s.ann_v1["status"].update(image="registry/ann:v1"), "submissions: Sub"),
    "a job that runs on": (lambda s: s.job.update(status={"active": 1}), "jobs: Job ann-v1-build-1"),
    "an orphan": (orphan, "owners: ConfigMap gone-source"),
    "reconciling and stalled": (
        lambda s: set_conditions(s.queue, Ready=False, Reconciling=True, Stalled=True),
        "conditions: MatchmakingQueue pong: Reconciling and Stalled",
    ),
    "a generation nobody looked at": (lambda s: s.ann["metadata"].update(generation=2), "conditions: Agent ann"),
    "complete and failed": (
        lambda s: set_conditions(s.first, Executed=True, Rated=True, Complete=True, Failed=True),
        "endings: Match first: Complete and Failed",
    ),
    "a fourth attempt": (lambda s: s.first["status"].update(attempt=4), "endings: Match first: attempt 4"),
    "a Pod of a finished match": (leave_pod, "endings: Match first: finished, and 1 of its Pods"),
    "two winners": (lambda s: seat(s.first, 1).update(outcome="Win"), "outcomes: Match first"),
    "a winner that lost": (lambda s: s.first["status"].update(winner="ben"), "outcomes: Match first: winner"),
    "rated against its spec": (lambda s: s.first["spec"].update(rated=False), "outcomes: Match first: rated though"),
    "Elo out of nothing": (lambda s: seat(s.second).update(eloAfter=1600), "elo: Match second, ann"),
    "a match rated twice": (rate_twice, "chains: Agent ann: match number 2"),
    "a broken chain": (lambda s: seat(s.second).update(eloBefore=1510), "chains: Agent ann: match 1 left 1520"),
    "a lost rating": (lambda s: s.ann["status"]["rating"].update(matches=1, wins=1), "chains: Agent ann: match 2"),
    "a rating from nowhere": (lambda s: s.ann["status"]["rating"].update(elo=1540, peak=1540), "chains: Agent ann"),
    "a record that does not add up": (lambda s: s.ann["status"]["rating"].update(draws=1), "records: Agent ann: wins"),
    "a peak below the rating": (lambda s: s.ann["status"]["rating"].update(peak=1500), "records: Agent ann: peak"),
    "a win forgotten": (lambda s: s.ann["status"]["rating"].update(wins=1, losses=1), "records: Agent ann: wins"),
    "another's submission": (lambda s: s.ann["status"].update(activeSubmission="ben-v1"), "active: Agent ann"),
    "another image": (lambda s: s.ann["status"].update(image="x"), "active: Agent ann: image or version"),
    "playing nothing": (lambda s: s.ann["status"]["queue"].update(state="Playing"), "queue_states: Agent ann: Playing"),
    "waiting while it plays": (play_unseen, "queue_states: Agent ann: Waiting while it plays third"),
    "waiting before its rating": (play_unrated, "queue_states: Agent ann: Waiting while it plays third"),
    "waiting for ever": (lambda s: s.ann["status"]["queue"].update(expiresAt=when(60)), "queue_states: Agent ann"),
    "one owner": (lambda s: s.ben["spec"].update(owner="alice"), "pairs: Match first: both agents belong to alice"),
    "no cooldown": (lambda s: s.queue["spec"].update(cooldownSeconds=500), "pairs: Match second: 380.0 s after first"),
    "more than a day's worth": (
        lambda s: s.queue["spec"].update(maxMatchesPerAgentPerDay=1),
        "limits: Agent ann: more than 1 matches",
    ),
}


def found(sound: Sound) -> list[str]:
    every: list[str] = invariants.contradictions(sound.items(), NOW)
    return every


def test_sound_namespace_has_none() -> None:
    assert found(Sound()) == []


def test_an_agent_waits_again_once_its_rating_is_written() -> None:
    sound = Sound()
    set_conditions(sound.second, Prepared=True, Executed=True)
    sound.second["status"]["phase"] = "Rating"
    assert not [text for text in found(sound) if text.startswith("queue_states")]


@pytest.mark.parametrize("name", BROKEN)
def test_broken_namespace_is_seen(name: str) -> None:
    sound = Sound()
    change, expected = BROKEN[name]
    change(sound)
    assert any(text.startswith(expected) for text in found(sound)), found(sound)


def changed_queue(time: str) -> Sound:
    sound = Sound()
    sound.queue["spec"]["cooldownSeconds"] = 500
    sound.queue["metadata"]["managedFields"] = [{"time": time}, {"time": when(0), "subresource": "status"}]
    return sound


def test_rules_that_changed_later_do_not_judge() -> None:
    assert found(changed_queue(when(10))) == []


def test_rules_that_changed_in_the_second_of_a_match_do_not_judge_it() -> None:
    assert found(changed_queue(Sound().second["metadata"]["creationTimestamp"])) == []


def test_rules_that_changed_before_a_match_judge_it() -> None:
    assert found(changed_queue(when(10_000))) != []


def test_a_match_made_in_the_second_in_which_the_cooldown_ended_kept_it() -> None:
    """The API server tells whole seconds of when it was made, rounded down."""
    sound = Sound()
    sound.first["status"]["completionTime"] = when(679.1)
    sound.queue["spec"]["cooldownSeconds"] = 380
    assert found(sound) == []
    sound.queue["spec"]["cooldownSeconds"] = 381
    assert any(text.startswith("pairs: Match second: 379.1 s after first") for text in found(sound))


def test_program_reads_a_file_and_says_it_by_its_exit_code(tmp_path: Path) -> None:
    sound = Sound()
    sound.second["status"]["attempt"] = 9
    file = tmp_path / "snapshot.json"
    file.write_text(json.dumps({"items": sound.items()}))
    done = subprocess.run([sys.executable, INVARIANTS, file], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Match second: attempt 9 of 3" in done.stdout and "contradictions" in done.stdout
