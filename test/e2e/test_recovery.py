"""Something dies in the middle: matches end once, ratings count once, children go with their owner.

These tests kill the controller and Pods of their own; the executor is killed in test_faults.py, since others play.
"""

from __future__ import annotations

import time

import cluster
from checks import assert_no_contradictions, assert_replay
from cluster import Object, condition, holds, status
from objects import Run

# Nine moves of 1.1 s: within the time bank, and long enough to be in the middle of.
SLOW = """
    import time


    def agent(observation):
        time.sleep(1.1)
        return int(observation["action_mask"].argmax())
"""
PAIR = ("slow-a", "slow-b")
NEVER_BUILT = """ARG RUNTIME_IMAGE
FROM ${RUNTIME_IMAGE}
RUN sleep 600
"""
LEADER = 'leader_election_master_status{name="rl-arena-controller"} 1'


def objects(run: Run) -> list[Object]:
    made: list[Object] = []
    for name in PAIR:
        made += [run.agent(name, "tic-tac-toe"), run.inline(f"{name}-v1", name, SLOW)]
    return made


def start_match(run: Run, name: str) -> Object:
    """A rated match that is being played."""
    for agent in PAIR:
        cluster.ready_submission(run.name(f"{agent}-v1"))
        cluster.until("agents", run.name(agent), lambda a: holds(a, "Ready"), "Ready")
    cluster.apply([run.match(name, "tic-tac-toe", *PAIR)])
    match = cluster.until(
        "matches",
        run.name(name),
        lambda m: status(m).get("phase") == "Running",
        "it is being played",
        300,
        cluster.is_over,
        every=0.3,
    )
    time.sleep(2)
    return match


def rated_matches(run: Run) -> list[int]:
    return [int(status(cluster.get("agents", run.name(agent)))["rating"]["matches"]) for agent in PAIR]


def kill(deployment: str) -> None:
    """Every Pod of it at once, without a chance to say good-bye; then waits for the next one."""
    old = cluster.listed("pods", f"app.kubernetes.io/name={deployment}", cluster.SYSTEM)
    names = [cluster.name_of(pod) for pod in old]
    cluster.kubectl("delete", "pods", *names, "--grace-period=0", "--force", "--wait=true", namespace=cluster.SYSTEM)


def rolled_out(deployment: str) -> None:
    cluster.kubectl(
        "rollout", "status", f"deployment/{deployment}", "--timeout=300s", namespace=cluster.SYSTEM, limit=310
    )  # fmt: skip


def assert_complete_once(run: Run, name: str, before: list[int], attempts: range, seconds: float = 400) -> None:
    match = cluster.complete_match(run.name(name), seconds)
    state = status(match)
    assert state["attempt"] in attempts, condition(match, "Executed")
    assert holds(match, "Rated") and not holds(match, "Failed")
    assert rated_matches(run) == [count + 1 for count in before]
    assert [seat["matchNumber"] for seat in state["participants"]] == [count + 1 for count in before]
    assert_replay(match)


def test_agents_pods_are_confined_while_they_play(run: Run) -> None:
    start_match(run, "guarded")
    pods = cluster.listed("pods", f"rl-arena.io/match={run.name('guarded')}")
    assert sorted(cluster.name_of(pod) for pod in pods) == [run.name(f"guarded-agent-{seat}") for seat in (0, 1)]
    for pod in pods:
        spec, container = pod["spec"], pod["spec"]["containers"][0]
        assert spec["automountServiceAccountToken"] is False and spec["enableServiceLinks"] is False
        assert spec["restartPolicy"] == "Never" and spec["activeDeadlineSeconds"] > 0
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert container["resources"]["limits"] == container["resources"]["requests"]
        assert "@sha256:" in container["image"]
        mounts = [mount["mountPath"] for mount in container["volumeMounts"]]
        assert mounts == ["/tmp"]
        assert pod["metadata"]["labels"]["rl-arena.io/component"] == "agent"
        assert pod["metadata"]["ownerReferences"][0]["kind"] == "Match"
    cluster.complete_match(run.name("guarded"), 400)


def test_second_match_of_a_busy_agent_waits_its_turn(run: Run) -> None:
    start_match(run, "busy-first")
    cluster.apply([run.match("busy-second", "tic-tac-toe", *PAIR, rated=False)])
    match = cluster.until(
        "matches",
        run.name("busy-second"),
        lambda m: condition(m, "Prepared").get("reason") == "AgentBusy",
        "it waits for its agents",
        15,
        every=0.3,
    )
    assert "plays in another match" in condition(match, "Prepared")["message"]
    cluster.complete_match(run.name("busy-first"), 400)
    cluster.complete_match(run.name("busy-second"), 400)


def test_controller_killed_in_the_middle_of_a_match(run: Run) -> None:
    ready_again(run)
    before = rated_matches(run)
    start_match(run, "controller-killed")
    kill("controller")
    rolled_out("controller")
    assert_complete_once(run, "controller-killed", before, range(1, 2))


def test_agents_pod_taken_away_in_the_middle_of_a_match(run: Run) -> None:
    ready_again(run)
    before = rated_matches(run)
    start_match(run, "pod-lost")
    cluster.kubectl("delete", "pod", run.name("pod-lost-agent-1"), "--grace-period=0", "--force", "--wait=false")
    assert_complete_once(run, "pod-lost", before, range(2, 4))


def ready_again(run: Run) -> None:
    for agent in PAIR:
        cluster.ready_submission(run.name(f"{agent}-v1"))
        cluster.until("agents", run.name(agent), lambda a: "rating" in status(a), "it has a rating")


def test_match_deleted_in_the_middle_takes_its_pods_along(run: Run) -> None:
    ready_again(run)
    before = rated_matches(run)
    start_match(run, "deleted")
    cluster.delete("matches", run.name("deleted"))
    cluster.eventually(
        lambda: not cluster.listed("pods", f"rl-arena.io/match={run.name('deleted')}"), "its Pods are gone", 60
    )
    assert rated_matches(run) == before
    # Its agents are free again.
    cluster.apply([run.match("after-deleted", "tic-tac-toe", *PAIR, rated=False)])
    cluster.complete_match(run.name("after-deleted"), 400)


def children_of(submission: str) -> list[str]:
    selector = f"rl-arena.io/submission={submission}"
    found = cluster.kubectl("get", "jobs,pods,configmaps", "-l", selector, "-o", "name")
    return found.split()


def test_submission_deleted_in_the_middle_takes_its_children_along(run: Run) -> None:
    name = run.name("never-built-v1")
    source = {"inline": {"files": {"Dockerfile": NEVER_BUILT}}}
    cluster.apply([run.agent("never-built", "tic-tac-toe"), run.submission("never-built-v1", "never-built", source)])
    cluster.until("submissions", name, lambda s: holds(s, "Fetched"), "it is being built", 900, cluster.is_stalled)
    kinds = {child.partition("/")[0] for child in children_of(name)}
    assert kinds == {"job.batch", "pod", "configmap"}
    cluster.delete("submissions", name)
    cluster.eventually(lambda: not children_of(name), "its Job, Pod and ConfigMap are gone", 60)
    agent = cluster.until(
        "agents",
        run.name("never-built"),
        lambda a: condition(a, "Ready").get("reason") == "NoSubmission",
        "its agent has no submission",
    )
    assert status(agent)["latestVersion"] == 1


def test_deleted_agent_and_a_new_one_of_its_name(run: Run) -> None:
    name, submission = run.name("short-lived"), run.name("short-lived-v1")
    manifests = [run.agent("short-lived", "tic-tac-toe"), run.image("short-lived-v1", "short-lived")]
    cluster.apply(manifests)
    cluster.ready_submission(submission)
    cluster.delete("agents", name)
    item = cluster.until("submissions", submission, lambda s: not holds(s, "Ready"), "it has no agent any more", 20)
    cluster.assert_told(item, "Ready", "AgentNotFound", "no Agent")
    cluster.apply(manifests[:1])
    cluster.ready_submission(submission, 60)
    cluster.apply([run.image("short-lived-v2", "short-lived")])
    item = cluster.ready_submission(run.name("short-lived-v2"))
    assert status(item)["version"] == 2, "a number is given once"


def leaders() -> list[str]:
    found = []
    for pod in cluster.listed("pods", "app.kubernetes.io/name=controller", cluster.SYSTEM):
        path = f"/api/v1/namespaces/{cluster.SYSTEM}/pods/{cluster.name_of(pod)}:8080/proxy/metrics"
        try:
            if LEADER in cluster.raw(path):
                found.append(cluster.name_of(pod))
        except cluster.KubectlError:
            continue
    return found


def test_of_two_controllers_one_leads_and_the_other_takes_over(run: Run) -> None:
    cluster.kubectl("scale", "deployment/controller", "--replicas=2", namespace=cluster.SYSTEM)
    try:
        rolled_out("controller")
        first = cluster.eventually(leaders, "one leads", 120)
        assert len(first) == 1
        ready_again(run)
        before = rated_matches(run)
        start_match(run, "leader-killed")
        cluster.kubectl(
            "delete", "pod", first[0], "--grace-period=0", "--force", "--wait=true", namespace=cluster.SYSTEM
        )  # fmt: skip
        second = cluster.eventually(lambda: [one for one in leaders() if one not in first], "the other leads", 120)
        assert len(second) == 1
        assert_complete_once(run, "leader-killed", before, range(1, 2))
    finally:
        cluster.kubectl("scale", "deployment/controller", "--replicas=1", namespace=cluster.SYSTEM)
        rolled_out("controller")
    cluster.eventually(lambda: len(leaders()) == 1, "one leads", 120)


def test_nothing_was_left_behind(run: Run) -> None:
    assert_no_contradictions()
