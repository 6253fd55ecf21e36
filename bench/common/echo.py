"""gRPC alone: what two streams of an agent's messages cost when nothing is played.

usage: echo.py     an agent that answers each request at once; prints its port
"""

from __future__ import annotations

import asyncio
import contextlib
import pathlib
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "executor"))

import grpc  # noqa: E402
from rl_arena.executor.client import OPTIONS  # noqa: E402
from rl_arena.proto import agent_pb2 as pb  # noqa: E402
from rl_arena.proto import agent_pb2_grpc  # noqa: E402

ANSWER = pb.Value(integer=1)


class Agent(agent_pb2_grpc.AgentServicer):
    async def Play(self, requests: AsyncIterator[pb.ActRequest], context: Any) -> AsyncIterator[pb.ActResponse]:
        async for request in requests:
            yield pb.ActResponse(step=request.step, action=ANSWER)


async def serve() -> None:
    server = grpc.aio.server(options=OPTIONS)
    agent_pb2_grpc.add_AgentServicer_to_server(Agent(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(port, flush=True)
    await server.wait_for_termination()


@contextlib.contextmanager
def agents(count: int) -> Iterator[list[str]]:
    """So many processes; their addresses."""
    started = [
        subprocess.Popen([sys.executable, __file__], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
        for _ in range(count)
    ]
    try:
        yield [f"127.0.0.1:{one.stdout.readline().strip()}" for one in started if one.stdout]
    finally:
        for one in started:
            one.kill()
            one.wait()


async def rounds(addresses: list[str], observation: pb.Value, count: int) -> list[float]:
    """Each agent is asked and has answered, all at the same time: milliseconds of each round."""
    async with contextlib.AsyncExitStack() as channels:
        streams = []
        for address in addresses:
            channel = await channels.enter_async_context(grpc.aio.insecure_channel(address, options=OPTIONS))
            streams.append(agent_pb2_grpc.AgentStub(channel).Play())

        async def ask(stream: Any, step: int) -> None:
            await stream.write(pb.ActRequest(step=step, observation=observation))
            answer = await stream.read()
            assert answer.step == step, answer

        times = []
        for step in range(count):
            began = time.perf_counter()
            await asyncio.gather(*(ask(stream, step) for stream in streams))
            times.append((time.perf_counter() - began) * 1000)
        return times


if __name__ == "__main__":
    asyncio.run(serve())
