"""Blobs in a real S3-compatible store (versitygw over a folder), with the real signature."""

from __future__ import annotations

import concurrent.futures
import os
import pathlib
import shutil
import socket
import subprocess
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from .blobs import AGENT, Internal, Tokens, is_sanitized, make_agent, replay, sha256, submit, taken, zipped
from .plane import Namespace, Plane, wait_until
from .postgres import Postgres, free_port
from .server import ApiServer, Client, seen

MIB = 1 << 20
CACHE = pathlib.Path(os.environ.get("ARENA_CACHE", "/var/cache/rl-arena"))
ACCESS, SECRET = "access-of-the-tests", "secret-of-the-tests"


def find_program() -> str | None:
    """$ARENA_S3_SERVER, from PATH, or from what ./arena has built."""
    found = os.environ.get("ARENA_S3_SERVER") or shutil.which("versitygw")
    if found:
        return found
    built = sorted(CACHE.glob("gobin/versitygw-*/versitygw"), key=lambda p: p.stat().st_mtime)
    return str(built[-1]) if built else None


class Store:
    """The S3 server: each bucket is a folder, each object a file."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder, self.port = folder, free_port()
        self.bucket = folder / "data" / "arena"
        self.bucket.mkdir(parents=True)
        (folder / "sidecar").mkdir()
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        program = find_program()
        assert program
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [program, "--access", ACCESS, "--secret", SECRET, "--port", f"127.0.0.1:{self.port}", "posix"]
                + ["--sidecar", str(self.folder / "sidecar"), str(self.folder / "data")],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={"PATH": os.environ["PATH"]},
            )
        wait_until("the S3 server listens", self.listens)

    def listens(self) -> bool:
        assert self.process is not None and self.process.poll() is None, (self.folder / "log").read_text()[-2000:]
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    @property
    def settings(self) -> dict[str, str]:
        return {
            "BLOB_STORE": "s3://arena/some/prefix",
            "S3_ENDPOINT": f"http://127.0.0.1:{self.port}",
            "S3_REGION": "us-east-1",
            "S3_ACCESS_KEY_ID": ACCESS,
            "S3_SECRET_ACCESS_KEY": SECRET,
        }

    def files(self) -> list[pathlib.Path]:
        """Those of the moment: folders come and go meanwhile."""
        return [pathlib.Path(folder) / name for folder, _, names in os.walk(self.bucket) for name in names]

    def objects(self) -> list[pathlib.Path]:
        return [path for path in self.files() if ".sgwtmp" not in path.parts]

    def parts(self) -> list[pathlib.Path]:
        """Of multipart uploads that are not over."""
        return [path for path in self.files() if ".sgwtmp" in path.parts and "multipart" in path.parts]


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    if find_program() is None:
        pytest.skip("versitygw is not here: ./arena test builds it, or name one in ARENA_S3_SERVER")
    store = Store(tmp_path_factory.mktemp("s3"))
    yield store
    store.stop()


@pytest.fixture(scope="module")
def front(s3: Store, plane: Plane, postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    space = plane.namespace()
    server = ApiServer(tmp_path_factory.mktemp("front"), postgres.database(), space, **settings_of(s3, space))
    yield server
    server.stop()


def settings_of(s3: Store | None, space: Namespace, **more: Any) -> dict[str, Any]:
    accounts = {"FETCH_USERS": f"{space.name}:fetch", "REPLAY_USERS": f"{space.name}:executor"}
    return {**(s3.settings if s3 else {}), **accounts, "SUBMISSIONS_PER_DAY": 10_000, **more}


def owner_of(server: ApiServer) -> tuple[Client, str]:
    owner = server.register()
    return owner, str(make_agent(owner)["id"])


def port_of(server: ApiServer, account: str) -> Internal:
    assert server.namespace is not None
    return Internal(server, Tokens(server.namespace).token(account))


def noise(size: int) -> bytes:
    """A zip by its first bytes, that packs no further."""
    return b"PK\x03\x04" + os.urandom(size - 4)


def rows(server: ApiServer, statement: str) -> Any:
    with psycopg.connect(server.database) as connection:
        row = connection.execute(statement).fetchone()
        assert row is not None
        return row[0]


MARKS = "SELECT count(*) FROM blob_parts"


@pytest.mark.parametrize("size", [4, 1000, 5 * MIB - 1, 5 * MIB, 5 * MIB + 1, 10 * MIB, 17 * MIB + 5])
def test_what_goes_in_comes_out(front: ApiServer, s3: Store, size: int) -> None:
    owner, agent = owner_of(front)
    content = noise(size)
    before = len(s3.objects())
    taken(submit(owner, agent, "a.zip", content))
    port = port_of(front, "fetch")
    answer = port.source(sha256(content))
    assert answer.status_code == 200 and sha256(answer.content) == sha256(content)
    for start, end in [(0, 0), (size - 1, size - 1), (size // 2, size // 2 + 3), (256 * 1024 - 2, 256 * 1024 + 2)]:
        if end < size:
            part = port.source(sha256(content), headers={"Range": f"bytes={start}-{end}"})
            assert part.status_code == 206 and part.content == content[start : end + 1]
    assert len(s3.objects()) == before + 1 and s3.parts() == [] and rows(front, MARKS) == 0
    assert all("some/prefix" in str(path) for path in s3.objects())


def test_the_same_is_kept_once(front: ApiServer, s3: Store) -> None:
    owner, agent = owner_of(front)
    before = len(s3.objects())
    for content in (zipped(agent_py=AGENT, x=os.urandom(100)), noise(6 * MIB)):
        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            answers = pool.map(lambda _, content=content: submit(owner, agent, "a.zip", content).status_code, range(6))
            assert list(answers) == [201] * 6
    seen("two objects more, nothing half", lambda: len(s3.objects()) == before + 2 and not s3.parts())
    seen("and no marks", lambda: rows(front, MARKS) == 0)


def test_replays(front: ApiServer) -> None:
    data, page = replay()
    match, port = str(uuid.uuid4()), port_of(front, "executor")
    for kind, content in (("json", data), ("html", page)):
        assert port.put(match, kind, content).status_code == 200
        got = port.request("GET", f"/internal/v1/replays/{match}", params={"kind": kind}, stream=True)
        assert got.raw.read(decode_content=False) == content


def begin_upload(server: ApiServer, owner: Client, agent: str, size: int) -> socket.socket:
    """A large one that stands still in its middle."""
    s = socket.create_connection(("127.0.0.1", server.port))
    s.sendall(
        (
            f"POST /api/v1/submissions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {owner.token}\r\n"
            "Content-Type: multipart/form-data; boundary=B\r\nContent-Length: 40000000\r\n\r\n"
            f'--B\r\nContent-Disposition: form-data; name="agentId"\r\n\r\n{agent}\r\n'
            '--B\r\nContent-Disposition: form-data; name="file"; filename="a.zip"\r\n\r\n'
        ).encode()
        + noise(size)
    )
    return s


def test_an_upload_that_breaks_off_leaves_nothing(front: ApiServer, s3: Store) -> None:
    owner, agent = owner_of(front)
    before = len(s3.objects())
    for size in (1000, 6 * MIB, 12 * MIB):
        s = begin_upload(front, owner, agent, size)
        if size > 5 * MIB:
            seen("a part is there", lambda: s3.parts() != [])
        s.close()
    seen("nothing half is left", lambda: s3.parts() == [] and rows(front, MARKS) == 0)
    assert len(s3.objects()) == before


def test_what_a_killed_server_left_is_cleaned(s3: Store, plane: Plane, start_server: Callable[..., ApiServer]) -> None:
    space = plane.namespace()
    server = start_server(namespace=space, **settings_of(s3, space))
    owner, agent = owner_of(server)
    s = begin_upload(server, owner, agent, 12 * MIB)
    seen("parts are there", lambda: len(s3.parts()) > 0)
    server.kill()
    s.close()
    assert rows(server, MARKS) == 1 and s3.parts() != []
    with psycopg.connect(server.database, autocommit=True) as connection:
        connection.execute("UPDATE blob_parts SET created_at = now() - interval '2 hours'")
    server.start()
    seen("it is cleaned", lambda: s3.parts() == [] and rows(server, MARKS) == 0)


@pytest.mark.parametrize("in_s3", [False, True])
def test_what_nothing_refers_to_goes(
    in_s3: bool, s3: Store, plane: Plane, start_server: Callable[..., ApiServer]
) -> None:
    """Sources of submissions that are gone for long, replays of no match; nothing else, and nothing young."""
    space = plane.namespace()
    server = start_server(namespace=space, **settings_of(s3 if in_s3 else None, space))
    owner, agent = owner_of(server)
    used, young, lately, old = contents = [noise(700_000 + n) for n in range(4)]
    made = [taken(submit(owner, agent, "a.zip", each)) for each in contents]
    strange, page, match = (
        replay(),
        replay("of a match")[1],
        space.create("matches", "m", {"environment": "pong", "participants": [{"agent": "a"}, {"agent": "b"}]})[
            "metadata"
        ]["uid"],
    )
    executor, nowhere = port_of(server, "executor"), str(uuid.uuid4())
    for where, kind, content in ((nowhere, "json", strange[0]), (match, "html", page)):
        assert executor.put(where, kind, content).status_code == 200
    for one in made[1:]:
        space.delete("submissions", space.by_uid("submissions", one["id"])["metadata"]["name"])
    seen("they are gone", lambda: rows(server, "SELECT count(*) FROM submissions WHERE vanished_at IS NOT NULL") == 3)
    seen("the match is there", lambda: rows(server, "SELECT count(*) FROM matches") == 1)
    server.stop()
    before = len(s3.objects())
    with psycopg.connect(server.database, autocommit=True) as connection:
        connection.execute(
            "UPDATE submissions SET vanished_at = now() - interval '8 days' WHERE code_sha256 = ANY(%s)",
            [[sha256(young), sha256(old)]],
        )
        connection.execute(
            "UPDATE blobs SET created_at = now() - interval '2 hours' WHERE sha256 <> %s", [sha256(young)]
        )
        connection.execute("UPDATE replays SET created_at = now() - interval '8 days'")
        connection.execute("UPDATE blob_parts SET created_at = now() - interval '2 hours'")
    server.start()
    seen("two are gone", lambda: rows(server, "SELECT count(*) FROM blobs") == 4)
    if in_s3:
        seen("and their objects", lambda: len(s3.objects()) == before - 2 and rows(server, MARKS) == 0)
    else:
        kept = "SELECT count(*) FROM blob_parts p WHERE NOT EXISTS (SELECT FROM blobs WHERE upload = p.upload)"
        seen("and their parts", lambda: rows(server, kept) == 0)
    fetch = port_of(server, "fetch")
    assert [fetch.source(sha256(each)).status_code for each in (used, young, lately, old)] == [200, 200, 200, 404]
    assert [executor.request("GET", f"/internal/v1/replays/{nowhere}", params={"kind": "json"}).status_code] == [404]
    assert executor.request("GET", f"/internal/v1/replays/{match}", params={"kind": "html"}).content == page
    # What is brought again is new again, whether it was gone or about to go.
    for content in (old, lately):
        taken(submit(owner, agent, "a.zip", content))
        assert fetch.source(sha256(content)).content == content
    recent = "SELECT count(*) FROM blobs WHERE created_at > now() - interval '1 hour'"
    assert rows(server, recent) == 3


def test_what_was_in_postgres_stays_there(
    s3: Store, plane: Plane, postgres: Postgres, start_server: Callable[..., ApiServer]
) -> None:
    """The setting is of new blobs; old ones are found where they are, in both directions."""
    database, space = postgres.database(), plane.namespace()
    contents = [noise(700_000), noise(700_001)]
    for content, store in zip(contents, (None, s3), strict=True):
        server = start_server(database, space, **settings_of(store, space))
        owner, agent = owner_of(server)
        taken(submit(owner, agent, "a.zip", content))
        if store is None:
            server.stop()
    assert [sha256(port_of(server, "fetch").source(sha256(each)).content) for each in contents] == [
        sha256(each) for each in contents
    ]
    # And a blob that is in PostgreSQL is not kept again in S3.
    before = len(s3.objects())
    taken(submit(owner, agent, "a.zip", contents[0]))
    seen("not twice", lambda: len(s3.objects()) == before)
    server.stop()
    plain = start_server(database, space, **settings_of(None, space))
    assert port_of(plain, "fetch").source(sha256(contents[0])).status_code == 200
    assert port_of(plain, "fetch").source(sha256(contents[1])).status_code == 500
    assert "which is not configured" in plain.words()


def test_wrong_credentials_are_told_in_the_log_alone(
    s3: Store, plane: Plane, start_server: Callable[..., ApiServer]
) -> None:
    space = plane.namespace()
    server = start_server(namespace=space, **settings_of(s3, space, S3_SECRET_ACCESS_KEY="another-secret"))
    owner, agent = owner_of(server)
    answer = submit(owner, agent, "a.zip", zipped())
    assert answer.status_code in (500, 503), answer.text
    assert "S3" not in answer.text and "secret" not in answer.text
    assert "SignatureDoesNotMatch" in server.words() and "another-secret" not in server.log.read_text()


def test_while_the_store_is_away(front: ApiServer, s3: Store) -> None:
    owner, agent = owner_of(front)
    content = zipped(agent_py=AGENT, x=os.urandom(100))
    taken(submit(owner, agent, "a.zip", content))
    s3.stop()
    assert submit(owner, agent, "a.zip", zipped(x=os.urandom(100))).status_code == 503
    assert port_of(front, "fetch").source(sha256(content)).status_code == 503
    assert taken(submit(owner, agent, "a.py", AGENT))  # needs no store
    s3.start()
    assert port_of(front, "fetch").source(sha256(content)).content == content
    taken(submit(owner, agent, "a.zip", zipped(x=os.urandom(100))))


def test_memory_is_bounded(s3: Store, plane: Plane, start_server: Callable[..., ApiServer]) -> None:
    """30 large uploads at once: of all of them a few hold a part of 5 MiB."""
    space = plane.namespace()
    front = start_server(namespace=space, plain=True, **settings_of(s3, space))
    owner, agent = owner_of(front)
    contents = [noise(12 * MIB) for _ in range(30)]
    assert front.process is not None
    with concurrent.futures.ThreadPoolExecutor(30) as pool:
        codes = list(pool.map(lambda content: submit(owner, agent, "a.zip", content).status_code, contents))
    assert codes == [201] * 30
    status = pathlib.Path(f"/proc/{front.process.pid}/status").read_text().splitlines()
    peak = next(line for line in status if "VmHWM" in line)
    assert int(peak.split()[1]) < 300 * 1024 or is_sanitized(front), peak
