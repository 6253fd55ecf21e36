"""HTTP, inside the cluster: /healthz, /metrics, and the replays as files."""

from __future__ import annotations

import asyncio
import gzip
import os
from collections.abc import Callable

from aiohttp import web

from rl_arena.executor import metrics
from rl_arena.executor.store import Store

# The page brings its own script and needs nothing else from anywhere.
PAGE_POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; sandbox allow-scripts"
UNPACKED_MAX = 64 << 20


def application(store: Store, healthy: Callable[[], bool]) -> web.Application:
    async def healthz(_: web.Request) -> web.Response:
        if healthy():
            return web.json_response({"service": "executor", "status": "ok"})
        return web.json_response({"service": "executor", "status": "shutting down"}, status=503)

    async def metrics_text(_: web.Request) -> web.Response:
        return web.Response(body=metrics.text(), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})

    async def replay(request: web.Request) -> web.StreamResponse:
        return await _replay(store, request)

    app = web.Application(client_max_size=64 << 10)
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/metrics", metrics_text)
    app.router.add_get("/replays/{name}", replay)
    return app


async def _replay(store: Store, request: web.Request) -> web.StreamResponse:
    name = request.match_info["name"]
    plain = name.endswith(".json")
    path = store.path(name + ".gz" if plain else name)
    if path is None or name.endswith(".result") or not await asyncio.to_thread(os.path.isfile, path):
        raise web.HTTPNotFound(text="there is no such replay\n")
    headers = {"X-Content-Type-Options": "nosniff", "Cache-Control": "private, max-age=31536000, immutable"}
    if name.endswith(".html"):
        headers |= {"Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": PAGE_POLICY}
        return web.FileResponse(path, headers=headers)
    if not plain:
        return web.FileResponse(path, headers=headers | {"Content-Type": "application/gzip"})
    headers |= {"Content-Type": "application/json", "Vary": "Accept-Encoding"}
    if "gzip" in request.headers.get("Accept-Encoding", ""):
        return web.FileResponse(path, headers=headers | {"Content-Encoding": "gzip"})
    return web.Response(body=await asyncio.to_thread(_unpack, path), headers=headers)


def _unpack(path: str) -> bytes:
    with gzip.open(path, "rb") as file:  # a few hundred kilobytes, written by ourselves
        return file.read(UNPACKED_MAX)
