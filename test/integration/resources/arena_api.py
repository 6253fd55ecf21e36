"""A real API server, spoken to in its own words.

The API server is the one of $KUBECONFIG, or the embedded cluster that `./arena up` started. It is
reached through `kubectl proxy` on a Unix socket, since the embedded cluster lives in a network
namespace of its own and a socket in the file system does not care.
"""

from __future__ import annotations

import http.client
import json
import os
import pathlib
import socket
import subprocess
import urllib.parse
from typing import Any

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[3]
GROUP = "/apis/rl-arena.io/v1alpha1"
PLURALS = {
    "Agent": "agents",
    "Submission": "submissions",
    "Match": "matches",
    "MatchmakingQueue": "matchmakingqueues",
}
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"


def kubectl_command() -> list[str]:
    """kubectl for the cluster under test: $KUBECONFIG's, otherwise the embedded one."""
    if os.environ.get("KUBECONFIG"):
        return ["kubectl"]
    return [str(ROOT / "arena"), "kubectl"]


def kubectl(*arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*kubectl_command(), *arguments], input=stdin, capture_output=True, text=True, check=False)


def kustomize(folder: str) -> list[dict[str, Any]]:
    """The objects that `kubectl apply -k folder` would send."""
    done = kubectl("kustomize", str(ROOT / folder))
    assert done.returncode == 0, done.stderr
    return [document for document in yaml.safe_load_all(done.stdout) if document]


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=60)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Answer:
    """One answer of the API server."""

    def __init__(self, status: int, body: bytes) -> None:
        self.status = status
        try:
            self.body: dict[str, Any] = json.loads(body) if body else {}
        except ValueError:
            self.body = {"message": body.decode(errors="replace")}

    @property
    def ok(self) -> bool:
        return self.status < 300

    @property
    def message(self) -> str:
        return str(self.body.get("message", ""))

    @property
    def causes(self) -> list[dict[str, str]]:
        details = self.body.get("details") or {}
        return list(details.get("causes") or [])


class Api:
    """The API server, spoken to in its own words."""

    def __init__(self, socket_path: str) -> None:
        self._connection = _UnixConnection(socket_path)

    def request(
        self,
        method: str,
        path: str,
        body: object | None = None,
        content_type: str = "application/json",
        accept: str = "application/json",
        **query: str,
    ) -> Answer:
        target = path + ("?" + urllib.parse.urlencode(query) if query else "")
        data = None if body is None else json.dumps(body).encode()
        headers = {"Accept": accept, "Content-Type": content_type}
        self._connection.request(method, target, data, headers)
        response = self._connection.getresponse()
        return Answer(response.status, response.read())

    def close(self) -> None:
        self._connection.close()


class Arena:
    """The four kinds in one namespace."""

    def __init__(self, api: Api, namespace: str) -> None:
        self.api = api
        self.namespace = namespace

    def path(self, kind: str, name: str = "", part: str = "") -> str:
        path = f"{GROUP}/namespaces/{self.namespace}/{PLURALS[kind]}"
        return path + (f"/{name}" if name else "") + (f"/{part}" if part else "")

    def create(self, kind: str, name: str, spec: object, dry_run: bool = True) -> Answer:
        body = {
            "apiVersion": "rl-arena.io/v1alpha1",
            "kind": kind,
            "metadata": {"name": name, "namespace": self.namespace},
            "spec": spec,
        }
        query = {"fieldValidation": "Strict"}
        if dry_run:
            query["dryRun"] = "All"
        return self.api.request("POST", self.path(kind), body, **query)

    def patch(self, kind: str, name: str, body: object, part: str = "", **query: str) -> Answer:
        path = self.path(kind, name, part)
        return self.api.request("PATCH", path, body, "application/merge-patch+json", **query)

    def delete(self, kind: str, name: str) -> Answer:
        return self.api.request("DELETE", self.path(kind, name))

    def table(self, kind: str, name: str) -> dict[str, Any]:
        """The row that `kubectl get` prints, by column name."""
        answer = self.api.request("GET", self.path(kind, name), accept=TABLE)
        assert answer.ok, answer.message
        names = [column["name"] for column in answer.body["columnDefinitions"]]
        return dict(zip(names, answer.body["rows"][0]["cells"], strict=True))
