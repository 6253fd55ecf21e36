"""What fetch's tests share: the program itself, and servers on loopback that behave as they are told.

The program is $ARENA_FETCH, otherwise the newest one below build/. Nothing outside of loopback is reached.
"""

from __future__ import annotations

import hashlib
import http.server
import json
import os
import pathlib
import re
import shutil
import socketserver
import subprocess
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from typing import Any

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[3]
LOOPBACK = "127.0.0.0/8"
RUNTIME = "registry.example/agent-runtime:1"


class Result:
    """One run: how it ended, what it left."""

    def __init__(self, code: int, stdout: str, stderr: str, message: pathlib.Path, workspace: pathlib.Path) -> None:
        self.code = code
        self.stdout = stdout
        self.stderr = stderr
        self.workspace = workspace
        self.fault: dict[str, str] = json.loads(message.read_text()) if message.exists() else {}

    @property
    def reason(self) -> str:
        return self.fault.get("reason", "")

    @property
    def message(self) -> str:
        return self.fault.get("message", "")

    @property
    def context(self) -> pathlib.Path:
        return self.workspace / "context"

    @property
    def dockerfile(self) -> str:
        return (self.workspace / "Dockerfile").read_text()

    def files(self) -> dict[str, bytes]:
        """Regular files of the context by name."""
        found = {}
        for path in sorted(self.context.rglob("*")):
            if path.is_file() and not path.is_symlink():
                found[str(path.relative_to(self.context))] = path.read_bytes()
        return found

    def assert_done(self) -> None:
        assert self.code == 0, self.stderr
        assert not self.fault

    def assert_refused(self, reason: str, code: int = 10) -> None:
        """Ends as told, says why in the message file and on stderr, and leaves nothing behind."""
        assert (self.code, self.reason) == (code, reason), (self.code, self.fault, self.stderr, self.stdout)
        assert json.loads(self.stderr.splitlines()[-1]) == self.fault
        assert len(self.message) > 30 and self.message.endswith("."), self.message
        assert not self.context.exists()
        assert list(self.workspace.iterdir()) == []


def program() -> str:
    if os.environ.get("ARENA_FETCH"):
        return os.environ["ARENA_FETCH"]
    built = sorted(ROOT.glob("build/*/fetch/fetch"), key=lambda path: path.stat().st_mtime)
    if not built:
        pytest.fail("fetch is not built: meson setup build/gcc && ninja -C build/gcc", pytrace=False)
    return str(built[-1])


class Fetch:
    def __init__(self, folder: pathlib.Path) -> None:
        self.program = program()
        self.folder = folder
        self.runs = 0

    def __call__(self, *arguments: str, allow: str | None = LOOPBACK, env: dict[str, str] | None = None) -> Result:
        self.runs += 1
        workspace = self.folder / f"workspace-{self.runs}"
        workspace.mkdir()
        message = self.folder / f"message-{self.runs}"
        command = [self.program, *arguments, "--message-file", str(message)]
        if arguments[0] != "report":
            command += ["--to", str(workspace)]
            if "--runtime-image" not in arguments:
                command += ["--runtime-image", RUNTIME]
        if allow and arguments[0] != "report":
            command += ["--allow-cidr", allow]
        # As in the image: no locale, nothing of the tester's environment but what sanitizers need.
        clean = {name: value for name, value in os.environ.items() if name.endswith("SAN_OPTIONS")}
        done = subprocess.run(command, env=clean | (env or {}), capture_output=True, timeout=120, check=False)
        return Result(done.returncode, done.stdout.decode(), done.stderr.decode(), message, workspace)

    def archive(self, url: str, content: bytes, kind: str, *more: str, **options: Any) -> Result:
        digest = hashlib.sha256(content).hexdigest()
        return self("archive", "--url", url, "--sha256", digest, "--format", kind, *more, **options)

    def git(self, url: str, ref: str, *more: str, **options: Any) -> Result:
        return self("git", "--url", url, "--ref", ref, *more, **options)


@pytest.fixture
def fetch(tmp_path: pathlib.Path) -> Fetch:
    return Fetch(tmp_path)


Route = Callable[["Handler"], None]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        path = urllib.parse.urlsplit(self.path).path
        self.server.requests.append((self.command, self.path, dict(self.headers)))
        route = self.server.routes.get(path)
        if route:
            route(self)
        elif self.server.repositories and re.match(r"/[\w.-]+\.git/", path):
            self.run_git()
        else:
            self.answer(404, b"nothing here")

    do_POST = do_GET

    def answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def run_git(self) -> None:
        """git's own server side."""
        url = urllib.parse.urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        environment = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(self.server.repositories),
            "GIT_HTTP_EXPORT_ALL": "1",
            "REQUEST_METHOD": self.command,
            "PATH_INFO": urllib.parse.unquote(url.path),
            "QUERY_STRING": url.query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "REMOTE_ADDR": self.client_address[0],
        } | self.server.git_environment
        git = shutil.which("git") or "git"
        done = subprocess.run([git, "http-backend"], input=body, env=environment, capture_output=True, check=False)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode("latin-1").split("\r\n") if ": " in line)
        self.answer(int(fields.pop("Status", "200").split()[0]), content, **fields)

    def log_message(self, *_: Any) -> None:
        pass


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.routes: dict[str, Route] = {}
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.repositories: pathlib.Path | None = None
        self.git_environment: dict[str, str] = {}
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, *_: Any) -> None:
        """A client that leaves is what these tests are about."""

    def serve(self, path: str, body: bytes) -> str:
        self.routes[path] = lambda handler: handler.answer(200, body)
        return self.url + path

    def redirect(self, path: str, target: str, status: int = 302) -> str:
        self.routes[path] = lambda handler: handler.answer(status, b"moved", Location=target)
        return self.url + path


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()
