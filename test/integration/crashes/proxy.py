"""The way between a controller and the API server: it can be cut, be slow to tell, answer from the past,
refuse, and it remembers who wrote what when.

Controllers speak plain HTTP/1.1 to it, it speaks to the API server over kept TLS connections.
"""

from __future__ import annotations

import http.client
import http.server
import json
import re
import socket
import threading
import time
import urllib.parse
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from control_plane import TOKEN

from .api import Api

KIND = re.compile(r"/namespaces/[^/]+/([a-z]+)")
POLL = 0.05


@dataclass
class Request:
    """One that has gone through, or was answered by the proxy itself."""

    method: str
    path: str
    code: int
    began: float
    ended: float
    body: bytes = field(repr=False, default=b"")

    @property
    def kind(self) -> str:
        found = KIND.search(self.path)
        return found[1] if found else ""

    @property
    def is_write(self) -> bool:
        return self.method != "GET"


Answer = tuple[int, dict[str, str], dict[str, Any]]
# What to answer instead of asking the API server; None: ask it. Watches that begin with no list are not asked about.
Refuse = Callable[[str, str], Answer | None]


def failure(code: int, reason: str, **headers: str) -> Answer:
    body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": "no"}
    return code, {name.replace("_", "-"): value for name, value in headers.items()}, body


class Proxy:
    def __init__(self, api: Api) -> None:
        self.api = api
        self.open = True  # False: connections are refused
        self.watches_open = True  # False: watches are refused, everything else goes through
        self.silent = False  # True: nothing gets through, and nobody is told
        self.lag: dict[str, float] = {}  # seconds that a watch of the kind is behind; "" for all kinds
        self.past: float = 0.0  # seconds by which lists are old
        self.refuse: Refuse = lambda method, path: None
        self.lose_answer: Callable[[str, str], bool] = lambda method, path: False  # done, and nobody is told
        self.requests: list[Request] = []
        self.sockets: set[socket.socket] = set()
        self.watches: dict[int, tuple[str, socket.socket, deque[tuple[float, bytes]]]] = {}
        self.lock = threading.Lock()
        self.versions: deque[tuple[float, str]] = deque(maxlen=2000)
        self.closed = False
        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.proxy = self
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    # ---- what a test does to it

    def cut(self) -> None:
        """Ends every connection."""
        with self.lock:
            sockets, self.sockets = self.sockets, set()
        for one in sockets:
            shut(one)

    def cut_watches(self, kind: str = "") -> None:
        with self.lock:
            chosen = [sock for name, sock, _ in self.watches.values() if kind in ("", name)]
        for one in chosen:
            shut(one)

    def end_watches(self, code: int, reason: str) -> None:
        """Every watch is told this in a last event, in the middle of what it tells."""
        line = json.dumps({"type": "ERROR", "object": failure(code, reason)[2]}).encode() + b"\n"
        with self.lock:
            for _, _, queue in self.watches.values():
                queue.append((0.0, line))

    def remember_versions(self) -> None:
        """From now on it can answer from the past."""

        def poll() -> None:
            while not self.closed:
                version = self.api.call("GET", "/api/v1/namespaces")["metadata"]["resourceVersion"]
                self.versions.append((time.monotonic(), version))
                time.sleep(POLL)

        threading.Thread(target=poll, daemon=True).start()

    def writes(self, *kinds: str) -> list[Request]:
        """That the API server took."""
        return [r for r in self.requests if r.is_write and r.code < 300 and (not kinds or r.kind in kinds)]

    def close(self) -> None:
        self.closed = True
        self.open = False
        self.server.shutdown()
        self.server.server_close()
        self.cut()

    # ---- for the handler

    def lag_of(self, kind: str) -> float:
        return self.lag.get(kind, self.lag.get("", 0.0))

    def version_of_the_past(self) -> str | None:
        then = time.monotonic() - self.past
        found = [version for at, version in list(self.versions) if at <= then]
        return found[-1] if found else None


def shut(one: socket.socket) -> None:
    try:
        one.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64
    proxy: Proxy

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # cut connections are what this is for


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def setup(self) -> None:
        self.proxy = self.server.proxy
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self.proxy.lock:
            self.proxy.sockets.add(self.connection)
        if not self.proxy.open:
            shut(self.connection)

    def finish(self) -> None:
        with self.proxy.lock:
            self.proxy.sockets.discard(self.connection)
        super().finish()

    def hold(self) -> None:
        """While the way is silent."""
        while self.proxy.silent and not self.proxy.closed:
            time.sleep(0.01)

    def do_GET(self) -> None:
        self.carry()

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

    def carry(self) -> None:
        began = time.monotonic()
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.hold()
        path, _, text = self.path.partition("?")
        query = dict(urllib.parse.parse_qsl(text))
        found = KIND.search(path)
        kind = found[1] if found else ""
        is_watch, is_list = query.get("watch") == "true", query.get("sendInitialEvents") == "true"
        refused = None if is_watch and not is_list else self.proxy.refuse(self.command, self.path)
        if is_list and self.proxy.past:
            refused = failure(422, "Invalid")  # no stream tells the past; pages do
        if is_watch and not refused:
            self.watch(kind)
            return
        target = self.path
        if self.command == "GET" and path.endswith(f"/{kind}") and self.proxy.past and "continue" not in query:
            version = self.proxy.version_of_the_past()
            if version:
                query |= {"resourceVersion": version, "resourceVersionMatch": "Exact"}
                target = f"{path}?{urllib.parse.urlencode(query)}"
        if refused:
            code, headers, content = refused
            answer = json.dumps(content).encode()
        else:
            code, headers, answer = self.ask(target, body)
        self.proxy.requests.append(Request(self.command, self.path, code, began, time.monotonic(), body))
        self.hold()
        if self.proxy.lose_answer(self.command, self.path):
            shut(self.connection)
            self.close_connection = True
            return
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def headers_on(self) -> dict[str, str]:
        kept = {name: self.headers[name] for name in ("Content-Type", "Accept") if self.headers[name]}
        return {**kept, "Authorization": f"Bearer {TOKEN}"}

    def ask(self, target: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
        connection = getattr(self, "upstream", None)
        if connection is None:
            connection = self.upstream = self.proxy.api.connect(60)
        connection.request(self.command, target, body or None, self.headers_on())
        answer = connection.getresponse()
        content = answer.read()
        names = ("Content-Type", "Retry-After")
        return answer.status, {name: answer.headers[name] for name in names if answer.headers[name]}, content

    # ---- watches

    def watch(self, kind: str) -> None:
        self.close_connection = True
        if not self.proxy.watches_open:
            return
        upstream = self.proxy.api.connect(None)
        upstream.request("GET", self.path, None, self.headers_on())
        answer = upstream.getresponse()
        queue: deque[tuple[float, bytes]] = deque()
        ended = threading.Event()
        threading.Thread(target=self.read_watch, args=(answer, kind, queue, ended), daemon=True).start()
        key = id(self)
        with self.proxy.lock:
            self.proxy.watches[key] = (kind, self.connection, queue)
        try:
            if not self.proxy.watches_open:  # since it was asked: the others were cut meanwhile
                return
            self.send_response(answer.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.tell(queue, ended)
        finally:
            with self.proxy.lock:
                self.proxy.watches.pop(key, None)
            if upstream.sock:
                shut(upstream.sock)
            upstream.close()

    def read_watch(
        self, answer: http.client.HTTPResponse, kind: str, queue: deque[tuple[float, bytes]], ended: threading.Event
    ) -> None:
        try:
            for line in answer:
                queue.append((time.monotonic() + self.proxy.lag_of(kind), line))
        except (OSError, http.client.HTTPException, ValueError, AttributeError):
            pass
        ended.set()

    def tell(self, queue: deque[tuple[float, bytes]], ended: threading.Event) -> None:
        while True:
            self.hold()
            if queue and queue[0][0] <= time.monotonic():
                _, line = queue.popleft()
                self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
                self.wfile.flush()
            elif ended.is_set() and not queue:
                self.wfile.write(b"0\r\n\r\n")
                return
            else:
                # Notices a controller that has gone.
                self.connection.settimeout(0.005)
                try:
                    if self.connection.recv(1, socket.MSG_PEEK) == b"":
                        return
                except TimeoutError:
                    pass
                finally:
                    self.connection.settimeout(None)
