"""The front as its users see it: the example's client, and what tests need beside it."""

from __future__ import annotations

import gzip
import http.client
import os
import secrets
import subprocess
import sys
import threading
import time
from typing import Any

import cluster
import pytest
from cluster import Object

sys.path.insert(0, str(cluster.ROOT / "examples" / "client"))
from client import Front, Refused  # noqa: E402 - the example is what is tested here
from websocket import Closed, WebSocket  # noqa: E402

__all__ = ["Closed", "Events", "Front", "Refused", "WebSocket", "address", "fetch", "replay", "until"]


def address() -> str:
    """$ARENA_FRONT_URL for a cluster of one's own, else the embedded one's."""
    given = os.environ.get("ARENA_FRONT_URL")
    if given:
        return given.rstrip("/")
    done = subprocess.run([cluster.ROOT / "arena", "url"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def signed_in(name: str) -> tuple[Front, str]:
    """A new user; the password is known to this test alone."""
    front, password = Front(address()), secrets.token_urlsafe(16)
    front.sign_in(name, f"{name}@example.com", password)
    return front, password


def fetch(front: Front, path: str) -> tuple[int, http.client.HTTPMessage, bytes]:
    """GET of what is no JSON object."""
    connection = front.connection()
    headers = {"Authorization": f"Bearer {front.token}"} if front.token else {}
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    return answer.status, answer.headers, answer.read()


def replay(match_id: str, form: str) -> str:
    """A replay as text. As any client does, this one waits when it has asked for too many, and when nobody answers:
    a kubelet that was started anew calls a Pod ready once it has asked it, and until then no Service leads there.
    """
    anyone = Front(address())

    def answer() -> tuple[int, http.client.HTTPMessage, bytes]:
        return fetch(anyone, f"/api/v1/matches/{match_id}/replay?format={form}")

    while True:
        code, headers, content = until(answer, f"an answer about the replay of {match_id}", 60)
        if code != http.HTTPStatus.TOO_MANY_REQUESTS:
            break
        time.sleep(int(headers["Retry-After"]))
    assert code == http.HTTPStatus.OK, f"{code}: {content[:300]!r}"
    return (gzip.decompress(content) if headers.get("Content-Encoding") == "gzip" else content).decode()


def until(check: Any, what: str, seconds: float = 120) -> Any:
    """What `check` gives once it is true; refusals and broken connections count as not yet."""
    end, trouble = time.monotonic() + seconds, ""
    while True:
        try:
            found = check()
            if found:
                return found
        except (Refused, OSError, http.client.HTTPException) as error:
            trouble = str(error)
        if time.monotonic() > end:
            log = cluster.attempt("logs", "deployment/api-server", "--tail=30", namespace=cluster.SYSTEM)
            pytest.fail(f"not within {seconds:.0f} s: {what} {trouble}\n{log}", pytrace=False)
        time.sleep(2)


class Events:
    """All that one connection hears from now on, in its order."""

    def __init__(self, front: Front, topics: list[str]) -> None:
        self.heard: list[Object] = []
        self.why = ""
        self.socket = WebSocket(front.connection(), "/api/v1/ws", front.token)
        if topics:
            self.socket.send({"type": "subscribe", "topics": topics})
        self.thread = threading.Thread(target=self._listen, daemon=True)
        self.thread.start()

    def _listen(self) -> None:
        try:
            while True:
                self.heard.append(self.socket.receive(3600))
        except (Closed, OSError, ValueError) as error:
            self.why = str(error)

    def of(self, kind: str, **wanted: Any) -> list[Object]:
        """Payloads of one type whose fields are as wanted."""
        found = [one["payload"] for one in list(self.heard) if one["type"] == kind]
        return [one for one in found if all(one.get(key) == value for key, value in wanted.items())]

    def close(self) -> None:
        self.socket.close()
        self.thread.join(5)
