"""Submissions over REST: every form of upload, what is refused, the quota, activating, building again, logs."""

from __future__ import annotations

import concurrent.futures
import io
import json
import pathlib
import resource
import socket
import subprocess
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import psycopg
import pytest
import requests

from .blobs import (
    AGENT,
    Internal,
    Tokens,
    finish,
    is_sanitized,
    make_agent,
    sha256,
    submission_of,
    submit,
    taken,
    tarred,
    zipped,
)
from .plane import Namespace, Plane
from .postgres import Postgres
from .server import ApiServer, Client, seen
from .test_accounts import refused

NOWHERE = "00000000-0000-4000-8000-000000000000"
MAX = 400_000
KIB = 1024


@pytest.fixture(scope="module")
def arena(plane: Plane, postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[ApiServer]]:
    """Two replicas that take small files, and let their accounts in."""
    database, namespace = postgres.database(), plane.namespace()
    folder = tmp_path_factory.mktemp("arena")
    settings = {
        "MAX_UPLOAD_BYTES": MAX,
        "FETCH_USERS": f"{namespace.name}:fetch",
        "REPLAY_USERS": f"{namespace.name}:executor",
        "INTERNAL_URL": "http://api-server.test:8081",
        "FETCH_ALLOW_CIDRS": "127.0.0.1/32",
    }
    both = [ApiServer(folder / f"replica-{n}", database, namespace, **settings) for n in range(2)]
    yield both
    for one in both:
        one.stop()


@pytest.fixture
def front(arena: list[ApiServer]) -> ApiServer:
    return arena[0]


@pytest.fixture
def space(front: ApiServer) -> Namespace:
    assert front.namespace is not None
    return front.namespace


@pytest.fixture
def owner(front: ApiServer) -> Client:
    return front.register()


@pytest.fixture
def agent(owner: Client) -> str:
    return str(make_agent(owner)["id"])


def spec_of(space: Namespace, one: dict[str, Any]) -> dict[str, Any]:
    return dict(space.by_uid("submissions", one["id"])["spec"])


def kept(front: ApiServer, space: Namespace, digest: str) -> bytes:
    answer = Internal(front, Tokens(space).token("fetch")).source(digest)
    assert answer.status_code == 200, answer.text
    assert sha256(answer.content) == digest
    return answer.content


def count(front: ApiServer, statement: str) -> int:
    with psycopg.connect(front.database) as connection:
        row = connection.execute(statement).fetchone()
        assert row is not None
        return int(row[0])


# ---- forms ----


def test_a_small_agent_becomes_an_inline_source(
    arena: list[ApiServer], owner: Client, agent: str, space: Namespace
) -> None:
    answer = submit(owner, agent, "my_agent.py", AGENT)
    one = taken(answer)
    assert set(answer.json()) == {"message", "submission"} and one["agentId"] == agent
    assert one["status"] == "pending" and one["isActive"] is False and one["message"]
    for server in arena:  # at once, on any replica
        assert server.again(owner).get(f"/submissions/{one['id']}").json()["submission"] == one
        page = server.again(owner).get(f"/submissions/agent/{agent}").json()
        assert page == {"submissions": [one], "total": 1, "page": 1, "pageSize": 20}
    made = space.by_uid("submissions", one["id"])
    assert made["spec"]["source"] == {"inline": {"files": {"agent.py": AGENT.decode()}}}
    assert made["metadata"]["annotations"]["rl-arena.io/created-by"] == "api-server"
    assert len(made["metadata"]["name"]) <= 52
    its_agent = made["spec"]["agent"]
    assert its_agent == space.by_uid("agents", agent)["metadata"]["name"]
    # Nobody can delete it by REST: the garbage collector does, once the agent has gone. It controls nothing.
    owner_reference = {"apiVersion": "rl-arena.io/v1alpha1", "kind": "Agent", "name": its_agent, "uid": agent}
    assert made["metadata"]["ownerReferences"] == [owner_reference]


def test_an_agents_id_may_be_written_in_capitals(owner: Client, agent: str, space: Namespace) -> None:
    made = space.by_uid("submissions", taken(submit(owner, agent.upper(), "a.py", AGENT))["id"])
    assert made["metadata"]["ownerReferences"][0]["uid"] == agent


@pytest.mark.parametrize(("name", "content", "format"), [("a.zip", zipped(), "zip"), ("B.TAR.GZ", tarred(), "tar.gz"),
                                                         ("c.tgz", tarred(), "tar.gz")])  # fmt: skip
def test_archives_are_kept_as_they_came(
    front: ApiServer, owner: Client, agent: str, space: Namespace, name: str, content: bytes, format: str
) -> None:
    one = taken(submit(owner, agent, name, content))
    archive = spec_of(space, one)["source"]["archive"]
    digest = sha256(content)
    assert archive == {"url": f"http://api-server.test:8081/internal/v1/sources/{digest}", "sha256": digest,
                       "format": format}  # fmt: skip
    assert kept(front, space, digest) == content


def test_a_large_agent_becomes_an_archive(front: ApiServer, owner: Client, agent: str, space: Namespace) -> None:
    code = AGENT + b"".join(b"# %d\n" % n for n in range(40000))
    assert 64 * KIB < len(code) < MAX
    one = taken(submit(owner, agent, "agent.py", code))
    archive = spec_of(space, one)["source"]["archive"]
    content = kept(front, space, archive["sha256"])
    assert archive["format"] == "zip" and len(content) < len(code)
    with zipfile.ZipFile(io.BytesIO(content)) as read:
        assert read.namelist() == ["agent.py"] and read.read("agent.py") == code
    assert owner.get(f"/submissions/{one['id']}/code").content == content
    # The same code is the same archive: kept once.
    again = taken(submit(owner, agent, "agent.py", code))
    assert spec_of(space, again)["source"]["archive"]["sha256"] == archive["sha256"]


def test_the_order_of_fields_and_others_do_not_matter(owner: Client, agent: str, space: Namespace) -> None:
    body = (
        '--B\r\nContent-Disposition: form-data; name="description"\r\n\r\nnothing\r\n'
        '--B\r\nContent-Disposition: form-data; name="file"; filename="agent.py"\r\nContent-Type: text/x-python\r\n\r\n'
        f'{AGENT.decode()}\r\n--B\r\nContent-Disposition: form-data; name="agentId"\r\n\r\n{agent}\r\n--B--\r\n'
    )
    kind = {"Content-Type": "multipart/form-data; boundary=B"}
    one = taken(owner.request("POST", "/submissions", data=body, headers=kind))
    assert spec_of(space, one)["source"]["inline"]["files"]["agent.py"] == AGENT.decode()
    chunks = (body[n : n + 7].encode() for n in range(0, len(body), 7))  # chunked, a byte or two at a time
    taken(owner.request("POST", "/submissions", data=chunks, headers=kind))


def test_what_no_file_may_be(owner: Client, agent: str) -> None:
    cases = [
        ("agent.py", b"", 415, "empty"),
        ("agent.zip", b"PK\x05\x06" + bytes(18), 415, "empty"),
        ("agent.zip", AGENT, 415, "no zip"),
        ("agent.tar.gz", zipped(), 415, "not packed by gzip"),
        ("agent.py", zipped(), 415, "no text"),
        ("agent.py", b"\x00\x01\x02", 415, "no text"),
        ("agent.py", b"\xff\xfe print()", 415, "UTF-8"),
        ("agent.exe", b"MZ\x00", 415, "must end in"),
        ("agent", AGENT, 415, "must end in"),
        ("agent.rar", b"Rar!", 415, "must end in"),
    ]
    for name, content, status, words in cases:
        answer = submit(owner, agent, name, content)
        assert answer.status_code == status, (name, answer.text)
        assert words in answer.json()["message"], answer.text
    assert owner.get(f"/submissions/agent/{agent}").json()["total"] == 0


def test_what_no_form_may_be(owner: Client, agent: str) -> None:
    def send(body: str, kind: str = "multipart/form-data; boundary=B") -> requests.Response:
        return owner.request("POST", "/submissions", data=body.encode(), headers={"Content-Type": kind})

    part = '--B\r\nContent-Disposition: form-data; name="agentId"\r\n\r\n' + agent + "\r\n"
    file = '--B\r\nContent-Disposition: form-data; name="file"; filename="a.py"\r\n\r\nprint()\r\n'
    nested = '--B\r\nContent-Disposition: form-data; name="x"\r\nContent-Type: multipart/mixed; boundary=C\r\n\r\n--B--'
    for body, words in [
        ("", "ends before"),
        (part + file, "ends before"),
        (part + file + "--B", "ends before"),
        (part + "--B--", "file is missing"),
        (file + "--B--", "agentId is missing"),
        (part.replace(agent, "me") + file + "--B--", "agentId must be"),
        (part + file + file + "--B--", "two files"),
        (part + nested, "form itself"),
        (part + "--B\r\nX: " + "y" * 2000 + "\r\n\r\n--B--", "longer than"),
        ("x" * 10000 + part, "does not begin"),
        (part * 17 + "--B--", "more than 16"),
    ]:  # fmt: skip
        answer = send(body)
        refused(answer, 400)
        assert words in answer.json()["message"], (words, answer.text)
    refused(send(part, "multipart/form-data"), 400)
    refused(send(part, "text/plain"), 415)
    refused(send(part, "application/x-www-form-urlencoded"), 415)


def test_whose_agent_it_is(front: ApiServer, owner: Client, agent: str) -> None:
    before = count(front, "SELECT count(*) FROM submission_claims")
    refused(submit(front.client(), agent, "a.py", AGENT), 401)
    refused(submit(front.register(), agent, "a.py", AGENT), 403)
    refused(submit(owner, NOWHERE, "a.py", AGENT), 404)
    assert before == count(front, "SELECT count(*) FROM submission_claims")
    stranger = front.register()
    # Refused as soon as the agent is known, not when all of it has come.
    with socket.create_connection(("127.0.0.1", front.port)) as s:
        s.settimeout(30)
        head = (
            f"POST /api/v1/submissions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {stranger.token}\r\n"
            f"Content-Type: multipart/form-data; boundary=B\r\nContent-Length: {MAX}\r\n\r\n"
            f'--B\r\nContent-Disposition: form-data; name="agentId"\r\n\r\n{agent}\r\n'
            '--B\r\nContent-Disposition: form-data; name="file"; filename="a.zip"\r\n\r\nPK\x03\x04'
        )
        s.sendall(head.encode())
        assert s.recv(4096).startswith(b"HTTP/1.1 403 ")


def test_too_much_is_refused(front: ApiServer, owner: Client, agent: str) -> None:
    big = zipped() + bytes(MAX)
    refused(submit(owner, agent, "a.zip", big), 413)
    assert submit(owner, agent, "a.zip", zipped() + bytes(MAX - len(zipped()))).status_code == 201  # as large as may be
    # Chunked, so that nobody knows before.
    head = (
        f'--B\r\nContent-Disposition: form-data; name="agentId"\r\n\r\n{agent}\r\n'
        '--B\r\nContent-Disposition: form-data; name="file"; filename="a.zip"\r\n\r\n'
    ).encode()

    def pieces() -> Iterator[bytes]:
        yield head
        for at in range(0, len(big), 10000):
            yield big[at : at + 10000]
        yield b"\r\n--B--"

    kind = {"Content-Type": "multipart/form-data; boundary=B"}
    try:
        refused(owner.request("POST", "/submissions", data=pieces(), headers=kind), 413)
    except requests.ConnectionError:
        pass  # the answer came before all was sent
    kind["Content-Type"] = "application/json"
    text = json.dumps({"agentId": agent, "x": "y" * (1 << 20)})
    refused(owner.request("POST", "/submissions", data=iter([text.encode()]), headers=kind), 413)
    seen("nothing is left of what was refused", lambda: leftovers(front) == 0)


def leftovers(front: ApiServer) -> int:
    return count(
        front, "SELECT count(*) FROM blob_parts p WHERE NOT EXISTS (SELECT FROM blobs b WHERE b.upload = p.upload)"
    )


def test_an_upload_that_breaks_off_leaves_nothing(front: ApiServer, owner: Client, agent: str) -> None:
    before = count(front, "SELECT count(*) FROM blobs")
    for cut in (10, 300, 70_000, 299_000):
        body = (
            f'--B\r\nContent-Disposition: form-data; name="agentId"\r\n\r\n{agent}\r\n'
            '--B\r\nContent-Disposition: form-data; name="file"; filename="a.zip"\r\n\r\nPK\x03\x04'
        ).encode() + bytes(300_000)
        with socket.create_connection(("127.0.0.1", front.port)) as s:
            head = (
                f"POST /api/v1/submissions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {owner.token}\r\n"
                f"Content-Type: multipart/form-data; boundary=B\r\nContent-Length: {len(body)}\r\n\r\n"
            )
            s.sendall(head.encode() + body[:cut])
            time.sleep(0.1)
    seen("nothing is left", lambda: leftovers(front) == 0)
    assert count(front, "SELECT count(*) FROM blobs") == before
    assert owner.get(f"/submissions/agent/{agent}").json()["total"] == 0
    taken(submit(owner, agent, "a.py", AGENT))  # nothing was counted


def test_parts_of_a_killed_server_are_cleaned(front: ApiServer) -> None:
    """What a crash left: parts without a blob, older than any upload can be. Younger ones stay."""
    with psycopg.connect(front.database, autocommit=True) as connection:
        for age in ("2 hours", "10 minutes"):
            connection.execute(
                "INSERT INTO blob_parts (upload, number, bytes, created_at) "
                f"SELECT gen_random_uuid(), 0, 'x', now() - interval '{age}'"
            )
        deleted = connection.execute(
            (pathlib.Path(__file__).parents[3] / "api-server" / "blobs.c").read_text().split('"blob_clean",')[1]
            .split("};")[0].replace('"', "").replace("\n", " ").replace("$1", "%s"),
            (200,),
        )  # fmt: skip
        assert deleted.rowcount == 1
        connection.execute("DELETE FROM blob_parts WHERE created_at < now() - interval '5 minutes'")


# ---- JSON ----


def test_code_with_a_hash_is_left_to_the_build(owner: Client, agent: str, space: Namespace) -> None:
    digest = sha256(b"x")
    for body, expected in [
        ({"codeUrl": "https://example.com/a.zip", "sha256": digest}, "zip"),
        ({"codeUrl": "https://example.com/a.tgz?x=.zip", "sha256": digest}, "tar.gz"),
        ({"codeUrl": "https://example.com/download", "sha256": digest, "format": "tar.gz"}, "tar.gz"),
    ]:
        one = taken(owner.post("/submissions", {"agentId": agent, **body}))
        assert spec_of(space, one)["source"]["archive"] == {
            "url": body["codeUrl"],
            "sha256": digest,
            "format": expected,
        }


def test_git(owner: Client, agent: str, space: Namespace) -> None:
    git = {"url": "https://example.com/me/agent.git", "ref": "main", "path": "agents/pong"}
    one = taken(owner.post("/submissions", {"agentId": agent, "git": git}))
    assert spec_of(space, one)["source"] == {"git": git}
    del git["path"]
    assert spec_of(space, taken(owner.post("/submissions", {"agentId": agent, "git": git})))["source"] == {"git": git}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "One of codeUrl and git"),
        ({"codeUrl": "https://a.test/a.zip", "git": {"url": "https://a.test/a.git", "ref": "main"}}, "One of"),
        ({"codeUrl": 3}, "codeUrl must be"),
        ({"codeUrl": "file:///etc/passwd"}, "http:// or https://"),
        ({"codeUrl": "https://"}, "http:// or https://"),
        ({"codeUrl": "https://a.test/" + "x" * 3000}, "codeUrl must be"),
        ({"codeUrl": "https://a.test/a.zip", "sha256": "abc"}, "sha256"),
        ({"codeUrl": "https://a.test/a", "sha256": "0" * 64}, "format"),
        ({"codeUrl": "https://a.test/a.zip", "format": "rar"}, "format"),
        ({"codeUrl": "http://api-server.test:8081/internal/v1/sources/" + "0" * 64, "sha256": "0" * 64,
          "format": "zip"}, "arena's own"),
        ({"codeUrl": "http://API-SERVER.test/x.zip"}, "arena's own"),
        ({"git": "https://a.test/a.git"}, "git must be"),
        ({"git": {"ref": "main"}}, "git.url"),
        ({"git": {"url": "https://a.test/a.git"}}, "git.ref"),
        ({"git": {"url": "https://a.test/a.git", "ref": "../x"}}, "ref must be"),
        ({"git": {"url": "git@a.test:a.git", "ref": "main"}}, "git.url"),
        ({"git": {"url": "https://a.test/a.git", "ref": "main", "path": "../x"}}, "path must be"),
        ({"git": {"url": "https://me:secret@a.test/a.git", "ref": "main"}}, "url must be"),
    ],
)  # fmt: skip
def test_json_that_is_refused(owner: Client, agent: str, body: dict[str, Any], words: str) -> None:
    answer = owner.post("/submissions", {"agentId": agent, **body})
    refused(answer, 400)
    assert words in answer.json()["message"], answer.text
    # What the API server refused has taken no place in the quota.
    assert owner.get(f"/submissions/agent/{agent}").json()["total"] == 0


def test_json_that_is_none(owner: Client, agent: str) -> None:
    kind = {"Content-Type": "application/json"}
    for text in ("", "[]", "null", "{", '"x"', "{}", '{"agentId": 3}', '{"agentId": "x"}'):
        refused(owner.request("POST", "/submissions", data=text, headers=kind), 400)
    refused(owner.post("/submissions", {"agentId": NOWHERE, "codeUrl": "https://a.test/a.zip"}), 404)


class Code(ThreadingHTTPServer):
    """A server that authors keep their code on."""

    daemon_threads = True

    def __init__(self) -> None:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.paths.append(self.path)
                status, headers, body = outer.answers.get(self.path, (404, {}, b"no"))
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                try:
                    self.wfile.write(body)
                except OSError:
                    pass

            def log_message(self, *_: Any) -> None:
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        self.paths: list[str] = []
        self.answers: dict[str, tuple[int, dict[str, str], bytes]] = {}
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, daemon=True).start()


@pytest.fixture
def code() -> Iterator[Code]:
    server = Code()
    yield server
    server.shutdown()
    server.server_close()


def test_code_without_a_hash_is_brought_and_kept(
    front: ApiServer, owner: Client, agent: str, space: Namespace, code: Code
) -> None:
    content = zipped(agent_py=AGENT, big=bytes(range(256)) * 1000)
    code.answers["/agent.zip"] = (200, {}, content)
    code.answers["/latest"] = (302, {"Location": "/agent.zip"}, b"")
    code.answers["/download"] = (200, {}, tarred())
    for path, expected in [("/agent.zip", content), ("/latest", content), ("/download", tarred())]:
        one = taken(owner.post("/submissions", {"agentId": agent, "codeUrl": code.url + path}))
        archive = spec_of(space, one)["source"]["archive"]
        assert archive["url"].endswith(f"/internal/v1/sources/{sha256(expected)}")
        assert archive["format"] == ("tar.gz" if path == "/download" else "zip")
        assert kept(front, space, sha256(expected)) == expected


def test_code_that_cannot_be_brought(front: ApiServer, owner: Client, agent: str, code: Code) -> None:
    code.answers |= {
        "/text.zip": (200, {}, AGENT),
        "/big.zip": (200, {}, zipped() + bytes(MAX)),
        "/private": (403, {}, b"x"),
        "/broken": (500, {}, b"x"),
        "/elsewhere.zip": (302, {"Location": code.url.replace("127.0.0.1", "127.0.0.2") + "/a.zip"}, b""),
        "/file.zip": (302, {"Location": "file:///etc/passwd"}, b""),
        "/loop.zip": (302, {"Location": "/loop.zip"}, b""),
    }
    for url, status, words in [
        (code.url + "/text.zip", 415, "no zip or tar.gz"),
        (code.url + "/big.zip", 413, "larger"),
        (code.url + "/private", 403, "Make it public"),
        (code.url + "/broken", 400, "status 500"),
        (code.url + "/missing", 400, "404"),
        (code.url + "/elsewhere.zip", 400, "private"),
        (code.url + "/file.zip", 400, ""),
        (code.url + "/loop.zip", 400, ""),
        (code.url.replace("127.0.0.1", "127.0.0.2") + "/a.zip", 400, "private"),
        ("http://169.254.169.254/a.zip", 400, "private"),
        (f"http://localhost:{front.internal_port}/metrics", 415, ""),
        ("http://10.0.0.1/a.zip", 400, "private"),
        ("http://[fd00::1]/a.zip", 400, "private"),
        ("http://nowhere.invalid/a.zip", 400, "cannot be reached"),
    ]:
        answer = owner.post("/submissions", {"agentId": agent, "codeUrl": url})
        assert answer.status_code == status and words in answer.json()["message"], (url, answer.text)
    assert not any("127.0.0.2" in path for path in code.paths)
    assert owner.get(f"/submissions/agent/{agent}").json()["total"] == 0


# ---- the quota ----


def test_five_a_day_for_each_agent(front: ApiServer, owner: Client, agent: str) -> None:
    ones = [taken(submit(owner, agent, "a.py", AGENT)) for _ in range(5)]
    assert len({one["id"] for one in ones}) == 5
    answer = submit(owner, agent, "a.py", AGENT)
    refused(answer, 429)
    assert answer.json()["error"] == "quota_exceeded" and "Try again in 2" in answer.json()["message"]
    assert 80_000 < int(answer.headers["Retry-After"]) <= 86_400
    refused(owner.post("/submissions", {"agentId": agent, "git": {"url": "https://a.test/a", "ref": "main"}}), 429)
    other = str(make_agent(owner, "Another")["id"])
    taken(submit(owner, other, "a.py", AGENT))
    with psycopg.connect(front.database, autocommit=True) as connection:
        connection.execute(
            "UPDATE submission_claims SET created_at = now() - interval '25 hours' WHERE agent_id = %s "
            "AND object_name = (SELECT min(object_name) FROM submission_claims WHERE agent_id = %s)",
            (agent, agent),
        )
    taken(submit(owner, agent, "a.py", AGENT))
    refused(submit(owner, agent, "a.py", AGENT), 429)


def test_the_quota_holds_when_many_come_at_once(arena: list[ApiServer], owner: Client, agent: str) -> None:
    clients = [server.again(owner) for server in arena for _ in range(8)]
    with concurrent.futures.ThreadPoolExecutor(len(clients)) as pool:
        answers = list(pool.map(lambda client: submit(client, agent, "a.py", AGENT).status_code, clients))
    assert sorted(answers) == [201] * 5 + [429] * 11
    assert owner.get(f"/submissions/agent/{agent}").json()["total"] == 5


@pytest.mark.parametrize(
    "spoiled",
    [
        [("ScanFailed", None), ("BuildFailed", "Evicted"), ("BuildFailed", "PodLost")],
        [("PushFailed", "PushFailed"), ("BuildFailed", "Shutdown"), ("BuildFailed", "Unschedulable")],
    ],
)
def test_what_the_platform_spoiled_does_not_count(
    owner: Client, agent: str, space: Namespace, spoiled: list[tuple[str, str | None]]
) -> None:
    reasons = [*spoiled, ("BuildFailed", "OOMKilled"), ("NoAgent", "NoAgent")]
    for number, (reason, attempt) in enumerate(reasons):
        one = taken(submit(owner, agent, "a.py", AGENT))
        attempts = [{"number": 1, "job": "j", "startedAt": "2026-01-02T03:04:05Z", "finishedAt": "2026-01-02T03:04:05Z",
                     "reason": attempt, "message": "It."}] if attempt else []  # fmt: skip
        finish(space, one, "Failed", reason=reason, version=number + 1, attempts=attempts)
        seen("it failed", lambda one=one: owner.get(f"/submissions/{one['id']}").json()["submission"]["status"]
             in ("failed", "build_failed"))  # fmt: skip
    for _ in range(3):  # three of five were the platform's fault
        taken(submit(owner, agent, "a.py", AGENT))
    refused(submit(owner, agent, "a.py", AGENT), 429)


def test_a_place_that_came_to_nothing_is_given_back(front: ApiServer, owner: Client, agent: str) -> None:
    """Refused by the API server; and taken by a server that died with it, a quarter of an hour ago."""
    bad = {"agentId": agent, "git": {"url": "https://a.test/a.git", "ref": "not a ref"}}
    for _ in range(6):
        refused(owner.post("/submissions", bad), 400)
    with psycopg.connect(front.database, autocommit=True) as connection:
        for age in (1, 16):
            connection.execute(
                "INSERT INTO submission_claims (object_name, agent_id, created_at) "
                "SELECT 'of-a-dead-server-' || n || '-' || %s, %s, now() - make_interval(mins => %s) "
                "FROM generate_series(1, 5) n",
                (age, agent, age),
            )
            taken(submit(owner, agent, "a.py", AGENT)) if age > 15 else refused(
                submit(owner, agent, "a.py", AGENT), 429
            )
            connection.execute("DELETE FROM submission_claims WHERE object_name LIKE 'of-a-dead%'")


# ---- reading ----


def test_everyone_sees_the_state_and_the_owner_the_code(
    front: ApiServer, owner: Client, agent: str, space: Namespace
) -> None:
    one = taken(
        owner.post("/submissions", {"agentId": agent, "codeUrl": "https://example.com/a.zip", "sha256": "0" * 64})
    )
    assert one["codeUrl"] == "https://example.com/a.zip"
    for client in (front.client(), front.register()):
        shown = client.get(f"/submissions/{one['id']}").json()["submission"]
        assert "codeUrl" not in shown and "scan" not in shown and shown["status"] == "pending"
        listed = client.get(f"/submissions/agent/{agent}").json()["submissions"]
        assert listed == [shown]
        for what in ("code", "build-status", "build-logs", "scan"):
            refused(client.get(f"/submissions/{one['id']}/{what}"), 403 if client.token else 401)
    for what in ("", "/code", "/build-status", "/build-logs", "/scan"):
        refused(owner.get(f"/submissions/{NOWHERE}{what}"), 404)
        refused(owner.get(f"/submissions/x{what}"), 404)
    refused(owner.get(f"/submissions/agent/{NOWHERE}"), 404)
    scan = owner.get(f"/submissions/{one['id']}/scan").json()
    assert scan["scanned"] is False and scan["findings"] == [] and scan["critical"] == 0
    finding = {"id": "CVE-1", "package": "p", "installed": "1", "fixed": "2", "severity": "HIGH", "title": "t"}
    attempt = {"number": 1, "job": "j", "startedAt": "2026-01-02T03:04:05Z", "finishedAt": "2026-01-02T03:05:05Z",
               "reason": "BuildFailed", "message": "a line of its log"}  # fmt: skip
    finish(space, one, "Failed", reason="BuildFailed", scan={"high": 1, "fixable": 1, "findings": [finding]},
           attempts=[attempt])  # fmt: skip
    assert submission_of(owner, one, status="build_failed")["errorMessage"] == "a line of its log"
    shown = front.client().get(f"/submissions/{one['id']}").json()["submission"]
    assert shown["message"] == shown["errorMessage"] == "It failed. Its owner can read why."
    scan = owner.get(f"/submissions/{one['id']}/scan").json()
    assert scan["scanned"] and scan["high"] == 1 and scan["findings"] == [finding]
    status = owner.get(f"/submissions/{one['id']}/build-status").json()
    assert status["submissionId"] == one["id"] and status["status"] == "build_failed" and status["message"]


@pytest.mark.parametrize(("name", "content", "kind"), [("a.zip", zipped(), "zip"), ("b.tgz", tarred(), "tar.gz")])
def test_the_owner_gets_an_upload_back_as_it_came(
    owner: Client, agent: str, space: Namespace, name: str, content: bytes, kind: str
) -> None:
    one = taken(submit(owner, agent, name, content))
    answer = owner.get(f"/submissions/{one['id']}/code")
    assert answer.status_code == 200 and answer.content == content
    assert answer.headers["content-type"] == ("application/zip" if kind == "zip" else "application/gzip")
    assert owner.get(f"/submissions/{one['id'].upper()}/code").content == content
    named = space.by_uid("submissions", one["id"])["metadata"]["name"]
    assert answer.headers["content-disposition"] == f'attachment; filename="{named}.{kind}"'
    part = owner.request("GET", f"/submissions/{one['id']}/code", headers={"Range": "bytes=2-5"})
    assert part.status_code == 206 and part.content == content[2:6]


def test_the_owner_gets_the_files_of_a_manifest_back(owner: Client, agent: str, space: Namespace) -> None:
    one = taken(submit(owner, agent, "a.py", AGENT))
    answer = owner.get(f"/submissions/{one['id']}/code")
    assert answer.status_code == 200 and answer.json() == {"files": {"agent.py": AGENT.decode()}}
    assert owner.get(f"/submissions/{one['id'].upper()}/code").json() == answer.json()
    space.delete("submissions", space.by_uid("submissions", one["id"])["metadata"]["name"])
    refused(owner.get(f"/submissions/{one['id']}/code"), 404, "removed")


def test_code_that_is_not_kept_is_not_brought(front: ApiServer, owner: Client, agent: str) -> None:
    """Neither is an upload of somebody else, by its hash at an address that looks like one of the arena's."""
    theirs = front.register()
    upload = taken(submit(theirs, str(make_agent(theirs)["id"]), "a.zip", zipped(secret_py=b"SECRET = 1")))
    digest = sha256(zipped(secret_py=b"SECRET = 1"))
    assert theirs.get(f"/submissions/{upload['id']}/code").status_code == 200
    url = f"https://example.com/internal/v1/sources/{digest}"
    one = taken(owner.post("/submissions", {"agentId": agent, "codeUrl": url, "sha256": digest, "format": "zip"}))
    refused(owner.get(f"/submissions/{one['id']}/code"), 404, url)
    git = {"url": "https://example.com/me/agent.git", "ref": "main"}
    one = taken(owner.post("/submissions", {"agentId": agent, "git": git}))
    refused(owner.get(f"/submissions/{one['id']}/code"), 404, git["url"])


def test_the_newest_version_comes_first(owner: Client, agent: str, space: Namespace) -> None:
    ones = [taken(submit(owner, agent, "a.py", AGENT)) for _ in range(3)]
    finish(space, ones[0], version=1)
    finish(space, ones[1], version=2)
    seen("both are Ready", lambda: [one["version"] for one in
         owner.get(f"/submissions/agent/{agent}").json()["submissions"]] == [0, 2, 1])  # fmt: skip
    page = owner.get(f"/submissions/agent/{agent}", page=2, pageSize=2).json()
    assert [one["id"] for one in page["submissions"]] == [ones[0]["id"]] and page["total"] == 3
    refused(owner.get(f"/submissions/agent/{agent}", page=0), 400)


# ---- activate ----


def test_only_what_is_ready_can_play(front: ApiServer, owner: Client, agent: str, space: Namespace) -> None:
    one = taken(submit(owner, agent, "a.py", AGENT))
    refused(owner.put(f"/submissions/{one['id']}/activate"), 409)
    name = finish(space, one)
    submission_of(owner, one, status="success")
    refused(front.client().put(f"/submissions/{one['id']}/activate"), 401)
    refused(front.register().put(f"/submissions/{one['id']}/activate"), 403)
    refused(owner.put(f"/submissions/{NOWHERE}/activate"), 404)
    answer = owner.put(f"/submissions/{one['id']}/activate")
    assert answer.status_code == 200 and answer.json()["submission"]["id"] == one["id"], answer.text
    assert space.by_uid("agents", agent)["spec"]["activeSubmission"] == name
    failed = taken(submit(owner, agent, "a.py", AGENT))
    finish(space, failed, "Failed", version=2)
    submission_of(owner, failed, status="build_failed")
    refused(owner.put(f"/submissions/{failed['id']}/activate"), 409)
    space.delete("submissions", name)
    seen("it is gone", lambda: owner.put(f"/submissions/{one['id']}/activate").status_code == 409)


# ---- build again ----


def test_a_failed_one_is_built_again_three_times(front: ApiServer, owner: Client, agent: str, space: Namespace) -> None:
    one = taken(submit(owner, agent, "a.zip", zipped()))
    refused(owner.post(f"/submissions/{one['id']}/rebuild"), 409)
    finish(space, one, "Failed")
    submission_of(owner, one, status="build_failed")
    refused(front.register().post(f"/submissions/{one['id']}/rebuild"), 403)
    refused(owner.post(f"/submissions/{NOWHERE}/rebuild"), 404)
    last = one
    for number in range(3):  # of the first, and of what came of it: it is the same source
        answer = owner.post(f"/submissions/{last['id']}/rebuild")
        again = taken(answer)
        assert again["id"] != last["id"]
        assert spec_of(space, again) == spec_of(space, one)
        finish(space, again, "Failed", version=number + 2)
        submission_of(owner, again, status="build_failed")
        last = again
    for which in (one, last):
        answer = owner.post(f"/submissions/{which['id']}/rebuild")
        refused(answer, 409)
        assert "3 times" in answer.json()["message"]
    for _ in range(4):  # of the five a day, one was used
        taken(submit(owner, agent, "a.py", AGENT))
    refused(submit(owner, agent, "a.py", AGENT), 429)


def test_many_rebuilds_at_once_are_three(arena: list[ApiServer], owner: Client, agent: str, space: Namespace) -> None:
    one = taken(submit(owner, agent, "a.py", AGENT))
    finish(space, one, "Failed")
    submission_of(owner, one, status="build_failed")
    clients = [server.again(owner) for server in arena for _ in range(5)]
    with concurrent.futures.ThreadPoolExecutor(len(clients)) as pool:
        codes = list(pool.map(lambda client: client.post(f"/submissions/{one['id']}/rebuild").status_code, clients))
    assert sorted(codes) == [201] * 3 + [409] * 7


def test_what_was_removed_cannot_be_built_again(owner: Client, agent: str, space: Namespace) -> None:
    one = taken(submit(owner, agent, "a.py", AGENT))
    name = finish(space, one, "Failed")
    submission_of(owner, one, status="build_failed")
    space.delete("submissions", name)
    seen("it is gone", lambda: not any(s["metadata"]["name"] == name for s in space.list("submissions")))
    refused(owner.post(f"/submissions/{one['id']}/rebuild"), 409)


# ---- logs ----


def add_log(front: ApiServer, one: dict[str, Any], attempt: int, container: str, number: int, text: str) -> None:
    with psycopg.connect(front.database, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO build_logs (submission_id, attempt, container, number, position, text) "
            "VALUES (%s, %s, %s, %s, 0, %s)",
            (one["id"], attempt, container, number, text),
        )


def test_logs_in_their_order(front: ApiServer, owner: Client, agent: str) -> None:
    one = taken(submit(owner, agent, "a.py", AGENT))
    answer = owner.get(f"/submissions/{one['id']}/build-logs")
    assert answer.status_code == 200 and answer.text == "" and answer.headers["Content-Type"].startswith("text/plain")
    for attempt, container, number, text in [
        (1, "scan", 1, "scanning\n"),
        (2, "build", 1, "second\n"),
        (1, "build", 2, "b\n"),
        (1, "build", 1, "a\n"),
        (1, "fetch", 1, "fetching\n"),
        (2, "fetch", 1, "again\n"),
    ]:
        add_log(front, one, attempt, container, number, text)
    expected = (
        "--- fetch, attempt 1\nfetching\n\n--- build, attempt 1\na\nb\n\n--- fetch, attempt 2\nagain\n"
        "\n--- build, attempt 2\nsecond\n\n--- scan, attempt 1\nscanning\n"
    )
    assert owner.get(f"/submissions/{one['id']}/build-logs").text == expected
    for number in range(3, 60):
        add_log(front, one, 1, "scan", number, f"line {number} " + "x" * 20_000 + "\n")
    text = owner.get(f"/submissions/{one['id']}/build-logs").text
    assert text.startswith(expected) and text.count("line ") == 57 and len(text) > 57 * 20_000
    refused(owner.get(f"/submissions/{one['id']}/build-logs", follow="yes"), 400)


def test_logs_are_followed_to_the_end(front: ApiServer, owner: Client, agent: str, space: Namespace) -> None:
    one = taken(submit(owner, agent, "a.py", AGENT))
    with owner.request("GET", f"/submissions/{one['id']}/build-logs", params={"follow": 1}, stream=True) as answer:
        lines = answer.iter_lines(chunk_size=1)
        add_log(front, one, 1, "fetch", 1, "fetching\n")
        assert next(lines) == b"--- fetch, attempt 1" and next(lines) == b"fetching"
        add_log(front, one, 1, "build", 1, "building\n")
        assert [next(lines), next(lines), next(lines)] == [b"", b"--- build, attempt 1", b"building"]
        finish(space, one)
        add_log(front, one, 1, "build", 2, "built\n")
        assert list(lines) == [b"built"]
    # Whoever leaves is forgotten.
    other = taken(submit(owner, agent, "a.py", AGENT))
    for _ in range(5):
        owner.request("GET", f"/submissions/{other['id']}/build-logs", params={"follow": 1}, stream=True).close()
    assert front.client().get("/environments").status_code == 200


# ---- many at once ----


def upload_request(token: str | None, agent: str, content: bytes) -> bytes:
    """All of it, for a connection of its own."""
    body = (
        f'--B\r\nContent-Disposition: form-data; name="agentId"\r\n\r\n{agent}\r\n'
        '--B\r\nContent-Disposition: form-data; name="file"; filename="a.zip"\r\n\r\n'
    ).encode() + content + b"\r\n--B--\r\n"  # fmt: skip
    head = (
        f"POST /api/v1/submissions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n"
        f"Content-Type: multipart/form-data; boundary=B\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def status_of(connection: socket.socket) -> int:
    """The answer's, when all of it has come."""
    answer = b""
    while piece := connection.recv(65536):
        answer += piece
    connection.close()
    return int(answer.split(b" ", 2)[1])


def test_a_thousand_uploads_at_once(start_server: Callable[..., ApiServer], plane: Plane) -> None:
    """Each lacks its last byte until all are there. All are taken, and the server's memory stays bounded."""
    many = 1000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, many + 500)), hard))
    settings = {"SUBMISSIONS_PER_DAY": 1_000_000, "CONNECTIONS_PER_ADDRESS": 2 * many}
    server = start_server(namespace=plane.namespace(), plain=True, **settings)
    person = server.register()
    agents = [str(make_agent(person, f"Agent {n}")["id"]) for n in range(20)]
    assert server.process is not None
    before = resident(server.process.pid)
    waiting: list[tuple[socket.socket, bytes]] = []
    for n in range(many):
        content = zipped(agent_py=AGENT + b"# %d\n" % n, data=bytes(20_000) + bytes([n % 256]) * 5000)
        request = upload_request(person.token, agents[n % 20], content)
        s = socket.create_connection(("127.0.0.1", server.port), timeout=300)
        s.sendall(request[:-1])
        waiting.append((s, request[-1:]))
    seen("all are under way", lambda: server.metric("rl_arena_http_requests_in_flight") >= many)
    for s, last in waiting:
        s.sendall(last)
    codes = [status_of(s) for s, _ in waiting]
    assert codes == [201] * many, {code: codes.count(code) for code in codes}
    assert count(server, "SELECT count(*) FROM blobs") == many
    assert resident(server.process.pid) - before < 200 * KIB or is_sanitized(server)


def test_slow_uploads_hold_little(start_server: Callable[..., ApiServer], plane: Plane) -> None:
    """300 large uploads that stand still in the middle: a bounded number holds parts, and others go on."""
    settings = {"SUBMISSIONS_PER_DAY": 1_000_000, "CONNECTIONS_PER_ADDRESS": 2000}
    server = start_server(namespace=plane.namespace(), plain=True, **settings)
    person = server.register()
    agent = str(make_agent(person)["id"])
    head = (
        f"POST /api/v1/submissions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {person.token}\r\n"
        "Content-Type: multipart/form-data; boundary=B\r\nContent-Length: 9000000\r\n\r\n"
        f'--B\r\nContent-Disposition: form-data; name="agentId"\r\n\r\n{agent}\r\n'
        '--B\r\nContent-Disposition: form-data; name="file"; filename="a.zip"\r\n\r\nPK\x03\x04'
    ).encode()
    assert server.process is not None
    before = resident(server.process.pid)
    sockets = []
    for _ in range(300):
        s = socket.create_connection(("127.0.0.1", server.port))
        s.sendall(head)
        s.settimeout(0.2)
        sockets.append(s)
    for s in sockets:
        try:
            s.sendall(bytes(400_000))
        except TimeoutError:
            pass  # it is not read on
    taken(submit(person, agent, "a.zip", zipped()))  # small ones need no place
    assert resident(server.process.pid) - before < 160 * KIB or is_sanitized(server)
    for s in sockets:
        s.close()
    seen("nothing is left", lambda: leftovers(server) == 0)


def resident(pid: int) -> int:
    """KiB."""
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise AssertionError


# ---- the way to the build ----


def test_fetch_brings_an_upload(
    front: ApiServer, owner: Client, agent: str, space: Namespace, tmp_path: pathlib.Path
) -> None:
    """The real fetch, a real token, the real front."""
    fetch = fetch_program()
    one = taken(submit(owner, agent, "a.tar.gz", tarred()))
    archive = spec_of(space, one)["source"]["archive"]
    base = f"http://127.0.0.1:{front.internal_port}/internal/v1/sources"
    token = tmp_path / "token"

    def run(words: str) -> tuple[int, str]:
        token.write_text(words)
        workspace = tmp_path / "workspace"
        workspace.mkdir(exist_ok=True)
        done = subprocess.run(
            [fetch, "archive", "--url", f"{base}/{archive['sha256']}", "--sha256", archive["sha256"]]
            + ["--format", "tar.gz"]
            + ["--to", str(workspace), "--runtime-image", "r:1", "--front-url", base, "--front-token-file", str(token)]
            + ["--message-file", str(tmp_path / "message")],
            env={}, capture_output=True, timeout=60, check=False,
        )  # fmt: skip
        return done.returncode, done.stderr.decode()

    assert run(Tokens(space).token("executor"))[0] == 11
    assert run("nonsense")[0] == 11
    code, words = run(Tokens(space).token("fetch"))
    assert code == 0, words
    assert (tmp_path / "workspace" / "context" / "agent.py").read_bytes() == AGENT


def fetch_program() -> str:
    import os

    from .server import program

    return os.environ.get("ARENA_FETCH") or str(pathlib.Path(program()).parents[1] / "fetch" / "fetch")
