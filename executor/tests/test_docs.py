"""docs/agents.md says what the registry says."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from gymnasium import spaces

PAGE = Path(__file__).resolve().parents[2] / "docs/agents.md"
ROW = re.compile(
    r"^\| `([a-z-]+)` \| ([^|]+) \| (\w+) \| 0 to (\d+) \| (both at once|in turn), at most (\d+) steps \|$", re.M
)


def shown(space: spaces.Space) -> tuple[str, str]:
    """How the page writes an observation, and its type."""

    def shape(box: spaces.Box) -> str:
        return f"({', '.join(map(str, box.shape))})"

    if isinstance(space, spaces.Discrete):
        return f"a number, 0 to {space.n - 1}", "int"
    if isinstance(space, spaces.Box):
        return f"array {shape(space)}", np.dtype(space.dtype).name
    inner, mask = space["observation"], space["action_mask"]
    return f"map: observation {shape(inner)}, mask {shape(mask)}", np.dtype(inner.dtype).name


def rows() -> dict[str, tuple[str, ...]]:
    return {name: tuple(rest) for name, *rest in ROW.findall(PAGE.read_text())}


def test_every_environment_has_its_row(specs):
    assert list(rows()) == list(specs)


@pytest.mark.parametrize(
    "name", ["pong", "tic-tac-toe", "connect-four", "rock-paper-scissors", "leduc-holdem", "chess"]
)
def test_rows(name, specs):
    spec = specs[name]
    environment = spec.make()
    for agent in environment.possible_agents:
        observation, dtype = shown(environment.observation_space(agent))
        actions = environment.action_space(agent)
        how = "in turn" if spec.api == "aec" else "both at once"
        assert rows()[name] == (observation, dtype, str(actions.n - 1), how, str(spec.max_steps))


def test_numbers_in_the_text(specs):
    from rl_arena.executor.games import pong
    from rl_arena.runtime import config

    text = PAGE.read_text()
    assert f"Paddles are {pong.PADDLE_HEIGHT} high and move {pong.PADDLE_STEP} a step" in text
    assert f"First to {pong.POINTS} points, or ahead after {pong.STEPS} steps" in text
    assert f"{specs['leduc-holdem'].rounds} hands in a match" in text
    assert f"{specs['rock-paper-scissors'].kwargs['max_cycles']} rounds in a match" in text
    defaults = config.load()
    assert f"up to {defaults.threads}" in text and f"more than {defaults.file_size // config.MIB} MiB" in text
