"""What the tests of uploads and replays share: archives, service accounts' tokens, the internal port."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import pathlib
import tarfile
import zipfile
from typing import Any

import requests

from .plane import ApiError, Namespace, condition
from .server import LIMIT, ApiServer, Client, seen

AGENT = b"def agent(observation):\n    return 0\n"
AUDIENCE = "rl-arena-front"


def is_sanitized(server: ApiServer) -> bool:
    """Whether its program keeps what was freed for a while: then its memory says nothing."""
    return b"__asan_init" in pathlib.Path(server.program).read_bytes()


def zipped(**files: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in (files or {"agent_py": AGENT}).items():
            info = zipfile.ZipInfo(name.replace("_py", ".py"))  # without the time: the same files, the same archive
            archive.writestr(info, content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def tarred(content: bytes = AGENT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        info = tarfile.TarInfo("agent.py")
        info.size = len(content)
        archive.addfile(info, io.BytesIO(content))
    return gzip.compress(buffer.getvalue(), mtime=0)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def make_agent(client: Client, name: str = "An agent") -> dict[str, Any]:
    answer = client.post("/agents", {"name": name, "environmentId": "pong"})
    assert answer.status_code == 201, answer.text
    return dict(answer.json()["agent"])


def submit(client: Client, agent: str | None, name: str, content: bytes, **fields: str) -> requests.Response:
    data = {**({"agentId": agent} if agent else {}), **fields}
    return client.request("POST", "/submissions", data=data, files={"file": (name, content)})


def taken(answer: requests.Response) -> dict[str, Any]:
    assert answer.status_code == 201, answer.text
    return dict(answer.json()["submission"])


def submission_of(client: Client, one: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """The submission once its row has these values."""

    def look() -> Any:
        now = client.get(f"/submissions/{one['id']}").json()["submission"]
        return now if all(now.get(key) == value for key, value in fields.items()) else None

    return dict(seen(f"the submission has {fields}", look))


def finish(namespace: Namespace, one: dict[str, Any], status: str = "Ready", **more: Any) -> str:
    """As the controller would: Ready, or Failed with a reason. Gives the object's name."""
    name = str(namespace.by_uid("submissions", one["id"])["metadata"]["name"])
    reason = more.pop("reason", "Ready" if status == "Ready" else "BuildFailed")
    phase = {"phase": status, "version": more.pop("version", 1), **more}
    kinds = [condition("Ready", "True" if status == "Ready" else "False", reason)]
    if status == "Failed":
        kinds.append(condition("Stalled", "True", reason))
        kinds.append(condition("Scanned" if reason == "ScanFailed" else "Built", "False", reason))
    namespace.status("submissions", name, {**phase, "conditions": kinds})
    return name


class Tokens:
    """Service accounts of a real API server."""

    def __init__(self, namespace: Namespace) -> None:
        self.namespace = namespace

    def account(self, name: str, namespace: str | None = None) -> None:
        path = f"/api/v1/namespaces/{namespace or self.namespace.name}/serviceaccounts"
        try:
            self.namespace.plane.call("POST", path, {"metadata": {"name": name}})
        except ApiError as error:
            if error.code != 409:
                raise

    def token(self, name: str, audience: str | None = AUDIENCE, namespace: str | None = None) -> str:
        self.account(name, namespace)
        spec: dict[str, Any] = {"expirationSeconds": 600}
        if audience:
            spec["audiences"] = [audience]
        path = f"/api/v1/namespaces/{namespace or self.namespace.name}/serviceaccounts/{name}/token"
        return str(self.namespace.plane.call("POST", path, {"spec": spec})["status"]["token"])


class Internal:
    """The internal port, with a token or without."""

    def __init__(self, server: ApiServer, token: str | None) -> None:
        self.url = f"http://127.0.0.1:{server.internal_port}"
        self.headers = {"Authorization": f"Bearer {token}"} if token is not None else {}

    def request(self, method: str, path: str, **more: Any) -> requests.Response:
        headers = {**self.headers, **more.pop("headers", {})}
        return requests.request(method, self.url + path, headers=headers, timeout=LIMIT, **more)

    def source(self, digest: str, **more: Any) -> requests.Response:
        return self.request("GET", f"/internal/v1/sources/{digest}", **more)

    def put(self, match: str, kind: str, content: Any, **query: Any) -> requests.Response:
        query = {"kind": kind, **query}
        return self.request("PUT", f"/internal/v1/replays/{match}", params=query, data=content)


def replay(text: str = "a") -> tuple[bytes, bytes]:
    """The JSON as the executor packs it, and a page."""
    data = {"metadata": {"finalScore": [1, 0], "seed": text}, "frames": [{"step": n} for n in range(2000)]}
    packed = gzip.compress(json.dumps(data).encode(), mtime=0)
    return packed, f"<!doctype html><script>let replay = '{text}'</script>".encode() * 50
