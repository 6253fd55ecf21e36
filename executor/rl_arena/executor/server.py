"""Puts the executor together, serves gRPC and HTTP until it is told to stop, then drains."""

from __future__ import annotations

import asyncio
import signal
import sys

import grpc
from aiohttp import web
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from rl_arena import __version__
from rl_arena.executor import admission, environments, late_uploads, log
from rl_arena.executor import config as configuration
from rl_arena.executor.matches import Matches
from rl_arena.executor.service import ExecutorService
from rl_arena.executor.store import Store
from rl_arena.executor.upload import Uploader
from rl_arena.executor.web import application
from rl_arena.proto import executor_pb2_grpc

UPLOAD_MAX = 52 << 20
OPTIONS = (
    ("grpc.max_receive_message_length", UPLOAD_MAX),
    ("grpc.so_reuseport", 0),
    ("grpc.max_concurrent_streams", 1024),
)


async def serve(config: configuration.Config, specs: dict[str, environments.Spec]) -> None:
    store = Store(config.replay_dir, config.replay_base_url, config.replay_max_bytes)
    uploader = Uploader(config.replay_upload_url, config.replay_token_file) if config.replay_upload_url else None
    matches = Matches(store, config.max_matches, uploader)
    service = ExecutorService(specs, matches)
    if not config.token:
        log.warning("EXECUTOR_TOKEN is not set: whoever reaches the port can play and end matches")
    server = grpc.aio.server(interceptors=admission.interceptors(config.token), options=OPTIONS)
    executor_pb2_grpc.add_ExecutorServicer_to_server(service, server)
    checks = health.aio.HealthServicer()
    await checks.set("", health_pb2.HealthCheckResponse.SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(checks, server)
    port = server.add_insecure_port(config.listen)

    runner = web.AppRunner(application(store, lambda: not service.draining), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, config.http_host, config.http_port)
    await site.start()
    await server.start()
    log.info("executor ready", version=__version__, port=port, http=config.http_port, environments=sorted(specs))

    late = asyncio.create_task(late_uploads.run(store, uploader)) if uploader else None

    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await stop.wait()
    service.draining = True
    await checks.set("", health_pb2.HealthCheckResponse.NOT_SERVING)
    await matches.drain(config.drain_seconds)
    if late is not None:
        late.cancel()
    await server.stop(1)
    await runner.cleanup()
    matches.close()
    log.info("executor stopped")


def main() -> int:
    try:
        config = configuration.load()
        log.setup(config.log_format, config.log_level)
        specs = environments.load(config.environments_file)
        asyncio.run(serve(config, specs))
    except (configuration.ConfigError, environments.RegistryError, OSError) as error:
        print(f"rl-arena-executor: {error}", file=sys.stderr, flush=True)
        return 1
    return 0
