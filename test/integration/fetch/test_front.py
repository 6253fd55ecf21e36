"""Uploads are fetched from the arena's front, with a token that no other server ever sees."""

from __future__ import annotations

import pathlib

import pytest

from .conftest import Fetch, Handler, Server
from .test_archive import AGENT, zipped

CONTENT = zipped(AGENT)
TOKEN = "eyJhbGciOi.eyJhdWQiOi.c2ln"
PATH = "/internal/v1/sources/abc"


@pytest.fixture
def token(tmp_path: pathlib.Path) -> str:
    file = tmp_path / "token"
    file.write_text(TOKEN + "\n")
    return str(file)


def guarded(handler: Handler) -> None:
    if handler.headers.get("Authorization") == f"Bearer {TOKEN}":
        handler.answer(200, CONTENT)
    else:
        handler.answer(401, b"a token is needed")


def tokens_seen(server: Server) -> list[str]:
    return [headers["Authorization"] for _, _, headers in server.requests if "Authorization" in headers]


def options(server: Server, token: str) -> tuple[str, ...]:
    return ("--front-url", server.url + "/internal/v1/sources", "--front-token-file", token)


def test_the_front_is_reached_without_being_listed(fetch: Fetch, server: Server, token: str) -> None:
    server.routes[PATH] = guarded
    fetch.archive(server.url + PATH, CONTENT, "zip", *options(server, token), allow=None).assert_done()
    assert tokens_seen(server) == [f"Bearer {TOKEN}"]


def test_the_hash_is_checked_all_the_same(fetch: Fetch, server: Server, token: str) -> None:
    server.routes[PATH] = guarded
    other = zipped(("agent.py", b"another"))
    fetch.archive(server.url + PATH, other, "zip", *options(server, token), allow=None).assert_refused("HashMismatch")


@pytest.mark.parametrize("path", ["/internal/v1/sourcesabc", "/internal/v1/replays/abc", "/a.zip"])
def test_other_paths_of_it_get_no_token(fetch: Fetch, server: Server, token: str, path: str) -> None:
    server.serve(path, CONTENT)
    fetch.archive(server.url + path, CONTENT, "zip", *options(server, token)).assert_done()
    fetch.archive(server.url + path, CONTENT, "zip", *options(server, token), allow=None).assert_refused(
        "ForbiddenAddress"
    )
    assert tokens_seen(server) == []


@pytest.mark.parametrize("trick", ["/../x", "/%2e%2e/x", "/.%2e/x", "/abc?x", "/abc%2f..%2fx", "//abc.zip"])
def test_paths_that_mean_another_one_get_no_token(fetch: Fetch, server: Server, token: str, trick: str) -> None:
    server.serve("/internal/v1/x", CONTENT)
    fetch.archive(server.url + "/internal/v1/sources" + trick, CONTENT, "zip", *options(server, token))
    assert tokens_seen(server) == []


def test_other_servers_get_no_token(fetch: Fetch, server: Server, token: str) -> None:
    """The same address under another name, and another port, are other servers."""
    server.serve(PATH, CONTENT)
    other = server.url.replace("127.0.0.1", "localhost")
    fetch.archive(other + PATH, CONTENT, "zip", *options(server, token)).assert_done()
    elsewhere = ("--front-url", "http://127.0.0.1:1/internal/v1/sources", "--front-token-file", token)
    fetch.archive(server.url + PATH, CONTENT, "zip", *elsewhere).assert_done()
    assert tokens_seen(server) == []


def test_a_redirect_to_the_front_brings_no_token(fetch: Fetch, server: Server, token: str) -> None:
    server.routes[PATH] = guarded
    url = server.redirect("/go", server.url + PATH)
    fetch.archive(url, CONTENT, "zip", *options(server, token)).assert_refused("NotPublic")
    assert tokens_seen(server) == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_the_front_leads_nowhere_else(fetch: Fetch, server: Server, token: str, status: int) -> None:
    server.serve("/elsewhere", CONTENT)
    for target in (server.url + "/elsewhere", server.url.replace("127.0.0.1", "localhost") + "/elsewhere"):
        server.redirect(PATH, target, status)
        fetch.archive(server.url + PATH, CONTENT, "zip", *options(server, token)).assert_refused("ServerError", 11)
    assert {path for _, path, _ in server.requests} == {PATH}


ANSWERS = [(404, "NotFound", 10), (401, "ServerError", 11), (403, "ServerError", 11), (503, "ServerError", 11)]


@pytest.mark.parametrize(("status", "reason", "code"), ANSWERS)
def test_what_the_front_answers(fetch: Fetch, server: Server, token: str, status: int, reason: str, code: int) -> None:
    server.routes[PATH] = lambda handler: handler.answer(status, b"{}")
    fetch.archive(server.url + PATH, CONTENT, "zip", *options(server, token)).assert_refused(reason, code)


def test_without_a_token_nothing_is_asked(fetch: Fetch, server: Server, tmp_path: pathlib.Path) -> None:
    server.routes[PATH] = guarded
    empty = tmp_path / "empty"
    empty.write_text("\n")
    for file in (str(empty), str(tmp_path / "missing")):
        fetch.archive(server.url + PATH, CONTENT, "zip", *options(server, file)).assert_refused("NoToken", 11)
    assert server.requests == []


def test_git_gets_no_token(fetch: Fetch, server: Server, token: str) -> None:
    done = fetch.git(server.url + PATH, "main", *options(server, token), allow=None)
    done.assert_refused("ForbiddenAddress")
    fetch.git(server.url + PATH, "main", *options(server, token))
    assert server.requests and tokens_seen(server) == []


def test_a_front_needs_a_token_file(fetch: Fetch, server: Server) -> None:
    done = fetch.archive(server.url + PATH, CONTENT, "zip", "--front-url", server.url)
    assert done.code == 2 and "--front-token-file" in done.stderr
