"""What the front's tests share: one PostgreSQL for the run, a migrated database for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .postgres import Postgres, find_program
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
