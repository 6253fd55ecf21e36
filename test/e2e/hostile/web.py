"""Serves what no fetch should take: web.py ADDRESS; prints its port."""

from __future__ import annotations

import gzip
import io
import sys
import tarfile
import zipfile
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MIB = 1 << 20
REDIRECTS = {
    "/to-api-server": "https://10.96.0.1/api/v1/namespaces/rl-arena/secrets",
    "/to-metadata": "http://169.254.169.254/latest/meta-data/",
    "/to-loopback": "http://localhost:10248/healthz",
    "/to-itself": "/to-itself",
}


def packed(*members: tarfile.TarInfo) -> bytes:
    """The same bytes whenever it is made: the tests and the server make it each for itself."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for member in members:
            archive.addfile(member, io.BytesIO(b"#" * member.size))
    return gzip.compress(out.getvalue(), mtime=0)


def member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname, made.size = kind, target, 1 if kind == tarfile.REGTYPE else 0
    return made


def bomb() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr(zipfile.ZipInfo("agent.py"), "#")
        zeros = zipfile.ZipInfo("zeros")
        zeros.compress_type = zipfile.ZIP_DEFLATED
        with archive.open(zeros, "w") as file:
            for _ in range(200):
                file.write(bytes(MIB))
    return out.getvalue()


ARCHIVES: dict[str, Callable[[], bytes]] = {
    "/bomb.zip": bomb,
    "/above.tar.gz": lambda: packed(member("agent.py"), member("../../kaniko/executor")),
    "/absolute.tar.gz": lambda: packed(member("agent.py"), member("/etc/passwd")),
    "/link.tar.gz": lambda: packed(
        member("agent.py"), member("weights", tarfile.SYMTYPE, "/kaniko/.docker/config.json")
    ),
    "/hard.tar.gz": lambda: packed(member("agent.py"), member("weights", tarfile.LNKTYPE, "/etc/shadow")),
    "/device.tar.gz": lambda: packed(member("agent.py"), member("disk", tarfile.BLKTYPE)),
}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path in REDIRECTS:
            self.send_response(302)
            self.send_header("Location", REDIRECTS[self.path])
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        content = made.get(self.path, b"half of it")
        self.send_response(200)
        self.send_header("Content-Length", str(len(content) * (1 if self.path in made else 2)))
        self.end_headers()
        self.wfile.write(content)


made = {path: make() for path, make in ARCHIVES.items()}

if __name__ == "__main__":
    server = ThreadingHTTPServer((sys.argv[1], 0), Handler)
    print(server.server_port, flush=True)
    server.serve_forever()
