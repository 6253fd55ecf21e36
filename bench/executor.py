"""Steps a second of pong with two remote agents, and what the executor adds to a move.

Two agents' runtimes as real processes (restricted as in a Pod, where this machine lets us), the executor's
service on loopback, and a perfect follower on both sides, so that every game has its 1,000 steps. Both agents
are asked at the same time: one step is one move of each. An agent notes when it is asked; the time from one
move to the next is a whole step, and what is left without the game and the agents' own thinking, measured in
one process in turn with it, is the overhead. Beside it stands what gRPC alone takes: the same message to two processes
that answer at once, with no agent, no game, no clock and no validation (common/echo.py).
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

from common import Context, echo, median, quantile
from common.machine import ROOT

sys.path[:0] = [str(ROOT / "executor"), str(ROOT / "executor" / "tests")]

from harness import Runtime, arena, runtimes  # noqa: E402
from rl_arena.executor import encode, environments  # noqa: E402
from rl_arena.executor.games.pong import PongEnv  # noqa: E402
from rl_arena.proto import executor_pb2 as pb  # noqa: E402

STEPS = 1000
NOTES = STEPS - 10  # of a game's moves; written in one go, after the last that counts
AGENT = f"""
import json, os, time
asked = []
def agent(observation):
    asked.append(time.perf_counter())
    if len(asked) == {NOTES}:
        with open(os.path.join(os.environ["TMPDIR"], "asked.json"), "w") as file:
            json.dump(asked, file)
    y, paddle = observation[1], observation[4]
    return 0 if y < paddle - 0.02 else 2 if y > paddle + 0.02 else 1
"""


def notes(runtime: Runtime) -> list[float]:
    """Milliseconds from each move to the next."""
    asked = json.loads((runtime.scratch / "asked.json").read_text())
    return [(after - before) * 1000 for before, after in zip(asked, asked[1:], strict=False)]


async def play(pair: list[Runtime], folder: Path, seed: int) -> pb.MatchResponse:
    async with arena(environments.load(), folder) as executor:
        answer = await executor.play("pong", [one.endpoint for one in pair], seed=seed)
    assert answer.status == pb.SUCCESS and answer.total_steps == STEPS, answer
    return answer


def in_one_process(seed: int) -> list[float]:
    """The same game and the same agents without anything between them: milliseconds of each step."""
    names: dict = {}
    exec(AGENT, names)
    environment, steps = PongEnv(), []
    seen, _ = environment.reset(seed=seed)
    while environment.agents:
        began = time.perf_counter()
        names["asked"].clear()
        seen, *_ = environment.step({one: names["agent"](seen[one]) for one in environment.agents})
        steps.append((time.perf_counter() - began) * 1000)
    assert len(steps) == STEPS
    return steps


def run(context: Context) -> None:
    games = 1 if context.small else 3
    context.input(game="pong", steps_of_a_game=STEPS, games_of_a_run=games, replay="recorded")
    rates, bare, p50, p99, alone, transport = [], [], [], [], [], []
    message = encode.value(PongEnv().reset(seed=0)[0]["player_0"])
    with runtimes(2) as pair, echo.agents(2) as answering:
        for one in pair:
            one.write(AGENT)
        for number in range(context.runs):
            answers, periods, direct = [], [], []
            for game in range(games):
                answers.append(asyncio.run(play(pair, context.folder / f"{number}-{game}", game)))
                periods += notes(pair[0])
                direct += in_one_process(game)
            rates.append(STEPS * games / sum(one.execution_time_sec for one in answers))
            bare.append(1000 * len(direct) / sum(direct))
            p50.append(quantile(periods, 0.5))
            p99.append(quantile(periods, 0.99))
            alone.append(quantile(direct, 0.5))
            transport.append(quantile(asyncio.run(echo.rounds(answering, message, STEPS * games)), 0.5))
            context.say(f"run {number + 1} of {context.runs}: {rates[-1]:.0f} steps/s, p50 {p50[-1]:.3f} ms a step")
    context.row("steps", "steps/s", rates)
    context.row("steps", "steps/s", bare, "one process")
    context.row("a step, p50", "ms", p50)
    context.row("a step, p99", "ms", p99)
    context.row("a step, p50", "ms", alone, "one process")
    context.row("a step, p50", "ms", transport, "gRPC alone")
    # Both moves of a step go at the same time: the step's overhead is the most that a move's can be.
    overhead = [step - direct for step, direct in zip(p50, alone, strict=True)]
    context.row("overhead of a move, p50", "ms", overhead)
    beyond = [ours - theirs for ours, theirs in zip(overhead, transport, strict=True)]
    context.row("overhead of a move beyond gRPC, p50", "ms", beyond)
    context.goal("overhead of a move", median(overhead) < 1, "p50 under 1 ms")
