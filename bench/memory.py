"""The controller's memory, cold start and idle CPU with many cached objects, beside controller-runtime's.

Each size is so many Agents with one Submission each, as a controller left them, on a real API server. A run starts
the process, waits until it says that its caches are synced, lets it come to rest, reads its memory from the
kernel and ends it. Both programs follow Agents, Submissions, Jobs and Pods in one namespace; the reference is
bench/reference/controller-runtime, with managedFields kept (its default) and without (--strip). Beside their
starts stands what the API server itself needs for these lists: a program that reads them and throws them away.
Idle is the processor time in a while of doing nothing, of the controller that leads.
"""

from __future__ import annotations

import json
import pathlib
import subprocess
import threading
import time
from collections import defaultdict
from collections.abc import Callable

from common import Context, exponent, median, process
from common.plane import NAMESPACE, START_SECONDS, Controller, Plane, go_program, synced
from probe import write_kubeconfig  # beside control_plane.py

from control_plane import TOKEN  # isort: skip

MIB = 1024 * 1024
GO = "controller-runtime"
PLAIN = "plain lists"
Starter = Callable[[], tuple[subprocess.Popen, float]]


def start_arena(plane: Plane) -> tuple[subprocess.Popen, float]:
    began = time.monotonic()
    one: Controller = plane.controller(LEADER_ELECT="false")
    synced(one)
    return one.process, time.monotonic() - began


class Sides:
    """How each side is started: the process, and the seconds until its caches were synced."""

    def __init__(self, context: Context, plane: Plane) -> None:
        self.plane = plane
        self.reference = str(go_program(context, GO))
        self.plain = str(go_program(context, "plain"))
        self.log: pathlib.Path = context.folder / "reference.log"
        self.bytes = 0  # of all lists together, the last time
        kubeconfig = write_kubeconfig(context.folder / "reference.kubeconfig", plane.server, f"{{token: {TOKEN}}}")
        self.environment = f"KUBECONFIG={kubeconfig}"
        self.starters: dict[str, Starter] = {
            "arena": lambda: start_arena(plane),
            GO: lambda: self.start_reference(),
            f"{GO} --strip": lambda: self.start_reference("--strip"),
        }

    def start_reference(self, *options: str) -> tuple[subprocess.Popen, float]:
        began = time.monotonic()
        with self.log.open("w") as log:
            one = self.plane.start("/usr/bin/env", self.environment, self.reference, NAMESPACE, *options, stderr=log)
        assert one.stdout
        limit = threading.Timer(START_SECONDS, one.kill)  # whatever keeps it from an end: its log is shown
        limit.start()
        line = one.stdout.readline()
        limit.cancel()
        if line != "synced\n":
            raise RuntimeError(f"{GO} did not sync: {self.log.read_text()[-2000:]}")
        return one, time.monotonic() - began

    def plain_lists(self) -> float:
        one = self.plane.start(self.plain, "lists", NAMESPACE)
        text = one.communicate()[0]
        self.plane.started.remove(one)
        assert one.returncode == 0
        found = json.loads(text)
        self.bytes = found["bytes"]
        return float(found["seconds"])


def idle(pid: int, seconds: float) -> float:
    before = process.cpu(pid)
    time.sleep(seconds)
    return 100 * (process.cpu(pid) - before) / seconds


def run(context: Context) -> None:
    sizes = context.sizes([0, 1000, 10_000, 100_000], [0, 100, 1000])
    resting = 5.0 if context.small else 60.0
    idle_size = sizes[-2] if not context.small else sizes[-1]
    context.input(agents=sizes, submissions="one for each agent", idle_seconds=resting, idle_agents=idle_size)
    memory: dict[tuple[str, int], list[float]] = defaultdict(list)
    start: dict[tuple[str, int], list[float]] = defaultdict(list)
    spent: dict[str, list[float]] = defaultdict(list)
    with Plane(context) as plane:
        plane.queue()
        with plane.scripted() as (mirror, _):
            plane.template(mirror, matchmaking={"enabled": False})
        sides = Sides(context, plane)
        for size in sizes:
            plane.copies(size)
            for _ in range(context.runs):
                start[PLAIN, size].append(sides.plain_lists())
                context.say(f"{size} agents, {PLAIN}: {start[PLAIN, size][-1]:.2f} s, {sides.bytes / MIB:.1f} MiB")
                for side, starter in sides.starters.items():
                    one, seconds = starter()
                    process.rest(one.pid)
                    memory[side, size].append(process.memory(one.pid) / MIB)
                    start[side, size].append(seconds)
                    context.say(f"{size} agents, {side}: {memory[side, size][-1]:.1f} MiB, {seconds:.2f} s")
                    if size == idle_size:
                        spent[side].append(idle(one.pid, resting))
                    plane.stop(one)
    tell(context, sizes, memory, start)
    for side, values in spent.items():
        context.row(f"idle, {idle_size} agents", "% of a core", values, side)
    context.goal("idle", median(spent["arena"]) < 0.5, "under 0.5% of a core")


def tell(context: Context, sizes: list[int], memory: dict, start: dict) -> None:
    sides = list(dict.fromkeys(side for side, _ in memory))
    for side in sides:
        for size in sizes:
            context.row(f"memory, {size} agents", "MiB", memory[side, size], side)
    for side in sides:
        # Two objects for each agent; what the empty program has is not the objects'.
        base, most = median(memory[side, 0]), sizes[-1]
        each = [(value - base) * 1024 / (2 * most) for value in memory[side, most]]
        context.row(f"memory for each object of {2 * most}", "KiB", each, side)
        grown = {size: median(memory[side, size]) - base for size in sizes if size}
        if min(grown.values()) > 0:
            context.row("growth of memory above the empty program's: exponent", "", [exponent(grown)], side)
        if side == "arena":
            context.goal("memory for each object", median(each) < 1, "under 1 KiB")
            context.goal(f"memory, {most} agents", median(memory[side, most]) < 128, "under 128 MiB")
    for side in [*sides, PLAIN]:
        for size in sizes:
            context.row(f"cold start, {size} agents", "s", start[side, size], side)
    times = [ours / lists for ours, lists in zip(start["arena", sizes[-1]], start[PLAIN, sizes[-1]], strict=True)]
    context.row(f"cold start, {sizes[-1]} agents: of the plain lists", "times", times)
    context.goal(f"cold start, {sizes[-1]} agents", median(start["arena", sizes[-1]]) < 5, "under 5 s")
