"""The scripts of ./arena, tried without a cluster: a state folder of its own, nothing installed."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
from collections.abc import Callable

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "test" / "cluster"))

Shell = Callable[[str], subprocess.CompletedProcess[str]]


@pytest.fixture
def shell(tmp_path: pathlib.Path) -> Shell:
    """Runs a few lines of bash with all of the scripts' functions at hand."""
    prelude = f"""
set -euo pipefail
ARENA_ROOT=${{ARENA_ROOT:-{ROOT}}}
for part in "$ARENA_ROOT"/test/cluster/lib.sh "$ARENA_ROOT"/test/cluster/*.sh; do . "$part"; done
"""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "ARENA_NAME": f"arena-unit-{os.getpid()}",
        "ARENA_STATE": str(tmp_path / "state"),
        "ARENA_CACHE": str(tmp_path / "cache"),
    }

    def run(script: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-c", prelude + script], env=environment, capture_output=True, text=True, check=False
        )

    return run
