"""Makes a match's replay: JSON for programs, one self-contained HTML page for people.

The JSON has three parts. `game` and `frames` are what was played and depend on nothing else: the
same agents, environment version and seed give the same text. `metadata` is about this one match
(ids, times, messages). The hash of the game is sha256 over the canonical text (keys sorted, no
spaces, UTF-8) of {"frames": ..., "game": ...}: equal hashes, equal games. The hash of the file
covers all of it.
"""

from __future__ import annotations

import datetime
import gzip
import hashlib
import json
import os
from dataclasses import dataclass
from typing import Any

from rl_arena.executor.environments import Spec
from rl_arena.executor.match import Outcome
from rl_arena.proto import executor_pb2

FORMAT = 1
TEMPLATE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "replay.html")
PLACEHOLDER = "@REPLAY@"


@dataclass(frozen=True)
class Replay:
    json_gz: bytes
    html: bytes
    game_sha256: str
    json_sha256: str
    html_sha256: str


def canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def game_part(request: executor_pb2.MatchRequest, spec: Spec, outcome: Outcome) -> dict[str, Any]:
    """What the match was, apart from its frames; nothing that two runs of one game would not share."""
    return {
        "format": FORMAT,
        "environment": spec.id,
        "environmentVersion": spec.version,
        "seed": str(request.seed),  # as text: 64 bits do not fit a JSON number everywhere
        "players": [seat.agent.name or f"Player {number + 1}" for number, seat in enumerate(outcome.seats)],
        "finalScore": outcome.scores,
        "winner": outcome.winner,
        "failures": [
            executor_pb2.Failure.Name(seat.failure).removeprefix("FAILURE_").lower() if seat.failed else None
            for seat in outcome.seats
        ],
        "steps": outcome.steps,
    }


def game_hash(game: dict[str, Any], frames: list[dict[str, Any]]) -> str:
    return hashlib.sha256(canonical({"game": game, "frames": frames})).hexdigest()


def _metadata(
    request: executor_pb2.MatchRequest, outcome: Outcome, game: dict[str, Any], digest: str
) -> dict[str, Any]:
    when = datetime.datetime.fromtimestamp(outcome.began, datetime.UTC)
    return {
        **game,
        "matchId": request.match_id,
        "attempt": request.attempt,
        "agents": [
            {
                "id": seat.agent.agent_id,
                "name": game["players"][number],
                "version": seat.agent.version,
                "image": seat.agent.docker_image,
                "score": outcome.scores[number],
                "errors": seat.errors,
                "failure": game["failures"][number],
                "message": seat.message,
            }
            for number, seat in enumerate(outcome.seats)
        ],
        "status": executor_pb2.MatchStatus.Name(outcome.status).lower(),
        "duration": round(outcome.seconds, 3),
        "timestamp": when.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "gameSha256": digest,
    }


def embed(text: str) -> str:
    """JSON that may stand inside a script element: nothing in it can end the element."""
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def make(request: executor_pb2.MatchRequest, spec: Spec, outcome: Outcome) -> Replay:
    game = game_part(request, spec, outcome)
    digest = game_hash(game, outcome.frames)
    whole = {
        "metadata": _metadata(request, outcome, game, digest),
        "game": game,
        "frames": outcome.frames,
    }
    text = json.dumps(whole, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    with open(TEMPLATE, encoding="utf-8") as file:
        head, tail = file.read().split(PLACEHOLDER)
    page = (head + embed(text) + tail).encode()
    data = text.encode()
    return Replay(
        json_gz=gzip.compress(data, mtime=0),
        html=page,
        game_sha256=digest,
        json_sha256=hashlib.sha256(data).hexdigest(),
        html_sha256=hashlib.sha256(page).hexdigest(),
    )
