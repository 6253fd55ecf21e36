"""RunMatch: asked twice, cancelled, too many, badly; frames while it runs; results after a restart."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

import grpc
import pytest
from harness import Arena, arena, until
from test_checks import ARCHIVES
from test_hostile_servers import good_reset, move, served

from rl_arena.executor import replay
from rl_arena.proto import agent_pb2
from rl_arena.proto import executor_pb2 as pb


class Table:
    """Two agents whose moves wait for a word from the test."""

    def __init__(self) -> None:
        self.resets = 0
        self.closes = 0
        self.may_move = asyncio.Event()

    async def reset(self, request: bytes, context: object) -> bytes:
        self.resets += 1
        return await good_reset(request, context)

    async def act(self, request: bytes, context: object) -> bytes:
        await self.may_move.wait()
        return move(request)

    async def close(self, request: bytes, context: object) -> bytes:
        self.closes += 1
        return agent_pb2.CloseResponse().SerializeToString()


def run(specs, folder, scenario: Callable, places: int = 4):
    """The scenario gets an executor, a table and the endpoints of two agents at it."""

    async def whole():
        table = Table()
        methods = {"Reset": table.reset, "Act": table.act, "Close": table.close}
        async with served(**methods) as first, served(**methods) as second:
            async with arena(specs, folder, places) as executor:
                return await scenario(executor, table, [first, second])

    return asyncio.run(whole())


async def refused(call: grpc.aio.UnaryUnaryCall, code: grpc.StatusCode) -> str:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    assert caught.value.code() is code, caught.value
    return caught.value.details()


def test_asked_again_it_joins_and_then_answers_again(specs, tmp_path):
    async def scenario(executor: Arena, table: Table, ends: list[str]):
        request = executor.request("tic-tac-toe", ends)
        calls = [executor.stub.RunMatch(request) for _ in range(3)]
        await until(lambda: table.resets == 2)
        table.may_move.set()
        answers = await asyncio.gather(*calls)
        later = await executor.stub.RunMatch(request)
        assert table.resets == 2 and table.closes == 2
        return [*answers, later]

    answers = run(specs, tmp_path, scenario)
    assert answers[0].status == pb.SUCCESS
    assert all(answer == answers[0] for answer in answers)


def test_a_finished_match_survives_a_restart(specs, tmp_path):
    async def scenario(executor: Arena, table: Table, ends: list[str]):
        table.may_move.set()
        return await executor.stub.RunMatch(executor.request("tic-tac-toe", ends, match_id="kept"))

    async def after(executor: Arena, table: Table, ends: list[str]):
        again = await executor.stub.RunMatch(executor.request("tic-tac-toe", ends, match_id="kept"))
        assert table.resets == 0
        other = executor.request("tic-tac-toe", ends, match_id="kept", attempt=2)
        table.may_move.set()
        assert (await executor.stub.RunMatch(other)).attempt == 2
        assert table.resets == 2
        return again

    first = run(specs, tmp_path, scenario)
    assert run(specs, tmp_path, after) == first


def test_the_last_caller_to_leave_stops_the_match(specs, tmp_path):
    async def scenario(executor: Arena, table: Table, ends: list[str]):
        request = executor.request("tic-tac-toe", ends)
        first, second = executor.stub.RunMatch(request), executor.stub.RunMatch(request)
        await until(lambda: table.resets == 2)
        first.cancel()
        await asyncio.sleep(0.1)
        assert executor.matches.active == 1
        second.cancel()
        await until(lambda: executor.matches.active == 0)
        assert table.closes == 2
        # Asked for again, it is played from its beginning, and the old game's end does not disturb it.
        table.may_move.set()
        return await executor.stub.RunMatch(request)

    assert run(specs, tmp_path, scenario).status == pb.SUCCESS


def test_asked_again_at_once_after_leaving(specs, tmp_path):
    async def scenario(executor: Arena, table: Table, ends: list[str]):
        request = executor.request("tic-tac-toe", ends)
        for _ in range(5):
            before = table.resets
            call = executor.stub.RunMatch(request)
            await until(lambda before=before: table.resets >= before + 2)
            call.cancel()
        table.may_move.set()
        return await executor.stub.RunMatch(request)

    assert run(specs, tmp_path, scenario).status == pb.SUCCESS


def test_a_later_attempt_replaces_an_earlier_one(specs, tmp_path):
    async def scenario(executor: Arena, table: Table, ends: list[str]):
        first = executor.stub.RunMatch(executor.request("tic-tac-toe", ends, match_id="m", attempt=1))
        await until(lambda: table.resets == 2)
        second = executor.stub.RunMatch(executor.request("tic-tac-toe", ends, match_id="m", attempt=2))
        await until(lambda: table.resets == 4)
        late = executor.stub.RunMatch(executor.request("tic-tac-toe", ends, match_id="m", attempt=1))
        await refused(late, grpc.StatusCode.FAILED_PRECONDITION)
        table.may_move.set()
        return await first, await second

    first, second = run(specs, tmp_path, scenario, places=1)
    assert first.status == pb.CANCELLED
    assert second.status == pb.SUCCESS and second.attempt == 2


def test_full_house(specs, tmp_path):
    async def scenario(executor: Arena, table: Table, ends: list[str]):
        first = executor.stub.RunMatch(executor.request("tic-tac-toe", ends))
        await until(lambda: table.resets == 2)
        second = executor.request("tic-tac-toe", ends)
        await refused(executor.stub.RunMatch(second), grpc.StatusCode.RESOURCE_EXHAUSTED)
        health = await executor.stub.HealthCheck(pb.HealthCheckRequest())
        assert health.healthy and health.active_matches == 1
        table.may_move.set()
        await first
        return await executor.stub.RunMatch(second)

    assert run(specs, tmp_path, scenario, places=1).status == pb.SUCCESS


def test_shutting_down(specs, tmp_path):
    async def scenario(executor: Arena, table: Table, ends: list[str]):
        running = executor.stub.RunMatch(executor.request("tic-tac-toe", ends))
        await until(lambda: table.resets == 2)
        executor.service.draining = True
        await refused(executor.stub.RunMatch(executor.request("tic-tac-toe", ends)), grpc.StatusCode.UNAVAILABLE)
        await executor.matches.drain(0.1)
        return await refused(running, grpc.StatusCode.UNAVAILABLE)

    assert "shutting down" in run(specs, tmp_path, scenario)


BAD = {
    "no id": {"match_id": ""},
    "an id that is a path": {"match_id": "../../etc/passwd"},
    "a long id": {"match_id": "x" * 200},
    "a hidden id": {"match_id": ".result"},
    "unknown environment": {"environment": "go"},
    "one player": {"seats": 1},
    "three players": {"seats": 3},
    "no endpoint": {"endpoint": ""},
    "an endpoint that is a URL": {"endpoint": "unix:/run/containerd.sock"},
    "an endpoint without a port": {"endpoint": "agent"},
    "no agent id": {"agent_id": ""},
    "the same agent twice": {"agent_id": "id-1"},
    "days": {"timeout_sec": 1_000_000},
    "slow moves": {"move_ms": 4_000_000},
}


@pytest.mark.parametrize("name", BAD)
def test_requests_that_can_never_work(name, specs, tmp_path):
    change = dict(BAD[name])

    async def scenario(executor: Arena, table: Table, ends: list[str]):
        seats = (ends * 2)[: change.pop("seats", 2)]
        endpoint, agent_id = change.pop("endpoint", None), change.pop("agent_id", None)
        request = executor.request(change.pop("environment", "tic-tac-toe"), seats, **change)
        if endpoint is not None:
            request.agents[0].endpoint = endpoint
        if agent_id is not None:
            request.agents[0].agent_id = agent_id
        words = await refused(executor.stub.RunMatch(request), grpc.StatusCode.INVALID_ARGUMENT)
        assert table.resets == 0
        return words

    assert run(specs, tmp_path, scenario)
    assert list(tmp_path.iterdir()) == []


def test_an_older_client_knows_no_new_fields(specs, tmp_path):
    """Attempt, seed and limits unset; no replay asked for."""

    async def scenario(executor: Arena, table: Table, ends: list[str]):
        table.may_move.set()
        request = executor.request("tic-tac-toe", ends, attempt=0, seed=0, record_replay=False)
        request.ClearField("limits")
        return await executor.stub.RunMatch(request)

    response = run(specs, tmp_path, scenario)
    assert response.status == pb.SUCCESS and response.attempt == 1
    assert response.replay_sha256 and not response.replay_url
    assert [path.suffix for path in tmp_path.iterdir()] == [".result"]


def test_frames_of_a_running_match(specs, tmp_path):
    async def scenario(executor: Arena, table: Table, ends: list[str]):
        request = executor.request("tic-tac-toe", ends)
        await refused_stream(executor, request.match_id)
        playing = executor.stub.RunMatch(request)
        await until(lambda: table.resets == 2)
        watching = [collect(executor, request.match_id) for _ in range(3)]
        tasks = [asyncio.ensure_future(each) for each in watching]
        await asyncio.sleep(0.1)
        table.may_move.set()
        response = await playing
        seen = await asyncio.gather(*tasks)
        assert seen[0] == seen[1] == seen[2]
        return response, seen[0]

    response, frames = run(specs, tmp_path, scenario)
    assert [frame["step"] for frame in frames] == list(range(response.total_steps + 1))
    assert frames[-1]["info"]["board"].count(0) == 9 - response.total_steps


async def collect(executor: Arena, match_id: str) -> list[dict]:
    return [
        json.loads(frame.json) async for frame in executor.stub.StreamFrames(pb.StreamFramesRequest(match_id=match_id))
    ]


async def refused_stream(executor: Arena, match_id: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await collect(executor, match_id)
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


def test_environments_are_listed(specs, tmp_path):
    async def scenario(executor: Arena, table: Table, ends: list[str]):
        return await executor.stub.ListEnvironments(pb.ListEnvironmentsRequest())

    listed = {each.name: each for each in run(specs, tmp_path, scenario).environments}
    assert set(listed) == set(specs)
    assert all(each.players == 2 and each.version and each.description for each in listed.values())


def test_an_archive_is_checked_before_it_is_built(specs, tmp_path):
    async def scenario(executor: Arena, table: Table, ends: list[str]):
        async def check(name: str, environment: str) -> pb.ValidationResponse:
            request = pb.ValidationRequest(agent_id="a", code_zip=ARCHIVES[name][0], environment=environment)
            return await executor.stub.ValidateAgent(request)

        return [await check("good", "pong"), await check("syntax", "pong"), await check("good", "go")]

    good, broken, elsewhere = run(specs, tmp_path, scenario)
    assert good.valid and not good.errors
    assert not broken.valid and "line 1" in " ".join(broken.errors)
    assert not elsewhere.valid and "tic-tac-toe" in " ".join(elsewhere.errors)


def test_a_fault_of_ours_is_not_the_agents(specs, tmp_path, monkeypatch):
    def broken(*_: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(replay, "make", broken)

    async def scenario(executor: Arena, table: Table, ends: list[str]):
        table.may_move.set()
        return await executor.stub.RunMatch(executor.request("tic-tac-toe", ends))

    response = run(specs, tmp_path, scenario)
    assert response.status == pb.ERROR and "no space left" in response.error_message
    assert not response.agent_results
