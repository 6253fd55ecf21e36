"""The gRPC service `executor.Executor`: checks requests, maps what happens to status codes."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

import grpc

from rl_arena import __version__
from rl_arena.executor import log, metrics, validate
from rl_arena.executor.environments import Spec
from rl_arena.executor.matches import Matches, NoPlace, Superseded
from rl_arena.executor.replay import canonical
from rl_arena.executor.store import MATCH_ID
from rl_arena.proto import executor_pb2, executor_pb2_grpc

TIMEOUT_MAX = 24 * 3600
LIMIT_MAX_MS = 3_600_000
TEXT_MAX = 1000
WATCHERS_MAX = 64
TOKEN = re.compile(r"[A-Za-z0-9-]{0,127}")
ENDPOINT = re.compile(r"[A-Za-z0-9.-]{1,253}:\d{1,5}|\[[0-9A-Fa-f:.]{2,45}\]:\d{1,5}")


def refusal(request: executor_pb2.MatchRequest, specs: dict[str, Spec]) -> str:
    """Why the request can never work; empty when it can."""
    spec = specs.get(request.environment)
    if not MATCH_ID.fullmatch(request.match_id):
        return "match_id: 1 to 127 letters, digits, dots, dashes and underscores are needed"
    if spec is None:
        return f"environment: {request.environment[:63]!r} is not one of {', '.join(sorted(specs))}"
    if len(request.agents) != spec.players:
        return f"agents: {spec.id} is for {spec.players} players, not {len(request.agents)}"
    if request.timeout_sec > TIMEOUT_MAX:
        return f"timeout_sec: at most {TIMEOUT_MAX}"
    limits = request.limits
    if max(limits.startup_ms, limits.move_ms, limits.bank_ms) > LIMIT_MAX_MS:
        return f"limits: at most {LIMIT_MAX_MS} ms each"
    seen = set()
    for number, agent in enumerate(request.agents):
        if not agent.agent_id or len(agent.agent_id) > TEXT_MAX or len(agent.name) > TEXT_MAX:
            return f"agents[{number}]: agent_id is needed, at most {TEXT_MAX} characters, name likewise"
        if not TOKEN.fullmatch(agent.token):
            return f"agents[{number}]: token has up to 127 letters, digits and dashes"
        if agent.agent_id in seen:
            return f"agents[{number}]: agent_id {agent.agent_id[:63]!r} is there twice"
        seen.add(agent.agent_id)
        if not agent.failure and not ENDPOINT.fullmatch(agent.endpoint):
            return f"agents[{number}]: endpoint is needed, host:port of the agent's Pod"
    return ""


class ExecutorService(executor_pb2_grpc.ExecutorServicer):
    def __init__(self, specs: dict[str, Spec], matches: Matches):
        self._specs = specs
        self._matches = matches
        self._watchers = 0
        self.draining = False

    async def RunMatch(self, request: executor_pb2.MatchRequest, context: Any) -> executor_pb2.MatchResponse:
        if request.attempt == 0:
            request.attempt = 1  # an older client, which knows no attempts
        problem = refusal(request, self._specs)
        if problem:
            metrics.refused.labels("invalid").inc()
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, problem)
        if self.draining:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "this executor is shutting down")
        try:
            return await self._matches.run(request, self._specs[request.environment])
        except NoPlace as error:
            metrics.refused.labels("busy").inc()
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, str(error))
        except Superseded as error:
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise  # the caller has left
            # The match was stopped while this call still waited for it.
            if self.draining:
                await context.abort(grpc.StatusCode.UNAVAILABLE, "this executor is shutting down")
            return executor_pb2.MatchResponse(
                match_id=request.match_id,
                attempt=request.attempt,
                status=executor_pb2.CANCELLED,
                error_message="a later attempt of this match was started",
            )
        except Exception as error:  # noqa: BLE001 - one match's fault must not look like the agents'
            words = f"the executor failed: {type(error).__name__}: {str(error)[:300]}"
            return executor_pb2.MatchResponse(
                match_id=request.match_id,
                attempt=request.attempt,
                status=executor_pb2.ERROR,
                error_message=words,
            )
        raise AssertionError("abort returned")

    async def ValidateAgent(
        self, request: executor_pb2.ValidationRequest, context: Any
    ) -> executor_pb2.ValidationResponse:
        report = await asyncio.to_thread(validate.check_zip, request.code_zip)
        if request.environment and request.environment not in self._specs:
            report.error(f"environment {request.environment[:63]!r} is not one of {', '.join(sorted(self._specs))}")
        return executor_pb2.ValidationResponse(valid=not report.errors, errors=report.errors, warnings=report.warnings)

    async def HealthCheck(
        self, request: executor_pb2.HealthCheckRequest, context: Any
    ) -> executor_pb2.HealthCheckResponse:
        return executor_pb2.HealthCheckResponse(
            healthy=not self.draining, version=__version__, active_matches=self._matches.active
        )

    async def ListEnvironments(
        self, request: executor_pb2.ListEnvironmentsRequest, context: Any
    ) -> executor_pb2.ListEnvironmentsResponse:
        return executor_pb2.ListEnvironmentsResponse(
            environments=[
                executor_pb2.Environment(
                    name=spec.id,
                    version=spec.version,
                    players=spec.players,
                    display_name=spec.display_name,
                    description=spec.description,
                )
                for spec in self._specs.values()
            ]
        )

    async def StreamFrames(
        self, request: executor_pb2.StreamFramesRequest, context: Any
    ) -> AsyncIterator[executor_pb2.Frame]:
        match = self._matches.find(request.match_id)
        if match is None:
            await context.abort(grpc.StatusCode.NOT_FOUND, "that match is not running here")
            return
        if self._watchers >= WATCHERS_MAX:
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, f"{WATCHERS_MAX} calls watch already")
        self._watchers += 1
        try:
            # Nothing is queued for a slow watcher: it reads the match's own list at its own pace.
            sent = 0
            while True:
                while sent < len(match.frames):
                    frame = match.frames[sent]
                    yield executor_pb2.Frame(step=frame["step"], json=canonical(frame).decode())
                    sent += 1
                if match.done:
                    return
                async with match.changed:
                    if sent >= len(match.frames) and not match.done:
                        await match.changed.wait()
        finally:
            self._watchers -= 1
            log.logger.debug("a watcher left")
