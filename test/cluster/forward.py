"""The way from the host into the cluster's network: a TCP port here, a Service there.

A socket stays in the network that it was made in. This program listens first, then enters the cluster's
network namespace and makes its connections from there: nothing of the host's network is changed.
"""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import os
import pathlib
import signal
import socket
import sys

CLONE_NEWNET = 0x40000000
PIECE = 65536
PORTS_TRIED = 20
SILENT_SECONDS = 10


def listen(address: str, port: int) -> socket.socket:
    """The wanted port, or one of the next when another program has it."""
    trouble: OSError | None = None
    for candidate in range(port, port + PORTS_TRIED):
        try:
            return socket.create_server((address, candidate), backlog=256)
        except OSError as error:
            trouble = error
    raise SystemExit(f"cannot listen on any of {address}:{port} to {port + PORTS_TRIED - 1}: {trouble}")


def enter(namespace: str) -> None:
    with open(namespace) as file:
        if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), CLONE_NEWNET) != 0:
            raise SystemExit(f"cannot enter {namespace}: {os.strerror(ctypes.get_errno())}")


async def copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    """Until one side has said all it has to say; the other one is told."""
    while piece := await source.read(PIECE):
        target.write(piece)
        await target.drain()
    if target.can_write_eof():
        target.write_eof()


def keep_alive(writer: asyncio.StreamWriter) -> None:
    """A Pod that has gone with its network says nothing any more: it is asked."""
    inner: socket.socket = writer.get_extra_info("socket")
    inner.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    inner.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, SILENT_SECONDS)
    inner.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, SILENT_SECONDS)
    inner.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 3 * SILENT_SECONDS * 1000)


async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, address: str, port: int) -> None:
    inner_writer: asyncio.StreamWriter | None = None
    try:
        inner_reader, inner_writer = await asyncio.open_connection(address, port)
        keep_alive(inner_writer)
        await asyncio.gather(copy(reader, inner_writer), copy(inner_reader, writer))
    except OSError:
        pass  # whoever asked sees a connection that ends
    finally:
        for one in (writer, inner_writer):
            if one is not None:
                one.close()


async def serve(listener: socket.socket, address: str, port: int) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    running: set[asyncio.Task[None]] = set()  # the loop itself keeps none of them alive

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(connected(reader, writer, address, port))
        running.add(task)
        task.add_done_callback(running.discard)

    server = await asyncio.start_server(accept, sock=listener)
    async with server:
        await stop.wait()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--listen", required=True, help="ADDRESS:PORT on the host; one of the next ports if it is taken"
    )
    parser.add_argument("--namespace", required=True, help="file of the network namespace to connect from")
    parser.add_argument("--connect", required=True, help="ADDRESS:PORT in there")
    parser.add_argument("--announce", required=True, help="file that the address is written to")
    options = parser.parse_args()
    here, port = options.listen.rsplit(":", 1)
    listener = listen(here, int(port))
    enter(options.namespace)
    announce = pathlib.Path(options.announce)
    part = announce.with_suffix(".part")
    part.write_text(f"http://{here}:{listener.getsockname()[1]}\n")
    part.replace(announce)
    there, inner_port = options.connect.rsplit(":", 1)
    asyncio.run(serve(listener, there, int(inner_port)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
