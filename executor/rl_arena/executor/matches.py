"""The matches of this executor: at most one game for each (match, attempt), however often it is asked.

A request joins a running match, is answered from the results when the match is finished (memory,
then disk), and otherwise starts it when there is a free place. A match whose last waiter leaves is
stopped and forgotten, so that it can be asked for again.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from rl_arena.executor import log, metrics, replay
from rl_arena.executor.environments import Spec
from rl_arena.executor.match import Match, Outcome
from rl_arena.executor.store import Store
from rl_arena.executor.upload import Uploader
from rl_arena.proto import executor_pb2

REMEMBERED = 256

Key = tuple[str, int]


class NoPlace(Exception):
    """All places are taken."""


class Superseded(Exception):
    """A later attempt of the match exists."""


@dataclass
class Running:
    match: Match
    task: asyncio.Task[executor_pb2.MatchResponse]
    waiters: int = 0
    stopping: bool = False

    def stop(self) -> None:
        self.stopping = True
        self.task.cancel()


class Matches:
    def __init__(self, store: Store, places: int, uploader: Uploader | None = None):
        self._store = store
        self._uploader = uploader
        self._places = places
        self._pool = ThreadPoolExecutor(places, "game")
        self._running: dict[Key, Running] = {}
        self._finished: OrderedDict[Key, executor_pb2.MatchResponse] = OrderedDict()

    @property
    def active(self) -> int:
        return len(self._running)

    def find(self, match_id: str) -> Match | None:
        """The running match of that id, its latest attempt."""
        attempts = {key[1]: running.match for key, running in self._running.items() if key[0] == match_id}
        return attempts[max(attempts)] if attempts else None

    async def run(self, request: executor_pb2.MatchRequest, spec: Spec) -> executor_pb2.MatchResponse:
        """NoPlace, Superseded; cancelled: this waiter leaves."""
        key = (request.match_id, request.attempt)
        if key not in self._running and key not in self._finished:
            stored = await asyncio.to_thread(self._store.load_result, *key)
            if stored is not None:
                return stored
        while (running := self._running.get(key)) is not None and running.stopping:
            await asyncio.wait([running.task])  # its agents are free only when it is over
        if running is None:
            if key in self._finished:
                return self._finished[key]
            running = self._start(key, request, spec)
        running.waiters += 1
        try:
            return await asyncio.shield(running.task)
        finally:
            running.waiters -= 1
            if running.waiters == 0 and not running.stopping and not running.task.done():
                log.info("nobody waits for the match any more", match=key[0], attempt=key[1])
                running.stop()

    def _start(self, key: Key, request: executor_pb2.MatchRequest, spec: Spec) -> Running:
        earlier = [other for other in self._running if other[0] == key[0]]
        for _, attempt in earlier:
            if attempt > key[1]:
                raise Superseded(f"attempt {attempt} of this match is running")
        if len(self._running) - len(earlier) >= self._places:
            raise NoPlace(f"{self._places} matches are being played")
        for other in earlier:
            self._running[other].stop()
        match = Match(request, spec, self._pool)
        before = [self._running[other].task for other in earlier]
        running = Running(match, asyncio.create_task(self._play(key, match, before)))
        self._running[key] = running
        running.task.add_done_callback(lambda _: self._forget(key, running))
        metrics.active.set(len(self._running))
        return running

    def _forget(self, key: Key, running: Running) -> None:
        if self._running.get(key) is running:
            del self._running[key]
        metrics.active.set(len(self._running))
        if not running.task.cancelled():
            running.task.exception()  # seen, also when nobody waits any more

    async def _play(self, key: Key, match: Match, before: list[asyncio.Task]) -> executor_pb2.MatchResponse:
        request, spec = match.request, match.spec
        if before:
            await asyncio.wait(before)  # one game at a time for these agents
        log.info("match starts", match=key[0], attempt=key[1], environment=spec.id, seed=request.seed)
        try:
            outcome = await match.run()
            response = self._respond(match, outcome)
            made = await asyncio.to_thread(replay.make, request, spec, outcome)
            response.replay_sha256 = made.game_sha256
            if request.record_replay:
                await asyncio.to_thread(self._store.save_replay, response, made)
                if self._uploader is not None and not await self._uploader.upload(response, made):
                    await asyncio.to_thread(self._store.set_waiting, *key)
            await asyncio.to_thread(self._store.save_result, response)
        except Exception:
            log.fault("match failed", match=key[0], attempt=key[1])
            raise
        self._finished[key] = response
        while len(self._finished) > REMEMBERED:
            self._finished.popitem(last=False)
        self._count(spec, outcome)
        log.info(
            "match ends",
            match=key[0],
            attempt=key[1],
            status=executor_pb2.MatchStatus.Name(outcome.status),
            scores=outcome.scores,
            steps=outcome.steps,
            seconds=round(outcome.seconds, 3),
            slowest_ms=[round(s.client.slowest * 1000, 2) if s.client else 0 for s in outcome.seats],
            failures=[executor_pb2.Failure.Name(seat.failure) for seat in outcome.seats],
        )
        return response

    @staticmethod
    def _count(spec: Spec, outcome: Outcome) -> None:
        metrics.matches.labels(spec.id, executor_pb2.MatchStatus.Name(outcome.status)).inc()
        metrics.steps.labels(spec.id).inc(outcome.steps)
        metrics.duration.labels(spec.id).observe(outcome.seconds)
        for seat in outcome.seats:
            if seat.failed:
                metrics.forfeits.labels(spec.id, executor_pb2.Failure.Name(seat.failure)).inc()

    @staticmethod
    def _respond(match: Match, outcome: Outcome) -> executor_pb2.MatchResponse:
        winner = outcome.winner
        return executor_pb2.MatchResponse(
            match_id=match.request.match_id,
            attempt=match.request.attempt,
            status=outcome.status,
            winner_agent_id="" if winner is None else outcome.seats[winner].agent.agent_id,
            agent_results=[
                executor_pb2.AgentResult(
                    agent_id=seat.agent.agent_id,
                    score=outcome.scores[number],
                    errors=seat.errors,
                    error_message=seat.message,
                    failure=seat.failure,
                )
                for number, seat in enumerate(outcome.seats)
            ],
            error_message=outcome.message,
            total_steps=outcome.steps,
            execution_time_sec=outcome.seconds,
            seed=match.request.seed,
            environment_version=match.spec.version,
        )

    async def drain(self, seconds: float) -> None:
        """Waits so long for the running matches, then stops them."""
        running = list(self._running.values())
        if not running:
            return
        log.info("waiting for running matches", matches=len(running))
        _, late = await asyncio.wait([each.task for each in running], timeout=seconds)
        for each in running:
            if each.task in late:
                each.stop()
        if late:
            await asyncio.wait(late, timeout=5)

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
