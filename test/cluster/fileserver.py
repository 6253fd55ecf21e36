"""Serves what build Pods fetch: a Python package index, archives and git repositories.

Two plain HTTP servers in one process:
- the index port answers PEP 503 ("simple") pages made from a folder of wheels;
- the files port serves a folder, and hands paths below NAME.git to git's own
  http-backend, so that clones speak the smart protocol.
"""

from __future__ import annotations

import argparse
import hashlib
import html
import os
import re
import shutil
import subprocess
import threading
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

GIT_REQUEST_LIMIT = 16 * 1024 * 1024


def normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


class Index(BaseHTTPRequestHandler):
    """PEP 503: /simple/, /simple/NAME/ and /wheels/FILE."""

    protocol_version = "HTTP/1.1"

    def __init__(self, *args, wheels: Path, **kwargs):
        self.wheels = wheels
        super().__init__(*args, **kwargs)

    def do_GET(self) -> None:
        parts = [part for part in unquote(urlsplit(self.path).path).split("/") if part]
        files = sorted(self.wheels.glob("*.whl"))
        if parts == ["simple"]:
            names = sorted({normalized(file.name.split("-")[0]) for file in files})
            self.page("".join(f'<a href="{name}/">{name}</a>\n' for name in names))
        elif len(parts) == 2 and parts[0] == "simple":
            wanted = [file for file in files if normalized(file.name.split("-")[0]) == normalized(parts[1])]
            if wanted:
                self.page("".join(self.link(file) for file in wanted))
            else:
                self.send_error(HTTPStatus.NOT_FOUND, "no such package in this index")
        elif len(parts) == 2 and parts[0] == "wheels" and self.wheels / parts[1] in files:
            self.answer((self.wheels / parts[1]).read_bytes(), "application/octet-stream")
        else:
            self.send_error(HTTPStatus.NOT_FOUND)

    do_HEAD = do_GET

    def link(self, file: Path) -> str:
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        name = html.escape(file.name)
        return f'<a href="../../wheels/{name}#sha256={digest}">{name}</a>\n'

    def page(self, body: str) -> None:
        self.answer(f"<!DOCTYPE html><html><body>\n{body}</body></html>\n".encode(), "text/html; charset=utf-8")

    def answer(self, content: bytes, content_type: str) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


class Files(SimpleHTTPRequestHandler):
    """A folder, and the git repositories in it."""

    def do_GET(self) -> None:
        if self.is_git():
            self.run_git(b"")
        else:
            super().do_GET()

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        if not self.is_git() or length > GIT_REQUEST_LIMIT:
            self.send_error(HTTPStatus.METHOD_NOT_ALLOWED)
        elif self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            self.run_git(self.read_chunks())
        else:
            self.run_git(self.rfile.read(length))

    def is_git(self) -> bool:
        return re.match(r"(/[A-Za-z0-9][A-Za-z0-9._-]*)*/[A-Za-z0-9][A-Za-z0-9._-]*\.git/", self.path) is not None

    def read_chunks(self) -> bytes:
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
            if len(body) > GIT_REQUEST_LIMIT:
                raise ValueError("the request is too large")
        self.rfile.readline()
        return body

    def run_git(self, body: bytes) -> None:
        address = urlsplit(self.path)
        environment = {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "GIT_PROJECT_ROOT": self.directory,
            "GIT_HTTP_EXPORT_ALL": "1",
            # The repositories may belong to another user than the server.
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "safe.directory",
            "GIT_CONFIG_VALUE_0": "*",
            "REQUEST_METHOD": self.command,
            "PATH_INFO": unquote(address.path),
            "QUERY_STRING": address.query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "HTTP_GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "REMOTE_ADDR": self.client_address[0],
        }
        git = shutil.which("git") or "git"
        done = subprocess.run([git, "http-backend"], input=body, env=environment, capture_output=True, check=False)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        fields = [line.split(": ", 1) for line in head.decode("latin-1").split("\r\n") if ": " in line]
        if done.returncode != 0 or not fields:
            self.log_error("git http-backend: %s", done.stderr.decode(errors="replace").strip())
            self.send_error(HTTPStatus.INTERNAL_SERVER_ERROR)
            return
        status = next((value for name, value in fields if name.lower() == "status"), "200")
        self.send_response(int(status.split()[0]))
        for name, value in fields:
            if name.lower() != "status":
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--address", required=True)
    parser.add_argument("--index-port", type=int, required=True)
    parser.add_argument("--wheels", type=Path, required=True)
    parser.add_argument("--files-port", type=int, required=True)
    parser.add_argument("--files", type=Path, required=True)
    options = parser.parse_args()
    index = ThreadingHTTPServer((options.address, options.index_port), partial(Index, wheels=options.wheels))
    files = ThreadingHTTPServer((options.address, options.files_port), partial(Files, directory=str(options.files)))
    threading.Thread(target=index.serve_forever, daemon=True).start()
    files.serve_forever()


if __name__ == "__main__":
    main()
