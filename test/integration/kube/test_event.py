"""Events at a real API server: they appear, are counted, and never hold anybody up."""

from __future__ import annotations

from typing import Any

from control_plane import ControlPlane, wait_until
from probe import StartProbe
from wire import Wire


def events(plane: ControlPlane, namespace: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = plane.call("GET", f"/api/v1/namespaces/{namespace}/events")["items"]
    return items


def test_appear_and_are_counted(plane: ControlPlane, namespace: str, start: StartProbe) -> None:
    probe = start("event", namespace)
    probe.ask("emit thing Created 1", "idle")
    (event,) = events(plane, namespace)
    assert event["involvedObject"] == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "namespace": namespace,
        "name": "thing",
        "uid": "uid-of-thing",
        "resourceVersion": "1",
    }
    assert (event["type"], event["reason"], event["message"]) == ("Normal", "Created", "A sentence about it.")
    assert event["source"] == {"component": "kube-probe", "host": "instance-1"}
    assert event["count"] == 1 and event["firstTimestamp"] and event["lastTimestamp"]
    assert event["metadata"]["name"].startswith("thing.")
    int(event["metadata"]["name"].removeprefix("thing."), 16)

    for _ in range(3):
        probe.ask("emit thing Created 1", "idle")
    probe.ask("emit thing Created 100", "idle")
    probe.ask("emit thing Failed 1", "idle")
    probe.ask("emit other Created 1", "idle")
    found = {(e["involvedObject"]["name"], e["reason"]): (e["count"], e["type"]) for e in events(plane, namespace)}
    assert found == {
        ("thing", "Created"): (104, "Normal"),
        ("thing", "Failed"): (1, "Warning"),
        ("other", "Created"): (1, "Normal"),
    }
    assert len(events(plane, namespace)) == 3
    probe.quit()


def test_one_that_was_removed_begins_anew(plane: ControlPlane, namespace: str, start: StartProbe) -> None:
    probe = start("event", namespace)
    probe.ask("emit thing Created 1", "idle")
    (event,) = events(plane, namespace)
    plane.call("DELETE", f"/api/v1/namespaces/{namespace}/events/{event['metadata']['name']}")
    probe.ask("emit thing Created 1", "idle")
    (again,) = events(plane, namespace)
    assert again["metadata"]["name"] != event["metadata"]["name"]
    assert again["count"] == 2
    probe.quit()


def test_wait_out_a_break(plane: ControlPlane, namespace: str, start: StartProbe, wire: Wire) -> None:
    probe = start("event", namespace)
    wire.open = False
    for name in ("a", "b", "c"):
        probe.say(f"emit {name} Created 2")
    wait_until("it has tried in vain", lambda: wire.connections >= 1)
    wire.open = True
    probe.expect("idle")
    assert sorted((e["involvedObject"]["name"], e["count"]) for e in events(plane, namespace)) == [
        ("a", 2),
        ("b", 2),
        ("c", 2),
    ]
    probe.quit()


def test_backlog_is_bounded(plane: ControlPlane, namespace: str, start: StartProbe, wire: Wire) -> None:
    probe = start("event", namespace)
    wire.open = False
    for i in range(1500):
        probe.say(f"emit n{i} Created 1")
    assert int(probe.ask("pending", "pending").split()[1]) <= 1004
    probe.quit()


def test_refused_ones_are_let_go(plane: ControlPlane, start: StartProbe) -> None:
    probe = start("event", "no-such-namespace")
    probe.ask("emit thing Created 1", "idle")
    probe.quit()
    assert any("event not recorded" in line for line in probe.errors)
