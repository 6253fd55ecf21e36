"""A process's memory and processor time, as the kernel tells them."""

from __future__ import annotations

import os
import pathlib
import time

TICK = os.sysconf("SC_CLK_TCK")


def memory(pid: int, name: str = "VmRSS") -> int:
    """In bytes; VmHWM is the most that it ever had."""
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1]) * 1024
    raise KeyError(name)


def cpu(pid: int) -> float:
    """Seconds so far, of all threads, in user mode and in the kernel."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def rest(pid: int) -> None:
    """Returns when it has used next to nothing of a second."""
    while True:
        before = cpu(pid)
        time.sleep(1)
        if cpu(pid) - before <= 0.02:
            return
