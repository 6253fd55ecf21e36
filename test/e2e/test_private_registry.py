"""A second arena whose own images, builder, scanner, database, agents, packages and sources are all behind
an own authority, and its registry behind a password too."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

import cluster
import private_registry as private
import pytest
from cluster import Object, condition, holds, status
from objects import Run

pytestmark = [
    pytest.mark.skipif(bool(os.environ.get("KUBECONFIG")), reason="needs the embedded cluster's node"),
    # While the other arena comes up, this one builds what the modules after this one need.
    pytest.mark.usefixtures("run"),
]

MADE = Run("private")
AGENT = """
    def agent(observation):
        return 0 if observation[1] > observation[4] else 2
"""
CREDENTIALS = [{"name": "registry"}]
OPERATOR = "tell the arena's operator"
LOOKER = """ARG RUNTIME_IMAGE
FROM ${RUNTIME_IMAGE}
USER root
COPY passwords.py /passwords.py
RUN python3 /passwords.py %s %s
"""


def archive(again: str = "") -> list[Object]:
    """The example with packages, from the server that only the own authority vouches for."""
    agent, submission = MADE.example("sources/archive.yaml")
    source = submission["spec"]["source"]["archive"]
    source["url"] = f"https://{private.WEB}/pong-net.zip"
    if again:
        submission["metadata"]["name"] = MADE.name(again)
    return [agent, submission]


def looker() -> list[Object]:
    """A build that looks for a password with which it could read or replace what another agent's author made."""
    passwords = cluster.ROOT / "test" / "e2e" / "hostile" / "passwords.py"
    dockerfile = LOOKER % (private.REGISTRY, f"agents/{private.NAMESPACE}/{MADE.name('inline')}")
    files = {"Dockerfile": dockerfile, "passwords.py": passwords.read_text()}
    submission = MADE.submission("looker-v1", "looker", {"inline": {"files": files}}, build={"maxRetries": 0})
    return [MADE.agent("looker", "pong"), submission]


def inline(name: str) -> list[Object]:
    """Not tried again: what is wrong here stays wrong."""
    submission = MADE.inline(f"{name}-v1", name, AGENT)
    submission["spec"]["build"] = {"maxRetries": 0}
    return [MADE.agent(name, "pong"), submission]


@pytest.fixture(scope="module")
def authority() -> Iterator[private.Authority]:
    with private.arena() as authority:
        private.apply(*inline("inline"), *archive())
        yield authority


def ready(name: str) -> Object:
    return private.until("submissions", MADE.name(name), lambda s: holds(s, "Ready"), "Ready", 900)


def failed(name: str, reason: str) -> str:
    """What is said about a build that failed, in both places where a person looks."""
    item = private.until("submissions", MADE.name(name), cluster.is_stalled, "Stalled", 900)
    (attempt,) = status(item)["attempts"]
    assert attempt["reason"] == condition(item, "Built")["reason"] == reason, attempt
    message: str = condition(item, "Ready")["message"]
    assert attempt["message"] in message and condition(item, "Built")["message"] == message
    return message


def jobs_pod(submission: Object, part: str) -> Object:
    selector = f"rl-arena.io/submission={cluster.name_of(submission)},rl-arena.io/component={part}"
    (pod,) = cluster.listed("pods", selector, private.NAMESPACE)
    return pod


def anonymous(path: str, *options: str) -> str:
    words = ("curl", "-sS", "--max-time", "10", "-o", "/dev/null", "-w", "%{http_code}", *options)
    return private.command(*private.inside(*words, f"https://{private.REGISTRY}{path}"))


def test_the_registry_is_private(authority: private.Authority) -> None:
    trusting = ("--cacert", str(authority.certificate))
    assert anonymous("/v2/", *trusting) == "401"
    assert anonymous("/v2/", *trusting, "--user", f"{private.USER}:{private.PASSWORD}") == "200"
    with pytest.raises(AssertionError, match="SSL certificate problem"):
        anonymous("/v2/")


def test_the_programs_are_pulled_with_credentials(authority: private.Authority) -> None:
    for name in ("controller", "executor"):
        (pod,) = cluster.listed("pods", f"app.kubernetes.io/name={name}", private.SYSTEM)
        assert pod["spec"]["imagePullSecrets"] == CREDENTIALS
        assert private.pulled(cluster.name_of(pod), private.SYSTEM) == [f"{private.REGISTRY}/own/{name}:{private.TAG}"]


def test_build_and_scan_over_verified_tls(authority: private.Authority) -> None:
    submission = ready("inline-v1")
    image = status(submission)["image"]
    assert image.startswith(f"{private.REGISTRY}/agents/{private.NAMESPACE}/{MADE.name('inline')}@sha256:")
    used = {}
    for part in ("build", "scan"):
        pod = jobs_pod(submission, part)
        assert pod["spec"]["imagePullSecrets"] == CREDENTIALS
        for container in (*pod["spec"]["initContainers"], *pod["spec"]["containers"]):
            used[container["name"]] = container["image"]
            assert not [one for one in container["args"] if "insecure" in one or "skip-tls" in one]
    tools, own = f"{private.REGISTRY}/tools", f"{private.REGISTRY}/own"
    assert used == {
        "fetch": f"{own}/fetch:{private.TAG}",
        "layers": f"{own}/fetch:{private.TAG}",
        "push": f"{own}/fetch:{private.TAG}",
        "build": f"{tools}/image-builder:{private.TAG}",
        "scan": f"{tools}/vulnerability-scanner:{private.TAG}",
        "report": f"{own}/fetch:{private.TAG}",
    }
    assert status(submission)["scan"]["critical"] >= 1, "the database has one for Debian's base"
    secrets = [
        one["secret"]["secretName"] for one in jobs_pod(submission, "build")["spec"]["volumes"] if "secret" in one
    ]
    assert sorted(secrets) == ["bases", "registry"]


def test_build_step_finds_no_password_of_the_agents_registry(authority: private.Authority) -> None:
    ready("inline-v1")  # what it would read and replace is there
    private.apply(*looker())
    failed("looker-v1", "BuildFailed")
    (pod,) = cluster.listed("pods", f"rl-arena.io/submission={MADE.name('looker-v1')}", private.NAMESPACE)
    log = private.kubectl("logs", cluster.name_of(pod), "-c", "build")
    (line,) = [line for line in log.splitlines() if "FOUND {" in line]
    seen = json.loads(line.partition("FOUND ")[2])
    assert seen["files"] > 1000, "it looked everywhere"
    reader = f"{private.BASES_USER}:{private.BASES_PASSWORD}"
    assert all(path.startswith("/kaniko/.docker/") for path in seen["found"]), seen
    assert set(sum(seen["found"].values(), [])) == {reader} and seen["environment"] == []
    assert seen["tried"] == {"nobody": [401, 401, 401], reader: [401, 401, 401]}


def test_layers_of_an_earlier_build_are_taken_by_the_next(authority: private.Authority) -> None:
    """Without the builder having an account for where they are kept."""
    ready("pong-net-v1")
    private.apply(*archive("pong-net-v2"))
    submission = ready("pong-net-v2")
    pod = cluster.name_of(jobs_pod(submission, "build"))
    log = private.kubectl("logs", pod, "-c", "build")
    assert [one for one in log.splitlines() if "Using caching version of cmd: RUN" in one and "pip install" in one], log


def test_archive_and_packages_from_servers_of_the_own_authority(authority: private.Authority) -> None:
    assert condition(ready("pong-net-v1"), "Fetched")["status"] == "True"


def test_match_between_two_such_agents(authority: private.Authority) -> None:
    ready("inline-v1")
    ready("pong-net-v1")
    private.apply(MADE.match("game", "pong", "inline", "pong-net"))
    name = MADE.name("game")
    match = private.until("matches", name, lambda m: holds(m, "Complete"), "Complete", 900)
    assert status(match)["replay"]["url"].startswith(f"http://executor.{private.SYSTEM}.svc:8080/")
    for seat, agent in enumerate(("inline", "pong-net")):
        (image,) = private.pulled(f"{name}-agent-{seat}")
        assert image.startswith(f"{private.REGISTRY}/agents/{private.NAMESPACE}/{MADE.name(agent)}@")


def test_wrong_password_is_told(authority: private.Authority) -> None:
    ready("inline-v1")  # its images are on the node: only the push is to fail
    private.set_password("wrong")
    try:
        private.apply(*inline("wrong-password"))
        message = failed("wrong-password-v1", "PushFailed")
    finally:
        private.set_password(private.PASSWORD)
    assert f"https://{private.REGISTRY}/v2/" in message and "UNAUTHORIZED: authentication required" in message
    assert f"not the source's fault: {OPERATOR}" in message, "nothing that the author could do"


def test_missing_authority_is_told(authority: private.Authority) -> None:
    ready("inline-v1")
    private.configure(CA_CONFIGMAP="")
    try:
        private.apply(*inline("untrusted"))
        message = failed("untrusted-v1", "BuildFailed")
    finally:
        private.configure(CA_CONFIGMAP="authorities")
    assert "x509: certificate signed by unknown authority" in message and OPERATOR in message, message


def is_decided(submission: Object) -> bool:
    return holds(submission, "Ready") or is_preempted(submission)


def is_preempted(submission: Object) -> bool:
    """The tests beside these restart a controller, whose Pod goes before builds where processors are short."""
    lost = [one["pod"] for one in status(submission).get("attempts", []) if one.get("reason") == "PodLost"]
    if lost:
        names = "--output=jsonpath={.items[*].involvedObject.name}"
        told = cluster.attempt("get", "events", "--field-selector=reason=Preempted", names, namespace=private.NAMESPACE)
        assert set(lost) <= set(told.split()), "its Pod was lost, and it was not preempted"
    return bool(lost)


def waits_for_image(name: str) -> Object:
    def seen(submission: Object) -> bool:
        return condition(submission, "Built").get("reason") == "ImagePullBackOff" or is_preempted(submission)

    private.apply(*inline(name))
    return private.until("submissions", MADE.name(f"{name}-v1"), seen, "waiting for an image", 600)


def test_node_that_may_not_pull_is_told_and_goes_on_when_it_may(authority: private.Authority) -> None:
    for name in ("unpulled", "unpulled-again", "unpulled-at-last"):
        private.set_password("wrong")
        try:
            private.forget_images()
            submission = waits_for_image(name)
        finally:
            private.set_password(private.PASSWORD)
        if is_preempted(submission):
            continue
        message = condition(submission, "Built")["message"]
        assert f"{private.REGISTRY}/own/fetch:{private.TAG}" in message and "401 Unauthorized" in message, message
        end = private.until("submissions", cluster.name_of(submission), is_decided, "Ready or lost", 900)
        if is_preempted(end):
            continue
        assert holds(end, "Ready") and [one["number"] for one in status(end)["attempts"]] == [1], "it cost no attempt"
        return
    pytest.fail("each time its Pod was preempted")


def test_no_contradictions(authority: private.Authority) -> None:
    private.command(cluster.ROOT / "arena", "check", "-n", private.NAMESPACE, limit=240)
