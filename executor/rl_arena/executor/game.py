"""One game of one environment: whose turn it is, what they see, what comes of their actions.

PettingZoo's two ways, turn by turn (AEC) and all at once (Parallel), look the same from outside:
`pending` says who is to act, `step` takes exactly their actions. Blocking; a match calls it in a
thread of its own.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from rl_arena.executor import actions, encode
from rl_arena.executor.environments import Spec
from rl_arena.executor.views import DIGITS, VIEWS
from rl_arena.proto import agent_pb2


def derive_seed(seed: int, purpose: str) -> int:
    """A seed of its own for each purpose, so that no agent learns the environment's."""
    digest = hashlib.sha256(f"{seed}/{purpose}".encode()).digest()
    return int.from_bytes(digest[:4], "little") & 0x7FFFFFFF


@dataclass
class Turn:
    """What one seat is asked."""

    observation: agent_pb2.Value
    mask: np.ndarray | None
    reward: float  # since its last move


class Game:
    """Not thread-safe: one call at a time."""

    def __init__(self, spec: Spec, seed: int):
        self._spec = spec
        self._seed = seed
        self._environment: Any = None
        self._view = VIEWS[spec.view]
        self._seen: dict[str, Any] = {}
        self._round = 0
        self.names: list[str] = []
        self.scores: list[float] = []
        self._unseen: list[float] = []
        self.steps = 0
        self.over = False

    def start(self) -> dict[str, Any]:
        """Makes the environment; returns the first frame."""
        self._environment = self._spec.make()
        self.names = list(self._environment.possible_agents)
        self.scores = [0.0] * len(self.names)
        self._unseen = [0.0] * len(self.names)
        self._reset()
        return self._frame({}, [0.0] * len(self.names))

    def _reset(self) -> None:
        answer = self._environment.reset(seed=derive_seed(self._seed, f"environment/{self._round}"))
        self._round += 1
        if self._spec.api == "parallel":
            self._seen = answer[0]

    def spaces(self, seat: int) -> tuple[agent_pb2.Space, agent_pb2.Space]:
        """Of observations and of actions."""
        name = self.names[seat]
        return (
            encode.space(self._environment.observation_space(name)),
            encode.space(self._environment.action_space(name)),
        )

    def pending(self) -> dict[int, Turn]:
        """The seats that are to act now, with what they see."""
        if self._spec.api == "parallel":
            acting = list(self._environment.agents)
            seen = self._seen
        else:
            acting = [self._environment.agent_selection]
            seen = {acting[0]: self._environment.observe(acting[0])}
        turns = {}
        for name in acting:
            seat = self.names.index(name)
            mask = seen[name].get("action_mask") if isinstance(seen[name], dict) else None
            turns[seat] = Turn(encode.value(seen[name]), mask, self._unseen[seat])
            self._unseen[seat] = 0.0
        return turns

    def advance(self, chosen: dict[int, Any]) -> tuple[dict[str, Any], dict[int, Turn]]:
        """A step, and who is to act next, nobody once it is over: one way to the thread and back for each step."""
        frame = self.step(chosen)
        return frame, {} if self.over else self.pending()

    def cast(self, seat: int, turn: Turn, answer: agent_pb2.Value) -> Any:
        """The answer as an action; actions.IllegalAction."""
        return actions.cast(self._environment.action_space(self.names[seat]), turn.mask, answer)

    def step(self, chosen: dict[int, Any]) -> dict[str, Any]:
        """Plays the actions of all that were pending; returns the frame."""
        if self._spec.api == "parallel":
            rewards, ended = self._step_parallel(chosen)
        else:
            rewards, ended = self._step_aec(next(iter(chosen.values())))
        for seat, reward in enumerate(rewards):
            self.scores[seat] += reward
            self._unseen[seat] += reward
        self.steps += 1
        frame = self._frame(chosen, rewards)
        if ended and self._round < self._spec.rounds:
            self._reset()
            ended = False
        self.over = ended or self.steps >= self._spec.max_steps
        return frame

    def _step_parallel(self, chosen: dict[int, Any]) -> tuple[list[float], bool]:
        named = {self.names[seat]: action for seat, action in chosen.items()}
        self._seen, rewards, _, _, _ = self._environment.step(named)
        return [float(rewards.get(name, 0)) for name in self.names], not self._environment.agents

    def _step_aec(self, action: Any) -> tuple[list[float], bool]:
        environment = self._environment
        environment.step(action)
        rewards = [float(environment.rewards.get(name, 0)) for name in self.names]
        while environment.agents and self._out(environment.agent_selection):
            environment.step(None)  # PettingZoo has those who are out leave one by one
        return rewards, not environment.agents

    def _out(self, name: str) -> bool:
        ended = self._environment.terminations.get(name) or self._environment.truncations.get(name)
        return bool(ended)

    def _frame(self, chosen: dict[int, Any], rewards: list[float]) -> dict[str, Any]:
        return {
            "step": self.steps,
            "actions": [actions.plain(chosen.get(seat)) for seat in range(len(self.names))],
            "rewards": [round(reward, DIGITS) for reward in rewards],
            "scores": [round(score, DIGITS) for score in self.scores],
            "info": self._view(getattr(self._environment, "unwrapped", self._environment)),
        }

    def close(self) -> None:
        if self._environment is not None:
            self._environment.close()
            self._environment = None
