"""The agent image's configuration: environment variables, read once, refused when malformed."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass

CGROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
MIB = 1 << 20
MEMORY_FLOOR = 64 * MIB
UNLIMITED = 1 << 50  # cgroup v1 has no word for it and says a number near 2^63


class ConfigError(Exception):
    """A variable has a value that cannot be used; says which."""


@dataclass(frozen=True)
class Config:
    port: int
    folder: str  # the author's code
    libraries: str  # further folders of modules, as in a virtual environment; none in an image
    scratch: str  # the only writable folder
    python: str
    memory: int  # bytes for the author's process, 0: no limit
    threads: int
    file_size: int
    token: str  # what the executor shows with each call; empty: whoever calls is believed


def _number(name: str, default: int, low: int, high: int) -> int:
    text = os.environ.get(name, "")
    if not text:
        return default
    try:
        value = int(text)
    except ValueError:
        value = low - 1
    if not low <= value <= high:
        raise ConfigError(f"{name}={text!r}: a number from {low} to {high} is needed")
    return value


def container_memory() -> int:
    """The container's memory limit in bytes, 0 when it has none."""
    for path in CGROUP_LIMITS:
        try:
            with open(path, encoding="ascii") as file:
                text = file.read().strip()
        except OSError:
            continue
        return int(text) if text.isdigit() and int(text) < UNLIMITED else 0
    return 0


def load() -> Config:
    reserve = _number("AGENT_MEMORY_RESERVE", 160 * MIB, 0, 1 << 40)
    limit = container_memory()
    return Config(
        port=_number("AGENT_PORT", 50051, 0, 65535),
        folder=os.environ.get("AGENT_DIR", "/agent"),
        libraries=os.environ.get("RL_ARENA_LIB", ""),
        scratch=os.environ.get("AGENT_TMP", "/tmp"),  # noqa: S108 - a volume of the Pod's own
        python=sys.executable,
        memory=_number("AGENT_MEMORY", max(limit - reserve, MEMORY_FLOOR) if limit else 0, 0, 1 << 40),
        threads=_number("AGENT_MAX_THREADS", 64, 1, 100_000),
        file_size=_number("AGENT_MAX_FILE_BYTES", 64 * MIB, 0, 1 << 40),
        token=os.environ.get("AGENT_TOKEN", ""),
    )
