"""The way into the cluster's network: bytes in both directions, the next port when one is taken, a clean end."""

from __future__ import annotations

import os
import pathlib
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest
from conftest import ROOT

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="entering a network namespace takes root")


@pytest.fixture
def echo() -> Iterator[int]:
    """Says what it heard once all of it has come."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection:
                heard = b""
                while piece := connection.recv(65536):
                    heard += piece
                connection.sendall(heard[::-1])

    threading.Thread(target=serve, daemon=True).start()
    yield server.getsockname()[1]
    server.close()


def forward(folder: pathlib.Path, listen: int, connect: int) -> tuple[subprocess.Popen[bytes], int]:
    announce = folder / f"url-{time.monotonic_ns()}"
    process = subprocess.Popen(
        [sys.executable, ROOT / "test" / "cluster" / "forward.py", "--listen", f"127.0.0.1:{listen}",
         "--namespace", "/proc/self/ns/net", "--connect", f"127.0.0.1:{connect}", "--announce", announce]
    )  # fmt: skip
    end = time.monotonic() + 20
    while not announce.exists():
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.05)
    return process, int(announce.read_text().strip().rpartition(":")[2])


def ask(port: int, text: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(text)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
        return answer


def test_both_directions_to_the_last_byte(echo: int, tmp_path: pathlib.Path) -> None:
    process, port = forward(tmp_path, echo + 1, echo)
    text = os.urandom(1 << 20)
    assert ask(port, text) == text[::-1]
    process.terminate()
    assert process.wait(20) == 0


def test_the_next_port_when_it_is_taken(echo: int, tmp_path: pathlib.Path) -> None:
    process, port = forward(tmp_path, echo, echo)
    assert port != echo and ask(port, b"abc") == b"cba"
    process.terminate()
    assert process.wait(20) == 0


def test_nobody_there_is_a_connection_that_ends(echo: int, tmp_path: pathlib.Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        free = nobody.getsockname()[1]
    process, port = forward(tmp_path, echo + 1, free)
    assert ask(port, b"abc") == b""
    assert process.poll() is None
    process.terminate()
    process.wait(20)
