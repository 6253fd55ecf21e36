"""An agent with many vices. Its match's name says which one it shows; otherwise it plays fair.

It runs in the arena's own runtime, under its filter. A Pod is called "<match>-agent-<seat>", and a
match "e2e-<run>-bad-<when>-<what>".
"""

from __future__ import annotations

import ctypes
import errno
import itertools
import mmap
import os
import re
import resource
import signal
import socket
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

FOUND = re.fullmatch(r"e2e-[0-9a-f]+-bad-(import|reset|move)-(.+)-agent-(\d)", os.uname().nodename)
WHEN, WHAT, SEAT = FOUND.groups() if FOUND else ("never", "", "")
PARENT = os.getppid()
TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount"
ADDRESSES = {
    "the API server": ("10.96.0.1", 443),
    "the node": ("10.77.0.1", 10250),
    "the registry": ("10.77.0.1", 5000),
    "metadata": ("169.254.169.254", 80),
    "the executor": ("executor.rl-arena-system.svc", 50051),
    "another Pod": ("10.77.1.1", 50051),
    "itself": ("127.0.0.1", 50051),
}
REFUSED = {errno.EPERM, errno.EACCES, errno.ENOSYS, errno.EAFNOSUPPORT, errno.ENOENT, errno.EROFS}


class Liar(int):
    """Says that it is whatever it is compared with."""

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 0

    def __lt__(self, other: object) -> bool:
        return True

    __le__ = __gt__ = __ge__ = __lt__


# What it does instead of playing


def raises(_: Any) -> Any:
    raise ValueError("bad weights")


def hangs(_: Any) -> Any:
    while True:
        time.sleep(3600)


def spins(_: Any) -> Any:
    while True:
        pass


def exits(_: Any) -> Any:
    os._exit(5)


def eats(_: Any) -> Any:
    kept = []
    while True:
        kept.append(bytearray(10_000_000))


def eats_where_no_limit_counts(_: Any) -> Any:
    """Shared memory is not counted in what the kernel limits for one process."""
    kept = []
    while True:
        piece = mmap.mmap(-1, 10_000_000)
        piece.write(b"x" * 10_000_000)
        kept.append(piece)


def forks(_: Any) -> Any:
    done = 0
    for _attempt in range(10_000):
        try:
            if os.fork() == 0:
                time.sleep(3600)
            done += 1
        except OSError:
            pass
    raise RuntimeError(f"forked {done} times")


def fills(_: Any) -> Any:
    """Everything that it can write to, in files below the limit of one."""
    folders = ["/tmp", "/dev/shm", "/agent", "/", "/var/tmp", "/run", os.path.expanduser("~")]
    written, ends = 0, set()
    for number, folder in itertools.product(range(20), folders):
        try:
            with open(f"{folder}/fill-{number}", "wb", buffering=0) as file:
                while True:
                    written += file.write(b"x" * 1_000_000)
                    if file.tell() > 30_000_000:
                        break
        except OSError as error:
            ends.add(errno.errorcode[error.errno])
    raise RuntimeError(f"filled {written // 1_000_000} MB, then {sorted(ends)}")


def floods(_: Any) -> Any:
    for _line in range(200):
        sys.stderr.write("x" * 100_000 + "\n")
    raise RuntimeError("flooded")


def sleeps_within(configuration: Any) -> None:
    time.sleep((configuration.move_ms + configuration.bank_ms) / 1000 - 2)


def sleeps_beyond(configuration: Any) -> None:
    time.sleep((configuration.move_ms + configuration.bank_ms) / 1000 + 0.5)


# What it looks for. Nothing of it may work.


def attempts() -> dict[str, Callable[[], Any]]:
    libc = ctypes.CDLL(None, use_errno=True)

    def call(function: Any, *arguments: Any) -> Callable[[], Any]:
        def run() -> None:
            if function(*arguments) == -1:
                raise OSError(ctypes.get_errno(), "")

        return run

    made: dict[str, Callable[[], Any]] = {}
    for where, address in ADDRESSES.items():
        made[f"TCP to {where}"] = lambda address=address: socket.create_connection(address, 2)
        made[f"UDP to {where}"] = lambda address=address: socket.socket(type=socket.SOCK_DGRAM).sendto(b"?", address)
    for family, kind in itertools.product(("AF_INET", "AF_INET6", "AF_PACKET", "AF_UNIX", "AF_NETLINK"), (2, 3)):
        made[f"{family} {kind}"] = lambda family=family, kind=kind: socket.socket(getattr(socket, family), kind)
    for number in (signal.SIGTERM, signal.SIGKILL, signal.SIGSTOP):
        made[f"kill {number}"] = lambda number=number: os.kill(PARENT, number)
        made[f"kill 1 {number}"] = lambda number=number: os.kill(1, number)
        made[f"kill all {number}"] = lambda number=number: os.kill(-1, number)
        made[f"tgkill {number}"] = call(libc.tgkill, PARENT, PARENT, number)
    for name in ("environ", "mem", "maps", "root", "io"):
        made[f"parent's {name}"] = lambda name=name: open(f"/proc/{PARENT}/{name}", "rb").read(1)
    made |= {
        "ptrace": call(libc.ptrace, 16, PARENT, 0, 0),
        "process_vm_readv": call(libc.process_vm_readv, PARENT, 0, 0, 0, 0, 0),
        "parent's files": lambda: os.listdir(f"/proc/{PARENT}/fd"),
        "parent's limits": lambda: resource.prlimit(PARENT, resource.RLIMIT_NOFILE, (1, 1)),
        "parent's end": lambda: open(f"/proc/{PARENT}/oom_score_adj", "w").write("1000"),
        "token": lambda: open(f"{TOKEN}/token").read(),
        "tokens": lambda: os.listdir(TOKEN),
        "secrets": lambda: os.listdir("/var/run/secrets"),
        "runtime's code": lambda: open("/opt/rl-arena/lib/rl_arena/runtime/server.py", "a"),
        "own code": lambda: open(__file__, "a"),
        "mount": call(libc.mount, b"x", b"/tmp", b"tmpfs", 0, 0),
        "unshare": call(libc.unshare, 0x10000000),
        "program": lambda: os.execv("/bin/true", ["true"]),
        "fork": os.fork,
    }
    return made


def spies(_: Any) -> Any:
    got, tried = [], attempts()
    for name, attempt in tried.items():
        try:
            attempt()
            got.append(name)
        except socket.gaierror:
            pass  # no name is found where nobody can be asked
        except OSError as error:
            if error.errno not in REFUSED:
                got.append(f"{name}: {error}")
    got += [name for name in os.environ if "KUBERNETES" in name or "TOKEN" in name or "SERVICE" in name]
    raise RuntimeError(f"spied in {len(tried)} ways, got {got or 'nothing'}")


VICES: dict[str, Callable[[Any], Any]] = {
    "raises": raises,
    "hangs": hangs,
    "spins": spins,
    "exits": exits,
    "eats": eats,
    "eats-shared": eats_where_no_limit_counts,
    "forks": forks,
    "fills": fills,
    "floods": floods,
    "spies": spies,
    "text": lambda _: "4",
    "boolean": lambda _: True,
    "liar": lambda _: Liar(77),
    "nan": lambda _: float("nan"),
    "array": lambda _: np.zeros(4_000_000),
    "taken": lambda seen: int((1 - seen["action_mask"]).argmax()),
    "outside": lambda _: 10**30,
}


def show(when: str, seen: Any = None) -> Any:
    return VICES[WHAT](seen) if when == WHEN else None


show("import")


class Agent:
    def __init__(self, player_id: int):
        # In the court of pong both have this code: the vice is the first seat's, or both sides'.
        self.good = WHEN != "move" or (SEAT != "0" and "both" not in WHAT and "pong" in WHAT)
        self.moves = 0

    def reset(self) -> None:
        show("reset")

    def act(self, seen: Any, configuration: Any) -> Any:
        self.moves += 1
        fair = int(seen["action_mask"].argmax()) if isinstance(seen, dict) else 1
        if self.good:
            return fair
        if WHAT in ("late", "just-in-time"):
            if self.moves == 1:
                (sleeps_within if WHAT == "just-in-time" else sleeps_beyond)(configuration)
            return fair
        if WHAT == "pong-nan":
            return float("nan")
        if WHAT == "pong-excused":
            return "up" if self.moves <= 4 else fair
        if WHAT == "pong-both-exit":
            os._exit(6)
        # The second player's first move is where some cells are taken already.
        return show("move", seen)
