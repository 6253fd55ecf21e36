"""What the front's tests share: one PostgreSQL for the run, a migrated database for each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from .plane import Namespace, Plane
from .plane import find_program as find_kube_program
from .postgres import Postgres, find_program
from .server import ApiServer
from .store_probe import Store


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    if find_program("initdb") is None:
        pytest.fail("there is no PostgreSQL here: install the package postgresql")
    server = Postgres()
    yield server
    server.close()


@pytest.fixture
def database(postgres: Postgres) -> str:
    return postgres.database()


@pytest.fixture
def store(database: str) -> Iterator[Store]:
    store = Store(database)
    yield store
    store.close()


@pytest.fixture(scope="session")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plane]:
    for name in ("etcd", "kube-apiserver"):
        if find_kube_program(name) is None:
            pytest.skip(f"{name} is not here: ./arena up builds it")
    plane = Plane(tmp_path_factory.mktemp("plane"))
    yield plane
    plane.stop()


@pytest.fixture(scope="module")
def servers(plane: Plane, postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[ApiServer]]:
    """Two replicas over one database and one namespace, for the tests of a file."""
    database, namespace, folder = postgres.database(), plane.namespace(), tmp_path_factory.mktemp("servers")
    both = [ApiServer(folder / f"replica-{n}", database, namespace) for n in range(2)]
    yield both
    for one in both:
        one.stop()


@pytest.fixture
def server(servers: list[ApiServer]) -> ApiServer:
    return servers[0]


@pytest.fixture
def namespace(servers: list[ApiServer]) -> Namespace:
    assert servers[0].namespace is not None
    return servers[0].namespace


@pytest.fixture
def start_server(
    plane: Plane, postgres: Postgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., ApiServer]]:
    """Starts servers of the test's own, with settings; all are stopped after it."""
    started: list[ApiServer] = []

    def begin(database: str | None = None, namespace: Namespace | None = None, **settings: Any) -> ApiServer:
        folder = tmp_path_factory.mktemp("server")
        started.append(ApiServer(folder, database or postgres.database(), namespace, **settings))
        return started[-1]

    yield begin
    for one in started:
        one.stop()
