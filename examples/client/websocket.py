"""A WebSocket for a client, as much of RFC 6455 as talking to the arena takes; the standard library alone."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import os
import socket
import struct
import time
from typing import Any

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
LARGEST = 16 << 20


class Closed(Exception):
    """The other side has ended the connection, or it broke; the text says why."""


class WebSocket:
    """One connection. `token` goes along as a header; in a browser, which can not, it is `?token=`."""

    def __init__(self, connection: http.client.HTTPConnection, path: str, token: str | None = None) -> None:
        key = base64.b64encode(os.urandom(16)).decode()
        headers = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Key": key}
        headers["Sec-WebSocket-Version"] = "13"
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        if answer.status != http.HTTPStatus.SWITCHING_PROTOCOLS:
            raise Closed(f"no WebSocket: {answer.status} {answer.read(500).decode(errors='replace')}")
        accept = base64.b64encode(hashlib.sha1((key + GUID).encode()).digest()).decode()
        if answer.headers.get("Sec-WebSocket-Accept") != accept:
            raise Closed("no WebSocket: the answer is to another question")
        sock = connection.sock
        if sock is None:
            raise Closed("no WebSocket: the connection was closed")
        self.socket: socket.socket = sock
        # Frames that came together with the answer are in its buffer, so they are read from it.
        self.answer = answer

    def send(self, message: Any) -> None:
        self._send(TEXT, json.dumps(message).encode())

    def receive(self, seconds: float) -> Any:
        """The next message. TimeoutError when none comes in time: the connection is of no use any more then."""
        end = time.monotonic() + seconds
        whole = b""
        while True:
            self.socket.settimeout(max(0.001, end - time.monotonic()))
            last, kind, data = self._frame()
            if kind == PING:
                self._send(PONG, data)
            elif kind == CLOSE:
                code = struct.unpack(">H", data[:2])[0] if len(data) >= 2 else 1005
                raise Closed(f"closed by the server: {code} {data[2:].decode(errors='replace')}".rstrip())
            elif kind != PONG:
                whole += data
                if len(whole) > LARGEST:
                    raise Closed("the message is too large")
                if last:
                    return json.loads(whole)

    def close(self) -> None:
        try:
            self._send(CLOSE, struct.pack(">H", 1000))
        except (OSError, Closed):
            pass  # it is closed, then
        self.socket.close()

    def _frame(self) -> tuple[bool, int, bytes]:
        first, second = self._exactly(2)
        length = second & 127
        if length == 126:
            (length,) = struct.unpack(">H", self._exactly(2))
        elif length == 127:
            (length,) = struct.unpack(">Q", self._exactly(8))
        if length > LARGEST:
            raise Closed("the frame is too large")
        return bool(first & 128), first & 15, self._exactly(length)

    def _exactly(self, count: int) -> bytes:
        try:
            data: bytes = self.answer.fp.read(count)
        except TimeoutError:
            raise
        except OSError as error:
            raise Closed(str(error)) from None
        if len(data) < count:
            raise Closed("the connection ended")
        return data

    def _send(self, kind: int, data: bytes) -> None:
        """One frame, masked, as everything that a client sends has to be."""
        mask = os.urandom(4)
        header = bytes([128 | kind])
        if len(data) < 126:
            header += bytes([128 | len(data)])
        elif len(data) < 1 << 16:
            header += bytes([128 | 126]) + struct.pack(">H", len(data))
        else:
            header += bytes([128 | 127]) + struct.pack(">Q", len(data))
        masked = bytes(byte ^ mask[place & 3] for place, byte in enumerate(data))
        try:
            self.socket.sendall(header + mask + masked)
        except OSError as error:
            raise Closed(str(error)) from None
