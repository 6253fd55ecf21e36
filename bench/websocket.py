"""WebSockets: 10,000 open ones, one event to all of them, and what one costs in memory."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Iterator

from common import Context, median
from serving import people, seed, servers

ENOUGH_USERS = 600  # a user has at most 20 connections
WITHIN_MS = 250
BYTES_EACH = 16 * 1024
CHANGE = "UPDATE agents SET elo = elo + 1, resource_version = resource_version + 1 WHERE object_name = 'agent-4'"


@contextlib.contextmanager
def listeners(context: Context, port: int, count: int) -> Iterator[subprocess.Popen[str]]:
    """That many, all subscribed; each event makes a line."""
    program = context.program("bench/listeners")
    command = [str(program), str(port), str(count), f"leaderboard:{seed.ENVIRONMENTS[0]}"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin and process.stdout
    try:
        process.stdin.write("\n".join(people.token(n) for n in range(1, ENOUGH_USERS + 1)))
        process.stdin.close()
        assert process.stdout.readline() == "ready\n", "the listeners do not come to listen"
        yield process
    finally:
        process.kill()
        process.wait()


def run(context: Context) -> None:
    (count,) = context.sizes([10_000], [1_000])
    context.input(connections=count, events=context.runs, users=ENOUGH_USERS)
    last, first, cpu = [], [], []
    with servers.database() as url:
        seed.fill(url)
        settings = {"CONNECTIONS_MAX": count + 100, "LOG_LEVEL": "warn"}
        with servers.front(context, url, **settings) as front, servers.connect(url) as database:
            assert front.process
            before = servers.resident(front.process.pid)
            with listeners(context, front.port, count) as process:
                assert process.stdout
                for _ in range(context.runs + 1):
                    time.sleep(1)
                    used, begun = servers.seconds_of(front.process.pid), time.monotonic_ns()
                    database.execute(CHANGE)
                    word, at_first, at_last = process.stdout.readline().split()
                    assert word == "all"
                    first.append((int(at_first) - begun) / 1e6)
                    last.append((int(at_last) - begun) / 1e6)
                    cpu.append((servers.seconds_of(front.process.pid) - used) * 1e3)
                each = (servers.resident(front.process.pid) - before) / count
    # The first event finds everything cold.
    context.row("one event to all: the first has it after", "ms", first[1:])
    context.row("one event to all: the last has it after", "ms", last[1:])
    context.row("the front's processor time for it", "ms", cpu[1:])
    context.row("memory of a connection, after the events", "bytes", [each])
    context.note("from before the UPDATE that the event tells of is sent to PostgreSQL; the clients share the cores")
    context.goal("one event to all", median(last[1:]) < WITHIN_MS, f"within {WITHIN_MS} ms")
    context.goal("memory of a connection", each < BYTES_EACH, f"under {BYTES_EACH // 1024} KiB")
