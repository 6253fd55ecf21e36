"""The informer against a real API server: pages, watches, breaks, own writes."""

from __future__ import annotations

import os
import pathlib
import random
import re

import pytest
from control_plane import TOKEN, ControlPlane, wait_until
from probe import Probe, StartProbe, write_kubeconfig
from wire import Wire


def requests(probe: Probe) -> dict[str, float]:
    """Counted requests by "code method"."""
    found = {}
    for line, value in probe.metrics().items():
        m = re.fullmatch(r'rest_client_requests_total\{code="(.+)",method="(.+)",host="127\.0\.0\.1:\d+"\}', line)
        if m:
            found[f"{m[1]} {m[2]}"] = value
    return found


def check_lists_then_watches(plane: ControlPlane, namespace: str, probe: Probe) -> None:
    assert probe.expect("synced") == "synced 10"
    assert probe.dump() == plane.truth(namespace)
    version = plane.put(namespace, "c3", "new")
    assert probe.expect("~") == f"~ c3 {version} new"
    version = plane.create(namespace, "d", "x")
    assert probe.expect("+ d") == f"+ d {version} x"
    plane.delete(namespace, "c0")
    probe.expect("- c0")
    assert probe.dump() == plane.truth(namespace)


def test_lists_and_watches_in_one_stream(plane: ControlPlane, namespace: str, start: StartProbe) -> None:
    for i in range(10):
        plane.create(namespace, f"c{i}", f"v{i}")
    probe = start("cache", namespace)
    check_lists_then_watches(plane, namespace, probe)
    assert requests(probe) == {}  # the one that was asked has not ended yet
    probe.quit()


def test_lists_in_pages_then_watches(
    plane_without_streams: ControlPlane, start: StartProbe, tmp_path: pathlib.Path
) -> None:
    plane, namespace = plane_without_streams, "paged"
    plane.create_namespace(namespace)
    for i in range(10):
        plane.create(namespace, f"c{i}", f"v{i}")
    config = write_kubeconfig(tmp_path / "other", f"https://127.0.0.1:{plane.port}", f"{{token: {TOKEN}}}")
    probe = start("cache", namespace, "3", kubeconfig=config)
    check_lists_then_watches(plane, namespace, probe)
    # Pages of 3, 6 and what is left.
    assert requests(probe) == {"422 GET": 1, "200 GET": 3}
    assert any("lists come in pages" in line and "sendInitialEvents" in line for line in probe.errors)
    probe.quit()


def test_nothing_there_is_synced_too(namespace: str, start: StartProbe) -> None:
    probe = start("cache", namespace)
    assert probe.expect("synced") == "synced 0"
    probe.quit()


def test_selector(plane: ControlPlane, namespace: str, start: StartProbe) -> None:
    plane.create(namespace, "in", "x", {"app": "a"})
    plane.create(namespace, "out", "x", {"app": "b"})
    probe = start("cache", namespace, "0", "app=a")
    assert probe.expect("synced") == "synced 1"
    plane.create(namespace, "out2", "x")
    plane.call("PATCH", plane.path(namespace, "out"), {"metadata": {"labels": {"app": "a"}}})
    probe.expect("+ out ")
    plane.call("PATCH", plane.path(namespace, "in"), {"metadata": {"labels": {"app": "c"}}})
    probe.expect("- in ")
    probe.quit()


def test_unreadable_objects_are_skipped(plane: ControlPlane, namespace: str, start: StartProbe) -> None:
    plane.create(namespace, "bad", "unreadable")
    plane.create(namespace, "good", "x")
    probe = start("cache", namespace)
    assert probe.expect("synced") == "synced 1"
    plane.put(namespace, "bad", "fine")
    probe.expect("+ bad")
    plane.put(namespace, "bad", "unreadable")
    probe.expect("- bad")
    probe.quit()
    assert any("cannot be read" in line and "the value says so" in line for line in probe.errors)


def test_resumes_after_a_cut(plane: ControlPlane, namespace: str, start: StartProbe, wire: Wire) -> None:
    plane.create(namespace, "a", "1")
    probe = start("cache", namespace)
    probe.expect("synced")
    wire.open = False
    wire.cut()
    plane.put(namespace, "a", "2")
    plane.create(namespace, "b", "1")
    tries = wire.connections
    wait_until("it has tried in vain", lambda: wire.connections >= tries + 2)
    wire.open = True
    probe.expect("~ a")
    probe.expect("+ b")
    assert probe.dump() == plane.truth(namespace)
    assert sum("listed" in line for line in probe.errors) == 1  # it went on from where it was
    probe.quit()


def test_lists_again_when_its_version_is_gone(
    plane: ControlPlane, namespace: str, start: StartProbe, wire: Wire
) -> None:
    for name in ("a", "b", "c"):
        plane.create(namespace, name, "1")
    probe = start("cache", namespace)
    probe.expect("synced")
    wire.open = False
    wire.cut()
    plane.put(namespace, "a", "2")
    plane.delete(namespace, "b")
    plane.create(namespace, "d", "1")
    plane.compact()
    plane.kill("apiserver")  # with it goes its memory of recent events
    plane.start_apiserver()
    wire.open = True
    probe.expect("- b")
    probe.expect("~ a")
    probe.expect("+ d")
    assert probe.dump() == plane.truth(namespace)
    probe.quit()
    assert any("listing again" in line and "too old resource version" in line for line in probe.errors)


def test_api_server_restarts(plane: ControlPlane, namespace: str, start: StartProbe) -> None:
    plane.create(namespace, "a", "1")
    probe = start("cache", namespace)
    probe.expect("synced")
    plane.kill("apiserver")
    assert "Unavailable" in probe.ask("put a 2", "error")
    plane.start_apiserver()
    plane.put(namespace, "a", "3")
    probe.expect("~ a")
    assert probe.dump() == plane.truth(namespace)
    probe.quit()


def test_waits_for_an_api_server(plane: ControlPlane, namespace: str, start: StartProbe, wire: Wire) -> None:
    wire.open = False
    probe = start("cache", namespace)
    wait_until("it has tried", lambda: wire.connections >= 2)
    wire.open = True
    assert probe.expect("synced") == "synced 0"
    probe.quit()


def test_own_writes_are_seen_at_once(plane: ControlPlane, namespace: str, start: StartProbe, wire: Wire) -> None:
    plane.create(namespace, "a", "0")
    probe = start("cache", namespace)
    probe.expect("synced")
    for i in range(1, 50):
        assert probe.ask(f"put a {i}", "cached") == f"cached a {i}"
    assert probe.ask("create b 1", "cached") == "cached b 1"
    assert probe.ask("delete b", "cached") == "cached b -"
    assert "Exists" in probe.ask("create a 1", "error")
    assert "NotFound" in probe.ask("delete nothing", "error")
    assert "Invalid" in probe.ask("create Not_A_Name 1", "error")
    plane.create(namespace, "end", "1")
    probe.expect("+ end")
    assert probe.dump() == plane.truth(namespace)
    changes = [line.split()[:2] for line in probe.all if line[:2] in ("+ ", "- ", "~ ")]
    assert changes.count(["+", "b"]) == changes.count(["-", "b"]) == 1
    values = [int(line.split()[3]) for line in probe.all if line.startswith("~ a")]
    assert values == list(range(1, 50))  # each once, in order, whichever way it came first
    probe.quit()


def test_conflict(plane: ControlPlane, namespace: str, start: StartProbe) -> None:
    old = plane.create(namespace, "a", "0")
    new = plane.put(namespace, "a", "1")
    probe = start("cache", namespace)
    probe.expect("synced")
    assert probe.ask(f"replace a {old} x", "error").startswith("error replace a Conflict ")
    assert probe.ask(f"replace a {new} x", "cached") == "cached a x"
    counted = requests(probe)
    assert (counted["409 PUT"], counted["200 PUT"]) == (1, 1)
    probe.quit()


def test_names_stay_in_their_place(plane: ControlPlane, namespace: str, start: StartProbe) -> None:
    plane.create(namespace, "a", "0")
    probe = start("cache", namespace)
    probe.expect("synced")
    for name in ("..", ".", "../configmaps/a", "%2e%2e", "a?x=1", "a#b"):
        assert probe.ask(f"delete {name}", "error").split()[3] in ("NotFound", "Invalid")
    assert "a" in plane.truth(namespace)
    probe.quit()


@pytest.mark.parametrize("same_time", [True, False])
def test_token_is_read_again(
    plane: ControlPlane, namespace: str, start: StartProbe, wire: Wire, tmp_path: pathlib.Path, same_time: bool
) -> None:
    token = tmp_path / "token"
    token.write_text("wrong")
    os.utime(token, (1000, 1000))
    config = write_kubeconfig(tmp_path / "other", f"https://127.0.0.1:{wire.port}", "{tokenFile: token}")
    probe = start("cache", namespace, kubeconfig=config)
    # The API server ends the connections of whom it does not know, at times before we have its answer.
    wait_until("we are refused", lambda: "Forbidden" in probe.ask("read x", "error"))
    token.write_text(TOKEN + "\n")
    if same_time:  # only the 401 tells
        os.utime(token, (1000, 1000))
    wait_until("we are known", lambda: "NotFound" in probe.ask("read x", "error"))
    wait_until("it is synced", lambda: "synced 0" in probe.all)
    probe.quit()


def test_many_writers_and_a_bad_line(plane: ControlPlane, namespace: str, start: StartProbe, wire: Wire) -> None:
    """Own and foreign writes at random, with cuts: never back in time, and in the end the truth."""
    generator = random.Random(7)
    probe = start("cache", namespace, "2")
    probe.expect("synced")
    names = ["a", "b", "c", "d"]
    for i in range(120):
        name = generator.choice(names)
        exists = name in plane.truth(namespace)
        action = generator.randrange(10)
        if action == 0:
            wire.cut()
        elif action < 5:
            probe.say(f"{'put' if exists else 'create'} {name} own{i}")
        elif not exists:
            try:
                plane.create(namespace, name, f"foreign{i}")
            except OSError:
                pass  # the probe was first
        elif action < 8:
            plane.put(namespace, name, f"foreign{i}")
        else:
            try:
                plane.delete(namespace, name)
            except OSError:
                pass
    plane.create(namespace, "end", "1")
    probe.expect("+ end")
    wait_until("the cache is the truth", lambda: probe.dump() == plane.truth(namespace))
    check_never_back([line for line in probe.all if line[:2] in ("+ ", "- ", "~ ")])
    probe.quit()


def check_never_back(lines: list[str]) -> None:
    versions: dict[str, int] = {}
    newest: dict[str, int] = {}
    for line in lines:
        kind, name, version = line.split()[:3]
        assert (kind == "+") == (name not in versions), line
        if kind == "-":
            assert versions.pop(name) == int(version)
            continue
        assert int(version) > newest.get(name, 0), line
        versions[name] = newest[name] = int(version)
