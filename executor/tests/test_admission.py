"""Nobody plays, ends or watches a match here who does not have the executor's token."""

from __future__ import annotations

import asyncio

import grpc
import pytest
from harness import arena

from rl_arena.proto import executor_pb2 as pb

TOKEN = "0123456789abcdef" * 4
NOBODY = [
    None,
    [("authorization", "")],
    [("authorization", TOKEN)],
    [("authorization", f"Bearer {TOKEN[:-1]}")],
    [("authorization", f"Bearer {TOKEN}x")],
    [("authorization", f"bearer {TOKEN}")],
    [("rl-arena-token", TOKEN)],
    [("authorization", "Bearer wrong"), ("authorization", f"Bearer {TOKEN}")],
]


@pytest.mark.parametrize("metadata", NOBODY)
def test_refused_without_the_token(specs, tmp_path, metadata):
    async def scenario():
        async with arena(specs, tmp_path, token=TOKEN) as executor:
            stub = executor.stub
            forged = executor.request("tic-tac-toe", ["127.0.0.1:1", "127.0.0.1:2"])
            calls = [
                stub.RunMatch(forged, metadata=metadata),
                stub.ValidateAgent(pb.ValidationRequest(code_zip=b"x" * (50 << 20)), metadata=metadata),
                stub.ListEnvironments(pb.ListEnvironmentsRequest(), metadata=metadata),
                stub.HealthCheck(pb.HealthCheckRequest(), metadata=metadata),
                stub.StreamFrames(pb.StreamFramesRequest(match_id="m"), metadata=metadata).read(),
            ]
            for call in calls:
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await call
                assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
                assert "EXECUTOR_TOKEN" in str(caught.value.details()) and TOKEN not in str(caught.value.details())
            assert executor.matches.active == 0 and executor.matches.find(forged.match_id) is None

    asyncio.run(scenario())


def test_admitted_with_the_token(specs, tmp_path):
    async def scenario():
        async with arena(specs, tmp_path, token=TOKEN) as executor:
            shown = [("authorization", f"Bearer {TOKEN}")]
            answer = await executor.stub.ListEnvironments(pb.ListEnvironmentsRequest(), metadata=shown)
            return {each.name for each in answer.environments}

    assert asyncio.run(scenario()) == set(specs)
