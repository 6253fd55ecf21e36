"""What the tests play with: agent runtimes as real processes, the executor's service on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import shutil
import site
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc

from rl_arena.executor import admission
from rl_arena.executor.environments import Spec
from rl_arena.executor.matches import Matches
from rl_arena.executor.service import ExecutorService
from rl_arena.executor.store import Store
from rl_arena.executor.upload import Uploader
from rl_arena.proto import executor_pb2, executor_pb2_grpc

PACKAGE = Path(__file__).resolve().parents[1] / "rl_arena"
MIB = 1 << 20
AGENT_UID = "10001"
RESTRICT = [
    *("setpriv", "--reuid", AGENT_UID, "--regid", AGENT_UID, "--clear-groups", "--no-new-privs"),
    *("--bounding-set=-all", "--inh-caps=-all"),
]

_ids = itertools.count(1)


def libraries() -> str:
    return ":".join(path for path in site.getsitepackages() if os.path.isdir(path))


def interpreter() -> list[str]:
    """As a Pod runs it, without any privilege, where this machine lets us."""
    probe = "import sys; sys.path[:0] = sys.argv[1].split(':'); import grpc, numpy"
    restricted = [*RESTRICT, "/usr/bin/python3", "-I", "-S"]
    if os.geteuid() == 0 and shutil.which("setpriv"):
        tried = subprocess.run([*restricted, "-c", probe, libraries()], capture_output=True, check=False)
        if tried.returncode == 0:
            return restricted
    return [sys.executable, "-I", "-S"]


class Runtime:
    """One agent image: the runtime process, and the folder that its author's code is put into."""

    def __init__(self, command: list[str], **environment: str):
        self.folder = Path(tempfile.mkdtemp(prefix="rl-arena-agent-"))
        self.scratch = self.folder / "tmp"
        self.scratch.mkdir()
        self.scratch.chmod(0o777)
        shutil.copytree(PACKAGE, self.folder / "lib/rl_arena", ignore=shutil.ignore_patterns("__pycache__"))
        self.code = self.folder / "agent"
        self.code.mkdir()
        self.folder.chmod(0o755)
        settings = {
            "PATH": os.defpath,
            "AGENT_PORT": "0",
            "AGENT_DIR": str(self.code),
            "AGENT_TMP": str(self.scratch),
            "AGENT_MEMORY": str(400 * MIB),
            "RL_ARENA_LIB": libraries(),
            "SECRET_OF_THE_PARENT": "the-parents-secret",
            "KUBERNETES_SERVICE_HOST": "10.96.0.1",
            **environment,
        }
        self.process = subprocess.Popen(
            [*command, str(self.folder / "lib/rl_arena/runtime/start.py")],
            env=settings,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline().decode()
        assert "listening on port" in line, line
        self.endpoint = f"127.0.0.1:{int(line.rsplit(' ', 1)[1])}"

    def write(self, code: str, **files: str) -> None:
        for old in self.code.iterdir():
            old.unlink()
        (self.code / "agent.py").write_text(textwrap.dedent(code))
        for name, text in files.items():
            (self.code / f"{name}.py").write_text(textwrap.dedent(text))

    def status(self, field_name: str) -> int:
        """A number from the parent's /proc status."""
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(next(line.split()[1] for line in text.splitlines() if line.startswith(field_name)))

    def children(self) -> list[int]:
        text = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(pid) for pid in text.split()]

    def close(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


@dataclass
class Arena:
    """An executor on loopback."""

    stub: Any
    matches: Matches
    store: Store
    service: ExecutorService
    sent: list[executor_pb2.MatchRequest] = field(default_factory=list)

    def request(self, environment: str, endpoints: list[str], **more: Any) -> executor_pb2.MatchRequest:
        limits = executor_pb2.Limits(
            startup_ms=more.pop("startup_ms", 30_000),
            move_ms=more.pop("move_ms", 5_000),
            bank_ms=more.pop("bank_ms", 10_000),
        )
        agents = [
            executor_pb2.AgentData(agent_id=f"id-{seat}", name=f"agent {seat}", endpoint=endpoint)
            for seat, endpoint in enumerate(endpoints)
        ]
        values = {"match_id": f"match-{next(_ids)}", "attempt": 1, "seed": 7, "record_replay": True, **more}
        return executor_pb2.MatchRequest(environment=environment, agents=agents, limits=limits, **values)

    async def play(self, environment: str, endpoints: list[str], **more: Any) -> executor_pb2.MatchResponse:
        request = self.request(environment, endpoints, **more)
        self.sent.append(request)
        return await self.stub.RunMatch(request)


@contextlib.asynccontextmanager
async def arena(
    specs: dict[str, Spec], folder: Path, places: int = 4, uploader: Uploader | None = None, token: str = ""
) -> AsyncIterator[Arena]:
    store = Store(str(folder), "http://executor/replays", 1 << 30)
    matches = Matches(store, places, uploader)
    service = ExecutorService(specs, matches)
    options = (("grpc.max_receive_message_length", 60 << 20),)
    server = grpc.aio.server(interceptors=admission.interceptors(token), options=options)
    executor_pb2_grpc.add_ExecutorServicer_to_server(service, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with grpc.aio.insecure_channel(
            f"127.0.0.1:{port}", options=(("grpc.max_send_message_length", 60 << 20),)
        ) as channel:
            yield Arena(executor_pb2_grpc.ExecutorStub(channel), matches, store, service)
    finally:
        await server.stop(None)
        matches.close()


@contextlib.contextmanager
def runtimes(count: int, **environment: str) -> Iterator[list[Runtime]]:
    command = interpreter()
    started: list[Runtime] = []
    try:
        for _ in range(count):
            started.append(Runtime(command, **environment))
        yield started
    finally:
        for runtime in started:
            runtime.close()


async def until(condition: Any, seconds: float = 20) -> None:
    """Waits for something to become true; the limit only ends a test that has failed."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)
