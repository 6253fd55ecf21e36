"""One match's writes, as the controller and the kubelet made them: what a plain loop writes again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from .plane import ENVIRONMENT, NAMESPACE, Plane, made

MATCH = "match-template"
NODE = "node-of-the-bench"


def match(first: str, second: str, name: str) -> dict[str, Any]:
    sides = [{"agent": first}, {"agent": second}]
    return made("Match", name, {"environment": ENVIRONMENT, "participants": sides})


def without_version(body: bytes) -> dict[str, Any]:
    """A loop with nothing to decide has no version that it decided on."""
    content: dict[str, Any] = json.loads(body) if body else {}
    content.get("metadata", {}).pop("resourceVersion", None)
    content.get("metadata", {}).pop("uid", None)
    content.pop("preconditions", None)
    return content


def kubelet_starts(pods: str, name: str) -> list[tuple[str, str, Any]]:
    """The same bodies as in bench/reference/plain/kubelet.go."""
    now = "2026-01-01T00:00:00Z"
    target = {"apiVersion": "v1", "kind": "Node", "name": NODE}
    container = {"name": "agent", "image": "i", "imageID": "i", "restartCount": 0, "ready": True}
    status = {
        "phase": "Running",
        "startTime": now,
        "podIP": "127.0.0.1",
        "podIPs": [{"ip": "127.0.0.1"}],
        "conditions": [{"type": kind, "status": "True"} for kind in ("PodScheduled", "Ready")],
        "containerStatuses": [{**container, "state": {"running": {"startedAt": now}}}],
    }
    return [
        ("POST", f"{pods}/{name}/binding", {"metadata": {"name": name}, "target": target}),
        ("PATCH", f"{pods}/{name}/status", {"status": status}),
    ]


def steps(plane: Plane, requests: list[Any], agents: tuple[str, str], uid: str) -> list[dict[str, str]]:
    """`requests` are the controller's (crashes.proxy.Request). Steps for bench/reference/plain/plan.go."""
    path = plane.api.path("matches", NAMESPACE)
    found: list[tuple[str, str, Any]] = [("POST", path, match(*agents, MATCH))]
    for one in requests:
        if not one.is_write or one.code >= 300 or "/leases" in one.path:
            continue
        content = without_version(one.body)
        found.append((one.method, one.path, content))
        where, _, name = one.path.partition("?")[0].rpartition("/")
        if one.method == "POST" and name == "pods":
            found += kubelet_starts(one.path.partition("?")[0], content["metadata"]["name"])
        elif one.method == "DELETE" and where.endswith("/pods"):
            found.append(("DELETE", one.path, {"gracePeriodSeconds": 0}))
    return [generic(method, where, content, agents, uid) for method, where, content in found]


def generic(method: str, path: str, content: Any, agents: tuple[str, str], uid: str) -> dict[str, str]:
    names: Mapping[str, str] = {MATCH: "{{match}}", uid: "{{uid}}", agents[0]: "{{a}}", agents[1]: "{{b}}"}
    body = json.dumps(content) if content else ""
    for name, mark in names.items():
        path, body = path.replace(name, mark), body.replace(name, mark)
    return {"Method": method, "Path": path, "Body": body}
