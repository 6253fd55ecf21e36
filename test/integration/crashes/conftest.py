"""One control plane, one kubelet by script and one executor for all tests of this folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml
from control_plane import ControlPlane, find_program, wait_until

from . import ROOT, controller
from .api import Api, ApiError, Mirror
from .arena import KINDS, Arena, Stage
from .executor import ADDRESSES, Executor, serve_agents
from .kubelet import Kubelet


def define(api: Api) -> None:
    for file in sorted((ROOT / "crds").glob("*.yaml")):
        for one in yaml.safe_load_all(file.read_text()):
            if one["kind"] == "CustomResourceDefinition":
                api.call("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", one)

    def served() -> bool:
        try:
            return all(api.call("GET", api.path(kind)) for kind in KINDS)
        except ApiError:
            return False

    wait_until("the arena's kinds are served", served)


@pytest.fixture(scope="package")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    for name in ("etcd", "kube-apiserver"):
        if find_program(name) is None:
            pytest.skip(f"{name} is not here: ./arena up builds it")
    program = controller.build()
    plane = ControlPlane(tmp_path_factory.mktemp("plane"))
    agents = serve_agents()
    executor = Executor(tmp_path_factory.mktemp("executor"))
    api = Api(plane.port)
    define(api)
    mirror = Mirror(api)
    kubelet = Kubelet(api, mirror, tmp_path_factory.mktemp("kubelet"), ADDRESSES)
    yield Stage(plane, api, mirror, kubelet, executor, program, tmp_path_factory.mktemp("walks"))
    mirror.stop()
    kubelet.stop()
    executor.stop()
    agents.stop(None)
    plane.stop()


@pytest.fixture
def arena(stage: Stage) -> Iterator[Callable[..., Arena]]:
    """Makes arenas; all are closed after the test."""
    opened: list[Arena] = []

    def begin(**queue: Any) -> Arena:
        opened.append(Arena(stage, **queue))
        return opened[-1]

    yield begin
    for one in opened:
        one.close()
