"""The local player, as the documentation tells people to use it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "rl_arena.play", *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_match_at_home(tmp_path):
    for name, answer in (("up", 0), ("rude", '"north"')):
        (tmp_path / name).mkdir()
        (tmp_path / name / "agent.py").write_text(f"def agent(observation): return {answer}\n")
    page = tmp_path / "game.html"
    files = [str(tmp_path / name / "agent.py") for name in ("up", "rude")]
    done = run("pong", *files, "--seed", "3", "--replay", str(page))
    assert done.returncode == 0, done.stderr
    assert "wins" in done.stdout.splitlines()[0] and "a string" in done.stdout.splitlines()[1]
    assert "<title>" in page.read_text()


def test_what_cannot_be_played(tmp_path):
    assert "not one of" in run("go", "a.py", "b.py").stderr
    assert "2 players" in run("pong", "a.py").stderr
