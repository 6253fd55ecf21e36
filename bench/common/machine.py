"""What a figure is worth nothing without: where and when it was measured, and of which source."""

from __future__ import annotations

import datetime
import os
import pathlib
import platform
import subprocess
from typing import Any

ROOT = pathlib.Path(__file__).resolve().parents[2]


def git(*arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def field(file: str, name: str) -> str:
    """Of a file with lines `name: value`."""
    for line in pathlib.Path(file).read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return ""


def describe() -> dict[str, Any]:
    revision = git("rev-parse", "--short=12", "HEAD")
    return {
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "cores": os.cpu_count(),
        "cpu": field("/proc/cpuinfo", "model name"),
        "memory_mib": int(field("/proc/meminfo", "MemTotal").split()[0]) // 1024,
        "kernel": platform.release(),
        "revision": revision + ("-changed" if git("status", "--porcelain") else ""),
        # Of all that waits or runs: near 0 before a bench is a quiet machine.
        "load": round(os.getloadavg()[0], 2),
    }


def line(machine: dict[str, Any]) -> str:
    return (
        f"{machine['date']}  {machine['cores']} cores of {machine['cpu']}, {machine['memory_mib']} MiB,"
        f" Linux {machine['kernel']}, revision {machine['revision']}, load {machine['load']}"
    )
