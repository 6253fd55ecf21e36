"""What ./arena demo tells of submissions and matches, and when it stops waiting."""

from __future__ import annotations

import sys

import pytest
import watch


def resource(kind: str, name: str, status: dict, **spec: object) -> dict:
    return {"kind": kind, "metadata": {"name": name}, "spec": spec, "status": status}


def agent(name: str, elo: int = 1500, matches: int = 0) -> dict:
    return resource("Agent", name, {"rating": {"elo": elo, "matches": matches}}, owner="alice", environment="pong")


@pytest.fixture
def progress(capsys: pytest.CaptureFixture[str]) -> watch.Progress:
    return watch.Progress()


def look(monkeypatch: pytest.MonkeyPatch, progress: watch.Progress, found: dict) -> bool:
    monkeypatch.setattr(watch, "listed", lambda *kinds: found)
    return watch.look(progress, {"a", "b"}, {"a-v1"})


def test_it_waits_until_every_sample_agent_has_played(monkeypatch, progress) -> None:
    assert not look(monkeypatch, progress, {})
    assert not look(monkeypatch, progress, {"Agent": [agent("a", matches=1), agent("b")]})
    assert not look(monkeypatch, progress, {"Agent": [agent("a", matches=1), agent("else", matches=3)]})
    assert look(monkeypatch, progress, {"Agent": [agent("a", matches=1), agent("b", matches=2)]})


def test_a_rejected_sample_ends_the_wait_with_its_reason(monkeypatch, progress) -> None:
    ready = {"type": "Ready", "status": "False", "reason": "VulnerabilitiesFound", "message": "CVE-2022-21797"}
    bad = resource("Submission", "a-v1", {"phase": "Rejected", "conditions": [ready]})
    with pytest.raises(watch.Stuck, match="(?s)VulnerabilitiesFound: CVE-2022-21797.*describe submission a-v1"):
        look(monkeypatch, progress, {"Submission": [bad]})


def test_another_ones_rejected_submission_does_not(monkeypatch, progress) -> None:
    bad = resource("Submission", "mine-v1", {"phase": "Rejected"})
    assert not look(monkeypatch, progress, {"Submission": [bad]})


def test_a_change_is_told_once(monkeypatch, progress, capsys) -> None:
    building = {"Submission": [resource("Submission", "a-v1", {"phase": "Building"})]}
    for _ in range(3):
        look(monkeypatch, progress, building)
    assert capsys.readouterr().err.count("submission a-v1: Building") == 1


def test_what_ended_before_is_not_told_again(monkeypatch, progress, capsys) -> None:
    sides = {"participants": [{"agent": "a"}, {"agent": "b"}]}
    old = resource("Match", "old", {"phase": "Complete"}, **sides)
    other = resource("Match", "other", {"phase": "Running"}, participants=[{"agent": "x"}, {"agent": "y"}])
    look(monkeypatch, progress, {"Match": [old, other]})
    look(monkeypatch, progress, {"Match": [old, other, resource("Match", "new", {"phase": "Complete"}, **sides)]})
    told = capsys.readouterr().err
    assert "match new: Complete" in told
    assert "match old" not in told and "match other" not in told


def test_the_limit_ends_the_wait(monkeypatch, progress) -> None:
    monkeypatch.setattr(watch, "listed", lambda *kinds: {})
    with pytest.raises(watch.Stuck, match="not every sample agent has played"):
        watch.wait(progress, {"a"}, set(), client(progress, "pass"), 0)


def client(progress: watch.Progress, script: str) -> watch.Client:
    return watch.Client(progress, [sys.executable, "-c", script])


def test_what_the_client_says_is_told_and_its_end_is_waited_for(monkeypatch, progress, capsys) -> None:
    monkeypatch.setattr(watch, "listed", lambda *kinds: {"Agent": [agent("a", matches=1)]})
    monkeypatch.setattr(watch.time, "sleep", lambda _: None)
    one = client(progress, "import time; time.sleep(0.3); print('rating 1520')")
    watch.wait(progress, {"a"}, set(), one, 20)
    one.reader.join(5)
    assert "by REST: rating 1520" in capsys.readouterr().err


def test_a_client_that_fails_ends_the_wait_with_its_words(monkeypatch, progress) -> None:
    monkeypatch.setattr(watch, "listed", lambda *kinds: {})
    monkeypatch.setattr(watch.time, "sleep", lambda _: None)
    with pytest.raises(watch.Stuck, match="the client that takes part by REST failed: client: no such environment"):
        watch.wait(progress, {"a"}, set(), client(progress, "raise SystemExit('client: no such environment')"), 20)


def test_a_result_says_who_won_and_what_it_cost() -> None:
    sides = [
        {"agent": "a", "outcome": "Win", "score": 1, "eloBefore": 1500, "eloAfter": 1520},
        {"agent": "b", "outcome": "Forfeit", "errorMessage": "too late", "eloBefore": 1500, "eloAfter": 1480},
    ]
    text = watch.result(resource("Match", "m", {"participants": sides, "steps": 7}))
    assert text == "a win 1 (elo 1500 -> 1520), b forfeit (elo 1500 -> 1480) [too late], 7 steps"


def test_the_leaderboard_is_sorted_by_elo() -> None:
    found = [agent("a", 1400, 3), agent("b", 1600, 1), agent("c", 1600, 2), agent("idle")]
    lines = watch.leaderboard(found).splitlines()
    assert [line.split()[1] for line in lines] == ["AGENT", "b", "c", "a"]


def test_a_failed_match_is_listed_with_its_reason() -> None:
    failed = {"type": "Failed", "status": "True", "reason": "BothForfeited", "message": "neither answered"}
    match = resource("Match", "m", {"phase": "Failed", "conditions": [failed]}, environment="pong")
    assert "BothForfeited: neither answered" in watch.results([match])
    assert watch.results([]) == "none"
