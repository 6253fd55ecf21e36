"""Pong for two, as a PettingZoo ParallelEnv.

The court is the unit square, y grows downwards, player_0's paddle stands on the left. Everybody
sees the same float32[8]: ball x, y, vx, vy, paddle 1 y, paddle 2 y, score 1, score 2; one's own
paddle is at 4 + player_id, positions are centres. Actions: 0 up, 1 stay, 2 down. A point is one
reward for who scores. The game ends at 11 points or after 1000 steps.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np
from gymnasium import spaces
from pettingzoo import ParallelEnv

PADDLE_HEIGHT = 0.2
PADDLE_STEP = 0.05
PADDLE_X = (0.05, 0.95)
BALL_SPEED = 0.02
BALL_RADIUS = 0.02
SERVE_ANGLE = math.pi / 4
BOUNCE_ANGLE = math.pi / 3  # off the paddle's tip; off its middle the ball goes straight
POINTS = 11
STEPS = 1000

Observations = dict[str, np.ndarray]


class PongEnv(ParallelEnv[str, np.ndarray, int]):
    metadata: ClassVar[dict[str, Any]] = {"name": "pong_v1", "render_modes": []}

    def __init__(self, points: int = POINTS, steps: int = STEPS) -> None:
        self.possible_agents = ["player_0", "player_1"]
        self.agents: list[str] = []
        self.render_mode = None
        self._points = points
        self._limit = steps
        high = np.array([1, 1, BALL_SPEED, BALL_SPEED, 1, 1, points, points], dtype=np.float32)
        low = np.array([0, 0, -BALL_SPEED, -BALL_SPEED, 0, 0, 0, 0], dtype=np.float32)
        self._observation_space = spaces.Box(low, high, dtype=np.float32)
        self._action_space = spaces.Discrete(3)
        self._random = np.random.default_rng()
        self._step = 0
        self.ball = [0.5, 0.5]
        self.velocity = [0.0, 0.0]
        self.paddles = [0.5, 0.5]
        self.score = [0, 0]

    def observation_space(self, agent: str) -> spaces.Space[Any]:
        return self._observation_space

    def action_space(self, agent: str) -> spaces.Space[Any]:
        return self._action_space

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observations, dict[str, dict[str, Any]]]:
        if seed is not None:
            self._random = np.random.default_rng(seed)
        self.agents = self.possible_agents[:]
        self.paddles = [0.5, 0.5]
        self.score = [0, 0]
        self._step = 0
        self._serve(int(self._random.integers(2)))
        return self._observe(), {agent: {} for agent in self.agents}

    def _serve(self, towards: int) -> None:
        angle = float(self._random.uniform(-SERVE_ANGLE, SERVE_ANGLE))
        self.ball = [0.5, 0.5]
        self._aim(angle, towards)

    def _aim(self, angle: float, towards: int) -> None:
        side = 1 if towards == 1 else -1
        self.velocity = [side * BALL_SPEED * math.cos(angle), BALL_SPEED * math.sin(angle)]

    def _observe(self) -> Observations:
        values = [*self.ball, *self.velocity, *self.paddles, *self.score]
        return {agent: np.array(values, dtype=np.float32) for agent in self.agents}

    def step(
        self, actions: dict[str, int]
    ) -> tuple[
        Observations,
        dict[str, float],
        dict[str, bool],
        dict[str, bool],
        dict[str, dict[str, Any]],
    ]:
        half = PADDLE_HEIGHT / 2
        for side, agent in enumerate(self.possible_agents):
            moved = self.paddles[side] + (int(actions[agent]) - 1) * PADDLE_STEP
            self.paddles[side] = min(max(moved, half), 1 - half)
        scorer = self._move_ball()
        rewards = dict.fromkeys(self.agents, 0.0)
        if scorer is not None:
            self.score[scorer] += 1
            rewards[self.possible_agents[scorer]] = 1.0
            self._serve(1 - scorer)
        self._step += 1
        over = max(self.score) >= self._points
        late = not over and self._step >= self._limit
        observations = self._observe()
        terminations = dict.fromkeys(self.agents, over)
        truncations = dict.fromkeys(self.agents, late)
        infos: dict[str, dict[str, Any]] = {agent: {} for agent in self.agents}
        if over or late:
            self.agents = []
        return observations, rewards, terminations, truncations, infos

    def _move_ball(self) -> int | None:
        """Moves the ball one step; returns who scored."""
        before = self.ball[0]
        x = before + self.velocity[0]
        y = self.ball[1] + self.velocity[1]
        if y < BALL_RADIUS or y > 1 - BALL_RADIUS:
            y = 2 * BALL_RADIUS - y if y < BALL_RADIUS else 2 * (1 - BALL_RADIUS) - y
            self.velocity[1] = -self.velocity[1]
        side = 0 if self.velocity[0] < 0 else 1
        face = PADDLE_X[side] + (BALL_RADIUS if side == 0 else -BALL_RADIUS)
        crossed = x <= face < before if side == 0 else before < face <= x
        if crossed:
            offset = (y - self.paddles[side]) / (PADDLE_HEIGHT / 2 + BALL_RADIUS)
            if abs(offset) <= 1:
                self._aim(offset * BOUNCE_ANGLE, 1 - side)
                x = 2 * face - x
        self.ball = [x, y]
        if x <= 0:
            self.ball[0] = 0.0
            return 1
        if x >= 1:
            self.ball[0] = 1.0
            return 0
        return None

    def render(self) -> None:
        return None

    def state(self) -> np.ndarray:
        return np.array([*self.ball, *self.velocity, *self.paddles, *self.score], dtype=np.float32)


def parallel_env(**kwargs: Any) -> PongEnv:
    return PongEnv(**kwargs)
