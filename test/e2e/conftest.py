"""One run of the suite: what takes long is applied all at once, and well before it is looked at.

A test module says what it needs in a function `objects(run)`; what has to be done in steps, in
`prepare(run)`. Both happen before the tests of the modules before it, so that a machine of two cores
always has something to build, and never so much that everything waits for everything.
"""

from __future__ import annotations

import datetime
import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

pytest.register_assert_rewrite("checks", "cluster")

import cluster  # noqa: E402 - what it asserts is told like what a test asserts
from objects import RUN_LABEL, Run  # noqa: E402

# What is pure first, then what needs few builds, then in an order in which the long ones have begun when the others
# are looked at. Those that are not named come next, and what kills the executor or stops the cluster's programs comes
# last, alone.
FIRST = ("test_invariants", "test_recovery", "test_sources", "test_matches", "test_matchmaking", "test_operations")
LAST = ("test_faults",)
AHEAD = 2
LEFTOVER_SECONDS = 3600


def rank(item: pytest.Item) -> int:
    name = short(item.module) if isinstance(item, pytest.Function) else ""
    if name in LAST:
        return len(FIRST) + 1 + LAST.index(name)
    return FIRST.index(name) if name in FIRST else len(FIRST)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=rank)


def short(module: ModuleType) -> str:
    return module.__name__.rpartition(".")[2]


def wait_for_other() -> None:
    """Until the process that runs the rest of the suite beside this one, if there is one, has ended."""
    file = os.environ.get("ARENA_E2E_AFTER")
    while file and not Path(file).exists():
        time.sleep(0.5)


class Stage:
    """The run, and how far its modules' objects have been applied."""

    def __init__(self, run: Run, items: list[pytest.Item]) -> None:
        modules = {item.module.__name__: item.module for item in items if isinstance(item, pytest.Function)}
        self.run = run
        self.waiting: list[ModuleType] = list(modules.values())
        self.applied: list[ModuleType] = []

    def reach(self, module: ModuleType) -> None:
        """Applies what this module and those soon after it need."""
        if module in self.waiting:
            self._apply(self.waiting.index(module) + 1 + AHEAD)
        else:
            ahead = len(self.applied) - 1 - self.applied.index(module)
            self._apply(max(0, AHEAD - ahead))

    def _apply(self, count: int) -> None:
        now, self.waiting = self.waiting[:count], self.waiting[count:]
        self.applied += now
        for module in now:
            if hasattr(module, "prepare"):
                module.prepare(self.run)
        cluster.apply([item for module in now if hasattr(module, "objects") for item in module.objects(self.run)])


def remove(mark: str) -> None:
    """Everything of one run, and what the matchmaker made of its agents."""
    mine = Run(mark).name("")
    kinds = ",".join(cluster.full(kind) for kind in ("matches", "submissions", "agents", "matchmakingqueues"))
    selector = f"{RUN_LABEL}={mark}"
    cluster.kubectl("delete", kinds, "-l", selector, "--wait=true", "--timeout=100s", limit=110)
    made = [
        cluster.name_of(match)
        for match in cluster.listed("matches")
        if any(seat["agent"].startswith(mine) for seat in match["spec"]["participants"])
    ]
    if made:
        cluster.delete("matches", *made)


def remove_leftovers() -> None:
    """Of runs that were killed; a run that goes on beside this one is younger."""
    now = datetime.datetime.now(datetime.UTC)
    for agent in cluster.listed("agents", RUN_LABEL):
        made = datetime.datetime.fromisoformat(agent["metadata"]["creationTimestamp"])
        if (now - made).total_seconds() > LEFTOVER_SECONDS:
            remove(agent["metadata"]["labels"][RUN_LABEL])


def check_cluster() -> None:
    for name in ("executor", "controller", "api-server"):
        try:
            cluster.kubectl(
                "rollout", "status", f"deployment/{name}", "--timeout=120s", namespace=cluster.SYSTEM, limit=130
            )  # fmt: skip
        except cluster.KubectlError as error:
            pytest.exit(f"no arena to test; try ./arena up: {error}", returncode=3)


@pytest.fixture(scope="session")
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    check_cluster()
    remove_leftovers()
    this = Stage(Run(secrets.token_hex(2)), request.session.items)
    yield this
    if not os.environ.get("ARENA_E2E_KEEP"):
        remove(this.run.mark)


@pytest.fixture(scope="module")
def run(request: pytest.FixtureRequest, stage: Stage) -> Run:
    stage.reach(request.module)
    if short(request.module) in LAST:
        wait_for_other()
    return stage.run
