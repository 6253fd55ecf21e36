"""The controller ends as Kubernetes ends it, under valgrind: nothing leaked, nothing read that was not written."""

from __future__ import annotations

import os
import pathlib
import re
import shutil
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from control_plane import TOKEN, ControlPlane, free_port, wait_until
from probe import ROOT, write_kubeconfig

GROUP = "/apis/rl-arena.io/v1alpha1"
IMAGES = ("FETCH", "BUILDER", "SCANNER", "RUNTIME")
# valgrind and the sanitizers exclude each other: a build without them.
BUILDS = ("build/gcc", "build/release", "build/clang")
FAULT = 99
# arena/intern.h and lib/base/repeated.h keep their words for the program's life.
KEPT = "".join(
    f"{{\n words\n Memcheck:Leak\n match-leak-kinds: reachable\n ...\n fun:{function}\n}}\n"
    for function in ("intern*", "repeated")
)
LIMIT = 120.0  # only ends a run that hangs

ARENA: dict[str, list[dict[str, Any]]] = {
    "matchmakingqueues": [
        {"kind": "MatchmakingQueue", "metadata": {"name": "pong"}, "spec": {"environment": {"name": "pong"}}}
    ],
    "agents": [
        {"kind": "Agent", "metadata": {"name": name}, "spec": {"owner": name, "environment": "pong"}}
        for name in ("alice", "bob")
    ],
    "submissions": [
        {
            "kind": "Submission",
            "metadata": {"name": "alice-1"},
            "spec": {"agent": "alice", "source": {"inline": {"files": {"agent.py": "class Agent: pass\n"}}}},
        },
        {
            "kind": "Submission",
            "metadata": {"name": "bob-1"},
            "spec": {"agent": "bob", "source": {"image": "registry.example/bob@sha256:" + 64 * "0"}},
        },
    ],
    "matches": [
        {
            "kind": "Match",
            "metadata": {"name": "early"},
            "spec": {"environment": "pong", "participants": [{"agent": "alice"}, {"agent": "bob"}]},
        }
    ],
}


def program() -> str:
    given = os.environ.get("ARENA_CONTROLLER")
    built = [ROOT / build / "controller" / "controller" for build in BUILDS]
    found = [given] if given else [str(path) for path in built if path.exists()]
    assert found, f"the controller is not built: none of {built}"
    return found[0]


class Controller:
    def __init__(self, folder: pathlib.Path, namespace: str, server: str) -> None:
        self.listen = f"127.0.0.1:{free_port()}"
        self.log, self.findings = folder / "controller.log", folder / "valgrind.log"
        kubeconfig = write_kubeconfig(folder / "kubeconfig", server, f"{{token: {TOKEN}}}")
        environment = {
            "PATH": os.defpath,
            "KUBECONFIG": str(kubeconfig),
            "K8S_NAMESPACE": namespace,
            "POD_NAMESPACE": namespace,
            "POD_NAME": "controller-0",
            "CONTAINER_REGISTRY_URL": "registry.example/agents",
            "EXECUTOR_URL": "http://127.0.0.1:9",
            "LISTEN_ADDRESS": self.listen,
            "LOG_FORMAT": "text",
            "LOG_LEVEL": "debug",
            **{f"{name}_IMAGE": f"registry.example/{name.lower()}:1" for name in IMAGES},
        }
        kept = folder / "kept.supp"
        kept.write_text(KEPT)
        command = ["valgrind", "--quiet", f"--log-file={self.findings}", f"--error-exitcode={FAULT}"]
        command += ["--leak-check=full", "--show-leak-kinds=all", "--errors-for-leak-kinds=all"]
        command += [f"--suppressions={kept}", program()]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def get(self, path: str) -> tuple[int, str]:
        assert self.process.poll() is None, self.words()
        try:
            with urllib.request.urlopen(f"http://{self.listen}{path}", timeout=30) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, ""
        except OSError:
            return 0, ""

    def words(self) -> str:
        return self.log.read_text(errors="replace")[-3000:] + self.findings.read_text(errors="replace")[-6000:]

    def end(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(LIMIT) == 0, self.words()
        assert self.findings.read_text() == "", self.words()
        assert "ended" in self.log.read_text()


@pytest.fixture(scope="module")
def kinds(plane: ControlPlane) -> None:
    for file in sorted((ROOT / "crds").glob("*.yaml")):
        for one in yaml.safe_load_all(file.read_text()):
            if one["kind"] == "CustomResourceDefinition":
                plane.call("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", one)

    def served() -> bool:
        try:
            return all(plane.call("GET", f"{GROUP}/{kind}") for kind in ARENA)
        except urllib.error.HTTPError:
            return False

    wait_until("the arena's kinds are served", served)


@pytest.fixture
def start(namespace: str, tmp_path: pathlib.Path) -> Iterator[Any]:
    if shutil.which("valgrind") is None:
        pytest.skip("valgrind is not here")
    started: list[Controller] = []

    def begin(server: str) -> Controller:
        started.append(Controller(tmp_path, namespace, server))
        return started[-1]

    yield begin
    for one in started:
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait()


def test_ends_clean_amid_its_work(plane: ControlPlane, kinds: None, namespace: str, start: Any) -> None:
    for kind, objects in ARENA.items():
        for one in objects:
            body = {"apiVersion": "rl-arena.io/v1alpha1", **one}
            plane.call("POST", f"{GROUP}/namespaces/{namespace}/{kind}", body)
    controller = start(f"https://127.0.0.1:{plane.port}")
    wait_until("it is ready", lambda: controller.get("/readyz")[0] == 200, LIMIT)
    path = f"/apis/batch/v1/namespaces/{namespace}/jobs"
    wait_until("both submissions have a Job", lambda: len(plane.call("GET", path)["items"]) == 2, LIMIT)
    leads = r'^leader_election_master_status\{name="rl-arena-controller"\} 1$'
    assert re.search(leads, controller.get("/metrics")[1], re.MULTILINE)
    controller.end()
    lease = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/rl-arena-controller"
    assert not plane.call("GET", lease)["spec"].get("holderIdentity")


def test_ends_clean_without_an_api_server(start: Any) -> None:
    controller = start(f"https://127.0.0.1:{free_port()}")
    wait_until("it asks", lambda: controller.get("/healthz")[0] == 200, LIMIT)
    assert controller.get("/readyz")[0] == 503
    controller.end()
