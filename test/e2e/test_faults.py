"""The cluster's own faults, with everything real: what the arena loses by them is time.

That the controller's Pod or an agent's Pod is gone: test_recovery.py. The same and more at every single write:
test/integration/crashes. These tests kill the executor and the cluster's programs; nothing else may run beside them.
"""

from __future__ import annotations

import http
import json
import time
from collections.abc import Iterator

import cluster
import front_user
import parts
import pytest
from checks import assert_no_contradictions
from cluster import Object, condition, holds, status
from objects import Run
from test_recovery import assert_complete_once, kill, rated_matches, ready_again, rolled_out, start_match
from test_recovery import objects as slow_agents

ONCE, AGAIN = range(1, 2), range(1, 4)
PLAYS = """
    def agent(observation):
        return int(observation["action_mask"].argmax())
"""
BUILDS_FOR_A_WHILE = """ARG RUNTIME_IMAGE
FROM ${RUNTIME_IMAGE}
RUN sleep 8
COPY --chown=0:0 . /agent
"""
BUILDERS = ("builder-1", "builder-2", "builder-3", "patient", "full")


def objects(run: Run) -> list[Object]:
    made = [run.agent(name, "tic-tac-toe") for name in (*BUILDERS, "unscanned", "gone", "witness")]
    return [*slow_agents(run), *made, run.inline("gone-v1", "gone", PLAYS), run.image("witness-v1", "witness")]


def starts(pod: Object) -> int:
    count: int = status(pod)["containerStatuses"][0]["restartCount"]
    return count


def front_starts() -> dict[str, int]:
    pods = cluster.listed("pods", "app.kubernetes.io/name=api-server", cluster.SYSTEM)
    return {cluster.name_of(pod): starts(pod) for pod in pods}


@pytest.fixture(autouse=True)
def whole_cluster() -> Iterator[None]:
    """Whatever happens in a test, the cluster is whole after it, and nothing in the arena contradicts itself.

    No fault of the cluster ends the front: its clients here ask again, and would not see it.
    """
    before = front_starts()
    yield
    for program in parts.STARTS:
        parts.start(program)
    assert_no_contradictions()
    assert front_starts() == before


@pytest.fixture(scope="module", autouse=True)
def match_without_image(run: Run) -> str:
    """A match of an agent whose image has gone from the registry. Its three attempts take minutes: beside the rest."""
    cluster.ready_submission(run.name("gone-v1"))
    cluster.ready_submission(run.name("witness-v1"))
    image = status(cluster.get("submissions", run.name("gone-v1")))["image"]
    repository, _, digest = image.partition("@")
    host, _, path = repository.partition("/")
    parts.shell(f"in_netns curl -fsS -X DELETE http://{host}/v2/{path}/manifests/{digest}")
    cluster.apply([run.match("gone", "tic-tac-toe", "gone", "witness")])
    return run.name("gone")


def start_build(run: Run, name: str) -> str:
    """Of a submission of this agent, until its source is there."""
    submission = run.name(f"{name}-v1")
    source = {"inline": {"files": {"Dockerfile": BUILDS_FOR_A_WHILE, "agent.py": "def agent(o): return 0\n"}}}
    cluster.apply([run.submission(f"{name}-v1", name, source)])
    cluster.until("submissions", submission, lambda s: holds(s, "Fetched"), "it is built", 300, cluster.is_stalled)
    return submission


def first_attempt(submission: str) -> Object:
    """As it was when it had ended."""
    item = cluster.until(
        "submissions",
        submission,
        lambda s: "finishedAt" in status(s)["attempts"][0],
        "its first attempt has ended",
        400,
        cluster.is_stalled,
    )
    attempt: Object = status(item)["attempts"][0]
    return attempt


def assert_arena_answers() -> None:
    """Both programs are there again, and what the controller says is fresh."""
    for name in ("executor", "controller"):
        cluster.kubectl(
            "rollout", "status", f"deployment/{name}", "--timeout=300s", namespace=cluster.SYSTEM, limit=310
        )  # fmt: skip


def evict(pod: str) -> None:
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": cluster.NAMESPACE}}
    path = f"/api/v1/namespaces/{cluster.NAMESPACE}/pods/{pod}/eviction"
    cluster.kubectl("create", "--raw", path, "-f", "-", stdin=json.dumps(body))


def test_an_evicted_agent_is_not_the_agents_fault(run: Run) -> None:
    ready_again(run)
    before = rated_matches(run)
    start_match(run, "evicted")
    evict(run.name("evicted-agent-0"))
    assert_complete_once(run, "evicted", before, range(2, 4))


def test_executor_killed_in_the_middle_of_a_match(run: Run) -> None:
    ready_again(run)
    before = rated_matches(run)
    start_match(run, "executor-killed")
    kill("executor")
    assert_complete_once(run, "executor-killed", before, range(2, 4))
    rolled_out("executor")


def test_controller_process_killed_in_a_match(run: Run) -> None:
    """kill -9 of the process: its container is started again in the same Pod, under the same name in the lease."""
    ready_again(run)
    before = rated_matches(run)
    start_match(run, "process-killed")
    (pod,) = cluster.listed("pods", "app.kubernetes.io/name=controller", cluster.SYSTEM)
    parts.kill_container(pod)
    assert_complete_once(run, "process-killed", before, ONCE)
    assert_arena_answers()


def test_api_server_away_in_a_match_and_a_build(run: Run) -> None:
    """For longer than the lease lasts."""
    ready_again(run)
    before = rated_matches(run)
    submission = start_build(run, "builder-1")
    start_match(run, "api-away")
    with parts.away("kube-apiserver"):
        time.sleep(20)
    assert_complete_once(run, "api-away", before, AGAIN)
    cluster.ready_submission(submission)
    assert_arena_answers()


def test_etcd_away_in_a_match_and_a_build(run: Run) -> None:
    ready_again(run)
    before = rated_matches(run)
    submission = start_build(run, "builder-2")
    start_match(run, "etcd-away")
    with parts.away("etcd"):
        time.sleep(5)
    assert_complete_once(run, "etcd-away", before, AGAIN)
    cluster.ready_submission(submission)
    assert_arena_answers()


def test_kubelet_and_containerd_away_in_a_match_and_a_build(run: Run) -> None:
    """The containers go on; the node takes them up again."""
    ready_again(run)
    before = rated_matches(run)
    submission = start_build(run, "builder-3")
    start_match(run, "node-away")
    with parts.away("containerd", "kubelet"):
        time.sleep(5)
    assert_complete_once(run, "node-away", before, AGAIN)
    cluster.ready_submission(submission)
    assert_arena_answers()


def assert_built_again(submission: str, first: Object) -> None:
    """The attempt cost a retry, not the submission."""
    assert first["reason"] not in ("", "Succeeded") and first["message"]
    attempts = status(cluster.ready_submission(submission))["attempts"]
    assert attempts[0] == first
    assert attempts[-1]["reason"] == "Succeeded" and len(attempts) > 1


def test_registry_away_in_a_build(run: Run) -> None:
    submission = start_build(run, "patient")
    with parts.away("registry"):
        first = first_attempt(submission)
    assert_built_again(submission, first)


def test_registry_full_in_a_build(run: Run) -> None:
    submission = start_build(run, "full")
    with parts.full_repository(f"agents/{cluster.NAMESPACE}/{run.name('full')}"):
        first = first_attempt(submission)
    assert_built_again(submission, first)


def test_no_database_of_vulnerabilities(run: Run) -> None:
    """The scanner fails: that is never a clean scan. It is tried again."""
    name = run.name("unscanned-v1")
    with parts.without_repository("rl-arena/trivy-db"):
        cluster.apply([run.image("unscanned-v1", "unscanned")])
        item = cluster.until(
            "submissions",
            name,
            lambda s: any("finishedAt" in each for each in status(s).get("scanAttempts", [])),
            "its first scan has failed",
            400,
            lambda s: holds(s, "Ready") or holds(s, "Scanned"),
        )
        assert status(item)["scanAttempts"][0]["reason"] == "ScanFailed"
        assert "scan" not in status(item) and not holds(item, "Scanned")
        agent = cluster.get("agents", run.name("unscanned"))
        assert not holds(agent, "Ready")
    item = cluster.ready_submission(name)
    assert len(status(item)["scanAttempts"]) > 1 and status(item)["scan"]


def test_an_image_that_is_gone_from_the_registry(run: Run, match_without_image: str) -> None:
    """Three attempts, then Failed: nobody's rating changes."""
    name = match_without_image
    match = cluster.until(
        "matches", name, lambda m: holds(m, "Failed"), "it has failed", 600, lambda m: holds(m, "Complete")
    )  # fmt: skip
    assert status(match)["attempt"] == 3
    assert condition(match, "Failed")["reason"] in ("ImagePullBackOff", "ErrImagePull")
    assert "attempt 3 of 3" in condition(match, "Failed")["message"].lower()
    assert holds(match, "Rated") is False
    for agent in ("gone", "witness"):
        assert status(cluster.get("agents", run.name(agent)))["rating"]["matches"] == 0
    cluster.eventually(lambda: not cluster.listed("pods", f"rl-arena.io/match={name}"), "its Pods are gone", 60)


def database() -> Object:
    return cluster.get("pods", "postgres-0", cluster.SYSTEM)


def is_deleted(me: front_user.Front, path: str) -> bool:
    """Also when the answer to an earlier try was lost."""
    try:
        me.send("DELETE", path, None, "")
    except front_user.Refused as refused:
        if refused.status != http.HTTPStatus.NOT_FOUND:
            raise
    return True


def test_what_was_written_is_there_after_postgresql_was_killed(run: Run) -> None:
    if cluster.find("statefulsets", "postgres", cluster.SYSTEM) is None:
        pytest.skip("the database is not in this cluster")
    name = f"eve-{run.mark}"
    me, password = front_user.signed_in(name)
    agent = me.agent(run.name("front-eve"), "pong", "has no code yet")
    path = f"/agents/{agent['id']}"
    body = json.dumps({"description": "written before"}).encode()
    me.send("PUT", path, body, "application/json")
    try:
        before = starts(database())
        parts.kill_container(database())
        cluster.eventually(
            lambda: starts(database()) > before and holds(database(), "Ready"), "PostgreSQL is back", 120
        )
        found = front_user.until(lambda: me.get(path)["agent"], "reads are answered again", 60)
        assert found["description"] == "written before"
        again = front_user.Front(front_user.address())

        def signed_in() -> bool:
            again.sign_in(name, f"{name}@example.com", password)
            return True

        front_user.until(signed_in, "one can log in again", 60)
        assert again.get("/users/me")["username"] == name
    finally:
        front_user.until(lambda: is_deleted(me, path), "its agent is deleted", 60)


def test_nothing_was_left_behind(run: Run) -> None:
    assert_no_contradictions()
