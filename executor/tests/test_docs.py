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


CONFIGURATION = PAGE.with_name("configuration.md")


def test_every_setting_of_the_executor_is_told_with_its_default(monkeypatch):
    from rl_arena.executor import config

    names = set(re.findall(r'"([A-Z][A-Z_]+)"', Path(config.__file__).read_text()))
    for name in names:
        monkeypatch.delenv(name, raising=False)
    loaded = config.load()
    defaults = {
        "LISTEN": loaded.listen,
        "EXECUTOR_TOKEN": loaded.token,
        "HTTP_LISTEN": f"{loaded.http_host}:{loaded.http_port}",
        "REPLAY_DIR": loaded.replay_dir,
        "REPLAY_BASE_URL": loaded.replay_base_url,
        "REPLAY_MAX_BYTES": loaded.replay_max_bytes,
        "REPLAY_UPLOAD_URL": loaded.replay_upload_url,
        "REPLAY_TOKEN_FILE": loaded.replay_token_file,
        "MAX_CONCURRENT_MATCHES": loaded.max_matches,
        "DRAIN_SECONDS": loaded.drain_seconds,
        "ENVIRONMENTS_FILE": loaded.environments_file,
        "LOG_FORMAT": loaded.log_format,
        "LOG_LEVEL": loaded.log_level,
    }
    assert set(defaults) == names
    table = CONFIGURATION.read_text().partition("\n## The executor\n")[2].partition("\n## ")[0]
    told = dict(re.findall(r"^\| `([A-Z_]+)` \| `?([^`|]+?)`? \|", table, re.M))
    assert told == {name: str(value) or "none" for name, value in defaults.items()}


def test_a_malformed_setting_is_refused_by_name(monkeypatch):
    from rl_arena.executor import config

    wrong = {
        "LISTEN": "50051",
        "EXECUTOR_TOKEN": "a short one",
        "HTTP_LISTEN": "0.0.0.0:80800",
        "REPLAY_BASE_URL": "executor/replays",
        "REPLAY_MAX_BYTES": "1G",
        "REPLAY_UPLOAD_URL": "api-server:8081",
        "MAX_CONCURRENT_MATCHES": "0",
        "DRAIN_SECONDS": "-1",
        "LOG_FORMAT": "xml",
        "LOG_LEVEL": "loud",
    }
    for name, value in wrong.items():
        with monkeypatch.context() as only:
            only.setenv(name, value)
            with pytest.raises(config.ConfigError, match=f"^{name}="):
                config.load()
