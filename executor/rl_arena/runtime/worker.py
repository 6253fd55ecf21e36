"""The parent's hold on the child process that runs the author's code.

One Worker is one process and at most one game. Whatever goes wrong with it, the process is killed
and the reason kept: the parent never waits for it without a bound, never holds more than one
bounded frame from it, and believes nothing it says.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
from typing import Any

from rl_arena.runtime import frames
from rl_arena.runtime.config import MIB, Config
from rl_arena.runtime.output import Output

SANDBOX_SECONDS = 60
WATCH_SECONDS = 0.2
EXIT_SECONDS = 2.0
PIECE = 4096  # bytes

# Variables that tell the author's code about the cluster, or that would change the interpreter.
HIDDEN_PREFIXES = ("KUBERNETES_", "PYTHON", "AGENT_", "RL_ARENA_", "GRPC_")
HIDDEN_PARTS = ("_SERVICE_", "_PORT_")
HIDDEN_SUFFIXES = ("_PORT",)


class WorkerGone(Exception):
    """The process is no longer there; the words say why."""


class PlatformFault(Exception):
    """The runtime cannot do its work here, whatever the author wrote."""


def child_environment(scratch: str) -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(HIDDEN_PREFIXES)
        and not name.endswith(HIDDEN_SUFFIXES)
        and not any(part in name for part in HIDDEN_PARTS)
    }
    fixed = {
        "HOME": scratch,
        "TMPDIR": scratch,
        "LANG": "C.UTF-8",
        "PYTHONHASHSEED": "0",  # the same order of sets in a repeated game
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
    }
    # An agent has about half a core: more threads would only take memory.
    threads = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL")}
    return {"PATH": os.defpath, **threads, **kept, **fixed}


def _exit_words(code: int) -> str:
    if code >= 0:
        return f"its process exited with status {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    words = f"its process was killed by {name}"
    if -code == signal.SIGKILL:
        return words + ", most likely for using too much memory"
    if -code == signal.SIGXFSZ:
        return words + ": it wrote a file larger than is allowed"
    return words


def _status(pid: int) -> dict[str, str]:
    """What the kernel says about the process; a read from memory, not from a disk."""
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
        return dict(line.split(":", 1) for line in file if ":" in line)


class Worker:
    def __init__(self, config: Config):
        self._config = config
        self._loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        self._socket = ours
        self._input = bytearray()  # read, but not asked for yet
        self._confined = False
        self._reason = ""
        self._busy = asyncio.Lock()
        reader, writer = os.pipe()
        child = os.path.join(os.path.dirname(os.path.abspath(__file__)), "child.py")
        arguments = [theirs.fileno(), config.memory, config.file_size, config.folder, config.libraries]
        try:
            self._process = subprocess.Popen(  # noqa: S603
                [config.python, "-S", "-P", child, *map(str, arguments)],
                stdin=subprocess.DEVNULL,
                stdout=writer,
                stderr=writer,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
                env=child_environment(config.scratch),
                cwd=config.folder if os.path.isdir(config.folder) else "/",
            )
        except OSError as error:
            os.close(reader)
            ours.close()
            raise PlatformFault(f"the agent's process cannot be started: {error}") from error
        finally:
            theirs.close()
            os.close(writer)
        self.output = Output(reader, self._loop)
        self._watch = asyncio.create_task(self._watch_process())
        self._sandboxed = asyncio.create_task(self._await_sandbox())

    async def _await_sandbox(self) -> str:
        header, _ = await self._receive()
        problem = header.get("sandbox")
        return problem if isinstance(problem, str) else "it began with something else"

    async def confined(self) -> None:
        """Returns once the filter is in force; PlatformFault when it cannot be."""
        if self._confined:
            return
        try:
            async with asyncio.timeout(SANDBOX_SECONDS):
                problem = await asyncio.shield(self._sandboxed)
        except TimeoutError:
            problem = f"it did not start within {SANDBOX_SECONDS} s"
        except WorkerGone as error:
            problem = f"{error}; {self.output.tail()}"
        if problem:
            await self.stop("the platform failed")
            raise PlatformFault(problem)
        self._confined = True

    async def ask(self, header: dict[str, Any], blob: bytes | bytearray = b"") -> tuple[dict[str, Any], memoryview]:
        """One question, one answer. WorkerGone when there is none; cancelled: the process is killed,
        since nobody could tell its late answer from the next one."""
        async with self._busy:
            try:
                await self.confined()
                await self._send(frames.pack(header, blob))
                return await self._receive()
            except asyncio.CancelledError:
                self._kill("it was still busy when its time was up")
                raise

    async def _send(self, data: bytes) -> None:
        try:
            await self._loop.sock_sendall(self._socket, data)
        except OSError:
            raise WorkerGone(await self._why_gone()) from None

    async def _read(self, size: int) -> bytes:
        """Asks the kernel for more than this at a time: an answer comes in one piece nearly always."""
        while len(self._input) < size:
            try:
                part = await self._loop.sock_recv(self._socket, max(size - len(self._input), PIECE))
            except OSError:
                part = b""
            if not part:
                raise WorkerGone(await self._why_gone())
            self._input += part
        data = bytes(self._input[:size])
        del self._input[:size]
        return data

    async def _receive(self) -> tuple[dict[str, Any], memoryview]:
        (size,) = frames.LENGTH.unpack(await self._read(frames.LENGTH.size))
        if size > frames.TO_PARENT_MAX:
            self._kill("it wrote something of its own, or far too much, into the answer channel")
            raise WorkerGone(await self._why_gone())
        try:
            return frames.unpack(await self._read(size))
        except frames.FrameError as error:
            self._kill(f"it wrote something of its own into the answer channel: {error}")
            raise WorkerGone(await self._why_gone()) from None

    def _kill(self, reason: str) -> None:
        self._reason = self._reason or reason
        if self._process.poll() is None:
            self._process.kill()

    async def _why_gone(self) -> str:
        """The process has closed its channel: wait a moment for its end and say how it ended."""
        for attempt in range(int(EXIT_SECONDS / 0.01)):
            code = self._process.poll()
            if code is not None:
                self.output.drain()
                self._reason = self._reason or _exit_words(code)
                break
            if attempt == 50:
                self._kill("it closed its answer channel")
            await asyncio.sleep(0.01)
        return self._reason or "its process does not end"

    async def _watch_process(self) -> None:
        """Ends the process when it takes what the container cannot spare."""
        while self._process.poll() is None:
            try:
                fields = _status(self._process.pid)
            except OSError:
                return
            threads = int(fields.get("Threads", "0"))
            memory = int(fields.get("VmRSS", "0 kB").split()[0]) << 10
            if threads > self._config.threads:
                self._kill(f"it started more than {self._config.threads} threads")
            if self._config.memory and memory > self._config.memory:
                self._kill(f"it used more than {self._config.memory // MIB} MiB of memory")
            await asyncio.sleep(WATCH_SECONDS)

    def kill(self, reason: str) -> None:
        self._kill(reason)

    async def stop(self, reason: str) -> None:
        """Kills the process, reaps it and gives back what it held. May be called again."""
        self._kill(reason)
        self._watch.cancel()
        self._sandboxed.cancel()
        for _ in range(int(EXIT_SECONDS / 0.01)):
            if self._process.poll() is not None:
                break
            await asyncio.sleep(0.01)
        self.output.close()
        self._socket.close()
