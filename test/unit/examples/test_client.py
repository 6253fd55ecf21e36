"""The example's client, without an arena: its WebSocket against frames as the protocol allows them, what it sends."""

from __future__ import annotations

import base64
import hashlib
import http.client
import io
import json
import pathlib
import socket
import struct
import sys
import threading
import zipfile
from collections.abc import Callable

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "examples" / "client"))

import client  # noqa: E402 - found by the line above
import websocket  # noqa: E402

Script = Callable[[socket.socket], None]


def frame(kind: int, data: bytes, last: bool = True) -> bytes:
    """As a server sends it: not masked."""
    size = bytes([len(data)]) if len(data) < 126 else b"\x7e" + struct.pack(">H", len(data))
    return bytes([(128 if last else 0) | kind]) + size + data


def received(connection: socket.socket) -> tuple[int, bytes]:
    head = connection.recv(2, socket.MSG_WAITALL)
    assert head[1] & 128, "what a client sends has to be masked"
    length = head[1] & 127
    if length == 126:
        (length,) = struct.unpack(">H", connection.recv(2, socket.MSG_WAITALL))
    mask = connection.recv(4, socket.MSG_WAITALL)
    data = connection.recv(length, socket.MSG_WAITALL) if length else b""
    return head[0] & 15, bytes(byte ^ mask[place & 3] for place, byte in enumerate(data))


def talk(script: Script, early: bytes = b"", accept: str | None = None) -> websocket.WebSocket:
    """A WebSocket to a server that does what the script says; `early` comes together with its answer."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = server.accept()
        server.close()
        request = b""
        while b"\r\n\r\n" not in request:
            request += connection.recv(4096)
        (key,) = (line.split()[1] for line in request.decode().split("\r\n") if line.startswith("Sec-WebSocket-Key:"))
        right = base64.b64encode(hashlib.sha1((key + websocket.GUID).encode()).digest()).decode()
        answer = "HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        connection.sendall(f"{answer}Sec-WebSocket-Accept: {accept or right}\r\n\r\n".encode() + early)
        with connection:
            script(connection)

    threading.Thread(target=serve, daemon=True).start()
    connection = http.client.HTTPConnection("127.0.0.1", server.getsockname()[1], timeout=20)
    return websocket.WebSocket(connection, "/ws", "token")


def test_messages_whole_in_pieces_and_with_pings_between() -> None:
    heard: list[tuple[int, bytes]] = []

    def script(connection: socket.socket) -> None:
        text = json.dumps({"type": "b", "payload": "é" * 200}).encode()
        connection.sendall(frame(1, text[:10], last=False) + frame(9, b"are you there"))
        heard.append(received(connection))
        connection.sendall(frame(0, text[10:21], last=False) + frame(0, text[21:]))
        heard.append(received(connection))

    early = frame(1, b'{"type": "a"}')
    one = talk(script, early)
    assert one.receive(20) == {"type": "a"}
    assert one.receive(20) == {"type": "b", "payload": "é" * 200}
    one.send({"type": "subscribe", "topics": ["x" * 300]})
    with pytest.raises(websocket.Closed):
        one.receive(20)
    assert heard[0] == (10, b"are you there")
    assert json.loads(heard[1][1]) == {"type": "subscribe", "topics": ["x" * 300]}


def test_the_server_says_why_it_closes() -> None:
    one = talk(lambda connection: connection.sendall(frame(8, struct.pack(">H", 4008) + b"too slow")))
    with pytest.raises(websocket.Closed, match="4008 too slow"):
        one.receive(20)


def test_nothing_in_time_is_told_apart_from_the_end() -> None:
    done = threading.Event()
    one = talk(lambda connection: bool(done.wait(20)) and None)
    with pytest.raises(TimeoutError):
        one.receive(0.05)
    done.set()


def test_an_answer_to_another_question_is_no_websocket() -> None:
    with pytest.raises(websocket.Closed, match="another question"):
        talk(lambda connection: None, accept="AAAA")


def test_a_frame_that_is_too_large_is_not_read() -> None:
    one = talk(lambda connection: connection.sendall(b"\x81\x7f" + struct.pack(">Q", 1 << 40)))
    with pytest.raises(websocket.Closed, match="too large"):
        one.receive(20)


def test_a_folder_is_packed_and_a_file_sent_as_it_is(tmp_path: pathlib.Path) -> None:
    folder = tmp_path / "mine"
    (folder / "net").mkdir(parents=True)
    (folder / "__pycache__").mkdir()
    for name in ("agent.py", "net/model.py", "__pycache__/agent.pyc"):
        (folder / name).write_text(name)
    name, content = client.packed(folder)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert (name, sorted(archive.namelist())) == ("mine.zip", ["agent.py", "net/model.py"])
    assert client.packed(folder / "agent.py") == ("agent.py", b"agent.py")


@pytest.mark.parametrize(
    ("winner", "me", "text"),
    [
        ("a", "a", "A beat B, rating +16"),
        ("a", "b", "B lost to A, rating -16"),
        (None, "b", "B drew with A, rating -16"),
    ],
)
def test_a_result_in_words(winner: str | None, me: str, text: str) -> None:
    match = {"agent1Id": "a", "agent2Id": "b", "agent1Name": "A", "agent2Name": "B"}
    match |= {"agent1EloChange": 16, "agent2EloChange": -16} | ({"winnerId": winner} if winner else {})
    assert client.result(match, me) == text
