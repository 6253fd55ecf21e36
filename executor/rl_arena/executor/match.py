"""Plays one match from its request to its outcome.

The game is stepped in a worker thread, the agents are asked on the event loop, each against its own
clock. An agent that fails forfeits; the others' failures of the same step are waited for first, so
that two forfeits are seen as two. Only a fault of the platform leaves this module as an exception.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Executor as ThreadPool
from dataclasses import dataclass, field
from typing import Any, TypeVar

from rl_arena.executor import actions, log
from rl_arena.executor.client import AgentClient, Clock, Forfeit, MoveError, clean
from rl_arena.executor.environments import Spec
from rl_arena.executor.game import Game, Turn, derive_seed
from rl_arena.proto import agent_pb2, executor_pb2

TIE = 1e-9
DEFAULT_SECONDS = 300
Answer = TypeVar("Answer")


@dataclass
class Seat:
    """One participant."""

    agent: executor_pb2.AgentData
    client: AgentClient | None = None
    errors: int = 0
    failure: executor_pb2.Failure = executor_pb2.FAILURE_NONE
    message: str = ""

    @property
    def failed(self) -> bool:
        return self.failure != executor_pb2.FAILURE_NONE

    def forfeit(self, failure: executor_pb2.Failure, message: str) -> None:
        if not self.failed:
            self.failure, self.message = failure, message


@dataclass
class Outcome:
    """What a match came to."""

    status: executor_pb2.MatchStatus
    seats: list[Seat]
    scores: list[float]
    winner: int | None
    steps: int
    seconds: float
    began: float  # seconds since 1970
    message: str = ""
    frames: list[dict[str, Any]] = field(default_factory=list)


class Match:
    """One match; `frames` grows while it runs and `changed` is set at each new one."""

    def __init__(self, request: executor_pb2.MatchRequest, spec: Spec, pool: ThreadPool):
        limits = request.limits
        self.request = request
        self.spec = spec
        self.frames: list[dict[str, Any]] = []
        self.changed = asyncio.Condition()
        self.done = False
        self._pool = pool
        self._seconds = request.timeout_sec or DEFAULT_SECONDS
        self._game = Game(spec, request.seed)
        self._clock = Clock(
            startup=(limits.startup_ms or 30_000) / 1000,
            move=(limits.move_ms or 1_000) / 1000,
            bank=(limits.bank_ms or 10_000) / 1000,
        )
        self._seats = [Seat(agent) for agent in request.agents]
        self._thread: asyncio.Future[Any] | None = None

    async def run(self) -> Outcome:
        began, start = time.time(), time.monotonic()
        seconds = 0.0
        status = executor_pb2.SUCCESS
        try:
            await self._record(await self._in_thread(self._game.start))
            try:
                async with asyncio.timeout(self._seconds):
                    await self._play()
            except TimeoutError:
                status = executor_pb2.TIMEOUT
            seconds = time.monotonic() - start
        finally:
            await self._finish()
        return self._outcome(status, began, seconds)

    async def _in_thread(self, function: Callable[..., Answer], *arguments: Any) -> Answer:
        self._thread = asyncio.get_running_loop().run_in_executor(self._pool, function, *arguments)
        return await asyncio.shield(self._thread)

    async def _record(self, frame: dict[str, Any]) -> None:
        errors = [seat.errors for seat in self._seats]
        if any(errors):
            frame["errors"] = errors
        self.frames.append(frame)
        async with self.changed:
            self.changed.notify_all()

    async def _finish(self) -> None:
        """Closes everything, also when the match is stopped while it does: the agents' next game must
        not meet this one's last words."""
        closing = asyncio.ensure_future(self._close())
        try:
            await asyncio.shield(closing)
        except asyncio.CancelledError:
            await closing
            raise

    async def _close(self) -> None:
        self.done = True
        async with self.changed:
            self.changed.notify_all()
        clients = [(seat.client, not seat.failed) for seat in self._seats if seat.client is not None]
        await asyncio.gather(*(client.close(polite) for client, polite in clients))
        if self._thread is not None:
            await asyncio.wait([self._thread])  # a cancelled match leaves its last step running
        await self._in_thread(self._game.close)

    # Playing

    async def _play(self) -> None:
        await asyncio.gather(*(self._start(number) for number in range(len(self._seats))))
        if any(seat.failed for seat in self._seats):
            return
        turns = await self._in_thread(self._game.pending)
        while turns:
            chosen = await asyncio.gather(*(self._move(seat, turn) for seat, turn in turns.items()))
            if any(seat.failed for seat in self._seats):
                return
            frame, turns = await self._in_thread(self._game.advance, dict(zip(turns, chosen, strict=True)))
            await self._record(frame)

    async def _start(self, number: int) -> None:
        seat = self._seats[number]
        if seat.agent.failure:
            seat.forfeit(executor_pb2.FAILURE_STARTUP, clean(seat.agent.failure))
            return
        seat.client = AgentClient(seat.agent.endpoint, self._clock, seat.agent.token)
        try:
            await seat.client.start(self._reset_request(number))
        except Forfeit as forfeit:
            seat.forfeit(forfeit.failure, forfeit.message)
        except Exception as error:  # noqa: BLE001 - see _unforeseen
            self._unforeseen(seat, error)

    def _unforeseen(self, seat: Seat, error: Exception) -> None:
        """What only an agent's answer can have caused is the agent's failure, also where nobody has
        thought of it: no answer may turn a loss into a fault of the platform."""
        log.fault("an agent's answer could not be handled", match=self.request.match_id, agent=seat.agent.agent_id)
        seat.forfeit(executor_pb2.FAILURE_PROTOCOL, f"its answer could not be handled: {type(error).__name__}")

    def _reset_request(self, number: int) -> agent_pb2.ResetRequest:
        seen, acted = self._game.spaces(number)
        return agent_pb2.ResetRequest(
            environment=self.spec.id,
            environment_version=self.spec.version,
            player_id=number,
            players=len(self._seats),
            seed=derive_seed(self.request.seed, f"agent/{number}"),
            limits=agent_pb2.Limits(
                startup_ms=int(self._clock.startup * 1000),
                move_ms=int(self._clock.move * 1000),
                bank_ms=int(self._clock.bank * 1000),
            ),
            observation_space=seen,
            action_space=acted,
            max_steps=self.spec.max_steps,
        )

    async def _move(self, number: int, turn: Turn) -> Any:
        """The seat's action; None when it has forfeited."""
        seat = self._seats[number]
        if seat.client is None:
            raise RuntimeError("asked for a move before the start")
        step = self._game.steps + 1
        request = agent_pb2.ActRequest(step=step, observation=turn.observation, reward=turn.reward)
        try:
            answer = await seat.client.act(request)
            return self._game.cast(number, turn, answer)
        except Forfeit as forfeit:
            seat.forfeit(forfeit.failure, forfeit.message)
        except MoveError as error:
            return self._excuse(seat, step, error.failure, error.message)
        except actions.IllegalAction as error:
            return self._excuse(seat, step, executor_pb2.FAILURE_ILLEGAL, str(error))
        except Exception as error:  # noqa: BLE001 - see _unforeseen
            self._unforeseen(seat, error)
        return None

    def _excuse(self, seat: Seat, step: int, failure: executor_pb2.Failure, message: str) -> Any:
        """The default action where the environment has one and the agent still may err; else None."""
        seat.errors += 1
        words = f"step {step}: {message}"
        if not self.spec.tolerant:
            seat.forfeit(failure, words)
            return None
        if seat.errors >= self.spec.max_errors:
            seat.forfeit(failure, f"{seat.errors} errors, the last at {words}")
            return None
        seat.message = f"{seat.errors} errors, the last at {words}"
        return self.spec.default_action

    # Deciding

    def _outcome(self, status: executor_pb2.MatchStatus, began: float, seconds: float) -> Outcome:
        standing = [number for number, seat in enumerate(self._seats) if not seat.failed]
        scores = list(self._game.scores)
        winner: int | None = None
        message = ""
        if not standing:
            status = executor_pb2.ERROR
            message = "every agent forfeited: " + "; ".join(
                f"{seat.agent.name or seat.agent.agent_id}: {seat.message}" for seat in self._seats
            )
        elif len(standing) == 1:
            status, winner = executor_pb2.SUCCESS, standing[0]
        else:
            best = max(scores[number] for number in standing)
            leaders = [number for number in standing if scores[number] > best - TIE]
            winner = leaders[0] if len(leaders) == 1 else None
            if status == executor_pb2.TIMEOUT:
                message = f"the match's time of {self._seconds} s was used up; decided on the scores"
        return Outcome(status, self._seats, scores, winner, self._game.steps, seconds, began, message, self.frames)
