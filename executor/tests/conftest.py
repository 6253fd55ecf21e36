"""Fixtures shared by all tests. The protobuf code is made first where it is missing or old."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parents[1]


def _generate() -> None:
    sources = [ROOT.parent / "proto" / f"{name}.proto" for name in ("agent", "executor")]
    made = [ROOT / "rl_arena/proto" / f"{name}_pb2_grpc.py" for name in ("agent", "executor")]
    if any(
        not out.exists() or out.stat().st_mtime < src.stat().st_mtime for src, out in zip(sources, made, strict=True)
    ):
        subprocess.run(["sh", str(ROOT / "gen.sh")], check=True, env={**os.environ, "PYTHON": sys.executable})


_generate()

from harness import Runtime, runtimes  # noqa: E402

from rl_arena.executor import environments  # noqa: E402

settings.register_profile("arena", deadline=None, max_examples=100)
settings.load_profile("arena")


@pytest.fixture(scope="session")
def specs() -> dict[str, environments.Spec]:
    return environments.load()


@pytest.fixture(scope="session")
def pair() -> Iterator[list[Runtime]]:
    """Two agents' runtimes for the whole run: whatever one test's agents do, the next test's play."""
    with runtimes(2) as started:
        yield started
