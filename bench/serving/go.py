"""The reference sides, in Go."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import time
from collections.abc import Iterator

from common import Context
from common.plane import go_program

from .servers import free_port


@contextlib.contextmanager
def leaderboard(context: Context, database: str) -> Iterator[str]:
    """bench/reference/leaderboard over the database; its URL."""
    program = go_program(context, "leaderboard")
    port = free_port()
    process = subprocess.Popen([str(program), f"127.0.0.1:{port}", database])
    try:
        wait_for(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def wait_for(port: int) -> None:
    for _ in range(200):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise RuntimeError("the reference does not listen")
