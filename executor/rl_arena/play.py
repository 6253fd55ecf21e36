"""Plays one match on one's own machine, with the same runtime and rules as in the arena.

    python -m rl_arena.play pong mine/agent.py other/agent.py --seed 7 --replay game.html

Each agent gets a runtime process of its own, as in its Pod; the container's limits on memory and
CPU are not imitated.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import shutil
import site
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from rl_arena.executor import environments, log
from rl_arena.executor.matches import Matches
from rl_arena.executor.store import Store
from rl_arena.proto import executor_pb2

START = Path(__file__).parent / "runtime" / "start.py"
STORE_BYTES = 1 << 30


@contextlib.contextmanager
def runtime(file: Path) -> Iterator[str]:
    """A runtime process for that agent.py; its endpoint."""
    settings = {
        **os.environ,
        "AGENT_PORT": "0",
        "AGENT_DIR": str(file.resolve().parent),
        "RL_ARENA_LIB": ":".join(site.getsitepackages()),
    }
    process = subprocess.Popen([sys.executable, "-I", "-S", str(START)], env=settings, stdout=subprocess.PIPE)  # noqa: S603
    try:
        line = process.stdout.readline().decode() if process.stdout else ""
        if "listening on port" not in line:
            raise SystemExit(f"the runtime for {file} did not start")
        yield f"127.0.0.1:{int(line.rsplit(' ', 1)[1])}"
    finally:
        process.terminate()
        process.wait()


def make_request(arguments: argparse.Namespace, endpoints: list[str]) -> executor_pb2.MatchRequest:
    agents = [
        executor_pb2.AgentData(agent_id=str(seat), name=file.resolve().parent.name, endpoint=endpoint)
        for seat, (file, endpoint) in enumerate(zip(arguments.agents, endpoints, strict=True))
    ]
    return executor_pb2.MatchRequest(
        match_id="local",
        attempt=1,
        environment=arguments.environment,
        agents=agents,
        seed=arguments.seed,
        record_replay=True,
    )


def show(response: executor_pb2.MatchResponse, request: executor_pb2.MatchRequest) -> None:
    for agent, result in zip(request.agents, response.agent_results, strict=True):
        note = f"  {result.error_message}" if result.error_message else ""
        won = "wins" if response.winner_agent_id == agent.agent_id else ""
        print(f"{agent.name:30} {result.score:8g}  {won}{note}")
    words = executor_pb2.MatchStatus.Name(response.status)
    print(
        f"{words}, {response.total_steps} steps in {response.execution_time_sec:.2f} s, game {response.replay_sha256}"
    )


async def play(arguments: argparse.Namespace, spec: environments.Spec, endpoints: list[str], folder: Path) -> None:
    matches = Matches(Store(str(folder), "http://localhost", STORE_BYTES), 1)
    request = make_request(arguments, endpoints)
    try:
        response = await matches.run(request, spec)
    finally:
        matches.close()
    show(response, request)
    if arguments.replay:
        shutil.copy(folder / "local-1.html", arguments.replay)
        print(f"replay: {arguments.replay}")


def main() -> int:
    parser = argparse.ArgumentParser(prog="rl_arena.play", description="Plays one match on this machine.")
    parser.add_argument("environment")
    parser.add_argument("agents", nargs="+", type=Path, metavar="agent.py", help="in seat order")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--replay", help="where to write the HTML page")
    arguments = parser.parse_args()
    log.setup("text", "error")
    specs = environments.load(os.environ.get("ENVIRONMENTS_FILE", ""))
    spec = specs.get(arguments.environment)
    if spec is None:
        parser.error(f"{arguments.environment} is not one of {', '.join(specs)}")
    if len(arguments.agents) != spec.players:
        parser.error(f"{spec.id} is for {spec.players} players")
    with contextlib.ExitStack() as stack, tempfile.TemporaryDirectory() as folder:
        endpoints = [stack.enter_context(runtime(file)) for file in arguments.agents]
        asyncio.run(play(arguments, spec, endpoints, Path(folder)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
