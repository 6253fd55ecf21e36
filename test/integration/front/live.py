"""WebSockets as a client has them: frames as they come, looked for by what they say."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

Frame = dict[str, Any]
LIMIT = 60.0


def says(frame: Frame, kind: str, payload: dict[str, Any]) -> bool:
    """Whether it is of that type and has these fields."""
    return bool(frame["type"] == kind and payload.items() <= frame["payload"].items())


class Live:
    """One connection; a thread reads it, so that nothing here is a slow reader by accident."""

    def __init__(self, url: str, token: str | None = None, since: int | None = None, **options: Any) -> None:
        query = [f"{key}={value}" for key, value in (("token", token), ("since", since)) if value is not None]
        address = url.replace("http", "ws", 1) + "/api/v1/ws" + ("?" + "&".join(query) if query else "")
        self.stack = contextlib.ExitStack()
        self.socket: ClientConnection = self.stack.enter_context(
            connect(address, proxy=None, open_timeout=LIMIT, **options)
        )
        self.changed = threading.Condition()
        self.frames: list[Frame] = []
        self.code: int | None = None
        self.reason = ""
        self.taken = 0
        threading.Thread(target=self.read, daemon=True).start()

    def read(self) -> None:
        try:
            for text in self.socket:
                with self.changed:
                    self.frames.append(json.loads(text))
                    self.changed.notify_all()
        except ConnectionClosed:
            pass
        with self.changed:
            self.code = self.socket.protocol.close_code
            self.reason = self.socket.protocol.close_reason or ""
            self.changed.notify_all()

    def say(self, **message: Any) -> None:
        self.socket.send(json.dumps(message))

    def wait(self, what: str, look: Callable[[], Any], seconds: float = LIMIT) -> Any:
        end = time.monotonic() + seconds
        with self.changed:
            while not (value := look()):
                left = end - time.monotonic()
                assert left > 0, f"gave up waiting for {what}: {self.frames[-10:]} closed: {self.code}"
                self.changed.wait(left)
            return value

    def expect(self, kind: str, **payload: Any) -> Frame:
        """The next frame of that type with these fields; those before it are passed over."""

        def look() -> Frame | None:
            while self.taken < len(self.frames):
                frame = self.frames[self.taken]
                self.taken += 1
                if says(frame, kind, payload):
                    return frame
            assert self.code is None, f"closed with {self.code} {self.reason}"
            return None

        found: Frame = self.wait(f"{kind} {payload}", look)
        return found

    def heard(self, kind: str, **payload: Any) -> Frame:
        """A frame of that type with these fields, whenever it came or comes."""

        def look() -> Frame | None:
            frame = next((one for one in self.frames if says(one, kind, payload)), None)
            assert frame or self.code is None, f"closed with {self.code} {self.reason}"
            return frame

        found: Frame = self.wait(f"{kind} {payload}", look)
        return found

    def subscribe(self, *topics: str, **more: Any) -> None:
        self.say(type="subscribe", topics=list(topics), **more)
        assert self.expect("subscribed")["payload"]["topics"] == list(topics)

    def closed(self, seconds: float = LIMIT) -> int:
        code: int = self.wait("the end", lambda: self.code, seconds)
        return code

    def now(self, kind: str | None = None) -> list[Frame]:
        """What has come so far, after a round trip."""
        before = len(self.frames)
        self.say(type="ping")
        self.wait("pong", lambda: any(f["type"] == "pong" for f in self.frames[before:]))
        with self.changed:
            return [f for f in self.frames if kind is None or f["type"] == kind]

    def last_id(self) -> int:
        return max(int(f["id"]) for f in self.now() if "id" in f)

    def close(self) -> None:
        self.stack.close()


@contextlib.contextmanager
def live(url: str, token: str | None = None, since: int | None = None, **options: Any) -> Iterator[Live]:
    one = Live(url, token, since, **options)
    try:
        yield one
    finally:
        one.close()
