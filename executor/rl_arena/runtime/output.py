"""What the author's code prints: always read, so that it never blocks, and never kept in full."""

from __future__ import annotations

import asyncio
import os
import sys

KEEP = 16 << 10
FORWARD_MAX = 256 << 10
CHUNK = 64 << 10
TAIL_CHARACTERS = 4000


class Output:
    """Reads one pipe to its end. Keeps the last KEEP bytes and passes the first FORWARD_MAX on to
    the Pod's own log; the rest is dropped."""

    def __init__(self, descriptor: int, loop: asyncio.AbstractEventLoop):
        self._descriptor = descriptor
        self._loop = loop
        self._kept = bytearray()
        self._forwarded = 0
        self._open = True
        os.set_blocking(descriptor, False)
        loop.add_reader(descriptor, self._ready)

    def _ready(self) -> None:
        try:
            data = os.read(self._descriptor, CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.close()
            return
        self._kept += data
        if len(self._kept) > KEEP:
            del self._kept[: len(self._kept) - KEEP]
        self._forward(data)

    def _forward(self, data: bytes) -> None:
        room = FORWARD_MAX - self._forwarded
        if room <= 0:
            return
        self._forwarded += len(data)
        sys.stderr.buffer.write(data[:room])
        if len(data) > room:
            sys.stderr.buffer.write(b"\n(the agent's further output is not shown)\n")
        sys.stderr.buffer.flush()

    def drain(self) -> None:
        """Takes what is there already, at most as much as is kept anyway."""
        for _ in range(4):
            if not self._open:
                return
            self._ready()

    def tail(self) -> str:
        """The last lines, bounded, as text."""
        return self._kept.decode("utf-8", "replace")[-TAIL_CHARACTERS:].strip("\n\0")

    def close(self) -> None:
        if self._open:
            self._open = False
            self._loop.remove_reader(self._descriptor)
            os.close(self._descriptor)
