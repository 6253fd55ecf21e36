"""An API server that says what it is told as fast as it is read: what the mirror costs shows, not what etcd does."""

from __future__ import annotations

import http.server
import json
import pathlib
import queue
import threading
import urllib.parse
from collections.abc import Sequence
from typing import Any

NAMESPACE = "bench"
GROUP = "rl-arena.io/v1alpha1"
KINDS = {"agents": "Agent", "submissions": "Submission", "matches": "Match", "matchmakingqueues": "MatchmakingQueue"}
NOW = "2026-01-02T03:04:05Z"
EVENTS_A_PIECE = 100
Object = dict[str, Any]


def thing(kind: str, name: str, uid: str, version: int, spec: Object, status: Object) -> Object:
    return {
        "apiVersion": GROUP,
        "kind": KINDS[kind],
        "metadata": {
            "name": name,
            "namespace": NAMESPACE,
            "uid": uid,
            "resourceVersion": str(version),
            "creationTimestamp": NOW,
        },
        "spec": spec,
        "status": status,
    }


def event(what: str, body: Object) -> bytes:
    return json.dumps({"type": what, "object": body}).encode() + b"\n"


def end_of_list(kind: str) -> bytes:
    metadata = {"resourceVersion": "1", "annotations": {"k8s.io/initial-events-end": "true"}}
    return event("BOOKMARK", {"kind": KINDS[kind], "metadata": metadata})


class Feed:
    def __init__(self, queues: Sequence[Object]) -> None:
        self.pieces: dict[str, queue.Queue[bytes]] = {kind: queue.Queue() for kind in KINDS}
        self.items = {kind: list(queues) if kind == "matchmakingqueues" else [] for kind in KINDS}
        feed = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # a change waits for nothing

            def log_message(self, format: str, *args: Any) -> None:
                pass

            def answer(self, code: int, body: Object) -> None:
                text = json.dumps(body).encode()
                self.send_response(code)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def keep(self, code: int) -> None:
                """A lease, as it was sent."""
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                body["metadata"]["resourceVersion"] = "1"
                self.answer(code, body)

            def do_POST(self) -> None:
                self.keep(201)

            def do_PUT(self) -> None:
                self.keep(200)

            def do_GET(self) -> None:
                address = urllib.parse.urlsplit(self.path)
                kind = address.path.rsplit("/", 1)[1]
                if kind not in KINDS:
                    self.answer(404, {"kind": "Status", "status": "Failure", "code": 404, "reason": "NotFound"})
                elif "sendInitialEvents=true" in address.query:
                    told = [event("ADDED", item) for item in feed.items[kind]]
                    self.serve_watch(feed.pieces[kind], b"".join([*told, end_of_list(kind)]))
                else:
                    self.serve_watch(feed.pieces[kind])

            def serve_watch(self, pieces: queue.Queue[bytes], first: bytes = b"") -> None:
                self.send_response(200)
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                piece = first or pieces.get()
                while True:
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                    self.wfile.flush()
                    piece = pieces.get()

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def kubeconfig(self, path: pathlib.Path) -> pathlib.Path:
        path.write_text(
            "current-context: c\n"
            "contexts: [{name: c, context: {cluster: k, user: u}}]\n"
            f"clusters: [{{name: k, cluster: {{server: 'http://127.0.0.1:{self.server.server_address[1]}'}}}}]\n"
            "users: [{name: u, user: {token: of-the-bench}}]\n"
        )
        return path

    def prepare(self, word: str, things: Sequence[Object]) -> list[bytes]:
        """Events, a number of them in each piece."""
        lines = [event(word, one) for one in things]
        return [b"".join(lines[i : i + EVENTS_A_PIECE]) for i in range(0, len(lines), EVENTS_A_PIECE)]

    def send(self, kind: str, pieces: Sequence[bytes]) -> None:
        for piece in pieces:
            self.pieces[kind].put(piece)

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
