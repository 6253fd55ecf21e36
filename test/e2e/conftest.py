"""One run of the suite: everything that takes long is applied at its beginning, all at once.

A test module says what it needs in a function `objects(run)`; what has to be done in steps, in
`prepare(run)`. Only the modules of the tests that were chosen are asked.
"""

from __future__ import annotations

import datetime
import os
import secrets
from collections.abc import Iterator
from types import ModuleType

import pytest

pytest.register_assert_rewrite("checks", "cluster")

import cluster  # noqa: E402 - what it asserts is told like what a test asserts
from objects import RUN_LABEL, Run  # noqa: E402

# In this order the long ones have begun when the others are looked at, and what restarts the
# arena's programs comes last.
ORDER = ("test_sources", "test_matches", "test_matchmaking", "test_operations", "test_recovery")
LEFTOVER_SECONDS = 3600


def rank(item: pytest.Item) -> int:
    name = item.module.__name__.rpartition(".")[2] if isinstance(item, pytest.Function) else ""
    return ORDER.index(name) if name in ORDER else len(ORDER)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=rank)


def modules_of(items: list[pytest.Item]) -> list[ModuleType]:
    found: dict[str, ModuleType] = {}
    for item in items:
        if isinstance(item, pytest.Function):
            found.setdefault(item.module.__name__, item.module)
    return list(found.values())


def remove(selector: str) -> None:
    kinds = ",".join(cluster.full(kind) for kind in ("matches", "submissions", "agents", "matchmakingqueues"))
    cluster.kubectl("delete", kinds, "-l", selector, "--wait=true", "--timeout=100s", limit=110)


def remove_leftovers() -> None:
    """Of runs that were killed; a run that goes on beside this one is younger."""
    now = datetime.datetime.now(datetime.UTC)
    for agent in cluster.listed("agents", RUN_LABEL):
        made = datetime.datetime.fromisoformat(agent["metadata"]["creationTimestamp"])
        if (now - made).total_seconds() > LEFTOVER_SECONDS:
            remove(f"{RUN_LABEL}={agent['metadata']['labels'][RUN_LABEL]}")


def check_cluster() -> None:
    for name in ("executor", "controller"):
        try:
            cluster.kubectl(
                "rollout", "status", f"deployment/{name}", "--timeout=120s", namespace=cluster.SYSTEM, limit=130
            )  # fmt: skip
        except cluster.KubectlError as error:
            pytest.exit(f"no arena to test; try ./arena up: {error}", returncode=3)


@pytest.fixture(scope="session")
def run(request: pytest.FixtureRequest) -> Iterator[Run]:
    check_cluster()
    remove_leftovers()
    this = Run(secrets.token_hex(2))
    modules = modules_of(request.session.items)
    cluster.apply([item for module in modules if hasattr(module, "objects") for item in module.objects(this)])
    for module in modules:
        if hasattr(module, "prepare"):
            module.prepare(this)
    yield this
    if not os.environ.get("ARENA_E2E_KEEP"):
        remove(f"{RUN_LABEL}={this.mark}")
