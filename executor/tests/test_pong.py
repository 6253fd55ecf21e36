"""Pong keeps its own rules, whatever is played."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from pettingzoo.test import parallel_api_test

from rl_arena.executor.games.pong import BALL_SPEED, PADDLE_STEP, PongEnv


def test_it_is_a_parallel_environment():
    parallel_api_test(PongEnv(), num_cycles=1100)


@given(st.integers(0, 2**31 - 1), st.integers(0, 2**31 - 1))
def test_rules(seed, choices):
    environment = PongEnv()
    seen, _ = environment.reset(seed=seed)
    random = np.random.default_rng(choices)
    steps, paddles = 0, [0.5, 0.5]
    while environment.agents:
        seen, rewards, over, late, _ = environment.step({a: int(random.integers(3)) for a in environment.agents})
        steps += 1
        ball = seen["player_0"]
        assert ball.dtype == np.float32 and ball.shape == (8,)
        assert environment.observation_space("player_0").contains(ball)
        assert np.array_equal(seen["player_0"], seen["player_1"])
        assert abs(float(np.hypot(ball[2], ball[3])) - BALL_SPEED) < 1e-6
        assert all(abs(now - was) <= PADDLE_STEP + 1e-9 for now, was in zip(environment.paddles, paddles, strict=True))
        assert all(0.1 <= paddle <= 0.9 for paddle in environment.paddles)
        assert sum(rewards.values()) in (0, 1)
        paddles = environment.paddles[:]
    assert steps == 1000 or max(environment.score) == 11
    assert over["player_0"] == (max(environment.score) == 11)
    assert over["player_0"] != late["player_0"]


def test_a_perfect_follower_never_misses():
    environment = PongEnv()
    for seed in range(20):
        seen, _ = environment.reset(seed=seed)
        while environment.agents:
            y, paddle = seen["player_0"][1], seen["player_0"][4]
            mine = 0 if y < paddle - 0.02 else 2 if y > paddle + 0.02 else 1
            seen, *_ = environment.step({"player_0": mine, "player_1": 1})
        assert environment.score[1] == 0
        assert environment.score[0] > 0
