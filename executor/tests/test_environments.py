"""Every environment is played to its end; the same seed gives the same game."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
from pathlib import Path

import pytest
from harness import Runtime, arena

from rl_arena.executor import replay
from rl_arena.proto import executor_pb2

RANDOM = """
    import random

    def agent(observation, configuration):
        if isinstance(observation, dict):
            return random.choice(observation["action_mask"].nonzero()[0].tolist())
        return random.randrange(configuration.action_space["n"])
"""
EXAMPLES = sorted((Path(__file__).resolve().parents[2] / "examples/agents").glob("*/agent.py"))
ENVIRONMENTS = ("pong", "tic-tac-toe", "connect-four", "rock-paper-scissors", "leduc-holdem", "chess")


def read(folder: Path, response: executor_pb2.MatchResponse) -> dict:
    name = response.replay_url.rsplit("/", 1)[1]
    data = gzip.decompress((folder / f"{name}.gz").read_bytes())
    assert hashlib.sha256(data).hexdigest() == response.replay_json_sha256
    page = (folder / response.replay_html_url.rsplit("/", 1)[1]).read_bytes()
    assert hashlib.sha256(page).hexdigest() == response.replay_html_sha256
    return json.loads(data)


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_same_seed_same_game(environment, specs, pair: list[Runtime], tmp_path):
    for runtime in pair:
        runtime.write(RANDOM)

    async def games():
        async with arena(specs, tmp_path) as executor:
            ends = [runtime.endpoint for runtime in pair]
            return [await executor.play(environment, ends, seed=seed) for seed in (11, 11, 12)]

    first, again, other = asyncio.run(games())
    assert first.status == executor_pb2.SUCCESS, first
    assert [result.failure for result in first.agent_results] == [executor_pb2.FAILURE_NONE] * 2
    assert first.replay_sha256 == again.replay_sha256
    assert first.replay_sha256 != other.replay_sha256
    assert first.environment_version == specs[environment].version

    recorded = read(tmp_path, first)
    assert replay.game_hash(recorded["game"], recorded["frames"]) == first.replay_sha256
    assert recorded["metadata"]["finalScore"] == [result.score for result in first.agent_results]
    assert len(recorded["frames"]) == first.total_steps + 1
    scores = [result.score for result in first.agent_results]
    expected = "" if scores[0] == scores[1] else f"id-{int(scores[1] > scores[0])}"
    assert first.winner_agent_id == expected


def test_pong_frames_show_what_clients_draw(specs, pair, tmp_path):
    for runtime in pair:
        runtime.write(RANDOM)

    async def game():
        async with arena(specs, tmp_path) as executor:
            return await executor.play("pong", [runtime.endpoint for runtime in pair])

    for frame in read(tmp_path, asyncio.run(game()))["frames"]:
        info = frame["info"]
        assert all(0 <= value <= 1 for value in info["ball_pos"] + info["paddle_positions"])
        assert len(info["ball_pos"]) == len(info["paddle_positions"]) == len(info["score"]) == 2


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_examples_play(environment, specs, pair, tmp_path):
    files = [file for file in EXAMPLES if file.parent.name.startswith(environment + "-")]
    if len(files) < 2:
        pytest.skip("no two examples for this environment")
    for runtime, file in zip(pair, files, strict=False):
        runtime.write(file.read_text())

    async def game():
        async with arena(specs, tmp_path) as executor:
            return await executor.play(environment, [runtime.endpoint for runtime in pair])

    response = asyncio.run(game())
    assert response.status == executor_pb2.SUCCESS, response
    assert [(result.failure, result.errors) for result in response.agent_results] == [(0, 0)] * 2, response
