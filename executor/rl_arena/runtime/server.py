"""The parent process: serves proto/agent.proto and hands every question to a Worker.

It answers as soon as it runs; the author's code is loaded at Reset, in a fresh child, so that
whatever is wrong with it is the answer to a call and not a container that does not start.
"""

from __future__ import annotations

import asyncio
import hmac
import os
import signal
import sys
from collections.abc import AsyncIterator
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from rl_arena import __version__
from rl_arena.proto import agent_pb2, agent_pb2_grpc
from rl_arena.runtime import config as configuration
from rl_arena.runtime import sandbox, values
from rl_arena.runtime.frames import ACTION_MAX
from rl_arena.runtime.worker import PlatformFault, Worker, WorkerGone

REQUEST_MAX = 4 << 20
TEXT_MAX = 4000
SHOWN_AS = "rl-arena-token"
OPTIONS = (
    ("grpc.max_receive_message_length", REQUEST_MAX + (64 << 10)),
    ("grpc.max_send_message_length", ACTION_MAX + (64 << 10)),
    ("grpc.so_reuseport", 0),
)
KINDS = {
    "load": agent_pb2.ERROR_LOAD,
    "reset": agent_pb2.ERROR_RESET,
    "raised": agent_pb2.ERROR_RAISED,
    "bad_action": agent_pb2.ERROR_BAD_ACTION,
}


def space_to_plain(space: agent_pb2.Space) -> Any:
    """A space as authors see it in their configuration."""
    kind = space.WhichOneof("kind")
    if kind == "discrete":
        return {"type": "Discrete", "n": space.discrete.n, "start": space.discrete.start}
    if kind == "box":
        box = space.box
        bounds = {"low": box.low, "high": box.high}
        return {"type": "Box", "dtype": box.dtype, "shape": list(box.shape), **bounds}
    if kind == "multi_discrete":
        return {"type": "MultiDiscrete", "nvec": list(space.multi_discrete.nvec)}
    if kind == "multi_binary":
        return {"type": "MultiBinary", "shape": list(space.multi_binary.shape)}
    if kind == "dict":
        parts = {key: space_to_plain(part) for key, part in sorted(space.dict.spaces.items())}
        return {"type": "Dict", "spaces": parts}
    return None


def _tag(value: Any) -> Any:
    """Plain JSON-like data, ours, in the tagged form."""
    if isinstance(value, dict):
        return {"m": {key: _tag(item) for key, item in value.items()}}
    if isinstance(value, list):
        return {"l": [_tag(item) for item in value]}
    return value


def load_header(request: agent_pb2.ResetRequest, blob: bytearray) -> dict[str, Any]:
    """The child's `load` question. The names that Kaggle's agents know stand beside our own."""
    known = {
        "environment": request.environment,
        "environment_version": request.environment_version,
        "player_id": request.player_id,
        "players": request.players,
        "seed": request.seed,
        "move_ms": request.limits.move_ms,
        "bank_ms": request.limits.bank_ms,
        "actTimeout": request.limits.move_ms / 1000,
        "remainingOverageTime": request.limits.bank_ms / 1000,
        "episodeSteps": request.max_steps,
        "observation_space": space_to_plain(request.observation_space),
        "action_space": space_to_plain(request.action_space),
    }
    tagged = _tag(known)
    tagged["m"].update(values.map_to_tagged(request.configuration, blob)["m"])
    return {"op": "load", "seed": request.seed, "player_id": request.player_id, "configuration": tagged}


class Agent(agent_pb2_grpc.AgentServicer):
    """One game at a time; a new Reset ends the one before."""

    def __init__(self, config: configuration.Config):
        self._config = config
        self._spare: Worker | None = Worker(config)
        self._worker: Worker | None = None

    async def self_test(self) -> None:
        """PlatformFault when an author's code could not be confined here."""
        if self._spare is not None:
            await self._spare.confined()

    async def close(self) -> None:
        workers = [worker for worker in (self._worker, self._spare) if worker is not None]
        self._worker = self._spare = None
        for worker in workers:
            await worker.stop("the game is over")

    def _error(self, kind: agent_pb2.ErrorKind, message: Any, worker: Worker | None) -> agent_pb2.AgentError:
        log = ""
        if worker is not None:
            worker.output.drain()
            log = worker.output.tail()
        text = message if isinstance(message, str) else "(no words)"
        clean = text[:TEXT_MAX].encode("utf-8", "replace").decode()
        return agent_pb2.AgentError(kind=kind, message=clean, log=log[-TEXT_MAX:])

    def _reported(self, error: Any, worker: Worker) -> agent_pb2.AgentError:
        """What the child says of itself."""
        if not isinstance(error, dict):
            error = {}
        kind = KINDS.get(str(error.get("kind")), agent_pb2.ERROR_UNKNOWN)
        return self._error(kind, error.get("message"), worker)

    async def _admit(self, context: Any) -> None:
        """Only who has the token: another agent's image may find this address, and could end its game."""
        shown = next((value for key, value in context.invocation_metadata() if key == SHOWN_AS), "")
        if self._config.token and not hmac.compare_digest(str(shown), self._config.token):
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, f"{SHOWN_AS}: the executor's is needed")

    async def Health(self, request: agent_pb2.HealthRequest, context: Any) -> agent_pb2.HealthResponse:
        return agent_pb2.HealthResponse(runtime=f"rl-arena-agent/{__version__} python")

    async def Reset(self, request: agent_pb2.ResetRequest, context: Any) -> agent_pb2.ResetResponse:
        await self._admit(context)
        if self._worker is not None:
            old, self._worker = self._worker, None
            await old.stop("a new game begins")
        worker = self._spare or Worker(self._config)
        self._spare = None
        self._worker = worker
        blob = bytearray()
        try:
            header = load_header(request, blob)
            answer, _ = await worker.ask(header, blob)
        except values.BadValue as error:
            return agent_pb2.ResetResponse(error=self._error(agent_pb2.ERROR_BAD_REQUEST, str(error), None))
        except WorkerGone as error:
            return agent_pb2.ResetResponse(error=self._error(agent_pb2.ERROR_LOAD, str(error), worker))
        except PlatformFault as error:
            return agent_pb2.ResetResponse(error=self._error(agent_pb2.ERROR_PLATFORM, str(error), None))
        if answer.get("loaded") is not True:
            worker.kill("it wrote something of its own into the answer channel")
            problem: Any = {"kind": "load", "message": "it wrote into the answer channel"}
        else:
            problem = answer.get("error")
        if problem:
            return agent_pb2.ResetResponse(error=self._reported(problem, worker))
        return agent_pb2.ResetResponse()

    async def _answer(self, request: agent_pb2.ActRequest) -> agent_pb2.ActResponse:
        worker = self._worker
        response = agent_pb2.ActResponse(step=request.step)
        if worker is None:
            error = self._error(agent_pb2.ERROR_BAD_REQUEST, "there was no Reset", None)
            response.error.CopyFrom(error)
            return response
        blob = bytearray()
        try:
            header = {
                "op": "act",
                "step": request.step,
                "observation": values.to_tagged(request.observation, blob),
            }
            answer, data = await worker.ask(header, blob)
            if answer.get("step") != request.step:
                worker.kill("it wrote something of its own into the answer channel")
                raise WorkerGone("it wrote something of its own into the answer channel")
            if "action" in answer:
                response.action.CopyFrom(values.from_tagged(answer["action"], data))
            else:
                response.error.CopyFrom(self._reported(answer.get("error"), worker))
        except values.BadValue as error:
            response.error.CopyFrom(self._error(agent_pb2.ERROR_BAD_ACTION, str(error), worker))
        except WorkerGone as error:
            response.error.CopyFrom(self._error(agent_pb2.ERROR_EXITED, str(error), worker))
        except PlatformFault as error:
            response.error.CopyFrom(self._error(agent_pb2.ERROR_PLATFORM, str(error), None))
        return response

    async def Act(self, request: agent_pb2.ActRequest, context: Any) -> agent_pb2.ActResponse:
        await self._admit(context)
        return await self._answer(request)

    async def Play(
        self, request_iterator: AsyncIterator[agent_pb2.ActRequest], context: Any
    ) -> AsyncIterator[agent_pb2.ActResponse]:
        await self._admit(context)
        async for request in request_iterator:
            yield await self._answer(request)

    async def Close(self, request: agent_pb2.CloseRequest, context: Any) -> agent_pb2.CloseResponse:
        await self._admit(context)
        if self._worker is not None:
            old, self._worker = self._worker, None
            await old.stop("the game is over")
        return agent_pb2.CloseResponse()


async def serve(config: configuration.Config) -> int:
    agent = Agent(config)
    try:
        await agent.self_test()
    except PlatformFault as error:
        await agent.close()
        print(f"rl-arena-agent: {error}", file=sys.stderr, flush=True)
        return 1
    server = grpc.aio.server(options=OPTIONS)
    agent_pb2_grpc.add_AgentServicer_to_server(agent, server)
    checks = health.aio.HealthServicer()
    await checks.set("", health_pb2.HealthCheckResponse.SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(checks, server)
    port = server.add_insecure_port(f"0.0.0.0:{config.port}")
    await server.start()
    print(f"rl-arena-agent {__version__}: listening on port {port}", flush=True)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await stop.wait()
    await server.stop(1)
    await agent.close()
    return 0


def main() -> int:
    try:
        config = configuration.load()
        sandbox.hide_process()
    except (configuration.ConfigError, sandbox.SandboxError) as error:
        print(f"rl-arena-agent: {error}", file=sys.stderr, flush=True)
        return 1
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    return asyncio.run(serve(config))
