"""Leader election against a real API server: one at a time, whatever happens to whom."""

from __future__ import annotations

import pathlib
import signal
import time

from control_plane import TOKEN, ControlPlane, wait_until
from probe import Probe, StartProbe, write_kubeconfig
from wire import Wire

LEASE = 15.0  # seconds: how long a silent holder is believed


def beats(probe: Probe) -> list[int]:
    return [int(line.split()[1]) for line in probe.all if line.startswith("beat")]


def assert_never_two(*probes: Probe) -> None:
    """Whoever believed to hold it did so in a span of its own."""
    spans = sorted((beats(p)[0], beats(p)[-1]) for p in probes if beats(p))
    for (_, end), (start, _) in zip(spans, spans[1:], strict=False):
        assert end < start, spans


def record(plane: ControlPlane, namespace: str) -> dict[str, object]:
    path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/l"
    spec: dict[str, object] = plane.call("GET", path)["spec"]
    return spec


def test_release_hands_over(plane: ControlPlane, namespace: str, start: StartProbe) -> None:
    a = start("lease", namespace, "l", "a")
    a.expect("won")
    first = record(plane, namespace)
    assert (first["holderIdentity"], first["leaseDurationSeconds"], first["leaseTransitions"]) == ("a", 15, 0)
    b = start("lease", namespace, "l", "b")
    time.sleep(3)
    assert not beats(b)
    a.signal(signal.SIGTERM)
    a.expect("released")
    assert record(plane, namespace)["holderIdentity"] in ("", "b")
    b.expect("won", LEASE / 2)  # far sooner than the lease would end by itself
    a.wait()
    second = record(plane, namespace)
    assert (second["holderIdentity"], second["leaseTransitions"]) == ("b", 1)
    assert second["acquireTime"] != first["acquireTime"]
    b.quit()
    assert_never_two(a, b)


def test_killed_holder_is_followed(plane: ControlPlane, namespace: str, start: StartProbe) -> None:
    a = start("lease", namespace, "l", "a")
    a.expect("won")
    b, c = start("lease", namespace, "l", "b"), start("lease", namespace, "l", "c")
    wait_until("the holder has renewed", lambda: len(beats(a)) > 150)
    a.kill()
    killed = time.monotonic()
    winner = wait_until("another holds it", lambda: next((p for p in (b, c) if beats(p)), None))
    assert time.monotonic() - killed > LEASE - 3  # not before the lease was over
    time.sleep(3)
    assert [bool(beats(b)), bool(beats(c))].count(True) == 1
    assert_never_two(a, b, c)
    assert winner.process.poll() is None
    b.quit()
    c.quit()


def test_stopped_holder_notices(plane: ControlPlane, namespace: str, start: StartProbe) -> None:
    """SIGSTOP for longer than the lease: when it goes on, it must not act for a moment."""
    a = start("lease", namespace, "l", "a")
    a.expect("won")
    b = start("lease", namespace, "l", "b")
    time.sleep(1)
    a.signal(signal.SIGSTOP)
    b.expect("won")
    a.signal(signal.SIGCONT)
    a.expect("lost")
    time.sleep(1)
    assert_never_two(a, b)
    assert record(plane, namespace)["holderIdentity"] == "b"
    a.quit()
    b.quit()


def test_holder_that_is_cut_off_stops_first(
    plane: ControlPlane, namespace: str, start: StartProbe, wire: Wire, tmp_path: pathlib.Path
) -> None:
    """Its way to the API server goes silent; the other's does not."""
    a = start("lease", namespace, "l", "a")
    a.expect("won")
    other = Wire(plane.port)
    config = write_kubeconfig(tmp_path / "other", f"https://127.0.0.1:{other.port}", f"{{token: {TOKEN}}}")
    b = start("lease", namespace, "l", "b", kubeconfig=config)
    wire.silent = True
    a.expect("lost")
    b.expect("won")
    assert_never_two(a, b)
    wire.silent = False
    a.kill()
    b.quit()
    other.close()


def test_short_breaks_cost_nothing(plane: ControlPlane, namespace: str, start: StartProbe, wire: Wire) -> None:
    a = start("lease", namespace, "l", "a")
    a.expect("won")
    for _ in range(4):
        time.sleep(1.5)
        wire.cut()
    time.sleep(3)
    assert not any(line.startswith("lost") for line in a.all)
    assert record(plane, namespace)["holderIdentity"] == "a"
    a.quit()


def test_foreign_writes_are_conflicts_not_losses(plane: ControlPlane, namespace: str, start: StartProbe) -> None:
    a = start("lease", namespace, "l", "a")
    a.expect("won")
    path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/l"
    for i in range(3):
        plane.call("PATCH", path, {"metadata": {"annotations": {"note": str(i)}}})
        time.sleep(2.5)
    assert not any(line.startswith("lost") for line in a.all)
    assert plane.call("GET", path)["metadata"]["annotations"] == {"note": "2"}
    before = record(plane, namespace)["renewTime"]
    wait_until("it renews on", lambda: record(plane, namespace)["renewTime"] != before)
    # Somebody else's name in it ends it.
    plane.call("PATCH", path, {"spec": {"holderIdentity": "thief"}})
    a.expect("lost")
    a.quit()
    assert record(plane, namespace)["holderIdentity"] == "thief"
