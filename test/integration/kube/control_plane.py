"""A real etcd and kube-apiserver on loopback, for one run of the tests: they may be killed at will."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

CACHE = pathlib.Path(os.environ.get("ARENA_CACHE", "/var/cache/rl-arena"))
TOKEN = "token-of-the-tests"


def find_program(name: str) -> str | None:
    """What ./arena has built last, or from PATH."""
    built = sorted(CACHE.glob(f"gobin/*/{name}"), key=lambda p: p.stat().st_mtime)
    return str(built[-1]) if built else shutil.which(name)


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def wait_until(what: str, seen: Any, seconds: float = 180) -> Any:
    """Polls; the limit only ends a run that hangs."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = seen()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"gave up waiting until {what}")


def until_it_is_ready(seconds: float = 60) -> Iterator[None]:
    """For a call that is answered with 429 while an API server that has just started fills its caches."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        yield
        time.sleep(0.1)
    raise AssertionError("the API server still answers with 429")


class ControlPlane:
    def __init__(self, folder: pathlib.Path, *options: str) -> None:
        """`options` are the API server's."""
        self.folder = folder
        self.options = options
        self.etcd_port, self.peer_port, self.port = free_port(), free_port(), free_port()
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        (folder / "tokens.csv").write_text(f'{TOKEN},tester,1,"system:masters"\n')
        subprocess.run(["openssl", "genrsa", "-out", str(folder / "sa.key"), "2048"], check=True, capture_output=True)
        self.start_etcd()
        self.start_apiserver()

    def start(self, name: str, command: list[str]) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def start_etcd(self) -> None:
        program = find_program("etcd")
        assert program
        client, peer = f"http://127.0.0.1:{self.etcd_port}", f"http://127.0.0.1:{self.peer_port}"
        self.start(
            "etcd",
            [program, "--name", "t", "--data-dir", str(self.folder / "etcd"), "--unsafe-no-fsync"]
            + ["--listen-client-urls", client, "--advertise-client-urls", client]
            + ["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", f"t={peer}"],
        )

    def start_apiserver(self) -> None:
        program = find_program("kube-apiserver")
        assert program
        key = str(self.folder / "sa.key")
        self.start(
            "apiserver",
            [program, "--etcd-servers", f"http://127.0.0.1:{self.etcd_port}", "--etcd-compaction-interval", "0"]
            + ["--bind-address", "127.0.0.1", "--secure-port", str(self.port), "--cert-dir", str(self.folder)]
            + ["--advertise-address", "192.0.2.1", "--endpoint-reconciler-type", "none"]
            + ["--service-cluster-ip-range", "10.96.0.0/16", "--disable-admission-plugins", "ServiceAccount"]
            + ["--token-auth-file", str(self.folder / "tokens.csv"), "--authorization-mode", "RBAC"]
            + ["--service-account-issuer", "https://kubernetes.default.svc", "--service-account-key-file", key]
            + ["--service-account-signing-key-file", key, *self.options],
        )
        wait_until("the API server is ready", self.is_ready, 120)

    def is_ready(self) -> bool:
        assert self.processes["apiserver"].poll() is None, (self.folder / "apiserver.log").read_text()[-3000:]
        try:
            return bool(self.call("GET", "/readyz", parse=False) == b"ok")
        except OSError:
            return False

    def kill(self, name: str) -> None:
        process = self.processes.pop(name)
        process.kill()
        process.wait()

    def stop(self) -> None:
        for name in list(self.processes):
            self.kill(name)

    def call(self, method: str, path: str, body: Any = None, parse: bool = True) -> Any:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        request = urllib.request.Request(
            f"https://127.0.0.1:{self.port}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {TOKEN}", "Content-Type": kind},
        )
        for _ in until_it_is_ready():
            try:
                with urllib.request.urlopen(request, context=context, timeout=30) as answer:
                    text = answer.read()
                break
            except urllib.error.HTTPError as error:
                if error.code != 429:
                    raise
        return json.loads(text) if parse else text

    # ConfigMaps of one namespace.

    def create_namespace(self, name: str) -> None:
        self.call("POST", "/api/v1/namespaces", {"metadata": {"name": name}})

    def path(self, namespace: str, name: str = "") -> str:
        return f"/api/v1/namespaces/{namespace}/configmaps" + (f"/{name}" if name else "")

    def create(self, namespace: str, name: str, value: str, labels: dict[str, str] | None = None) -> int:
        body = {"metadata": {"name": name, "labels": labels or {}}, "data": {"value": value}}
        return int(self.call("POST", self.path(namespace), body)["metadata"]["resourceVersion"])

    def put(self, namespace: str, name: str, value: str) -> int:
        answer = self.call("PATCH", self.path(namespace, name), {"data": {"value": value}})
        return int(answer["metadata"]["resourceVersion"])

    def delete(self, namespace: str, name: str) -> None:
        self.call("DELETE", self.path(namespace, name))

    def truth(self, namespace: str) -> dict[str, tuple[int, str]]:
        items = self.call("GET", self.path(namespace))["items"]
        return {
            i["metadata"]["name"]: (int(i["metadata"]["resourceVersion"]), i.get("data", {}).get("value", ""))
            for i in items
        }

    def compact(self) -> None:
        """Makes etcd forget everything but the present."""
        revision = self.call("GET", "/api/v1/namespaces")["metadata"]["resourceVersion"]
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.etcd_port}/v3/kv/compaction",
            data=json.dumps({"revision": revision, "physical": True}).encode(),
        )
        urllib.request.urlopen(request, timeout=30).close()
