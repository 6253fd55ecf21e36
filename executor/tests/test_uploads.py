"""Replays given to the front: both files, its addresses, and what happens while it is away."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from harness import arena
from test_hostile_servers import good_reset, served
from test_matches import Table
from test_replays import made

from rl_arena.executor import config, late_uploads, upload
from rl_arena.executor.store import Store
from rl_arena.executor.upload import Uploader
from rl_arena.proto import executor_pb2 as pb

OWN = "http://executor/replays/m-1"


class Front:
    """Takes what it is given, after the refusals that it is told to begin with."""

    def __init__(self, *refusals: int) -> None:
        self.refusals = list(refusals)
        self.requests: list[tuple[str, str, bytes, str]] = []
        self.answer: Callable[[web.Request], web.StreamResponse] = lambda request: web.json_response(
            {"url": f"http://arena.test{request.path}?format={request.query['kind']}"}
        )

    async def put(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.requests.append((request.path, request.query_string, body, request.headers.get("Authorization", "")))
        return web.Response(status=self.refusals.pop(0)) if self.refusals else self.answer(request)

    @contextlib.asynccontextmanager
    async def serve(self) -> AsyncIterator[str]:
        app = web.Application(client_max_size=1 << 30)
        app.router.add_route("*", "/{rest:.*}", self.put)
        async with TestServer(app) as server:
            yield str(server.make_url("/internal/v1/replays"))


def give(
    specs, folder: Path, front: Front, seconds: float = 20, token: str = "abc.def"
) -> tuple[bool, pb.MatchResponse]:
    async def scenario() -> tuple[bool, pb.MatchResponse]:
        _, whole, response = made(specs, folder)
        file = folder / "token"
        file.write_text(token + "\n")
        async with front.serve() as url:
            return await Uploader(url + "/", str(file), seconds).upload(response, whole), response

    return asyncio.run(scenario())


@pytest.fixture(autouse=True)
def no_long_waits(monkeypatch):
    monkeypatch.setattr(upload, "FIRST_WAIT", 0.01)


def test_both_files_arrive_and_their_addresses_are_the_fronts(specs, tmp_path):
    front = Front()
    done, response = give(specs, tmp_path, front)
    assert done
    assert response.replay_url == "http://arena.test/internal/v1/replays/m?format=json"
    assert response.replay_html_url == "http://arena.test/internal/v1/replays/m?format=html"
    assert [(path, query) for path, query, _, _ in front.requests] == [
        ("/internal/v1/replays/m", "kind=html&attempt=1"),
        ("/internal/v1/replays/m", "kind=json&attempt=1"),
    ]
    assert front.requests[0][2] == (tmp_path / "m-1.html").read_bytes()
    assert front.requests[1][2] == (tmp_path / "m-1.json.gz").read_bytes()
    assert {authorization for *_, authorization in front.requests} == {"Bearer abc.def"}


@pytest.mark.parametrize("status", [401, 403, 408, 429, 500, 503])
def test_what_may_pass_is_tried_again(specs, tmp_path, status):
    front = Front(status, status, status)
    assert give(specs, tmp_path, front)[0]
    assert len(front.requests) == 5


@pytest.mark.parametrize("status", [400, 409, 413, 415, 301])
def test_what_is_refused_is_not(specs, tmp_path, status):
    front = Front(*[status] * 100)
    done, response = give(specs, tmp_path, front, 0.5 if status == 301 else 20)
    assert not done and response.replay_url == OWN + ".json" and response.replay_html_url == OWN + ".html"
    assert len(front.requests) == 1


def test_a_front_that_stays_away_costs_a_bounded_time(specs, tmp_path):
    front = Front(*[503] * 10000)
    done, response = give(specs, tmp_path, front, 2)
    assert not done and response.replay_url == OWN + ".json"
    assert 1 < len(front.requests) < 30


def test_a_front_that_never_answers(specs, tmp_path):
    front = Front()

    async def never(_: web.Request) -> web.StreamResponse:
        await asyncio.sleep(60)
        raise AssertionError

    front.put = never  # type: ignore[method-assign]
    assert not give(specs, tmp_path, front, 0.3)[0]


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{}", b'{"url": 1}', b'{"url": "ftp://x/"}', b'{"url": "http://' + b"x" * 3000 + b'"}', b"\xff"],
)
def test_an_answer_without_an_address_is_none(specs, tmp_path, body):
    front = Front()
    front.answer = lambda _: web.Response(body=body, content_type="application/json")
    done, response = give(specs, tmp_path, front, 0.2)
    assert not done and response.replay_url == OWN + ".json"


def test_the_token_goes_to_no_other_server(specs, tmp_path):
    front, other = Front(), Front()

    async def scenario() -> None:
        _, whole, response = made(specs, tmp_path)
        (tmp_path / "token").write_text("abc.def")
        async with front.serve() as url, other.serve() as elsewhere:
            front.answer = lambda _: web.Response(status=307, headers={"Location": elsewhere})
            assert not await Uploader(url, str(tmp_path / "token"), 0.3).upload(response, whole)

    asyncio.run(scenario())
    assert front.requests and other.requests == []


@pytest.mark.parametrize("token", ["", "two words"])
def test_without_a_token_nothing_is_sent(specs, tmp_path, token):
    front = Front()
    assert not give(specs, tmp_path, front, 0.2, token)[0]
    assert front.requests == []


def test_names_are_escaped(specs, tmp_path):
    front = Front()

    async def scenario() -> None:
        _, whole, response = made(specs, tmp_path)
        response.match_id = "../a?kind=html#"
        (tmp_path / "token").write_text("abc")
        async with front.serve() as url:
            await Uploader(url, str(tmp_path / "token")).upload(response, whole)

    asyncio.run(scenario())
    assert front.requests[0][0] == "/internal/v1/replays/../a?kind=html#"  # decoded by the server: one segment
    assert front.requests[0][1] == "kind=html&attempt=1"


@pytest.mark.parametrize("away", [False, True])
def test_a_match_reports_where_its_replay_is(specs, tmp_path, away):
    """Played as ever; the answer, also the one given again, has the front's addresses, or this executor's own."""
    front = Front(*[400] * 2 if away else [])

    async def scenario() -> None:
        table = Table()
        table.may_move.set()
        methods = {"Reset": good_reset, "Act": table.act, "Close": table.close}
        (tmp_path / "token").write_text("abc")
        async with (
            served(**methods) as first,
            served(**methods) as second,
            front.serve() as url,
            arena(specs, tmp_path / "replays", uploader=Uploader(url, str(tmp_path / "token"))) as executor,
        ):
            request = executor.request("tic-tac-toe", [first, second])
            answer = await executor.stub.RunMatch(request)
            assert answer == await executor.stub.RunMatch(request)
            expected = "http://executor/replays/" if away else "http://arena.test/internal/v1/replays/"
            assert answer.replay_url.startswith(expected) and answer.replay_html_url.startswith(expected)
            assert len(front.requests) == (1 if away else 2)

    asyncio.run(scenario())
    assert len(list((tmp_path / "replays").glob("*.html"))) == 1
    assert len(list((tmp_path / "replays").glob("*.upload"))) == (1 if away else 0)
    stored = json.loads(next((tmp_path / "replays").glob("*.result")).read_text())
    assert ("executor" in stored["replayUrl"]) is away


def test_configuration(monkeypatch):
    assert config.load().replay_upload_url == ""
    url = "http://api-server:8081/internal/v1/replays"
    monkeypatch.setenv("REPLAY_UPLOAD_URL", url)
    monkeypatch.setenv("REPLAY_TOKEN_FILE", "/token")
    loaded = config.load()
    assert (loaded.replay_upload_url, loaded.replay_token_file) == (
        "http://api-server:8081/internal/v1/replays",
        "/token",
    )
    monkeypatch.setenv("REPLAY_UPLOAD_URL", "api-server:8081")
    with pytest.raises(config.ConfigError, match="REPLAY_UPLOAD_URL"):
        config.load()


def late(specs, folder: Path, front: Front, seconds: float = 20) -> Store:
    """A match whose replay waits, and one turn of bringing what waits."""

    async def scenario() -> Store:
        store, _, response = made(specs, folder)
        store.set_waiting(response.match_id, response.attempt)
        (folder / "token").write_text("abc")
        async with front.serve() as url:
            await late_uploads.bring(store, Uploader(url, str(folder / "token"), seconds))
        return store

    return asyncio.run(scenario())


def test_a_replay_that_waited_is_brought_once(specs, tmp_path):
    front = Front()
    assert late(specs, tmp_path, front).waiting() == []
    assert [query for _, query, _, _ in front.requests] == ["kind=html&attempt=1", "kind=json&attempt=1"]
    assert front.requests[0][2] == (tmp_path / "m-1.html").read_bytes()
    assert front.requests[1][2] == (tmp_path / "m-1.json.gz").read_bytes()


def test_a_replay_waits_on_while_the_front_is_away(specs, tmp_path):
    assert late(specs, tmp_path, Front(*[503] * 1000), 0.3).waiting() == [("m", 1)]


def test_a_replay_that_is_refused_waits_no_more(specs, tmp_path):
    assert late(specs, tmp_path, Front(413)).waiting() == []


def test_a_replay_that_was_trimmed_waits_no_more(specs, tmp_path):
    front = Front()
    store = Store(str(tmp_path), "http://executor/replays", 1 << 20)
    store.set_waiting("gone-7", 2)
    assert store.waiting() == [("gone-7", 2)]
    assert late(specs, tmp_path, front).waiting() == []


def test_what_cannot_be_brought_does_not_keep_others_waiting(tmp_path):
    store = Store(str(tmp_path), "http://executor/replays", 1 << 20)
    for name in ("a", "b"):
        store.set_waiting(name, 1)
        time.sleep(0.01)
    store.set_waiting("a", 1)
    assert store.waiting() == [("b", 1), ("a", 1)]
