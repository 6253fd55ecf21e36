"""Who may ask: the controller and the front, which show the token of one Secret.

Where no NetworkPolicy is enforced, an agent's Pod finds this service, and the ids of matches are public: without the
token it could play a match with a loser of its choice before the controller asks for it, or end it.
"""

from __future__ import annotations

import hmac
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, NoReturn

import grpc

from rl_arena.executor import metrics

SHOWN_AS = "authorization"
HEALTH = "/grpc.health.v1.Health/"


async def _refuse(requests: AsyncIterator[Any], context: Any) -> NoReturn:
    metrics.refused.labels("unauthenticated").inc()
    await context.abort(
        grpc.StatusCode.UNAUTHENTICATED,
        f"{SHOWN_AS}: the executor's EXECUTOR_TOKEN is needed; the controller and the front have it from one Secret",
    )
    raise AssertionError("abort returned")


# As a stream, whatever was called: nothing of what is sent is read.
REFUSAL = grpc.stream_stream_rpc_method_handler(_refuse)


def interceptors(token: str) -> list[grpc.aio.ServerInterceptor]:
    """Of a server that asks for this token; without one it asks for none."""
    return [Admission(token)] if token else []


class Admission(grpc.aio.ServerInterceptor):  # type: ignore[misc]
    def __init__(self, token: str):
        self._wanted = f"Bearer {token}".encode()

    async def intercept_service(self, continuation: Callable[[Any], Awaitable[Any]], handler_call_details: Any) -> Any:
        if handler_call_details.method.startswith(HEALTH):
            return await continuation(handler_call_details)
        shown = next((value for key, value in handler_call_details.invocation_metadata if key == SHOWN_AS), "")
        if not hmac.compare_digest(str(shown).encode(), self._wanted):
            return REFUSAL
        return await continuation(handler_call_details)
