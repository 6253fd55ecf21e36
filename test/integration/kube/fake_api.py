"""An API server that misbehaves on request: lists and watches of ConfigMaps, by script."""

from __future__ import annotations

import http.server
import json
import queue
import threading
import urllib.parse
from collections.abc import Callable
from typing import Any


def thing(name: str, version: int, value: str = "x") -> dict[str, Any]:
    metadata = {"namespace": "n", "name": name, "uid": f"u-{name}", "resourceVersion": str(version)}
    return {"kind": "ConfigMap", "apiVersion": "v1", "metadata": metadata, "data": {"value": value}}


def listing(version: int, *items: dict[str, Any], token: str = "") -> dict[str, Any]:
    return {"metadata": {"resourceVersion": str(version), "continue": token}, "items": list(items)}


def status(code: int, reason: str, message: str = "no") -> dict[str, Any]:
    return {"kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": message}


def event(kind: str, body: dict[str, Any]) -> bytes:
    return json.dumps({"type": kind, "object": body}).encode() + b"\n"


def bookmark(version: int) -> bytes:
    return event("BOOKMARK", {"kind": "ConfigMap", "metadata": {"resourceVersion": str(version)}})


Query = dict[str, str]
# What a list is answered with: a body, or a status code, a body and headers.
Answer = dict[str, Any] | bytes | tuple[int, dict[str, Any], dict[str, str]]


class Watch:
    """A watch that the test answers: bytes, then an end."""

    def __init__(self, query: Query) -> None:
        self.query = query
        self.version = int(query["resourceVersion"])
        self.pieces: queue.Queue[bytes | None | tuple[int, dict[str, Any]]] = queue.Queue()

    def send(self, *pieces: bytes) -> Watch:
        for piece in pieces:
            self.pieces.put(piece)
        return self

    def end(self) -> None:
        self.pieces.put(None)

    def refuse(self, code: int, body: dict[str, Any]) -> None:
        self.pieces.put((code, body))


class FakeApi:
    def __init__(self) -> None:
        self.lists: list[Query] = []
        self.on_list: Callable[[Query], Answer] = lambda query: listing(10)
        self.watches: queue.Queue[Watch] = queue.Queue()
        fake = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, format: str, *args: Any) -> None:
                pass

            def do_GET(self) -> None:
                query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query))
                try:
                    if query.get("watch") == "true":
                        self.serve_watch(Watch(query))
                    else:
                        fake.lists.append(query)
                        self.answer(fake.on_list(query))
                except OSError:
                    self.close_connection = True

            def answer(self, answer: Answer) -> None:
                code, body, headers = answer if isinstance(answer, tuple) else (200, answer, {})
                text = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(code)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def serve_watch(self, watch: Watch) -> None:
                fake.watches.put(watch)
                started = False
                while True:
                    piece = watch.pieces.get()
                    if isinstance(piece, tuple):
                        self.answer((piece[0], piece[1], {}))
                        return
                    if not started:
                        self.send_response(200)
                        self.send_header("Transfer-Encoding", "chunked")
                        self.end_headers()
                        started = True
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(piece or b""), piece or b""))
                    self.wfile.flush()
                    if not piece:
                        return

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def next_watch(self) -> Watch:
        return self.watches.get(timeout=60)

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
