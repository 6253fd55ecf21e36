"""The part of a kubelet that gives logs: the API server asks it, as it would ask a real one.

Lines have times of their own; they may come while somebody follows, and connections may be cut at will.
"""

from __future__ import annotations

import datetime
import http.server
import pathlib
import ssl
import subprocess
import threading
import urllib.parse
from dataclasses import dataclass, field
from typing import Any

from .plane import Object, Plane

START = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)


@dataclass
class Log:
    lines: list[tuple[datetime.datetime, str]] = field(default_factory=list)
    ended: bool = False
    asked: list[dict[str, str]] = field(default_factory=list)  # queries, in order


class Kubelet:
    def __init__(self, plane: Plane, folder: pathlib.Path, name: str) -> None:
        self.plane, self.name = plane, name
        self.changed = threading.Condition()
        self.logs: dict[tuple[str, str], Log] = {}
        self.cuts = 0
        self.asked_in_all = 0
        certificate, key = folder / "kubelet.crt", folder / "kubelet.key"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", str(key), "-out", str(certificate)]
            + ["-days", "1", "-subj", "/CN=kubelet", "-addext", "subjectAltName=IP:127.0.0.1"],
            check=True,
            capture_output=True,
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            kubelet = self

            def do_GET(self) -> None:
                self.kubelet.serve(self)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        plane.call("POST", "/api/v1/nodes", {"metadata": {"name": name}})
        status = {
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": self.server.server_address[1]}},
        }
        plane.call("PATCH", f"/api/v1/nodes/{name}/status", {"status": status})

    def stop(self) -> None:
        self.cut()
        self.server.shutdown()
        self.server.server_close()
        self.plane.call("DELETE", f"/api/v1/nodes/{self.name}")

    # ---- what the test does ----

    def log(self, pod: str, container: str) -> Log:
        return self.logs.setdefault((pod, container), Log())

    def say(self, pod: str, container: str, *texts: str, seconds: float = 0.001) -> None:
        """Each line so long after the one before it."""
        with self.changed:
            log = self.log(pod, container)
            for text in texts:
                last = log.lines[-1][0] if log.lines else START
                log.lines.append((last + datetime.timedelta(seconds=seconds), text))
            self.changed.notify_all()

    def end(self, pod: str, container: str) -> None:
        with self.changed:
            self.log(pod, container).ended = True
            self.changed.notify_all()

    def cut(self) -> None:
        """Breaks off every answer under way."""
        with self.changed:
            self.cuts += 1
            self.changed.notify_all()

    # ---- what the API server gets ----

    def serve(self, request: http.server.BaseHTTPRequestHandler) -> None:
        url = urllib.parse.urlparse(request.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        parts = url.path.split("/")
        if len(parts) != 5 or parts[1] != "containerLogs":
            request.send_error(404)
            return
        with self.changed:
            log, cuts = self.log(parts[3], parts[4]), self.cuts
            log.asked.append(query)
        since = datetime.datetime.fromisoformat(query["sinceTime"]) if "sinceTime" in query else START
        request.send_response(200)
        request.send_header("Content-Type", "text/plain")
        request.send_header("Transfer-Encoding", "chunked")
        request.end_headers()
        sent = 0
        try:
            while True:
                with self.changed:
                    if self.cuts != cuts:
                        request.close_connection = True
                        return  # without the last chunk
                    if sent == len(log.lines):
                        if log.ended or "follow" not in query:
                            break
                        self.changed.wait(0.2)
                        continue
                    lines, sent = log.lines[sent:], len(log.lines)
                self.send(request, [line for line in lines if line[0] >= since])
            request.wfile.write(b"0\r\n\r\n")
        except OSError:
            request.close_connection = True

    @staticmethod
    def send(request: http.server.BaseHTTPRequestHandler, lines: list[tuple[datetime.datetime, str]]) -> None:
        text = "".join(f"{at.strftime('%Y-%m-%dT%H:%M:%S.%f')}000Z {line}\n" for at, line in lines).encode()
        for start in range(0, len(text), 7000):  # not at the ends of lines
            part = text[start : start + 7000]
            request.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
        request.wfile.flush()


def pod_of(job: str, component: str, submission: Object, node: str, containers: list[str]) -> Object:
    """As the controller's Job makes it; all but the last container come before it."""
    one = [{"name": name, "image": "registry.example/x:1"} for name in containers]
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": job, "uid": submission["metadata"]["uid"]}
    return {
        "metadata": {
            "name": f"{job}-x7k2p",
            "labels": {"rl-arena.io/component": component, "rl-arena.io/submission": submission["metadata"]["name"]},
            "ownerReferences": [{**owner, "controller": True}],
        },
        "spec": {"nodeName": node, "restartPolicy": "Never", "initContainers": one[:-1], "containers": one[-1:]},
    }


def state_of(running: bool) -> Object:
    at = "2026-01-02T03:04:05Z"
    ended = {"exitCode": 0, "startedAt": at, "finishedAt": at}
    return {"running": {"startedAt": at}} if running else {"terminated": ended}


__all__ = ["Kubelet", "pod_of", "state_of"]
