"""Fixtures for the tests against a real API server: a client, and a namespace of one's own."""

from __future__ import annotations

import os
import pathlib
import secrets
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator

import pytest
from arena_api import GROUP, PLURALS, ROOT, Api, Arena, kubectl, kubectl_command


@pytest.fixture(scope="session")
def api() -> Iterator[Api]:
    if not os.environ.get("KUBECONFIG") and not (ROOT / "arena").exists():
        pytest.fail("no cluster to test against: set KUBECONFIG", pytrace=False)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "api.sock")
        log_path = os.path.join(folder, "log")
        with open(log_path, "wb") as log:
            proxy = subprocess.Popen(
                [*kubectl_command(), "proxy", f"--unix-socket={path}"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        client = None
        try:
            for _ in range(300):
                if os.path.exists(path) or proxy.poll() is not None:
                    break
                time.sleep(0.1)
            if not os.path.exists(path):
                words = pathlib.Path(log_path).read_text(errors="replace")
                pytest.fail(f"no cluster to test against, try ./arena up:\n{words}", pytrace=False)
            client = Api(path)
            ready = client.request("GET", "/readyz")
            if ready.status != 200:
                pytest.fail(f"the API server is not ready, try ./arena up: {ready.message}", pytrace=False)
            yield client
        finally:
            if client:
                client.close()
            os.killpg(proxy.pid, signal.SIGTERM)
            proxy.wait(timeout=20)


@pytest.fixture(scope="session")
def crds(api: Api) -> None:
    """The CRDs of this tree, whatever the cluster had before."""
    done = kubectl("apply", "-k", str(ROOT / "crds"))
    assert done.returncode == 0, done.stderr
    done = kubectl(
        "wait", "--for=condition=Established", "--timeout=60s",
        *[f"crd/{plural}.rl-arena.io" for plural in PLURALS.values()],
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def namespace(api: Api) -> Iterator[str]:
    """A namespace as strict as the arena's own programs live in; the controller does not see it."""
    name = f"test-{secrets.token_hex(4)}"
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
    assert api.request("POST", "/api/v1/namespaces", body).ok
    yield name
    api.request("DELETE", f"/api/v1/namespaces/{name}")


@pytest.fixture(scope="module")
def arena(api: Api, crds: None, namespace: str) -> Arena:
    wait_until_served(api, namespace)
    return Arena(api, namespace)


def wait_until_served(api: Api, namespace: str) -> None:
    """Established says that the names are taken; the handlers follow a moment later."""
    for plural in PLURALS.values():
        for _ in range(100):
            if api.request("GET", f"{GROUP}/namespaces/{namespace}/{plural}").ok:
                break
            time.sleep(0.1)
        else:
            pytest.fail(f"the API server does not serve {plural}")
