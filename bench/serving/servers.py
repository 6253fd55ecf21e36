"""PostgreSQL and the front as the integration tests start them, but as they are run: durable, logging, optimized."""

from __future__ import annotations

import contextlib
import os
import pathlib
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "test" / "integration"))

from front.postgres import Postgres, connect, free_port  # noqa: E402
from front.server import SECRET, ApiServer, Client  # noqa: E402

if TYPE_CHECKING:
    import psycopg
    from common import Context

    Connection = psycopg.Connection[Any]

__all__ = ["SECRET", "ApiServer", "Client", "connect", "database", "free_port", "front", "resident", "seconds_of"]

# As PostgreSQL comes.
SETTINGS = {"fsync": "on", "shared_buffers": "128MB"}


@contextlib.contextmanager
def database() -> Iterator[str]:
    """A migrated database on a server of its own; its URL."""
    with Postgres(**SETTINGS) as postgres:
        yield postgres.database()


@contextlib.contextmanager
def front(context: Context, url: str, **settings: str | int) -> Iterator[ApiServer]:
    """Without Kubernetes, unless the settings say otherwise."""
    # A program that is given is measured in the place of ours: an older one, to compare with.
    if "ARENA_API_SERVER" not in os.environ:
        os.environ["ARENA_API_SERVER"] = str(context.program("api-server/api-server"))
    server = ApiServer(context.folder / "front", url, None, **settings)
    try:
        yield server
    finally:
        server.stop()


def resident(process: int) -> int:
    """Its memory, in bytes."""
    text = pathlib.Path(f"/proc/{process}/status").read_text()
    return next(int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith("VmRSS:"))


def seconds_of(process: int) -> float:
    """Of processor time, that it used until now."""
    fields = pathlib.Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
