"""What an operator sees: kubectl's columns and words, health, metrics, the lease, and who may do what."""

from __future__ import annotations

import re
from collections import Counter

import cluster
import pytest
from checks import assert_no_contradictions
from cluster import KINDS, Object, condition, status
from objects import Run

ACCOUNT = f"system:serviceaccount:{cluster.SYSTEM}:controller"
PAIR = ("shown-a", "shown-b")


def objects(run: Run) -> list[Object]:
    made = []
    for name in PAIR:
        made += [run.agent(name, "tic-tac-toe", owner="gallery"), run.image(f"{name}-v1", name)]
    made.append(run.match("shown", "tic-tac-toe", *PAIR))
    return [*made, run.agent("shown-empty", "tic-tac-toe", owner="gallery")]


def row(kind: str, name: str, *more: str) -> dict[str, str]:
    """One line of `kubectl get`, by the names of its columns."""
    header, line = cluster.kubectl("get", cluster.full(kind), name, *more).splitlines()[:2]
    starts = [match.start() for match in re.finditer(r"\S+( \S+)*", header)]
    ends = [*starts[1:], len(header) + len(line)]
    return {header[a:b].strip(): line[a:b].strip() for a, b in zip(starts, ends, strict=True)}


# kubectl


def test_columns_of_an_agent(run: Run) -> None:
    cluster.complete_match(run.name("shown"))
    shown = row("agents", run.name("shown-a"))
    elo = status(cluster.get("agents", run.name("shown-a")))["rating"]["elo"]
    assert shown["ENVIRONMENT"] == "tic-tac-toe" and shown["OWNER"] == "gallery"
    assert shown["ELO"] == str(elo) and shown["MATCHES"] == "1" and shown["VERSION"] == "1"
    assert shown["READY"] == "True" and shown["QUEUE"] == "Idle"
    empty = row("agents", run.name("shown-empty"), "-o", "wide")
    assert empty["READY"] == "False" and empty["REASON"] == "NoSubmission"
    assert "Apply a Submission" in empty["MESSAGE"]


def test_columns_of_a_submission(run: Run) -> None:
    cluster.ready_submission(run.name("shown-a-v1"))
    shown = row("submissions", run.name("shown-a-v1"), "-o", "wide")
    assert shown["AGENT"] == run.name("shown-a") and shown["VERSION"] == "1"
    assert shown["PHASE"] == "Ready" and shown["READY"] == "True"
    assert int(shown["CRITICAL"]) >= 0 and "@sha256:" in shown["IMAGE"]


def test_columns_of_a_match(run: Run) -> None:
    match = cluster.complete_match(run.name("shown"))
    shown = row("matches", run.name("shown"), "-o", "wide")
    assert (shown["FIRST"], shown["SECOND"]) == (run.name("shown-a"), run.name("shown-b"))
    assert shown["PHASE"] == "Complete" and shown["REASON"] == "Completed"
    assert shown["WINNER"] == status(match).get("winner", "") and int(shown["STEPS"]) == status(match)["steps"]
    changes = [seat["eloChange"] for seat in status(match)["participants"]]
    assert [int(shown["ELO1"]), int(shown["ELO2"])] == changes
    assert shown["REPLAY"].endswith("html")


def test_columns_of_a_queue(run: Run) -> None:
    shown = row("matchmakingqueues", "tic-tac-toe")
    assert shown["READY"] == "True" and shown["REASON"] == "Matchmaking" and shown["PAUSED"] == "false"
    for number in ("WAITING", "PLAYING", "MATCHED"):
        assert shown[number].isdigit(), shown


def test_all_four_kinds_in_one_word(run: Run) -> None:
    text = cluster.kubectl("get", "arena")
    for kind in ("agent", "submission", "match", "matchmakingqueue"):
        assert f"{kind}.{cluster.GROUP}/" in text
    together = cluster.kubectl("get", ",".join(KINDS))
    assert run.name("shown-a") in together


def test_wait_as_a_person_would(run: Run) -> None:
    for target, what in (
        (f"submission/{run.name('shown-a-v1')}", "Ready"),
        (f"agent/{run.name('shown-a')}", "Ready"),
        (f"match/{run.name('shown')}", "Complete"),
    ):
        text = cluster.kubectl("wait", f"--for=condition={what}", target, "--timeout=300s", limit=310)
        assert "condition met" in text


def test_describe_tells_the_story(run: Run) -> None:
    match = cluster.complete_match(run.name("shown"))
    text = cluster.kubectl("describe", "match", run.name("shown"))
    for reason in ("PodsReady", "Played", "Rated", "Completed"):
        assert re.search(rf"Reason: +{reason}\n", text), reason
    assert condition(match, "Complete")["message"] in text


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("part", ["", ".spec", ".status", ".status.conditions"])
def test_explain_is_readable(kind: str, part: str) -> None:
    text = cluster.kubectl("explain", f"{kind}{part}", "--api-version=rl-arena.io/v1alpha1")
    assert "DESCRIPTION" in text
    assert "<no description>" not in text.replace("metadata\t<ObjectMeta>\n    <no description>", "")
    assert "rl-arena.io" in text


# The arena's programs


def test_health_of_the_programs() -> None:
    assert cluster.service("controller", "healthz").strip() == "ok"
    assert cluster.service("controller", "readyz").strip() == "ok"
    assert '"ok"' in cluster.service("executor", "healthz")


def samples(text: str) -> dict[str, list[tuple[str, float]]]:
    """Of a metrics page: for each name, labels and value."""
    found: dict[str, list[tuple[str, float]]] = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            name, labels, value = re.fullmatch(r"([a-zA-Z_:][\w:]*)(\{.*\})? (\S+)", line).groups()  # type: ignore[union-attr]
            found.setdefault(name, []).append((labels or "", float(value)))
    return found


def test_metrics_of_the_controller(run: Run) -> None:
    cluster.complete_match(run.name("shown"))
    text = cluster.service("controller", "metrics")
    found = samples(text)
    for controller in ("agent", "submission", "match", "matchmakingqueue"):
        label = f'controller="{controller}"'
        assert any(label in labels and value > 0 for labels, value in found["controller_runtime_reconcile_total"])
        assert any(label in labels for labels, _ in found["controller_runtime_reconcile_time_seconds_bucket"])
        assert any(f'name="{controller}"' in labels for labels, _ in found["workqueue_depth"])
    assert found["leader_election_master_status"] == [('{name="rl-arena-controller"}', 1.0)]
    assert found["process_resident_memory_bytes"][0][1] < 256 << 20
    assert any(name.startswith("rl_arena_") for name in found)
    assert any(name.startswith("rest_client_") for name in found)
    headers = Counter(line for line in text.splitlines() if line.startswith("# TYPE"))
    assert not [line for line, count in headers.items() if count > 1], "a metric is described twice"


def test_metrics_of_the_executor() -> None:
    found = samples(cluster.service("executor", "metrics"))
    assert any("match" in name for name in found), sorted(found)


def test_leader_holds_a_lease() -> None:
    lease = cluster.get("leases", "rl-arena-controller", cluster.SYSTEM)["spec"]
    pods = cluster.listed("pods", "app.kubernetes.io/name=controller", cluster.SYSTEM)
    assert any(cluster.name_of(pod) in lease["holderIdentity"] for pod in pods), lease
    again = cluster.eventually(
        lambda: cluster.get("leases", "rl-arena-controller", cluster.SYSTEM)["spec"]["renewTime"] > lease["renewTime"],
        "the lease is renewed",
        lease["leaseDurationSeconds"],
    )
    assert again


def may(verb: str, what: str, *more: str, namespace: str = cluster.NAMESPACE) -> bool:
    answer = cluster.kubectl_answer("auth", "can-i", verb, what, f"--as={ACCOUNT}", *more, namespace=namespace)
    return answer.strip() == "yes"


def test_controller_may_do_what_it_needs_and_no_more() -> None:
    for verb, what in (
        ("watch", "agents.rl-arena.io"),
        ("create", "jobs.batch"),
        ("create", "matches.rl-arena.io"),
    ):
        assert may(verb, what), f"{verb} {what}"
    assert may("get", "pods", "--subresource=log")
    assert may("patch", "agents.rl-arena.io", "--subresource=status")
    for verb, what in (
        ("get", "secrets"),
        ("update", "agents.rl-arena.io"),
        ("patch", "submissions.rl-arena.io"),
        ("delete", "agents.rl-arena.io"),
        ("delete", "submissions.rl-arena.io"),
        ("create", "deployments.apps"),
    ):
        assert not may(verb, what), f"{verb} {what}"
    assert not may("create", "pods", "--subresource=exec")
    assert not may("create", "serviceaccounts", "--subresource=token")
    for verb, what in (("create", "pods"), ("get", "secrets"), ("patch", "deployments.apps")):
        assert not may(verb, what, namespace=cluster.SYSTEM), f"{verb} {what}"
    assert not may("list", "nodes", namespace="default")


def test_programs_run_as_the_restricted_profile_wants() -> None:
    for name in ("controller", "executor"):
        pod = cluster.get("deployments", name, cluster.SYSTEM)["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        for container in pod["containers"]:
            assert container["securityContext"]["readOnlyRootFilesystem"] is True
            assert container["securityContext"]["allowPrivilegeEscalation"] is False
            assert container["resources"]["limits"]["memory"]


def test_controller_log_has_no_errors_of_its_own() -> None:
    """Whatever this suite did to it so far."""
    text = cluster.kubectl("logs", "deployment/controller", "--tail=-1", namespace=cluster.SYSTEM)
    errors = [line for line in text.splitlines() if '"level":"error"' in line]
    assert not errors, "\n".join(errors[:10])


def test_conditions_are_said_once(run: Run) -> None:
    """An Event for each change, not for each look."""
    submission = cluster.ready_submission(run.name("shown-a-v1"))
    counts = [one.get("count", 1) for one in cluster.events(submission) if one["reason"] == "Ready"]
    assert counts == [1], cluster.events(submission)
    assert condition(submission, "Ready")["message"] == "Version 1 may play."


def test_no_contradictions(run: Run) -> None:
    assert_no_contradictions()
