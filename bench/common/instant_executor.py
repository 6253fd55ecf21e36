"""An executor that plays nothing: the first agent wins at once.

usage: instant_executor.py ADDRESS:PORT FILE     FILE gets a line `MATCH_UID NANOSECONDS` for each answer

What it costs is its own process's processor time, which `matches` tells.
"""

from __future__ import annotations

import concurrent.futures
import pathlib
import sys
import time
from typing import Any

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "executor"))

import grpc  # noqa: E402
from rl_arena.proto import executor_pb2 as pb  # noqa: E402
from rl_arena.proto import executor_pb2_grpc  # noqa: E402


class Executor(executor_pb2_grpc.ExecutorServicer):
    def __init__(self, file: pathlib.Path) -> None:
        self.answers = file.open("w", buffering=1)

    def RunMatch(self, request: pb.MatchRequest, context: Any) -> pb.MatchResponse:
        results = [pb.AgentResult(agent_id=one.agent_id, score=1 - seat) for seat, one in enumerate(request.agents)]
        answer = pb.MatchResponse(
            match_id=request.match_id, status=pb.SUCCESS, winner_agent_id=request.agents[0].agent_id,
            agent_results=results, total_steps=5, execution_time_sec=0.001, attempt=request.attempt,
            seed=request.seed, environment_version="1", replay_sha256="0" * 64,
        )  # fmt: skip
        self.answers.write(f"{request.match_id} {time.monotonic_ns()}\n")
        return answer

    def HealthCheck(self, request: Any, context: Any) -> pb.HealthCheckResponse:
        return pb.HealthCheckResponse(healthy=True)


def main() -> None:
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(4))
    executor_pb2_grpc.add_ExecutorServicer_to_server(Executor(pathlib.Path(sys.argv[2])), server)
    assert server.add_insecure_port(sys.argv[1])
    server.start()
    print("ready", flush=True)
    server.wait_for_termination()


if __name__ == "__main__":
    main()
