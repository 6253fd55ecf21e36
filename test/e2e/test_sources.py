"""From source to image: every way to hand in code, and what is wrong with some."""

from __future__ import annotations

import re

import cluster
import pytest
from checks import assert_no_contradictions
from cluster import Object, condition, get, holds, status
from objects import Run

FIRST_MOVE = """
    def agent(observation):
        return int(observation["action_mask"].argmax())
"""
# An agent of each kind of source: the zip's module, packages and weights, the repository's folder, what the Dockerfile
# made, the image's own code.
PLAYS = {
    "zip-and-git": ("pong", "pong-net", "pong-git"),
    "dockerfile-and-image": ("tic-tac-toe", "tic-tac-toe-book", "tic-tac-toe-ready"),
}
ATTEMPTS = 4
WRONG_HASH = "0" * 64


def objects(run: Run) -> list[Object]:
    """The failing build first: it waits 70 s between its attempts."""
    made: list[Object] = []
    for file in ("failing-build", "wrong-hash", "archive", "critical-cve", "dockerfile", "git", "image"):
        made += run.example(f"sources/{file}.yaml")
    made += [
        run.agent("versions", "tic-tac-toe"),
        run.inline("versions-v1", "versions", FIRST_MOVE, **{"notes/why.md": "A file in a folder.\n"}),
        run.agent("missing-queue", "no-such-environment"),
        run.submission("nobodys", "nobody", {"image": "10.77.0.1:5000/examples/tic-tac-toe-ready:v1"}),
    ]
    return made + [run.match(name, environment, *pair, rated=False) for name, (environment, *pair) in PLAYS.items()]


def assert_built_and_scanned(item: Object) -> None:
    state = status(item)
    assert state["phase"] == "Ready" and state["version"] == 1
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", state["digest"])
    assert state["image"].endswith(f"@{state['digest']}")
    for kind in ("Fetched", "Built", "Scanned", "Ready"):
        assert holds(item, kind), condition(item, kind)
    for kind in ("Reconciling", "Stalled"):
        assert condition(item, kind) == {}
    assert state["scan"]["scanner"].lower().startswith("trivy"), state["scan"]
    assert state["observedGeneration"] == item["metadata"]["generation"]


def test_inline_source(run: Run) -> None:
    item = cluster.wait_for_condition("submissions", run.name("versions-v1"), "Ready")
    assert_built_and_scanned(item)
    attempts = status(item)["attempts"]
    assert [one["number"] for one in attempts] == [1] and attempts[0]["reason"] == "Succeeded"
    assert attempts[0]["job"] == run.name("versions-v1-build-1") and attempts[0]["pod"]


def test_unfixed_vulnerabilities_are_counted_but_do_not_reject(run: Run) -> None:
    """Debian's base image always has some that nobody has fixed."""
    scan = status(cluster.ready_submission(run.name("versions-v1")))["scan"]
    assert scan["critical"] >= 1 and scan["fixableCritical"] == 0
    assert scan["findings"][0]["severity"] == "CRITICAL" and scan["findings"][0]["id"].startswith("CVE-")


def test_zip_with_module_weights_and_requirements(run: Run) -> None:
    assert_built_and_scanned(cluster.ready_submission(run.name("pong-net-v1")))


def test_git_repository(run: Run) -> None:
    assert_built_and_scanned(cluster.ready_submission(run.name("pong-git-v1")))


def test_own_dockerfile(run: Run) -> None:
    assert_built_and_scanned(cluster.ready_submission(run.name("tic-tac-toe-book-v1")))


def test_ready_made_image_is_scanned_not_built(run: Run) -> None:
    item = cluster.ready_submission(run.name("tic-tac-toe-ready-v1"))
    assert_built_and_scanned(item)
    assert not status(item).get("attempts"), "nothing was to be built"
    assert condition(item, "Built")["reason"] == "ReadyMade"


@pytest.mark.parametrize("name", PLAYS)
def test_what_was_handed_in_plays(run: Run, name: str) -> None:
    match = cluster.complete_match(run.name(name))
    for seat in status(match)["participants"]:
        assert seat["outcome"] != "Forfeit" and not seat.get("errors") and not seat.get("errorMessage"), seat
        assert seat["image"] == status(get("submissions", seat["submission"]))["image"]


def test_wrong_hash_fails_at_once_and_is_not_tried_again(run: Run) -> None:
    item = cluster.stalled_submission(run.name("pong-mixup-v1"))
    assert status(item)["phase"] == "Failed"
    assert [one["reason"] for one in status(item)["attempts"]] == ["HashMismatch"]
    cluster.assert_told(item, "Ready", "HashMismatch", WRONG_HASH, "submit again with its new hash")
    assert condition(item, "Fetched")["status"] == "False"
    agent = cluster.until(
        "agents",
        run.name("pong-mixup"),
        lambda a: condition(a, "Ready").get("reason") == "SubmissionFailed",
        "its agent says so",
    )
    assert run.name("pong-mixup-v1") in condition(agent, "Ready")["message"]


def test_critical_vulnerability_is_refused_by_name(run: Run) -> None:
    item = cluster.stalled_submission(run.name("pong-net-v2"))
    assert status(item)["phase"] == "Rejected" and status(item)["version"] == 2
    assert holds(item, "Built") and holds(item, "Scanned")
    cluster.assert_told(item, "Ready", "VulnerabilitiesFound", "CVE-2022-21797", "joblib 1.1.0", "1.2.0")
    scan = status(item)["scan"]
    assert scan["fixableCritical"] == 1
    assert {"CVE-2022-21797"} <= {one["id"] for one in scan["findings"]}


def test_agent_keeps_its_earlier_version(run: Run) -> None:
    cluster.ready_submission(run.name("pong-net-v1"))
    cluster.stalled_submission(run.name("pong-net-v2"))
    agent = cluster.until(
        "agents", run.name("pong-net"), lambda a: status(a).get("activeVersion") == 1, "version 1 plays"
    )
    assert status(agent)["activeSubmission"] == run.name("pong-net-v1")
    assert status(agent)["latestVersion"] == 2
    assert holds(agent, "Ready")


def test_newer_version_is_active_by_itself_and_older_one_can_be_pinned(run: Run) -> None:
    first = cluster.ready_submission(run.name("versions-v1"))
    name = run.name("versions")
    agent = cluster.until("agents", name, lambda a: status(a).get("activeVersion") == 1, "version 1 plays")
    assert status(agent)["image"] == status(first)["image"]

    cluster.apply([run.image("versions-v2", "versions")])
    second = cluster.wait_for_condition("submissions", run.name("versions-v2"), "Ready")
    assert status(second)["version"] == 2
    agent = cluster.until("agents", name, lambda a: status(a).get("activeVersion") == 2, "version 2 plays by itself")
    assert status(agent)["image"] == status(second)["image"]
    assert status(agent)["activeSubmission"] == run.name("versions-v2")

    cluster.patch("agents", name, {"spec": {"activeSubmission": run.name("versions-v1")}})
    agent = cluster.until("agents", name, lambda a: status(a).get("activeVersion") == 1, "the pinned one plays")
    assert status(agent)["image"] == status(first)["image"]

    cluster.patch("agents", name, {"spec": {"activeSubmission": "no-such-submission"}})
    agent = cluster.until("agents", name, lambda a: not holds(a, "Ready"), "not Ready with a pin that leads nowhere")
    cluster.assert_told(agent, "Ready", "PinnedSubmissionNotFound", "no-such-submission")

    cluster.patch("agents", name, {"spec": {"activeSubmission": None}})
    cluster.until("agents", name, lambda a: status(a).get("activeVersion") == 2, "the newest plays without a pin")


def test_environment_that_nobody_offers_is_waited_for(run: Run) -> None:
    agent = cluster.until(
        "agents",
        run.name("missing-queue"),
        lambda a: condition(a, "Ready").get("reason") == "EnvironmentNotFound",
        "it says which queue is missing",
    )
    cluster.assert_told(agent, "Ready", "EnvironmentNotFound", "MatchmakingQueue no-such-environment")
    assert condition(agent, "Stalled") == {}, "it may yet come"


def test_submission_without_agent_waits_with_a_reason(run: Run) -> None:
    item = cluster.until(
        "submissions", run.name("nobodys"), lambda s: condition(s, "Ready").get("status") == "False", "it says why"
    )
    assert condition(item, "Ready")["reason"] == "AgentNotFound"
    assert run.name("nobody") in condition(item, "Ready")["message"]
    assert not status(item).get("version") and condition(item, "Stalled") == {}


def test_failing_build_is_tried_four_times_then_tells_the_last_error(run: Run) -> None:
    item = cluster.stalled_submission(run.name("pong-typo-v1"))
    state = status(item)
    assert state["phase"] == "Failed"
    assert [one["number"] for one in state["attempts"]] == list(range(1, ATTEMPTS + 1))
    for one in state["attempts"]:
        assert one["reason"] == "BuildFailed" and "sortedcontainrs" in one["message"], one
        assert one["finishedAt"] >= one["startedAt"]
    # Backoff between them: 10, 20 and 40 seconds.
    for before, after, seconds in zip(state["attempts"], state["attempts"][1:], (10, 20, 40), strict=False):
        assert cluster.seconds_between(before["finishedAt"], after["startedAt"]) >= seconds
    cluster.assert_told(item, "Ready", "BuildFailed", "Attempt 4 of 4", "sortedcontainrs", "apply a new Submission")
    assert holds(item, "Fetched") and condition(item, "Built")["status"] == "False"


def test_ended_submissions_leave_no_running_jobs(run: Run) -> None:
    for name in ("versions-v1", "pong-typo-v1", "pong-mixup-v1"):
        item = cluster.until(
            "submissions", run.name(name), lambda s: cluster.is_stalled(s) or holds(s, "Ready"), "over"
        )
        for job in cluster.listed("jobs", f"rl-arena.io/submission={run.name(name)}"):
            assert not status(job).get("active"), f"{cluster.name_of(job)} runs on though {name} is over"
            assert job["metadata"]["ownerReferences"][0]["uid"] == item["metadata"]["uid"]


@pytest.mark.parametrize("change", [{"agent": "another"}, {"build": {"maxRetries": 0}}])
def test_a_submission_never_changes(run: Run, change: Object) -> None:
    with pytest.raises(cluster.KubectlError, match="a Submission never changes: make a new one"):
        cluster.patch("submissions", run.name("versions-v1"), {"spec": change})
    assert get("submissions", run.name("versions-v1"))["metadata"]["generation"] == 1


def test_no_contradictions(run: Run) -> None:
    assert_no_contradictions()
