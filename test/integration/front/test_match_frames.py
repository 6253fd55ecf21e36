"""Frames of running matches: from the executor, only while somebody watches."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from concurrent import futures
from typing import Any

import grpc  # type: ignore[import-untyped]
import pytest

from .live import live
from .plane import Plane, wait_until
from .postgres import Postgres
from .server import ApiServer

StartServer = Callable[..., ApiServer]


def varint(n: int) -> bytes:
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def frame(step: int, **fields: Any) -> bytes:
    """executor.Frame"""
    text = json.dumps({"step": step, **fields}).encode()
    return b"\x08" + varint(step) + b"\x12" + varint(len(text)) + text


TOKEN = "what-the-executor-asks-everybody-for"


class Executor(grpc.GenericRpcHandler):  # type: ignore[misc]
    """StreamFrames of a match whose frames the test says."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.frames: dict[str, list[bytes]] = {}
        self.over: set[str] = set()
        self.calls = self.refused = self.left = 0
        self.server = grpc.server(futures.ThreadPoolExecutor(16))
        self.server.add_generic_rpc_handlers((self,))
        self.port = self.server.add_insecure_port("127.0.0.1:0")
        self.server.start()

    def settings(self) -> dict[str, str]:
        return {"EXECUTOR_URL": f"http://127.0.0.1:{self.port}", "EXECUTOR_TOKEN": TOKEN}

    def service(self, details: grpc.HandlerCallDetails) -> Any:
        assert details.method == "/executor.Executor/StreamFrames"
        assert ("authorization", f"Bearer {TOKEN}") in details.invocation_metadata
        return grpc.unary_stream_rpc_method_handler(self.stream)

    def stream(self, request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        match = request[2:].decode()
        with self.changed:
            self.calls += 1
            if match not in self.frames:
                self.refused += 1
                context.abort(grpc.StatusCode.NOT_FOUND, "that match is not running here")
        context.add_callback(self.gone)
        sent = 0
        while context.is_active():
            with self.changed:
                if sent == len(self.frames[match]):
                    if match in self.over:
                        return
                    self.changed.wait(0.2)
                    continue
                frames, sent = self.frames[match][sent:], len(self.frames[match])
            yield from frames

    def gone(self) -> None:
        with self.changed:
            self.left += 1

    def play(self, match: str, *frames: bytes) -> None:
        with self.changed:
            self.frames.setdefault(match, []).extend(frames)
            self.changed.notify_all()

    def end(self, match: str) -> None:
        with self.changed:
            self.over.add(match)
            self.changed.notify_all()


@pytest.fixture
def executor() -> Iterator[Executor]:
    one = Executor()
    yield one
    one.server.stop(None).wait()


def test_frames_while_somebody_watches(
    executor: Executor, plane: Plane, postgres: Postgres, start_server: StartServer
) -> None:
    namespace = plane.namespace()
    for name in ("alpha", "beta"):
        namespace.agent(name, name)
    server = start_server(postgres.database(), namespace, **executor.settings())
    sides = [{"agent": "alpha"}, {"agent": "beta"}]
    made = namespace.create("matches", "m-1", {"environment": "pong", "participants": sides})
    match = made["metadata"]["uid"]
    wait_until("it is mirrored", lambda: server.client().get(f"/matches/{match}").status_code == 200)
    watcher = server.register()
    with live(server.url, watcher.token) as ws, live(server.url, watcher.token) as other:
        ws.subscribe(f"match:{match}")
        wait_until("it has asked", lambda: executor.refused >= 1)
        executor.play(match, frame(0, info={"score": [0, 0]}), frame(1))
        namespace.status("matches", "m-1", {"phase": "Running", "attempt": 1, "startTime": "2026-01-02T03:04:05Z"})
        first = ws.expect("match_frame")
        assert first["payload"] == {"matchId": match, "step": 0, "info": {"score": [0, 0]}}
        assert "id" not in first
        assert ws.expect("match_frame")["payload"]["step"] == 1
        executor.play(match, frame(2))
        assert ws.expect("match_frame")["payload"]["step"] == 2
        assert other.now("match_frame") == []
        # The second watcher shares the call, and sees what comes from then on.
        calls = executor.calls
        other.subscribe(f"match:{match}")
        executor.play(match, frame(3))
        assert other.expect("match_frame")["payload"]["step"] == 3
        assert executor.calls == calls
        # Nobody watches: the executor is left alone.
        left = executor.left
        for each in (ws, other):
            each.say(type="unsubscribe", topics=[f"match:{match}"])
            each.expect("unsubscribed")
        wait_until("it has hung up", lambda: executor.left > left)
        ws.subscribe(f"match:{match}")
        executor.play(match, frame(4))
        executor.end(match)
        while ws.expect("match_frame")["payload"]["step"] < 4:
            pass
        namespace.play("m-1", 0)
        ws.expect("match_completed")


def test_a_burst_of_frames_drops_frames_and_no_connection(
    executor: Executor, plane: Plane, postgres: Postgres, start_server: StartServer
) -> None:
    namespace = plane.namespace()
    for name in ("alpha", "beta"):
        namespace.agent(name, name)
    server = start_server(postgres.database(), namespace, **executor.settings())
    sides = [{"agent": "alpha"}, {"agent": "beta"}]
    match = namespace.create("matches", "m-1", {"environment": "pong", "participants": sides})["metadata"]["uid"]
    wait_until("it is mirrored", lambda: server.client().get(f"/matches/{match}").status_code == 200)
    executor.play(match, *(frame(n, board="x" * 500) for n in range(5000)))
    watcher = server.register()
    with live(server.url, watcher.token) as ws:
        ws.subscribe(f"match:{match}")
        ws.expect("match_frame")
        executor.play(match, frame(5000))
        executor.end(match)
        namespace.play("m-1", None)
        ws.expect("match_completed")
        assert ws.code is None
        steps = [f["payload"]["step"] for f in ws.now("match_frame")]
        assert steps == sorted(steps)
