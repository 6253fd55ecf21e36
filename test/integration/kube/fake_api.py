"""An API server that misbehaves on request: lists and watches of ConfigMaps, by script.

With `streams` a list is told as the beginning of a watch, as newer API servers do; without, such a request is refused,
and the list comes in pages."""

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


def bookmark(version: int, **annotations: str) -> bytes:
    metadata = {"resourceVersion": str(version), "annotations": annotations}
    return event("BOOKMARK", {"kind": "ConfigMap", "metadata": metadata})


def end_of_list(version: int) -> bytes:
    return bookmark(version, **{"k8s.io/initial-events-end": "true"})


Query = dict[str, str]
# What a list is answered with: a body, or a status code, a body and headers.
Answer = dict[str, Any] | bytes | tuple[int, dict[str, Any], dict[str, str]]


# An answer to a list that is told piece by piece: the test sends it, as it does what a watch tells.
BY_HAND = b"by hand"


class Watch:
    """A watch that the test answers: bytes, then an end."""

    def __init__(self, query: Query, version: int, begun: bool = False) -> None:
        self.query = query
        self.version = version
        self.begun = begun  # answered with 200
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
    def __init__(self, streams: bool) -> None:
        self.streams = streams
        self.streams_refused = 0
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
                    if query.get("sendInitialEvents") == "true":
                        self.serve_stream(query)
                    elif query.get("watch") == "true":
                        self.serve_watch(Watch(query, int(query["resourceVersion"])))
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

            def serve_stream(self, query: Query) -> None:
                if not fake.streams:
                    fake.streams_refused += 1
                    self.answer((422, status(422, "Invalid", "sendInitialEvents: Forbidden"), {}))
                    return
                fake.lists.append(query)
                answer = fake.on_list(query)
                if isinstance(answer, tuple):
                    self.answer(answer)
                    return
                self.begin_chunks()
                if answer == BY_HAND:
                    self.serve_watch(Watch(query, 0, begun=True))
                elif isinstance(answer, bytes):
                    self.chunk(answer)
                    self.chunk(b"")
                else:
                    version = int(answer["metadata"]["resourceVersion"])
                    told = [event("ADDED", item) for item in answer["items"]]
                    self.chunk(b"".join([*told, end_of_list(version)]))
                    self.serve_watch(Watch(query, version, begun=True))

            def begin_chunks(self) -> None:
                self.send_response(200)
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()

            def chunk(self, piece: bytes) -> None:
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                self.wfile.flush()

            def serve_watch(self, watch: Watch) -> None:
                fake.watches.put(watch)
                while True:
                    piece = watch.pieces.get()
                    if isinstance(piece, tuple) and not watch.begun:
                        self.answer((piece[0], piece[1], {}))
                        return
                    if not watch.begun:
                        self.begin_chunks()
                        watch.begun = True
                    if isinstance(piece, tuple):
                        self.chunk(event("ERROR", piece[1]))
                        piece = None
                    self.chunk(piece or b"")
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
