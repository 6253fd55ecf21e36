"""The package index and the git server, over real sockets with pip's and git's own requests."""

from __future__ import annotations

import http.client
import pathlib
import subprocess
import threading
from collections.abc import Iterator
from functools import partial
from http.server import ThreadingHTTPServer

import fileserver
import pytest


def serve(handler: object) -> tuple[ThreadingHTTPServer, int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)  # type: ignore[arg-type]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server, server.server_address[1]


@pytest.fixture
def index(tmp_path: pathlib.Path) -> Iterator[int]:
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    (wheels / "Some_Thing-1.0-py3-none-any.whl").write_bytes(b"one")
    (wheels / "some_thing-2.0-py3-none-any.whl").write_bytes(b"two")
    (tmp_path / "secret.whl").write_bytes(b"secret")
    server, port = serve(partial(fileserver.Index, wheels=wheels))
    yield port
    server.shutdown()


@pytest.fixture
def files(tmp_path: pathlib.Path) -> Iterator[tuple[int, pathlib.Path]]:
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "a.zip").write_bytes(b"zip")
    server, port = serve(partial(fileserver.Files, directory=str(folder)))
    yield port, folder
    server.shutdown()


def get(port: int, path: str, method: str = "GET") -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request(method, path)
    response = connection.getresponse()
    return response.status, response.read()


def test_the_index_lists_packages_by_their_normal_name(index: int) -> None:
    assert get(index, "/simple/")[1].count(b"<a ") == 1
    status, page = get(index, "/simple/Some.Thing/")
    assert status == 200
    assert b"../../wheels/Some_Thing-1.0-py3-none-any.whl#sha256=" in page
    assert page.count(b"<a ") == 2


def test_wheels_are_served_and_nothing_else(index: int) -> None:
    assert get(index, "/wheels/Some_Thing-1.0-py3-none-any.whl") == (200, b"one")
    assert get(index, "/wheels/Some_Thing-1.0-py3-none-any.whl", "HEAD") == (200, b"")
    for path in ("/wheels/..%2fsecret.whl", "/wheels/../secret.whl", "/wheels/", "/", "/simple/none/"):
        assert get(index, path)[0] == 404, path


def test_files_are_served_from_the_folder_only(files: tuple[int, pathlib.Path]) -> None:
    port, folder = files
    (folder.parent / "outside").write_text("no")
    assert get(port, "/a.zip") == (200, b"zip")
    assert get(port, "/../outside")[0] == 404
    assert get(port, "/%2e%2e/outside")[0] == 404
    assert get(port, "/a.zip", "POST")[0] == 405


def git(*arguments: str, folder: pathlib.Path) -> str:
    name = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
    return subprocess.run(
        ["git", *name, *arguments], cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()


def test_git_clones_over_the_smart_protocol(files: tuple[int, pathlib.Path], tmp_path: pathlib.Path) -> None:
    port, folder = files
    work = tmp_path / "work"
    work.mkdir()
    git("init", "-q", "-b", "main", folder=work)
    (work / "agent.py").write_text("pass\n")
    git("add", ".", folder=work)
    git("commit", "-q", "-m", "one", folder=work)
    git("clone", "-q", "--bare", str(work), str(folder / "agents.git"), folder=tmp_path)
    git("clone", "-q", "--depth", "1", f"http://127.0.0.1:{port}/agents.git", "got", folder=tmp_path)
    assert (tmp_path / "got" / "agent.py").read_text() == "pass\n"
    assert get(port, "/none.git/info/refs?service=git-upload-pack")[0] in (404, 500)
