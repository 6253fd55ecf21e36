"""The real executor as a process, and agents that answer it: one gRPC server under many addresses."""

from __future__ import annotations

import concurrent.futures
import os
import pathlib
import secrets
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import grpc
from control_plane import free_port, wait_until
from rl_arena.proto import agent_pb2, agent_pb2_grpc, executor_pb2, executor_pb2_grpc

from . import ROOT

AGENT_PORT = 50051
COUNT = 48
TOKEN = secrets.token_hex(32)
# A loopback network of our own, one for each of pytest's processes: every Pod has an address, as Pods have.
NETWORK = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
ADDRESSES = [f"127.77.{NETWORK}.{n}" for n in range(1, COUNT + 1)]


class Agent(agent_pb2_grpc.AgentServicer):  # type: ignore[misc]
    """Takes the first legal move: seat 0 wins every game of tic-tac-toe."""

    def Health(self, request: Any, context: Any) -> Any:
        return agent_pb2.HealthResponse(runtime="script")

    def Reset(self, request: Any, context: Any) -> Any:
        return agent_pb2.ResetResponse()

    def Close(self, request: Any, context: Any) -> Any:
        return agent_pb2.CloseResponse()

    def Act(self, request: Any, context: Any) -> Any:
        mask = request.observation.map.fields["action_mask"].tensor.data
        action = agent_pb2.Value(integer=mask.index(1))
        return agent_pb2.ActResponse(step=request.step, action=action)

    def Play(self, requests: Iterator[Any], context: Any) -> Iterator[Any]:
        for request in requests:
            yield self.Act(request, context)


def serve_agents() -> grpc.Server:
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(32), options=[("grpc.so_reuseport", 0)])
    agent_pb2_grpc.add_AgentServicer_to_server(Agent(), server)
    for address in ADDRESSES:
        server.add_insecure_port(f"{address}:{AGENT_PORT}")
    server.start()
    return server


class Executor:
    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.port, self.http_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        (folder / "replays").mkdir()
        self.process = self.start()

    def start(self) -> subprocess.Popen[bytes]:
        environment = {
            **os.environ,
            "LISTEN": f"127.0.0.1:{self.port}",
            "HTTP_LISTEN": f"127.0.0.1:{self.http_port}",
            "REPLAY_DIR": str(self.folder / "replays"),
            "REPLAY_BASE_URL": f"http://127.0.0.1:{self.http_port}/replays",
            "MAX_CONCURRENT_MATCHES": "16",
            "LOG_FORMAT": "text",
            "EXECUTOR_TOKEN": TOKEN,
        }
        with (self.folder / "executor.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, str(ROOT / "executor/rl_arena/executor/start.py")],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        wait_until("the executor answers", lambda: self.answers(process))
        return process

    def answers(self, process: subprocess.Popen[bytes]) -> bool:
        assert process.poll() is None, (self.folder / "executor.log").read_text()[-3000:]
        with grpc.insecure_channel(f"127.0.0.1:{self.port}") as channel:
            try:
                executor_pb2_grpc.ExecutorStub(channel).HealthCheck(
                    executor_pb2.HealthCheckRequest(), timeout=2, metadata=[("authorization", f"Bearer {TOKEN}")]
                )
            except grpc.RpcError:
                return False
        return True

    def games(self, match_uid: str) -> int:
        """How many games of this match were begun."""
        return (self.folder / "executor.log").read_text().count(f"match starts match={match_uid}")

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
