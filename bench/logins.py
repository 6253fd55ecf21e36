"""A login storm: 8 logins at a time beside the leaderboard's load, whose p99 at most doubles."""

from __future__ import annotations

import concurrent.futures
import contextlib
import os
import threading
from collections.abc import Iterator

from common import Context, median
from serving import load, seed, servers

PATH = "/api/v1/leaderboard?limit=20"
AT_A_TIME = 8
PASSWORD = "correct horse"


@contextlib.contextmanager
def storm(front: servers.ApiServer, username: str, done: list[int]) -> Iterator[None]:
    """Appends each login's status to `done`."""
    over = threading.Event()

    def login() -> None:
        client = front.client()
        body = {"email": username, "password": PASSWORD}
        while not over.is_set():
            done.append(client.post("/auth/login", body).status_code)

    with concurrent.futures.ThreadPoolExecutor(AT_A_TIME) as pool:
        futures = [pool.submit(login) for _ in range(AT_A_TIME)]
        try:
            yield
        finally:
            over.set()
            for future in futures:
                future.result()


def run(context: Context) -> None:
    (seconds,) = context.sizes([8], [2])
    context.input(logins_at_a_time=AT_A_TIME, connections=load.CONNECTIONS, seconds=seconds)
    calm: list[load.Speed] = []
    stormy: list[load.Speed] = []
    logins: list[float] = []
    with servers.database() as url:
        seed.fill(url)
        with servers.front(context, url) as front:
            person = front.register("somebody", password=PASSWORD)
            for run_number in range(context.runs):
                calm.append(load.load(front.url + PATH, seconds))
                done: list[int] = []
                with storm(front, person.name, done):
                    stormy.append(load.load(front.url + PATH, seconds))
                assert set(done) == {200}, f"logins are refused: {set(done)}"
                logins.append(len(done) / seconds)
                context.say(f"run {run_number + 1} of {context.runs}: p99 {calm[-1].p99_ms} and {stormy[-1].p99_ms} ms")
    for when, speeds in (("without logins", calm), ("with logins", stormy)):
        context.row(f"leaderboard {when}", "requests/s", [s.per_second for s in speeds])
        context.row(f"leaderboard {when}: p99", "ms", [s.p99_ms for s in speeds])
    context.row("logins meanwhile", "logins/s", logins)
    twice = 2 * median([s.p99_ms for s in calm])
    context.goal("leaderboard's p99 beside the logins", median([s.p99_ms for s in stormy]) <= twice, "at most doubles")
    if os.nice(0) > 9:
        context.note("started at a low priority: the hashes' threads cannot be lower, and this is no figure")
    context.note("wrk keeps its 32 connections busy both times: it takes all that the cores have left")
