"""Replays: brought by the executor to the internal port, kept, and served to everyone; and who may ask that port."""

from __future__ import annotations

import base64
import concurrent.futures
import gzip
import json
import socket
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
import requests

from .blobs import AUDIENCE, Internal, Tokens, make_agent, replay, sha256, submit, taken, zipped
from .plane import Namespace, Plane
from .postgres import Postgres
from .server import ApiServer, Client, seen
from .test_accounts import refused

NOWHERE = "00000000-0000-4000-8000-000000000000"
PLAIN = {"Accept-Encoding": "identity"}


@pytest.fixture(scope="module")
def front(plane: Plane, postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    namespace = plane.namespace()
    server = ApiServer(
        tmp_path_factory.mktemp("front"),
        postgres.database(),
        namespace,
        FETCH_USERS=f"{namespace.name}:fetch",
        REPLAY_USERS=f"{namespace.name}:executor, other:executor",
        PUBLIC_URL="https://arena.test",
    )
    yield server
    server.stop()


@pytest.fixture
def space(front: ApiServer) -> Namespace:
    assert front.namespace is not None
    return front.namespace


@pytest.fixture
def tokens(space: Namespace) -> Tokens:
    return Tokens(space)


@pytest.fixture
def executor(front: ApiServer, tokens: Tokens) -> Internal:
    return Internal(front, tokens.token("executor"))


@pytest.fixture
def match(front: ApiServer, space: Namespace) -> dict[str, Any]:
    """A finished match of two new agents, as the front shows it."""
    owner = front.register()
    names = []
    for n in range(2):
        agent = make_agent(owner, f"Agent {n}")
        names.append(str(space.by_uid("agents", agent["id"])["metadata"]["name"]))
    name = f"m-{uuid.uuid4().hex[:10]}"
    spec = {"environment": "pong", "participants": [{"agent": each} for each in names]}
    made = space.create("matches", name, spec)
    space.play(name, 0)
    uid = made["metadata"]["uid"]

    def shown() -> Any:
        answer = front.client().get(f"/matches/{uid}")
        return answer.status_code == 200 and answer.json()["match"]["status"] == "completed" and answer.json()["match"]

    return dict(seen("the match is over", shown))


def bring(executor: Internal, match: str, text: str = "a", **query: Any) -> tuple[bytes, bytes]:
    data, page = replay(text)
    for kind, content in (("json", data), ("html", page)):
        answer = executor.put(match, kind, content, **query)
        assert answer.status_code == 200, answer.text
        assert answer.json() == {"url": f"https://arena.test/api/v1/matches/{match}/replay?format={kind}"}
    return data, page


# ---- served ----


def test_both_forms_are_served(front: ApiServer, executor: Internal, match: dict[str, Any]) -> None:
    client, path = front.client(), f"/matches/{match['id']}/replay"
    answer = client.get(path)
    refused(answer, 404)
    refused(client.get(path + "-url"), 404)
    data, page = bring(executor, match["id"])

    packed = client.request("GET", path, headers={"Accept-Encoding": "gzip"}, stream=True)
    assert packed.headers["Content-Encoding"] == "gzip" and packed.headers["Content-Type"] == "application/json"
    assert packed.raw.read(decode_content=False) == data  # as it is stored
    assert packed.headers["Content-Length"] == str(len(data))
    plain = client.request("GET", path, headers=PLAIN)
    assert "Content-Encoding" not in plain.headers and plain.content == gzip.decompress(data)
    assert plain.json()["metadata"]["finalScore"] == [1, 0] and len(plain.json()["frames"]) == 2000

    html = client.get(path, format="html")
    assert html.content == page and html.headers["Content-Type"] == "text/html; charset=utf-8"
    policy = html.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "script-src 'unsafe-inline'" in policy
    assert "sandbox allow-scripts" in policy and "frame-ancestors 'self'" in policy
    for each in (plain, html):
        assert "Content-Disposition" not in each.headers
        assert each.headers["X-Content-Type-Options"] == "nosniff" and "max-age=300" in each.headers["Cache-Control"]

    for form, name in (("html", "html"), ("json", "json")):
        saved = client.get(path, format=form, download=1)
        assert saved.headers["Content-Disposition"] == f'attachment; filename="replay-{match["id"]}.{name}"'
    refused(client.get(path, format="xml"), 400)
    refused(client.get(f"/matches/{NOWHERE}/replay"), 404)
    refused(client.get(f"/matches/{NOWHERE}/replay-url"), 404)
    assert client.request("HEAD", path, params={"format": "html"}).headers["Content-Length"] == str(len(page))


def test_the_match_says_where_its_replay_is(front: ApiServer, executor: Internal, match: dict[str, Any]) -> None:
    bring(executor, match["id"])
    client = front.client()
    addresses = {
        "replayUrl": f"/api/v1/matches/{match['id']}/replay?format=json",
        "replayHtmlUrl": f"/api/v1/matches/{match['id']}/replay?format=html",
    }
    assert client.get(f"/matches/{match['id']}/replay-url").json() == {"matchId": match["id"], **addresses}
    shown = client.get(f"/matches/{match['id']}").json()["match"]
    assert {key: shown[key] for key in addresses} == addresses
    page = client.get("/matches/replays", agentId=match["agent1Id"]).json()
    assert page == {"matches": [shown], "total": 1, "page": 1, "pageSize": 20}
    assert shown in client.get("/matches/replays", pageSize=100).json()["matches"]
    assert client.get("/matches/replays", agentId=NOWHERE).json()["matches"] == []
    refused(client.get("/matches/replays", agentId="x"), 400)


def test_ranges_and_etags(front: ApiServer, executor: Internal, match: dict[str, Any]) -> None:
    _, page = bring(executor, match["id"])
    client, path = front.client(), f"/matches/{match['id']}/replay"

    def get(**headers: str) -> requests.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return client.request("GET", path, params={"format": "html"}, headers=named)

    tag = get().headers["ETag"]
    assert tag == f'"{sha256(page)}"'
    assert get(If_None_Match=tag).status_code == 304 and get(If_None_Match=tag).content == b""
    assert get(If_None_Match='"other"').status_code == 200
    for header, start, end in [("bytes=0-9", 0, 10), ("bytes=100-", 100, len(page)), ("bytes=-7", -7, len(page))]:
        part = get(Range=header)
        assert part.status_code == 206 and part.content == page[start:end]
        first = start if start >= 0 else len(page) + start
        assert part.headers["Content-Range"] == f"bytes {first}-{first + len(part.content) - 1}/{len(page)}"
    assert get(Range="bytes=0-9", If_Range=tag).status_code == 206
    assert get(Range="bytes=0-9", If_Range='"other"').content == page
    beyond = get(Range=f"bytes={len(page)}-")
    assert beyond.status_code == 416 and beyond.headers["Content-Range"] == f"bytes */{len(page)}"
    assert get(Range="bytes=0-1,4-5").content == page
    # The packed and the unpacked form are two things.
    tags = {
        client.request("GET", path, headers={"Accept-Encoding": each}).headers["ETag"] for each in ("gzip", "identity")
    }
    assert len(tags) == 2
    unpacked = client.request("GET", path, headers={**PLAIN, "Range": "bytes=0-9"})
    assert unpacked.status_code == 200 and unpacked.content.startswith(b"{")


def test_large_ones_pass_in_pieces(front: ApiServer, executor: Internal, match: dict[str, Any]) -> None:
    """Larger than several parts, with every border inside a range once."""
    page = b"<!doctype html>" + bytes(range(256)) * 4096 + b"end"
    assert executor.put(match["id"], "html", page).status_code == 200
    client, path = front.client(), f"/matches/{match['id']}/replay"
    assert client.get(path, format="html").content == page
    for border in (65536, 262144, 524288, len(page) - 1):
        header = {"Range": f"bytes={border - 3}-{border + 3}"}
        part = client.request("GET", path, params={"format": "html"}, headers=header)
        assert part.content == page[border - 3 : border + 4]
    noise = json.dumps({"metadata": {}, "frames": [sha256(b"%d" % n) for n in range(40000)]}).encode()
    assert executor.put(match["id"], "json", gzip.compress(noise)).status_code == 200
    assert client.request("GET", path, headers=PLAIN).content == noise
    # A bomb costs its reader's time, not the server's memory; and readers who stop are forgotten.
    assert executor.put(match["id"], "json", gzip.compress(bytes(100 << 20))).status_code == 200
    with client.request("GET", path, headers=PLAIN, stream=True) as answer:
        assert answer.raw.read(1000) == bytes(1000)
    total = 0
    with client.request("GET", path, headers=PLAIN, stream=True) as answer:
        for piece in answer.iter_content(1 << 20):
            total += len(piece)
    assert total == 100 << 20


def test_many_readers_at_once(front: ApiServer, executor: Internal, match: dict[str, Any]) -> None:
    page = b"<!doctype html>" + bytes(600_000)
    assert executor.put(match["id"], "html", page).status_code == 200
    url = f"{front.url}/api/v1/matches/{match['id']}/replay?format=html"
    with concurrent.futures.ThreadPoolExecutor(40) as pool:
        assert all(pool.map(lambda _: requests.get(url, timeout=60).content == page, range(200)))


# ---- brought ----


def test_the_last_attempt_stays(front: ApiServer, executor: Internal, match: dict[str, Any]) -> None:
    bring(executor, match["id"], "first", attempt=1)
    _, second = bring(executor, match["id"], "second", attempt=2)
    bring(executor, match["id"], "late", attempt=1)
    assert front.client().get(f"/matches/{match['id']}/replay", format="html").content == second
    _, again = bring(executor, match["id"], "second again", attempt=2)
    assert front.client().get(f"/matches/{match['id']}/replay", format="html").content == again


def test_the_same_is_kept_once(front: ApiServer, executor: Internal) -> None:
    content = gzip.compress(b"x" * 10, mtime=0) + bytes(700_000)  # several parts
    matches = [str(uuid.uuid4()) for _ in range(10)]
    with concurrent.futures.ThreadPoolExecutor(10) as pool:
        codes = list(pool.map(lambda each: executor.put(each, "json", content).status_code, matches))
    assert codes == [200] * 10

    def rows() -> Any:
        with psycopg.connect(front.database) as connection:
            return connection.execute(
                "SELECT (SELECT count(*) FROM blobs WHERE sha256 = %s), (SELECT count(*) FROM blob_parts p "
                "JOIN blobs b USING (upload) WHERE sha256 = %s), (SELECT count(*) FROM blob_parts p WHERE NOT EXISTS "
                "(SELECT FROM blobs b WHERE b.upload = p.upload))",
                (sha256(content), sha256(content)),
            ).fetchone()

    seen("one blob of three parts, and nothing else", lambda: rows() == (1, 3, 0))


def test_what_no_replay_may_be(executor: Internal) -> None:
    match = str(uuid.uuid4())
    data, page = replay()
    assert executor.put(match, "json", page).status_code == 400
    assert executor.put(match, "html", data).status_code == 400
    assert executor.put(match, "html", b"").status_code == 400
    assert executor.put(match, "xml", page).status_code == 400
    assert executor.request("PUT", f"/internal/v1/replays/{match}", data=page).status_code == 400
    assert executor.put(match, "html", page, attempt="x").status_code == 400
    assert executor.put(match, "html", page, attempt=-1).status_code == 400
    assert executor.put("not-a-uuid", "html", page).status_code == 404
    assert executor.put("..%2fsources", "html", page).status_code == 404
    assert executor.request("GET", f"/internal/v1/replays/{match}", params={"kind": "html"}).status_code == 404


def test_a_replay_that_breaks_off_is_none(front: ApiServer, executor: Internal) -> None:
    match = str(uuid.uuid4())
    with socket.create_connection(("127.0.0.1", front.internal_port)) as s:
        s.sendall(
            f"PUT /internal/v1/replays/{match}?kind=html HTTP/1.1\r\nHost: x\r\nContent-Length: 900000\r\n"
            f"Authorization: {executor.headers['Authorization']}\r\n\r\n".encode()
            + bytes(400_000)
        )
        time.sleep(0.3)
    assert executor.request("GET", f"/internal/v1/replays/{match}", params={"kind": "html"}).status_code == 404


def test_chunked(executor: Internal) -> None:
    match = str(uuid.uuid4())
    page = b"<!doctype html>" + bytes(range(256)) * 2000
    assert executor.put(match, "html", (page[n : n + 7777] for n in range(0, len(page), 7777))).status_code == 200
    answer = executor.request("GET", f"/internal/v1/replays/{match}", params={"kind": "html"})
    assert answer.content == page


# ---- who may ----


def asks(front: ApiServer, token: str | None) -> dict[str, int]:
    """What each of the internal port's doors answers to it."""
    port = Internal(front, token)
    _, page = replay()
    match = str(uuid.uuid4())
    return {
        "source": port.source("0" * 64).status_code,
        "put": port.put(match, "html", page).status_code,
        "get": port.request("GET", f"/internal/v1/replays/{match}", params={"kind": "html"}).status_code,
    }


def test_each_account_may_do_its_own(front: ApiServer, tokens: Tokens) -> None:
    assert asks(front, tokens.token("fetch")) == {"source": 404, "put": 403, "get": 403}
    assert asks(front, tokens.token("executor")) == {"source": 403, "put": 200, "get": 200}
    assert asks(front, tokens.token("default")) == {"source": 403, "put": 403, "get": 403}
    # An account of the name in another namespace is another one.
    tokens.namespace.plane.call("POST", "/api/v1/namespaces", {"metadata": {"name": "stranger"}})
    assert asks(front, tokens.token("fetch", namespace="stranger")) == {"source": 403, "put": 403, "get": 403}


NOBODY = {"source": 401, "put": 401, "get": 401}


def part(data: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(data).encode()).rstrip(b"=").decode()


def test_tokens_that_are_none(front: ApiServer, tokens: Tokens) -> None:
    good = tokens.token("executor")
    head, body, signature = good.split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    forged = part({**claims, "sub": "system:serviceaccount:x:y"})
    unsigned = part({"alg": "none", "typ": "JWT"})
    bad = [
        None, "", "x", "a.b.c", " ", good[:-3], good + "x", f"{head}.{body}.", f"{head}.{forged}.{signature}",
        f"{unsigned}.{body}.", "x" * 9000, "token-of-the-tests",
        tokens.token("executor", audience=None),
        tokens.token("executor", audience="https://kubernetes.default.svc"),
        tokens.token("executor", audience=AUDIENCE + "x"),
        front.register().token,
    ]  # fmt: skip
    for token in bad:
        assert asks(front, token) == NOBODY, token
    assert asks(front, good)["put"] == 200
    url = f"http://127.0.0.1:{front.internal_port}/internal/v1/sources/{'0' * 64}"
    for header in (f"Basic {good}", good, f"bearer{good}", f"Bearer {good} {good}"):
        assert requests.get(url, headers={"Authorization": header}, timeout=30).status_code == 401
    answer = requests.get(url, timeout=30)
    assert answer.headers["WWW-Authenticate"].startswith("Bearer") and answer.json()["message"]
    # A token in the address is none: addresses are logged.
    assert requests.get(url, params={"token": good}, timeout=30).status_code == 401
    log = front.log.read_text()
    assert good not in log and signature not in log


def test_a_token_is_asked_for_once_a_minute(front: ApiServer, tokens: Tokens, plane: Plane) -> None:
    def reviews() -> int:
        text = str(plane.control.call("GET", "/metrics", parse=False), "utf-8")
        lines = [
            line for line in text.splitlines() if line.startswith("apiserver_request_total") and "tokenreviews" in line
        ]
        return sum(int(float(line.rsplit(" ", 1)[1])) for line in lines)

    good = tokens.token("executor")
    before = reviews()
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: asks(front, good)["put"], range(40)))
    assert answers == [200] * 40
    for _ in range(5):
        assert asks(front, "never.a.token")["put"] == 401
    assert reviews() - before <= 2


def test_the_internal_port_is_not_the_public_one(front: ApiServer, tokens: Tokens) -> None:
    good = tokens.token("executor")
    headers = {"Authorization": f"Bearer {good}"}
    for path in (f"/internal/v1/sources/{'0' * 64}", f"/internal/v1/replays/{NOWHERE}?kind=html"):
        assert requests.get(front.url + path, headers=headers, timeout=30).status_code == 404
    assert requests.put(f"{front.url}/internal/v1/replays/{NOWHERE}?kind=html", b"x", headers=headers, timeout=30
                        ).status_code == 404  # fmt: skip
    assert requests.get(f"http://127.0.0.1:{front.internal_port}/api/v1/agents", timeout=30).status_code == 404


def test_paths_of_sources(front: ApiServer, tokens: Tokens) -> None:
    port = Internal(front, tokens.token("fetch"))
    for digest in (
        "0" * 63,
        "0" * 65,
        "A" * 64,
        "x" * 64,
        "..",
        "%2e%2e%2fmetrics",
        "0" * 64 + "/x",
        "'; DROP TABLE blobs",
    ):
        assert port.source(digest).status_code in (400, 404), digest
    assert port.request("POST", f"/internal/v1/sources/{'0' * 64}").status_code == 405


def test_a_source_can_be_continued(front: ApiServer, tokens: Tokens, space: Namespace) -> None:
    owner: Client = front.register()
    content = zipped(agent_py=b"x = 1\n", noise=sha256(b"y").encode() * 9000)
    taken(submit(owner, str(make_agent(owner)["id"]), "a.zip", content))
    port = Internal(front, tokens.token("fetch"))
    assert port.source(sha256(content), headers={"Range": "bytes=100-"}).content == content[100:]


def test_without_a_cluster_the_port_is_closed(start_server: Callable[..., ApiServer]) -> None:
    assert asks(start_server(), "a.b.c") == {"source": 503, "put": 503, "get": 503}


def test_while_the_database_is_away(plane: Plane, start_server: Callable[..., ApiServer]) -> None:
    """Uploads and replays are answered with 503, and go on when it is back."""
    postgres = Postgres()
    try:
        space = plane.namespace()
        accounts = {"FETCH_USERS": f"{space.name}:fetch", "REPLAY_USERS": f"{space.name}:executor"}
        server = start_server(postgres.database(), space, **accounts)
        owner = server.register()
        agent = str(make_agent(owner)["id"])
        taken(submit(owner, agent, "a.zip", zipped()))
        port = Internal(server, Tokens(space).token("executor"))
        _, page = replay()
        match = str(uuid.uuid4())
        assert port.put(match, "html", page).status_code == 200
        postgres.stop()
        assert port.put(match, "html", page).status_code == 503
        assert submit(owner, agent, "a.zip", zipped()).status_code == 503
        postgres.start()
        seen("it takes replays again", lambda: port.put(match, "html", page).status_code == 200)
        seen("and submissions", lambda: submit(owner, agent, "a.zip", zipped()).status_code == 201)
    finally:
        postgres.close()
