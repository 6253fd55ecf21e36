"""Replays as they are served and as pages: safe names, safe markup, both encodings."""

from __future__ import annotations

import asyncio
import gzip
import json
import os

import pytest
from aiohttp.test_utils import TestClient, TestServer

from rl_arena.executor import replay
from rl_arena.executor.match import Outcome, Seat
from rl_arena.executor.store import Store
from rl_arena.executor.web import application
from rl_arena.proto import executor_pb2 as pb

NASTY = "</script><script>alert(1)</script><!--\u2028&amp;'\""


def made(specs, folder, match_id="m", name=NASTY, limit=1 << 30) -> tuple[Store, replay.Replay, pb.MatchResponse]:
    spec = specs["tic-tac-toe"]
    request = pb.MatchRequest(match_id=match_id, attempt=1, environment=spec.id, seed=2**64 - 1)
    seats = [Seat(pb.AgentData(agent_id=f"id-{n}", name=name)) for n in range(2)]
    seats[1].forfeit(pb.FAILURE_CRASHED, NASTY)
    frame = {"step": 0, "actions": [None, None], "rewards": [0, 0], "scores": [0, 0], "info": {"board": [0] * 9}}
    outcome = Outcome(pb.SUCCESS, seats, [0.0, 0.0], 0, 0, 1.5, 0.0, frames=[frame])
    whole = replay.make(request, spec, outcome)
    store = Store(str(folder), "http://executor/replays/", limit)
    response = pb.MatchResponse(match_id=match_id, attempt=1)
    store.save_replay(response, whole)
    store.save_result(response)
    return store, whole, response


def test_page_holds_its_data_safely(specs, tmp_path):
    _, whole, _ = made(specs, tmp_path)
    page = whole.html.decode()
    assert page.count("</script>") == 2  # the data's own and the program's
    assert "alert(1)" in page and "<script>alert" not in page
    assert "\u2028" not in page
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "").replace("http-equiv", "")
    start = page.index('id="replay">') + len('id="replay">')
    data = json.loads(page[start : page.index("</script>", start)])
    assert data["metadata"]["players"] == [NASTY] * 2
    assert data["metadata"]["seed"] == str(2**64 - 1)
    assert data == json.loads(gzip.decompress(whole.json_gz))


def test_hash_is_of_the_game_alone(specs, tmp_path):
    _, first, _ = made(specs, tmp_path, "m1")
    _, second, _ = made(specs, tmp_path, "m2")
    _, other, _ = made(specs, tmp_path, "m3", name="somebody else")
    assert first.game_sha256 == second.game_sha256 != other.game_sha256
    assert first.json_sha256 != second.json_sha256


def browse(specs, folder, paths: dict[str, dict[str, str]]) -> dict[str, tuple[int, bytes, dict[str, str]]]:
    store, _, _ = made(specs, folder)

    async def visit():
        answers = {}
        async with TestClient(TestServer(application(store, lambda: True)), auto_decompress=False) as browser:
            for path, headers in paths.items():
                async with browser.get(path, headers=headers, allow_redirects=False) as answer:
                    answers[path] = (answer.status, await answer.read(), dict(answer.headers))
        return answers

    return asyncio.run(visit())


def test_both_encodings(specs, tmp_path):
    paths = {"/replays/m-1.json": {"Accept-Encoding": "gzip"}, "/replays/m-1.json.gz": {}, "/replays/m-1.html": {}}
    answers = browse(specs, tmp_path, paths)
    plain = browse(specs, tmp_path, {"/replays/m-1.json": {"Accept-Encoding": "identity"}})["/replays/m-1.json"]
    assert all(status == 200 for status, _, _ in answers.values())
    assert answers["/replays/m-1.json"][2]["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in plain[2]
    assert answers["/replays/m-1.json.gz"][2]["Content-Type"] == "application/gzip"
    assert json.loads(plain[1]) == json.loads(gzip.decompress(answers["/replays/m-1.json"][1]))
    assert "sandbox allow-scripts" in answers["/replays/m-1.html"][2]["Content-Security-Policy"]


@pytest.mark.parametrize(
    "path",
    [
        "/replays/../../../etc/passwd",
        "/replays/%2e%2e%2fsecret.html",
        "/replays/..%2f..%2fetc%2fpasswd",
        "/replays/m-1.result",
        "/replays/.m-1.html.part",
        "/replays/m-1",
        "/replays/m-2.json",
        "/replays/",
        "/replays/m-1.json%00.html",
        "/",
    ],
)
def test_nothing_else_is_served(path, specs, tmp_path):
    (tmp_path.parent / "secret.html").write_text("secret")
    (status, body, _) = browse(specs, tmp_path, {path: {}})[path]
    assert status == 404 and b"secret" not in body


def test_health_and_metrics(specs, tmp_path):
    answers = browse(specs, tmp_path, {"/healthz": {}, "/metrics": {}})
    assert json.loads(answers["/healthz"][1]) == {"service": "executor", "status": "ok"}
    assert b"rl_arena_executor_active_matches" in answers["/metrics"][1]


def test_a_result_that_is_damaged_counts_as_none(specs, tmp_path):
    store, _, response = made(specs, tmp_path)
    assert store.load_result("m", 1) == response
    (tmp_path / "m-1.result").write_text('{"matchId": ')
    assert store.load_result("m", 1) is None
    assert store.load_result("other", 1) is None


def test_the_oldest_go_when_the_folder_is_full(specs, tmp_path):
    for number in range(4):
        store, _, _ = made(specs, tmp_path, f"m{number}", limit=60_000)
        for file in tmp_path.glob(f"m{number}-*"):
            os.utime(file, (number, number))
    store.trim()
    left = {path.name for path in tmp_path.iterdir()}
    assert "m3-1.html" in left and "m0-1.html" not in left
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 60_000
