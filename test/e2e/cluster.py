"""The cluster under test, by kubectl alone, and what to say when something did not come.

The cluster is $KUBECONFIG's, or the embedded one of `./arena up`.
"""

from __future__ import annotations

import datetime
import json
import os
import pathlib
import subprocess
import time
from collections.abc import Callable, Iterable
from typing import Any

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
NAMESPACE = "rl-arena"
SYSTEM = "rl-arena-system"
GROUP = "rl-arena.io"
KINDS = ("agents", "submissions", "matches", "matchmakingqueues")

Object = dict[str, Any]


class KubectlError(Exception):
    """kubectl's own words."""


def kubectl_command() -> list[str]:
    if os.environ.get("KUBECONFIG"):
        return ["kubectl"]
    return [str(ROOT / "arena"), "kubectl"]


def kubectl(*arguments: str, stdin: str | None = None, namespace: str = NAMESPACE, limit: float = 120) -> str:
    command = [*kubectl_command(), "-n", namespace, *arguments]
    try:
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False, timeout=limit)
    except subprocess.TimeoutExpired:
        raise KubectlError(f"kubectl {' '.join(arguments)}: no answer within {limit:.0f} s") from None
    if done.returncode != 0:
        raise KubectlError(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout


def kubectl_answer(*arguments: str, namespace: str = NAMESPACE) -> str:
    """What it prints, whether it calls that a failure or not (`auth can-i` does)."""
    command = [*kubectl_command(), "-n", namespace, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60).stdout


def full(kind: str) -> str:
    """The kind's name as kubectl cannot mistake it."""
    return f"{kind}.{GROUP}" if kind in KINDS else kind


# Reading


def find(kind: str, name: str, namespace: str = NAMESPACE) -> Object | None:
    text = kubectl("get", full(kind), name, "--ignore-not-found", "-o", "json", namespace=namespace)
    return json.loads(text) if text.strip() else None


def get(kind: str, name: str, namespace: str = NAMESPACE) -> Object:
    found = find(kind, name, namespace)
    assert found is not None, f"{kind} {name} is not there"
    return found


def listed(kind: str, selector: str = "", namespace: str = NAMESPACE) -> list[Object]:
    narrowed = ["-l", selector] if selector else []
    items: list[Object] = json.loads(kubectl("get", full(kind), *narrowed, "-o", "json", namespace=namespace))["items"]
    return items


def name_of(item: Object) -> str:
    return str(item["metadata"]["name"])


def status(item: Object) -> Object:
    found: Object = item.get("status") or {}
    return found


def condition(item: Object, kind: str) -> Object:
    """The condition, {} when there is none."""
    return next((one for one in status(item).get("conditions", []) if one["type"] == kind), {})


def holds(item: Object, kind: str) -> bool:
    return bool(condition(item, kind).get("status") == "True")


def events(item: Object) -> list[Object]:
    selector = f"involvedObject.uid={item['metadata']['uid']}"
    found: list[Object] = json.loads(kubectl("get", "events", "--field-selector", selector, "-o", "json"))["items"]
    return found


def raw(path: str) -> str:
    """GET at the API server, its proxies included."""
    return kubectl("get", "--raw", path)


def service(name: str, path: str) -> str:
    """GET at one of the arena's own programs, through the API server's proxy."""
    return raw(f"/api/v1/namespaces/{SYSTEM}/services/{name}:http/proxy/{path.lstrip('/')}")


# Writing


def apply(objects: Iterable[Object]) -> None:
    every = list(objects)
    if not every:
        return
    # As JSON: PyYAML leaves texts like 12e7 bare, which kubectl then reads as numbers.
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": every})
    kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=text)


def create(item: Object) -> Object:
    made: Object = json.loads(kubectl("create", "-o", "json", "-f", "-", stdin=json.dumps(item)))
    return made


def patch(kind: str, name: str, change: Object) -> None:
    kubectl("patch", full(kind), name, "--type=merge", "-p", json.dumps(change))


def delete(kind: str, *names: str) -> None:
    kubectl("delete", full(kind), *names, "--ignore-not-found", "--wait=true", "--timeout=60s")


# Waiting


def until(
    kind: str,
    name: str,
    reached: Callable[[Object], Any],
    what: str,
    seconds: float = 60,
    hopeless: Callable[[Object], Any] = lambda _: False,
    every: float = 1.0,
) -> Object:
    """The object once `reached` holds; fails with everything that is known when that does not come."""
    end = time.monotonic() + seconds
    while True:
        item = find(kind, name)
        if item is not None and reached(item):
            return item
        if item is not None and hopeless(item):
            pytest.fail(f"{kind} {name} will not get to: {what}\n{diagnosis(kind, name)}", pytrace=False)
        if time.monotonic() > end:
            pytest.fail(f"{kind} {name}: not within {seconds:.0f} s: {what}\n{diagnosis(kind, name)}", pytrace=False)
        time.sleep(every)


def eventually(check: Callable[[], Any], what: str, seconds: float = 60, every: float = 1.0) -> Any:
    """What `check` gives once it is true; kubectl's errors count as not yet."""
    end = time.monotonic() + seconds
    trouble = ""
    while True:
        try:
            answer = check()
            if answer:
                return answer
            trouble = ""
        except KubectlError as error:
            trouble = str(error)
        if time.monotonic() > end:
            pytest.fail(f"not within {seconds:.0f} s: {what} {trouble}\n{controller_log()}", pytrace=False)
        time.sleep(every)


def is_stalled(item: Object) -> bool:
    return holds(item, "Stalled")


def is_over(match: Object) -> bool:
    return holds(match, "Complete") or holds(match, "Failed")


def ready_submission(name: str, seconds: float = 900) -> Object:
    return until("submissions", name, lambda s: holds(s, "Ready"), "Ready", seconds, is_stalled)


def stalled_submission(name: str, seconds: float = 900) -> Object:
    """One that has ended badly, as it should."""
    return until("submissions", name, is_stalled, "Stalled", seconds, lambda s: holds(s, "Ready"))


def complete_match(name: str, seconds: float = 900) -> Object:
    return until("matches", name, lambda m: holds(m, "Complete"), "Complete", seconds, lambda m: holds(m, "Failed"))


def wait_for_condition(kind: str, name: str, what: str, seconds: int = 900) -> Object:
    """As a person would: kubectl wait."""
    try:
        kubectl(
            "wait", f"--for=condition={what}", f"{full(kind)}/{name}", f"--timeout={seconds}s", limit=seconds + 30
        )  # fmt: skip
    except KubectlError as error:
        pytest.fail(f"{error}\n{diagnosis(kind, name)}", pytrace=False)
    return get(kind, name)


# When something did not come


def attempt(*arguments: str, namespace: str = NAMESPACE) -> str:
    try:
        return kubectl(*arguments, namespace=namespace).rstrip() or "(nothing)"
    except KubectlError as error:
        return f"({error})"


def controller_log(about: str = "", lines: int = 15) -> str:
    text = attempt("logs", "deployment/controller", "--tail=2000", namespace=SYSTEM)
    chosen = [line for line in text.splitlines() if about in line][-lines:]
    return f"--- controller's last lines{' about ' + about if about else ''}:\n" + "\n".join(chosen)


def pod_report(selector: str) -> str:
    parts = [f"--- Pods with {selector}:", attempt("get", "pods", "-l", selector, "-o", "wide")]
    parts.append(attempt("logs", "-l", selector, "--all-containers", "--prefix", "--tail=20", "--ignore-errors"))
    return "\n".join(parts)


def diagnosis(kind: str, name: str) -> str:
    """Status, Events, Pods' logs and the controller's words about one object."""
    item = find(kind, name)
    if item is None:
        return f"--- {kind} {name} is not there\n{controller_log(name)}"
    parts = [f"--- status of {kind} {name}:", yaml.safe_dump(status(item), sort_keys=False).rstrip(), "--- Events:"]
    parts += [f"{one['type']} {one['reason']}: {one['message']}" for one in events(item)]
    if kind == "submissions":
        parts.append(pod_report(f"rl-arena.io/submission={name}"))
    elif kind == "matches":
        parts.append(pod_report(f"rl-arena.io/match={name}"))
        parts += [diagnosis("agents", seat["agent"]) for seat in item["spec"]["participants"]]
    if kind != "agents":
        parts += [controller_log(name), controller_log()]
    return "\n".join(parts)


# What every failure has to have


def assert_told(item: Object, kind: str, reason: str, *words: str) -> None:
    """A condition that is not True, with this reason and these words, and an Event that says the same."""
    found = condition(item, kind)
    assert found.get("reason") == reason, f"{kind} of {name_of(item)}: {found}"
    for word in words:
        assert word in found["message"], f"no {word!r} in: {found['message']}"

    def event() -> bool:
        return any(one["reason"] == reason and words_match(one["message"], found["message"]) for one in events(item))

    eventually(event, f"an Event {reason} of {name_of(item)} that says: {found['message']}", 20)


def words_match(event: str, message: str) -> bool:
    """An Event's message has at most 1024 bytes."""
    return event[:900] == message[:900]


def seconds_between(earlier: str, later: str) -> float:
    return (moment(later) - moment(earlier)).total_seconds()


def moment(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text)
