"""Images that serve the agents' contract themselves, and serve it badly."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import pytest
from grpc.aio._call import StreamStreamCall
from harness import arena

from rl_arena.proto import agent_pb2
from rl_arena.proto import executor_pb2 as pb

READY = agent_pb2.ResetResponse().SerializeToString()
PROTOCOL, LOST, CRASHED = pb.FAILURE_PROTOCOL, pb.FAILURE_DISCONNECTED, pb.FAILURE_CRASHED


def move(request: bytes, shift: int = 0) -> bytes:
    """The first free cell, as a legal answer."""
    asked = agent_pb2.ActRequest.FromString(request)
    mask = asked.observation.map.fields["action_mask"].tensor.data
    action = agent_pb2.Value(integer=mask.index(1))
    return agent_pb2.ActResponse(step=asked.step + shift, action=action).SerializeToString()


async def good_reset(request: bytes, context: Any) -> bytes:
    return READY


async def good_act(request: bytes, context: Any) -> bytes:
    return move(request)


async def good_play(requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
    async for request in requests:
        yield move(request)


@contextlib.asynccontextmanager
async def served(**methods: Callable) -> AsyncIterator[str]:
    """A server of raw bytes; methods not given are not implemented."""
    server = grpc.aio.server(options=(("grpc.max_send_message_length", -1),))
    handlers = {
        name: grpc.stream_stream_rpc_method_handler(method)
        if name == "Play"
        else grpc.unary_unary_rpc_method_handler(method)
        for name, method in methods.items()
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("agent.Agent", handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(None)


async def against(specs, folder, **bad: Callable) -> pb.MatchResponse:
    async with served(Reset=good_reset, Act=good_act, Play=good_play) as good, served(**bad) as hostile:
        async with arena(specs, folder) as executor:
            response = await executor.play("tic-tac-toe", [hostile, good], move_ms=500, bank_ms=500, startup_ms=3000)
            # The executor is as it was: the next match is played.
            next_one = await executor.play("tic-tac-toe", [good, good.replace("127.0.0.1", "localhost")])
            assert [result.failure for result in next_one.agent_results] == [pb.FAILURE_NONE] * 2
            return response


def answering(data: bytes) -> Callable:
    async def method(request: bytes, context: Any) -> bytes:
        return data

    return method


def playing(*answers: Callable[[bytes], bytes]) -> Callable:
    """For each request, all these answers at once."""

    async def method(requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        async for request in requests:
            for answer in answers:
                yield answer(request)

    return method


async def endless(requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
    data = agent_pb2.ActResponse(step=1, action=agent_pb2.Value(blob=b"x" * 60_000)).SerializeToString()
    while True:
        yield data


async def ends(requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
    async for request in requests:
        yield move(request)
        return


async def silent_play(requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
    await asyncio.sleep(1000)
    yield b""


async def silent(request: bytes, context: Any) -> bytes:
    await asyncio.sleep(1000)
    return b""


async def raises(request: bytes, context: Any) -> bytes:
    raise RuntimeError("server bug")


async def raises_play(requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
    raise RuntimeError("server bug")
    yield b""


def aborts(code: grpc.StatusCode) -> Callable:
    async def method(request: bytes, context: Any) -> bytes:
        await context.abort(code, "x" * 3000)
        return b""

    return method


async def much_metadata(request: bytes, context: Any) -> bytes:
    await context.send_initial_metadata((("x-long", "y" * 200_000),))
    return READY


def nested(depth: int) -> bytes:
    value = agent_pb2.Value(integer=4)
    for _ in range(depth):
        value = agent_pb2.Value(list=agent_pb2.List(items=[value]))
    return agent_pb2.ActResponse(step=1, action=value).SerializeToString()


def deep(depth: int) -> bytes:
    """Deeper than protobuf itself will write or read."""
    data = agent_pb2.Value(integer=4).SerializeToString()
    for _ in range(depth):
        for tag in (b"\x0a", b"\x42"):  # List.items, Value.list
            size, length = len(data), b""
            while size > 127:
                length, size = length + bytes([size & 127 | 128]), size >> 7
            data = tag + length + bytes([size]) + data
    return b"\x08\x01\x12" + bytes([len(data) & 127 | 128, len(data) >> 7]) + data


def tensor(dtype: str, shape: list[int], data: bytes) -> bytes:
    value = agent_pb2.Value(tensor=agent_pb2.Tensor(dtype=dtype, shape=shape, data=data))
    return agent_pb2.ActResponse(step=1, action=value).SerializeToString()


GARBAGE = b"\xff\xfe\xfd" * 50
ILLEGAL = pb.FAILURE_ILLEGAL
HOSTILE: dict[str, tuple[dict[str, Callable], int]] = {
    "malformed reset": ({"Reset": answering(GARBAGE)}, PROTOCOL),
    "gigantic reset": ({"Reset": answering(b"\0" * (20 << 20))}, PROTOCOL),
    "silent reset": ({"Reset": silent}, pb.FAILURE_STARTUP),
    "raising reset": ({"Reset": raises}, CRASHED),
    "nothing implemented": ({}, CRASHED),
    "reset with much metadata": ({"Reset": much_metadata}, PROTOCOL),
    "reset aborts as if overloaded": ({"Reset": aborts(grpc.StatusCode.RESOURCE_EXHAUSTED)}, PROTOCOL),
    "reset aborts as if away": ({"Reset": aborts(grpc.StatusCode.UNAVAILABLE)}, LOST),
    "malformed move": ({"Reset": good_reset, "Play": playing(lambda _: GARBAGE)}, PROTOCOL),
    "gigantic move": ({"Reset": good_reset, "Play": playing(lambda _: b"\0" * (20 << 20))}, PROTOCOL),
    "wrong step": ({"Reset": good_reset, "Play": playing(lambda r: move(r, 1))}, PROTOCOL),
    "two answers": ({"Reset": good_reset, "Play": playing(move, move)}, PROTOCOL),
    "endless stream": ({"Reset": good_reset, "Play": endless}, ILLEGAL),
    "ends its stream": ({"Reset": good_reset, "Play": ends}, PROTOCOL),
    "silent stream": ({"Reset": good_reset, "Play": silent_play}, pb.FAILURE_LATE),
    "raising stream": ({"Reset": good_reset, "Play": raises_play}, CRASHED),
    "no move at all": ({"Reset": good_reset}, CRASHED),
    "silent act": ({"Reset": good_reset, "Act": silent}, pb.FAILURE_LATE),
    "malformed act": ({"Reset": good_reset, "Act": answering(GARBAGE)}, PROTOCOL),
    "gigantic act": ({"Reset": good_reset, "Act": answering(b"\0" * (20 << 20))}, PROTOCOL),
    "raising act": ({"Reset": good_reset, "Act": raises}, CRASHED),
    "empty act": ({"Reset": good_reset, "Act": answering(b"")}, PROTOCOL),
    "nested act": ({"Reset": good_reset, "Act": answering(nested(30))}, ILLEGAL),
    "deep act": ({"Reset": good_reset, "Act": answering(deep(200))}, PROTOCOL),
    "tensor that lies": ({"Reset": good_reset, "Act": answering(tensor("int64", [2**31, 2**31], b"x"))}, ILLEGAL),
    "tensor of objects": ({"Reset": good_reset, "Act": answering(tensor("O", [1], b"12345678"))}, ILLEGAL),
    "tensor of records": ({"Reset": good_reset, "Act": answering(tensor("i4,i4", [1], b"12345678"))}, ILLEGAL),
    "tensor of nothing": ({"Reset": good_reset, "Act": answering(tensor("int64", [0], b""))}, ILLEGAL),
    "tensor of nothing, very wide": (
        {"Reset": good_reset, "Act": answering(tensor("int64", [0, 2**32 - 1, 2**32 - 1, 2**32 - 1], b""))},
        ILLEGAL,
    ),
    "tensor of odd type": ({"Reset": good_reset, "Act": answering(tensor("M8[s]", [], b"12345678"))}, ILLEGAL),
    "tensor of long type": ({"Reset": good_reset, "Act": answering(tensor("i" * 50_000, [], b""))}, ILLEGAL),
    "tensor of void": ({"Reset": good_reset, "Act": answering(tensor("V0", [4], b""))}, ILLEGAL),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_loses(name, specs, tmp_path):
    methods, failure = HOSTILE[name]
    response = asyncio.run(against(specs, tmp_path, **methods))
    loser, winner = response.agent_results
    assert response.status == pb.SUCCESS, response
    assert pb.Failure.Name(loser.failure) == pb.Failure.Name(failure), response
    assert loser.error_message and len(loser.error_message) < 2000
    assert response.winner_agent_id == winner.agent_id


def test_act_alone_is_enough(specs, tmp_path):
    response = asyncio.run(against(specs, tmp_path, Reset=good_reset, Act=good_act))
    assert [result.failure for result in response.agent_results] == [pb.FAILURE_NONE] * 2, response


def end_streams(monkeypatch, after: int) -> None:
    """From the write behind so many on, streams end at the moment in which they are written to, and gRPC says what it
    says then."""
    whole, written = StreamStreamCall.write, itertools.count(1)

    async def write(self: Any, request: Any) -> None:
        if next(written) <= after:
            await whole(self, request)
            return
        self._cython_call.set_internal_error("as if the call had ended")
        await self._raise_for_status()

    monkeypatch.setattr(StreamStreamCall, "write", write)


def test_a_stream_that_ends_as_it_is_asked_first_is_none(specs, tmp_path, monkeypatch):
    """So it is when an agent that does not offer Play says so at once."""
    end_streams(monkeypatch, after=0)
    response = asyncio.run(against(specs, tmp_path, Reset=good_reset, Act=good_act))
    assert [result.failure for result in response.agent_results] == [pb.FAILURE_NONE] * 2, response


def test_a_stream_that_ends_as_it_is_asked_later_may_be_its_pods_end(specs, tmp_path, monkeypatch):
    end_streams(monkeypatch, after=2)

    async def scenario() -> pb.MatchResponse:
        async with served(Reset=good_reset, Act=good_act, Play=good_play) as good, arena(specs, tmp_path) as executor:
            return await executor.play("tic-tac-toe", [good, good.replace("127.0.0.1", "localhost")])

    loser, winner = asyncio.run(scenario()).agent_results
    assert loser.failure == pb.FAILURE_DISCONNECTED and winner.failure == pb.FAILURE_NONE
    assert "ended the stream" in loser.error_message


async def with_socket(specs, folder, speak: Callable) -> pb.MatchResponse:
    """Against something that listens but is no gRPC server."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            await speak(reader, writer)
        writer.close()

    listener = await asyncio.start_server(talk, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    try:
        async with served(Reset=good_reset, Act=good_act) as good, arena(specs, folder) as executor:
            return await executor.play("tic-tac-toe", [f"127.0.0.1:{port}", good], startup_ms=2000)
    finally:
        listener.close()


async def says_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def hangs_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    return


async def speaks_http1(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
    await writer.drain()
    await reader.read()


async def pours(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"\xff" * 65536)
        await writer.drain()


async def sends_settings_without_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"\0\0\0\x04\0\0\0\0\0" * 1000)
        await writer.drain()
        await asyncio.sleep(0.001)


@pytest.mark.parametrize("speak", [says_nothing, hangs_up, speaks_http1, pours, sends_settings_without_end])
def test_no_grpc_server(speak, specs, tmp_path):
    response = asyncio.run(with_socket(specs, tmp_path, speak))
    assert response.winner_agent_id == "id-1", response
    assert response.agent_results[0].failure in (LOST, pb.FAILURE_STARTUP), response


def test_nobody_listens(specs, tmp_path):
    async def match() -> pb.MatchResponse:
        async with served(Reset=good_reset, Act=good_act) as good, arena(specs, tmp_path) as executor:
            return await executor.play("tic-tac-toe", ["127.0.0.1:1", good], startup_ms=1000)

    response = asyncio.run(match())
    assert response.agent_results[0].failure == LOST
    assert "could not be reached" in response.agent_results[0].error_message


def test_pouring_agent_does_not_fill_memory(specs, tmp_path):
    """It sends without being asked while the other side thinks: what is not read is not taken."""
    sent = 0

    async def pour(requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        nonlocal sent
        async for request in requests:
            yield move(request)
            while True:
                sent += 1
                yield b"\0" * 60_000

    async def slow(request: bytes, context: Any) -> bytes:
        await asyncio.sleep(2)
        return move(request)

    async def match() -> pb.MatchResponse:
        async with served(Reset=good_reset, Act=slow) as thinker, served(Reset=good_reset, Play=pour) as hostile:
            async with arena(specs, tmp_path) as executor:
                return await executor.play("tic-tac-toe", [hostile, thinker])

    response = asyncio.run(match())
    assert response.agent_results[0].failure in (PROTOCOL, ILLEGAL), response
    assert sent * 60_000 < 16 << 20


def test_an_answer_nobody_thought_of_is_the_agents_fault(specs, tmp_path, monkeypatch):
    from rl_arena.executor import actions

    def surprised(space: Any, mask: Any, value: agent_pb2.Value) -> int:
        if value.integer == 0:
            raise ZeroDivisionError
        return value.integer

    monkeypatch.setattr(actions, "cast", surprised)

    async def match() -> pb.MatchResponse:
        async with served(Reset=good_reset, Act=good_act) as first, served(Reset=good_reset, Act=good_act) as second:
            async with arena(specs, tmp_path) as executor:
                return await executor.play("tic-tac-toe", [first, second])

    response = asyncio.run(match())
    assert response.status == pb.SUCCESS and response.winner_agent_id == "id-1"
    assert response.agent_results[0].failure == PROTOCOL
