"""WebSockets as the server carries them; what is said on them is test_live.py's."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from collections.abc import Iterator

import pytest
import requests
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from .postgres import Postgres
from .server import LIMIT, ApiServer, seen

PAGE = "https://page.example"
HANDSHAKE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


@pytest.fixture(scope="module")
def alone(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    server = ApiServer(tmp_path_factory.mktemp("sockets"), postgres.database(), None, ALLOWED_ORIGINS=PAGE)
    yield server
    server.stop()


def opened(
    server: ApiServer, path: str = "/ws", token: str | None = None, origin: str | None = None
) -> ClientConnection:
    headers = {"Authorization": f"Bearer {token}"} if token else None
    return connect(
        f"ws://127.0.0.1:{server.port}{path}",
        additional_headers=headers,
        origin=Origin(origin) if origin else None,
        open_timeout=LIMIT,
        close_timeout=5,
        proxy=None,
    )


def close_code(connection: ClientConnection) -> int | None:
    with pytest.raises(ConnectionClosed) as closed:
        while True:
            connection.recv(timeout=LIMIT)
    return closed.value.rcvd.code if closed.value.rcvd else None


def refusal(server: ApiServer, **arguments: str) -> int:
    with pytest.raises(InvalidStatus) as refused:
        opened(server, **arguments).close()
    return refused.value.response.status_code


@pytest.mark.parametrize("path", ["/ws", "/api/v1/ws"])
def test_a_token_comes_in_the_header_or_the_query(alone: ApiServer, path: str) -> None:
    person = alone.register()
    for connection in (opened(alone, path, token=person.token), opened(alone, f"{path}?token={person.token}")):
        with connection:
            connection.send(json.dumps({"type": "subscribe", "topics": ["leaderboard:nowhere"]}))
            assert isinstance(json.loads(connection.recv(timeout=LIMIT)), dict)
            assert connection.ping().wait(LIMIT)


def test_a_bad_token_is_refused_before_the_handshake(alone: ApiServer) -> None:
    assert refusal(alone, token="nonsense") == 401
    assert refusal(alone, path="/ws?token=nonsense") == 401


def test_only_pages_of_the_list_and_ones_own_may_connect(alone: ApiServer) -> None:
    assert refusal(alone, origin="https://other.example") == 403
    for origin in (PAGE, f"http://127.0.0.1:{alone.port}"):
        with opened(alone, origin=origin) as connection:
            assert connection.ping().wait(LIMIT)


def test_the_handshake_is_checked(alone: ApiServer) -> None:
    def status(**changed: str | None) -> int:
        headers = {**HANDSHAKE, **{key.replace("_", "-"): value for key, value in changed.items()}}
        return requests.get(f"{alone.url}/ws", headers=headers, timeout=LIMIT).status_code

    assert status(Sec_WebSocket_Version="8") == 426
    assert status(Sec_WebSocket_Key="short") == 400
    assert status(Sec_WebSocket_Key=None) == 400
    assert status(Upgrade="h2c") == 426
    assert status(Upgrade=None, Connection=None) == 426


def test_what_comes_with_the_handshake_is_not_lost(alone: ApiServer) -> None:
    """A frame in the same packet as the request: a masked ping, answered by a pong."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in HANDSHAKE.items())
    with socket.create_connection(("127.0.0.1", alone.port), timeout=LIMIT) as raw:
        raw.sendall(f"GET /ws HTTP/1.1\r\nHost: arena\r\n{lines}\r\n".encode() + b"\x89\x82\0\0\0\0hi")
        received = b""
        while b"\x8a\x02hi" not in received:
            piece = raw.recv(4096)
            assert piece, received
            received += piece
        assert received.startswith(b"HTTP/1.1 101 ")
        assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in received


def shaken(server: ApiServer, raw: socket.socket, path: str) -> bytes:
    """The head of the answer, with what came behind it."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in HANDSHAKE.items())
    raw.sendall(f"GET {path} HTTP/1.1\r\nHost: arena\r\n{lines}\r\n".encode())
    received = b""
    while b"\r\n\r\n" not in received:
        piece = raw.recv(4096)
        assert piece, received
        received += piece
    return received


def test_the_handshake_says_what_is_left_of_the_allowance(alone: ApiServer) -> None:
    with socket.create_connection(("127.0.0.1", alone.port), timeout=LIMIT) as raw:
        head = shaken(alone, raw, "/ws")
        assert head.startswith(b"HTTP/1.1 101 ")
        for name in (b"Limit", b"Remaining", b"Reset"):
            assert b"\r\nX-RateLimit-" + name + b": " in head


def test_a_ping_comes_every_30_seconds(alone: ApiServer) -> None:
    """Also where nothing else is to be said; who answers stays."""
    with socket.create_connection(("127.0.0.1", alone.port), timeout=LIMIT) as raw:
        received = shaken(alone, raw, f"/ws?token={alone.register().token}")
        began = time.monotonic()
        while b"\x89\x00" not in received:
            piece = raw.recv(4096)
            assert piece, received
            received += piece
        assert 25 < time.monotonic() - began < 45


def test_frames_that_are_not_spoken_here_end_the_connection(alone: ApiServer) -> None:
    token = alone.register().token
    with opened(alone, token=token) as connection:
        connection.send(b"bytes")
        assert close_code(connection) == 1003
    with opened(alone, token=token) as connection:
        connection.send("x" * 100_000)
        assert close_code(connection) == 1009


def test_a_frame_without_a_mask_ends_the_connection(alone: ApiServer) -> None:
    lines = "".join(f"{name}: {value}\r\n" for name, value in HANDSHAKE.items())
    with socket.create_connection(("127.0.0.1", alone.port), timeout=LIMIT) as raw:
        raw.sendall(f"GET /ws HTTP/1.1\r\nHost: arena\r\n{lines}\r\n".encode() + b"\x81\x02hi")
        received = b""
        while piece := raw.recv(4096):
            received += piece
    frames = received.split(b"\r\n\r\n", 1)[1]
    assert frames[:1] == b"\x88"  # a close frame with a protocol error
    assert int.from_bytes(frames[2:4], "big") == 1002


def test_the_count_of_connections_goes_down_again(alone: ApiServer) -> None:
    name = "rl_arena_websocket_connections"
    seen("nobody is there", lambda: alone.metric(name) == 0)
    with contextlib.ExitStack() as held:
        for _ in range(5):
            held.enter_context(opened(alone))
        assert alone.metric(name) == 5
    seen("all are gone", lambda: alone.metric(name) == 0)
    with socket.create_connection(("127.0.0.1", alone.port), timeout=LIMIT) as raw:
        lines = "".join(f"{key}: {value}\r\n" for key, value in HANDSHAKE.items())
        raw.sendall(f"GET /ws HTTP/1.1\r\nHost: arena\r\n{lines}\r\n".encode())
        assert raw.recv(4096).startswith(b"HTTP/1.1 101 ")
        assert alone.metric(name) == 1
    seen("who left without a word is gone too", lambda: alone.metric(name) == 0)


def test_a_server_that_stops_says_so(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> None:
    server = ApiServer(tmp_path_factory.mktemp("ending"), postgres.database(), None)
    with opened(server) as connection:
        assert server.process is not None
        server.process.terminate()
        assert close_code(connection) == 1001
    assert server.process.wait(LIMIT) == 0
    server.process = None
