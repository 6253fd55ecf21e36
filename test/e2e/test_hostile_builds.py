"""Sources and build steps that do not play fair: refused with words and without a retry, or let run
where there is nothing to be had.

Every way to be refused is tested one by one in test/integration/fetch; here some go the whole way.
"""

from __future__ import annotations

import atexit
import hashlib
import json
import os
import subprocess
import sys
from typing import Any

import cluster
import pytest
from checks import assert_no_contradictions
from cluster import ROOT, Object, condition, status
from objects import Run

pytestmark = pytest.mark.skipif(bool(os.environ.get("KUBECONFIG")), reason="needs the embedded cluster's network")

HOSTILE = ROOT / "test" / "e2e" / "hostile"
NODE = "10.77.0.1"
# What is served, the reason, and words that its author gets to read.
REFUSED: dict[str, tuple[str, tuple[str, ...]]] = {
    "bomb.zip": ("ArchiveBomb", ("250",)),
    "above.tar.gz": ("UnsafePath", ("../../kaniko/executor",)),
    "absolute.tar.gz": ("UnsafePath", ("/etc/passwd",)),
    "link.tar.gz": ("UnsafePath", ("weights",)),
    "hard.tar.gz": ("UnsafeFile", ("weights",)),
    "device.tar.gz": ("UnsafeFile", ("disk",)),
    "to-api-server": ("ForbiddenAddress", ("private, local or reserved",)),
    "to-metadata": ("ForbiddenAddress", ("private, local or reserved",)),
    "to-loopback": ("ForbiddenAddress", ("private, local or reserved",)),
    "to-itself": ("TooManyRedirects", ()),
}
DOCKERFILE = """ARG RUNTIME_IMAGE
FROM ${RUNTIME_IMAGE}
USER root
COPY probe.py /probe.py
RUN python3 /probe.py
"""
# CHOWN, DAC_OVERRIDE, FOWNER, FSETID, SETGID, SETUID, SETFCAP
CAPABILITIES = "00000000800000db"


def serve() -> tuple[str, dict[str, bytes]]:
    """A server of our own inside the cluster's network, for as long as the tests run; what it serves."""
    namespace = os.environ.get("ARENA_NAME", "rl-arena")
    command = ["nsenter", f"--net=/run/netns/{namespace}", "--", sys.executable, str(HOSTILE / "web.py"), NODE]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    atexit.register(process.kill)
    assert process.stdout is not None
    port = process.stdout.readline().strip()
    assert port.isdigit(), "the server of hostile archives does not start"
    sys.path.insert(0, str(HOSTILE))
    import web

    return f"http://{NODE}:{port}", {path.lstrip("/"): content for path, content in web.made.items()}


def objects(run: Run) -> list[Object]:
    address, served = serve()
    made = [run.agent("looker", "pong"), run.agent("taker", "pong")]
    files = {"Dockerfile": DOCKERFILE, "probe.py": (HOSTILE / "probe.py").read_text()}
    made.append(run.submission("looker-v1", "looker", {"inline": {"files": files}}, build={"maxRetries": 0}))
    for name in [*REFUSED, "too-short"]:
        source = {
            "url": f"{address}/{name}",
            "sha256": hashlib.sha256(served.get(name, b"")).hexdigest(),
            "format": "zip" if name.endswith(".zip") else "tar.gz",
        }
        # A connection that breaks off may be better the next time; here once is enough.
        retries = {"build": {"maxRetries": 0}} if name == "too-short" else {}
        made.append(run.submission(f"takes-{name.partition('.')[0]}", "taker", {"archive": source}, **retries))
    return made


@pytest.mark.parametrize("name", REFUSED)
def test_source_is_refused_at_once(run: Run, name: str) -> None:
    reason, words = REFUSED[name]
    item = cluster.stalled_submission(run.name(f"takes-{name.partition('.')[0]}"))
    assert status(item)["phase"] == "Failed"
    assert [one["reason"] for one in status(item)["attempts"]] == [reason], status(item)["attempts"]
    assert condition(item, "Fetched")["status"] == "False"
    cluster.assert_told(item, "Ready", reason, *words)


def test_source_that_breaks_off_is_not_taken_for_whole(run: Run) -> None:
    item = cluster.stalled_submission(run.name("takes-too-short"))
    assert [one["reason"] for one in status(item)["attempts"]] == ["Incomplete"], status(item)["attempts"]
    cluster.assert_told(item, "Ready", "Incomplete", "Attempt 1 of 1")


@pytest.fixture(scope="module")
def found(run: Run) -> dict[str, Any]:
    """What a build step of an author's, as root, found out."""
    item = cluster.stalled_submission(run.name("looker-v1"))
    (attempt,) = status(item)["attempts"]
    assert attempt["reason"] == "BuildFailed", attempt
    log = cluster.kubectl("logs", attempt["pod"], "-c", "build")
    (line,) = [line for line in log.splitlines() if "FOUND {" in line]
    seen: dict[str, Any] = json.loads(line.partition("FOUND ")[2])
    return seen


def test_build_step_has_no_identity(found: dict[str, Any]) -> None:
    assert found["account"] == "ENOENT" and found["environment"] == [], found
    assert found["credentials"] in ("ENOENT", []), "the builder is given none"


def test_build_step_is_nobody_to_the_cluster(found: dict[str, Any]) -> None:
    for what in ("secrets", "configmaps", "submissions", "new pod"):
        assert found[what] in (401, 403), f"{what}: {found[what]}"
    assert found["kubelet"] == 401
    assert not isinstance(found["read-only kubelet"], int) and not isinstance(found["metadata"], int)


def test_build_step_sees_nothing_of_its_node(found: dict[str, Any]) -> None:
    assert found["devices"] == [] and found["containerd"] == []
    assert found["processes"] < 20, "the builder's own"
    for what in ("new device", "mount", "raw"):
        assert found[what] == "EPERM", f"{what}: {found[what]}"
    for what in ("kernel", "host name"):
        assert found[what] in ("EROFS", "EACCES", "EPERM", "ENOENT"), f"{what}: {found[what]}"
    assert found["core"] in (0, "EPERM", "EACCES", "ENOENT"), found["core"]


def test_build_step_is_root_with_little_in_its_hands(found: dict[str, Any]) -> None:
    assert found["uid"] == 0 and found["capabilities"] == found["bounds"] == CAPABILITIES
    assert found["privileges"] == "1" and found["seccomp"] == "2"


def test_no_contradictions(run: Run) -> None:
    assert_no_contradictions()
