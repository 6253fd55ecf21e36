"""The executor's side of one agent: its connection, its clock, and what its failures are called.

Everything that comes from the other side is hostile until it has been checked: messages are taken
as bytes of bounded size and parsed here, every wait has a limit, and what is kept is bounded.
"""

from __future__ import annotations

import asyncio
import functools
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.message import DecodeError, Message

from rl_arena.proto import agent_pb2, executor_pb2

ANSWER_MAX = (64 << 10) + 1024
REQUEST_MAX = 4 << 20
TEXT_MAX = 600
CLOSE_SECONDS = 1.0
SHOWN_AS = "rl-arena-token"

OPTIONS = (
    ("grpc.max_receive_message_length", ANSWER_MAX),
    ("grpc.max_send_message_length", REQUEST_MAX + 1024),
    ("grpc.max_metadata_size", 8 << 10),
    # Nothing is read ahead of what is asked for: an endless stream stops at the window.
    ("grpc.http2.bdp_probe", 0),
    ("grpc.http2.lookahead_bytes", 64 << 10),
    ("grpc.enable_http_proxy", 0),
    ("grpc.enable_retries", 0),
    ("grpc.service_config_disable_resolution", 1),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
)

ENDED = "it ended the stream of its moves before the game was over"
PROTOCOL_CODES = frozenset((grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.INTERNAL, grpc.StatusCode.DATA_LOSS))
LOST_CODES = frozenset((grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED))


class Forfeit(Exception):
    """The agent loses by its own doing."""

    def __init__(self, failure: executor_pb2.Failure, message: str):
        super().__init__(message)
        self.failure = failure
        self.message = message


class MoveError(Exception):
    """The agent has no move this time, but can be asked again."""

    def __init__(self, failure: executor_pb2.Failure, message: str):
        super().__init__(message)
        self.failure = failure
        self.message = message


@dataclass(frozen=True)
class Clock:
    """The limits of one match, in seconds."""

    startup: float
    move: float
    bank: float


def clean(text: Any, limit: int = TEXT_MAX) -> str:
    """An agent's own words, bounded and printable."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    cut = str(text or "")[: 4 * limit]
    words = "".join(c if c.isprintable() or c == "\n" else " " for c in cut).strip()
    return words if len(words) <= limit else words[: limit - 3] + "..."


def parse(kind: type[Message], data: bytes) -> Any:
    """A message out of an agent's bytes; Forfeit when it is none."""
    message = kind()
    try:
        message.ParseFromString(data)
    except DecodeError:
        raise Forfeit(executor_pb2.FAILURE_PROTOCOL, "it answered with something that is no message") from None
    return message


def last_lines(log: str) -> str:
    """Whole lines, as many as fit."""
    if len(log) <= TEXT_MAX:
        return log
    tail = log[-TEXT_MAX:]
    return tail.split("\n", 1)[-1] or tail


def describe(error: agent_pb2.AgentError) -> str:
    message = clean(error.message) or "it gave no reason"
    log = clean(last_lines(error.log))
    return f"{message}\nlast output:\n{log}" if log else message


def _of_call(error: grpc.aio.AioRpcError, doing: str) -> Forfeit:
    """What a failed call means."""
    code, words = error.code(), clean(error.details(), 200)
    if code in PROTOCOL_CODES:
        return Forfeit(executor_pb2.FAILURE_PROTOCOL, f"its answer could not be taken while it {doing}: {words}")
    if code in LOST_CODES:
        return Forfeit(executor_pb2.FAILURE_DISCONNECTED, f"it stopped answering while it {doing}: {words}")
    return Forfeit(executor_pb2.FAILURE_CRASHED, f"its server failed while it {doing}: {code.name}: {words}")


class AgentClient:
    """Used by one match: start, then act for each move, then close."""

    def __init__(self, endpoint: str, clock: Clock, token: str = ""):
        self._clock = clock
        self._metadata = ((SHOWN_AS, token),) if token else ()
        self.bank = clock.bank
        self.moves = 0
        self.slowest = 0.0
        self._channel = grpc.aio.insecure_channel(endpoint, options=OPTIONS)
        self._play: Any = None
        self._unary = False

    def _method(self, name: str) -> Any:
        method = self._channel.unary_unary(f"/agent.Agent/{name}", request_serializer=_serialize)
        return functools.partial(method, metadata=self._metadata)

    async def start(self, request: agent_pb2.ResetRequest) -> None:
        """Connects and resets within the startup limit; Forfeit when that fails."""
        connected = False
        try:
            async with asyncio.timeout(self._clock.startup):
                await self._channel.channel_ready()
                connected = True
                data = await self._method("Reset")(request)
        except TimeoutError:
            limit = f"within {self._clock.startup:g} s"
            if not connected:
                raise Forfeit(executor_pb2.FAILURE_DISCONNECTED, f"it could not be reached {limit}") from None
            raise Forfeit(executor_pb2.FAILURE_STARTUP, f"it was not ready to play {limit}") from None
        except grpc.aio.AioRpcError as error:
            raise _of_call(error, "started") from None
        response = parse(agent_pb2.ResetResponse, data)
        if response.HasField("error"):
            raise Forfeit(executor_pb2.FAILURE_STARTUP, describe(response.error))

    async def act(self, request: agent_pb2.ActRequest) -> agent_pb2.Value:
        """One move under the clock. Forfeit or MoveError when there is none."""
        request.bank_ms = max(0, int(self.bank * 1000))
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            async with asyncio.timeout(self._clock.move + self.bank):
                data = await self._ask(request)
        except TimeoutError:
            self.bank = 0.0
            raise Forfeit(
                executor_pb2.FAILURE_LATE,
                f"its move at step {request.step} took more than {self._clock.move:g} s"
                f" and what was left of its time bank of {self._clock.bank:g} s",
            ) from None
        except grpc.aio.AioRpcError as error:
            raise _of_call(error, f"chose its move at step {request.step}") from None
        took = loop.time() - began
        self.bank = max(0.0, self.bank - max(0.0, took - self._clock.move))
        self.slowest = max(self.slowest, took)
        self.moves += 1
        return self._action(request.step, data)

    async def _ask(self, request: agent_pb2.ActRequest) -> bytes:
        if not self._unary:
            data = await self._ask_stream(request)
            if data is not None:
                return data
            self._unary = True
        answer: bytes = await self._method("Act")(request)
        return answer

    async def _ask_stream(self, request: agent_pb2.ActRequest) -> bytes | None:
        """None: the agent does not offer Play."""
        first = self._play is None
        if first:
            method = self._channel.stream_stream("/agent.Agent/Play", request_serializer=_serialize)
            self._play = method(metadata=self._metadata)
        try:
            await self._play.write(request)
        except (asyncio.InvalidStateError, grpc.aio.UsageError):
            pass  # it has ended, and read() says how
        except grpc.aio.AioRpcError:
            # It ends at this moment. Why is not to be had any more: grpc puts a status of its own over the agent's.
            if first:
                return None  # and Act will tell
            raise Forfeit(executor_pb2.FAILURE_DISCONNECTED, ENDED) from None
        try:
            data = await self._play.read()
        except (asyncio.InvalidStateError, grpc.aio.UsageError):
            data = grpc.aio.EOF
        except grpc.aio.AioRpcError as error:
            if first and error.code() is grpc.StatusCode.UNIMPLEMENTED:
                return None
            raise
        if data is not grpc.aio.EOF:
            answer: bytes = data
            return answer
        code = await self._play.code()
        if first and code is grpc.StatusCode.UNIMPLEMENTED:
            return None
        words = clean(await self._play.details(), 200)
        raise Forfeit(
            executor_pb2.FAILURE_DISCONNECTED if code in LOST_CODES else executor_pb2.FAILURE_PROTOCOL,
            f"{ENDED}: {words or code.name}",
        )

    def _action(self, step: int, data: bytes) -> agent_pb2.Value:
        response = parse(agent_pb2.ActResponse, data)
        if response.step != step:
            raise Forfeit(executor_pb2.FAILURE_PROTOCOL, f"it answered for step {response.step} at step {step}")
        if response.WhichOneof("result") == "action":
            action: agent_pb2.Value = response.action
            return action
        error = response.error
        if error.kind == agent_pb2.ERROR_RAISED:
            raise MoveError(executor_pb2.FAILURE_CRASHED, describe(error))
        if error.kind == agent_pb2.ERROR_BAD_ACTION:
            raise MoveError(executor_pb2.FAILURE_ILLEGAL, describe(error))
        raise Forfeit(executor_pb2.FAILURE_CRASHED, describe(error))

    async def close(self, polite: bool) -> None:
        """Ends the connection; says so first when the agent is in order. Never raises, never long."""
        if self._play is not None:
            self._play.cancel()
        if polite:
            try:
                async with asyncio.timeout(CLOSE_SECONDS):
                    await self._method("Close")(agent_pb2.CloseRequest())
            except (TimeoutError, grpc.aio.AioRpcError):
                pass  # the game is decided; its Pod is removed anyway
        await self._channel.close()


def _serialize(message: Message) -> bytes:
    return message.SerializeToString()
