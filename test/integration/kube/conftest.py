"""What the tests of lib/kube share: one control plane for the run, a namespace, a wire and probes for each test."""

from __future__ import annotations

import itertools
import pathlib
from collections.abc import Iterator

import pytest
from control_plane import TOKEN, ControlPlane, find_program
from probe import Probe, StartProbe, write_kubeconfig
from wire import Wire

numbers = itertools.count(1)


@pytest.fixture(scope="session")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    for name in ("etcd", "kube-apiserver"):
        if find_program(name) is None:
            pytest.skip(f"{name} is not here: ./arena up builds it")
    plane = ControlPlane(tmp_path_factory.mktemp("plane"))
    yield plane
    plane.stop()


@pytest.fixture
def plane_without_streams(tmp_path_factory: pytest.TempPathFactory, plane: ControlPlane) -> Iterator[ControlPlane]:
    """An API server that lists in pages only, as older ones do."""
    other = ControlPlane(tmp_path_factory.mktemp("other"), "--feature-gates", "WatchList=false")
    yield other
    other.stop()


@pytest.fixture
def namespace(plane: ControlPlane) -> str:
    name = f"test-{next(numbers)}"
    plane.create_namespace(name)
    return name


@pytest.fixture
def wire(plane: ControlPlane) -> Iterator[Wire]:
    wire = Wire(plane.port)
    yield wire
    wire.close()


@pytest.fixture
def start(wire: Wire, tmp_path: pathlib.Path) -> Iterator[StartProbe]:
    """Starts a probe whose way to the API server is the wire."""
    config = write_kubeconfig(tmp_path / "config", f"https://127.0.0.1:{wire.port}", f"{{token: {TOKEN}}}")
    probes: list[Probe] = []

    def begin(*arguments: str, kubeconfig: pathlib.Path = config) -> Probe:
        probes.append(Probe(kubeconfig, *arguments))
        return probes[-1]

    yield begin
    for probe in probes:
        probe.kill()
