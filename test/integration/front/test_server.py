"""The server's own promises over real sockets: HTTP, limits, CORS, TLS, files, and its end. No cluster behind it."""

from __future__ import annotations

import contextlib
import json
import pathlib
import re
import signal
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from .postgres import Postgres
from .server import LIMIT, SECRET, ApiServer, seen

HOST = b"Host: arena\r\n"
PAGE = "https://page.example"
LAST = b"GET /health HTTP/1.1\r\nConnection: close\r\n" + HOST + b"\r\n"


@pytest.fixture(scope="module")
def alone(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    server = ApiServer(tmp_path_factory.mktemp("alone"), postgres.database(), None, ALLOWED_ORIGINS=PAGE)
    yield server
    server.stop()


@pytest.fixture
def begin(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., ApiServer]]:
    """Servers of a test's own, with settings."""
    started: list[ApiServer] = []

    def start(**settings: Any) -> ApiServer:
        started.append(ApiServer(tmp_path_factory.mktemp("own"), postgres.database(), None, **settings))
        return started[-1]

    yield start
    for server in started:
        server.stop()


def connect(server: ApiServer) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=LIMIT)


def read_all(connection: socket.socket) -> bytes:
    """Until the server closes."""
    received = b""
    try:
        while piece := connection.recv(65536):
            received += piece
    except ConnectionResetError:
        pass
    return received


def talk(server: ApiServer, request: bytes) -> bytes:
    """What comes back to a request that ends its connection."""
    with connect(server) as connection:
        with contextlib.suppress(OSError):  # the answer may end it before all was sent
            connection.sendall(request)
        return read_all(connection)


def statuses(answer: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d+) ", answer)]


# ---- HTTP ----


def test_requests_that_are_sent_ahead_are_answered_in_order(alone: ApiServer) -> None:
    requests_ = b"".join(b"GET /healthz?n=%d HTTP/1.1\r\n" % n + HOST + b"\r\n" for n in range(200))
    answer = talk(alone, requests_ + b"GET /nothing HTTP/1.1\r\nConnection: close\r\n" + HOST + b"\r\n")
    assert statuses(answer) == [200] * 200 + [404]


def test_a_connection_is_used_again(alone: ApiServer) -> None:
    with connect(alone) as connection:
        for _ in range(3):
            connection.sendall(b"GET /health HTTP/1.1\r\n" + HOST + b"\r\n")
            answer = b""
            while b"}" not in answer:
                answer += connection.recv(65536)
            assert statuses(answer) == [200]


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /health HTTP/1.1\r\n\r\n", 400),
        (b"GET /health HTTP/1.1\r\n" + HOST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"POST /health HTTP/1.1\r\n" + HOST + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"GET /health HTTP/1.1\r\n" + HOST + b"Bad Name: x\r\n\r\n", 400),
        (b"GET /health HTTP/3.0\r\n" + HOST + b"\r\n", 505),
        (b"BREW /health HTTP/1.1\r\n" + HOST + b"\r\n", 405),
        (b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03", 400),
        (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 414),
        (b"GET /health HTTP/1.1\r\n" + HOST + b"X: " + b"a" * 17000 + b"\r\n\r\n", 431),
        (b"GET /health HTTP/1.1\r\n" + HOST + b"X: " + b"a" * 500_000 + b"\r\n\r\n", 431),
    ],
)
def test_what_is_no_http_is_answered_and_ends(alone: ApiServer, request_: bytes, status: int) -> None:
    answer = talk(alone, request_ + b"GET /health HTTP/1.1\r\n" + HOST + b"\r\n")
    assert statuses(answer) == [status]
    body = json.loads(answer.split(b"\r\n\r\n", 1)[1])
    assert body.keys() == {"error", "message"}


def test_a_refused_upload_still_reads_its_answer(alone: ApiServer) -> None:
    """The answer comes although the client is still sending, and the connection is not reset under it."""
    answer = requests.post(
        f"{alone.url}/api/v1/auth/login",
        data=b"x" * 20_000_000,
        headers={"Content-Type": "application/json"},
        timeout=LIMIT,
    )
    assert answer.status_code == 413
    assert answer.json()["error"] == "too_large"


def test_methods_and_unknown_paths(alone: ApiServer) -> None:
    answer = requests.delete(f"{alone.url}/health", timeout=LIMIT)
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, HEAD, OPTIONS")
    answer = requests.options(f"{alone.url}/api/v1/agents", timeout=LIMIT)
    assert answer.status_code == 204
    assert "POST" in answer.headers["Allow"]
    assert requests.get(f"{alone.url}/api/v1/nothing", timeout=LIMIT).status_code == 404
    assert requests.get(f"{alone.url}/api/v1/agents/not-a-uuid", timeout=LIMIT).status_code == 404
    head = requests.head(f"{alone.url}/openapi.json", headers={"Accept-Encoding": "identity"}, timeout=LIMIT)
    assert head.status_code == 200
    assert int(head.headers["Content-Length"]) > 1000
    assert head.content == b""


def test_slow_clients_are_given_up_and_others_do_not_wait(alone: ApiServer) -> None:
    """Headers that never end, a body that stops: each gets 408. Nobody else notices."""
    answers: dict[str, bytes] = {}

    def send(name: str, request: bytes) -> None:
        answers[name] = talk(alone, request)

    slow = [
        threading.Thread(target=send, args=("head", b"GET /health HTTP/1.1\r\nHost: ar")),
        threading.Thread(
            target=send,
            args=("body", b"POST /api/v1/auth/login HTTP/1.1\r\n" + HOST + b"Content-Length: 100\r\n\r\n{"),
        ),
        threading.Thread(target=send, args=("silent", b"")),
    ]
    for one in slow:
        one.start()
    for _ in range(20):
        assert requests.get(f"{alone.url}/health", timeout=LIMIT).status_code == 200
    for one in slow:
        one.join(LIMIT)
    assert statuses(answers["head"]) == [408]
    assert statuses(answers["body"]) == [408]
    assert answers["silent"] == b""


def test_what_has_not_changed_is_not_sent_again(alone: ApiServer) -> None:
    first = requests.get(f"{alone.url}/api/v1/environments", timeout=LIMIT)
    assert first.status_code == 200
    tag = first.headers["ETag"]
    again = requests.get(f"{alone.url}/api/v1/environments", headers={"If-None-Match": tag}, timeout=LIMIT)
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["ETag"] == tag


# ---- limits ----


def test_an_allowance_ends_with_429_and_says_when(begin: Callable[..., ApiServer]) -> None:
    server = begin(RATE_AUTH=3)
    # Bodies that are refused count as well, and nothing slow is behind them.
    answers = [server.client().post("/auth/login", {}) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [400, 400, 400, 429]
    assert [answer.headers["X-RateLimit-Remaining"] for answer in answers] == ["2", "1", "0", "0"]
    assert {answer.headers["X-RateLimit-Limit"] for answer in answers} == {"3"}
    assert 1 <= int(answers[3].headers["Retry-After"]) <= 20
    assert answers[3].json()["error"] == "rate_limited"
    # Another allowance is untouched, and shown with every answer.
    other = server.client().get("/environments")
    assert (other.status_code, other.headers["X-RateLimit-Limit"]) == (200, "1000000")


NOWHERE = "/api/v1/agents/00000000-0000-4000-8000-000000000000"
LOGIN = "/api/v1/auth/login"
JSON = {"Content-Type": "application/json"}
PREFLIGHT = {"Origin": PAGE, "Access-Control-Request-Method": "POST"}
UPGRADE = {"Connection": "Upgrade", "Upgrade": "websocket", "Origin": "https://other.example"}


@pytest.mark.parametrize(
    ("method", "path", "headers", "body", "status"),
    [
        ("GET", "/", {}, None, 200),
        ("GET", "/health", {}, None, 200),
        ("HEAD", "/docs", {}, None, 200),
        ("GET", "/openapi.json", {"If-None-Match": "*"}, None, 304),
        ("GET", "/api/v1/environments", {}, None, 200),
        ("OPTIONS", "/api/v1/agents", PREFLIGHT, None, 204),
        ("OPTIONS", "/api/v1/agents", {}, None, 204),
        ("GET", "/api/v1/agents?page=0", {}, None, 400),
        ("POST", LOGIN, JSON, b"{", 400),
        ("GET", "/api/v1/users/me", {}, None, 401),
        ("GET", "/api/v1/users/me", {"Authorization": "Bearer nonsense"}, None, 401),
        ("GET", "/ws", UPGRADE, None, 403),
        ("GET", NOWHERE, {}, None, 404),
        ("GET", "/nothing", {}, None, 404),
        ("DELETE", "/health", {}, None, 405),
        ("POST", LOGIN, JSON, b"x" * 2_000_000, 413),
        ("GET", "/" + "a" * 9000, {}, None, 414),
        ("POST", LOGIN, {"Content-Type": "text/plain"}, b"x", 415),
        ("GET", "/ws", {}, None, 426),
        ("GET", "/health", {"X": "a" * 17_000}, None, 431),
    ],
)
def test_every_answer_says_what_is_left(
    alone: ApiServer, method: str, path: str, headers: dict[str, str], body: bytes | None, status: int
) -> None:
    answer = requests.request(method, alone.url + path, headers=headers, data=body, timeout=LIMIT)
    assert answer.status_code == status, answer.text
    limit, remaining, reset = (int(answer.headers[f"X-RateLimit-{name}"]) for name in ("Limit", "Remaining", "Reset"))
    assert 0 <= remaining <= limit == 1_000_000
    assert abs(reset - time.time()) <= 61


def test_the_shortest_password_is_configuration(begin: Callable[..., ApiServer], alone: ApiServer) -> None:
    shorter = begin(PASSWORD_MIN=6)
    assert shorter.register(password="123456").get("/users/me").status_code == 200
    body = {"username": "short", "email": "short@example.com", "password": "12345"}
    assert shorter.client().post("/auth/register", body).status_code == 400
    body["password"] = "1234567"
    assert alone.client().post("/auth/register", body).status_code == 400


def test_only_a_trusted_proxy_names_the_client(begin: Callable[..., ApiServer]) -> None:
    def tries(server: ApiServer) -> list[int]:
        return [
            server.client()
            .request("POST", "/auth/login", json={}, headers={"X-Forwarded-For": f"192.0.2.{n}"})
            .status_code
            for n in range(3)
        ]

    assert tries(begin(RATE_AUTH=1)) == [400, 429, 429]
    assert tries(begin(RATE_AUTH=1, TRUSTED_PROXIES="127.0.0.0/8")) == [400, 400, 400]


def test_connections_are_counted_for_each_address(begin: Callable[..., ApiServer]) -> None:
    server = begin(CONNECTIONS_PER_ADDRESS=10)
    # The one that asks is left of those that waited for the server.
    seen("the others are gone", lambda: server.metric("rl_arena_http_connections") == 1)
    held = [connect(server) for _ in range(10)]
    for connection in held:  # each is really there
        connection.sendall(b"GET /health HTTP/1.1\r\n" + HOST + b"\r\n")
        assert statuses(connection.recv(65536)) == [200]
    with connect(server) as refused:
        assert read_all(refused) == b""
    assert server.metric("rl_arena_http_connections_refused_total") == 1
    for connection in held:
        connection.close()
    seen("there is room again", lambda: statuses(talk(server, LAST)) == [200])


# ---- browsers ----


def test_pages_of_the_list_may_ask(alone: ApiServer) -> None:
    asked = {"Origin": PAGE, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    answer = requests.options(f"{alone.url}/api/v1/agents", headers=asked, timeout=LIMIT)
    assert answer.status_code == 204
    assert answer.headers["Access-Control-Allow-Origin"] == PAGE
    assert "POST" in answer.headers["Access-Control-Allow-Methods"]
    assert "Authorization" in answer.headers["Access-Control-Allow-Headers"]
    answer = requests.get(f"{alone.url}/api/v1/users/me", headers={"Origin": PAGE}, timeout=LIMIT)
    assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (401, PAGE)
    for origin in ("https://other.example", "null", PAGE + ".evil.example"):
        for method in ("OPTIONS", "GET"):
            answer = requests.request(
                method, f"{alone.url}/api/v1/environments", headers={**asked, "Origin": origin}, timeout=LIMIT
            )
            assert "Access-Control-Allow-Origin" not in answer.headers


def test_answers_are_safe_to_show(alone: ApiServer) -> None:
    for path in ("/", "/docs", "/api/v1/environments", "/nothing"):
        headers = requests.get(alone.url + path, timeout=LIMIT).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "Content-Security-Policy" in headers
        assert "Referrer-Policy" in headers


def test_the_documentation_needs_nothing_from_elsewhere(alone: ApiServer) -> None:
    page = requests.get(f"{alone.url}/docs", timeout=LIMIT)
    assert page.headers["Content-Type"].startswith("text/html")
    assert "<script" not in page.text
    assert not re.search(r"(src|href)=\"(https?:)?//", page.text)
    assert "/api/v1/agents/{id}" in page.text


# ---- files ----


def test_files_of_the_page(begin: Callable[..., ApiServer], tmp_path: pathlib.Path) -> None:
    web = tmp_path / "web"
    (web / "assets").mkdir(parents=True)
    (web / "index.html").write_text("<!doctype html><title>page</title>")
    (web / "assets" / "index-3fA9c0de.js").write_text("// " + "x" * 5000)
    (web / "logo.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    (web / ".hidden").write_text("secret")
    (tmp_path / "outside").write_text("secret")
    (web / "link").symlink_to(tmp_path / "outside")
    server = begin(WEB_ROOT=str(web))

    def get(path: str, **headers: str) -> requests.Response:
        return requests.get(server.url + path, headers=headers, timeout=LIMIT)

    page = get("/")
    assert (page.status_code, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert page.headers["Cache-Control"] == "no-cache"
    script = get("/assets/index-3fA9c0de.js")
    assert script.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert "immutable" in script.headers["Cache-Control"]
    assert script.headers["Content-Encoding"] == "gzip"
    assert len(script.text) == 5003
    assert get("/logo.svg").headers["Content-Type"] == "image/svg+xml"
    assert get("/", **{"If-None-Match": page.headers["ETag"]}).status_code == 304
    # The page's own router: any path of a page is the page; a file that is not there is not.
    assert get("/leaderboard/pong", Accept="text/html,*/*").text == page.text
    assert get("/leaderboard/pong", Accept="application/json").status_code == 404
    assert get("/missing.js", Accept="text/html").status_code == 404
    assert get("/api/v1/nothing", Accept="text/html").status_code == 404
    for path in ("/.hidden", "/link", "/../outside", "/%2e%2e/outside", "/assets/..%2f..%2foutside", "//etc/passwd"):
        answer = talk(server, b"GET " + path.encode() + b" HTTP/1.1\r\nConnection: close\r\n" + HOST + b"\r\n")
        assert statuses(answer) in ([404], [400])
        assert b"secret" not in answer


# ---- TLS ----


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[pathlib.Path, pathlib.Path]:
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = folder / "tls.crt", folder / "tls.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
        + ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
        + ["-keyout", str(key), "-out", str(certificate)],
        check=True,
        capture_output=True,
    )
    return certificate, key


def test_tls(begin: Callable[..., ApiServer], certificate: tuple[pathlib.Path, pathlib.Path]) -> None:
    class Encrypted(ApiServer):
        def is_ready(self) -> bool:
            try:
                return requests.get(f"http://127.0.0.1:{self.internal_port}/readyz", timeout=LIMIT).status_code == 200
            except requests.RequestException:
                return False

    plain = begin()
    server = Encrypted(
        plain.folder.parent / "tls",
        plain.database,
        None,
        TLS_CERT_FILE=str(certificate[0]),
        TLS_KEY_FILE=str(certificate[1]),
    )
    try:
        session = requests.Session()
        session.trust_env = False
        session.verify = str(certificate[0])
        for _ in range(3):
            answer = session.get(f"https://localhost:{server.port}/openapi.json", timeout=LIMIT)
            assert answer.status_code == 200
            assert "Strict-Transport-Security" in answer.headers
        large = session.post(
            f"https://localhost:{server.port}/api/v1/auth/login",
            data=b"x" * 900_000,
            headers={"Content-Type": "application/json"},
            timeout=LIMIT,
        )
        assert large.status_code == 400
        context = ssl.create_default_context(cafile=str(certificate[0]))
        context.set_alpn_protocols(["h2", "http/1.1"])
        with connect(server) as raw, context.wrap_socket(raw, server_hostname="localhost") as wrapped:
            assert wrapped.selected_alpn_protocol() == "http/1.1"
            assert wrapped.version() in ("TLSv1.2", "TLSv1.3")
            wrapped.sendall(b"GET /health HTTP/1.1\r\nConnection: close\r\n" + HOST + b"\r\n")
            assert statuses(read_all(wrapped)) == [200]
        assert talk(server, b"GET /health HTTP/1.1\r\n" + HOST + b"\r\n") == b""
    finally:
        server.stop()


# ---- what others see of it ----


def test_secrets_are_not_written_down(alone: ApiServer) -> None:
    person = alone.register()
    assert person.get("/users/me").status_code == 200
    requests.get(f"{alone.url}/ws?token={person.token}", timeout=LIMIT)
    log = alone.log.read_text()
    assert '"path":"/ws"' in log
    assert person.token is not None
    for secret in (person.token, SECRET, "correct horse"):
        assert secret not in log


def test_metrics_are_for_the_internal_port(alone: ApiServer) -> None:
    assert requests.get(f"{alone.url}/metrics", timeout=LIMIT).status_code == 404
    requests.get(f"{alone.url}/health", timeout=LIMIT)
    text = requests.get(f"http://127.0.0.1:{alone.internal_port}/metrics", timeout=LIMIT).text
    assert re.search(r'rl_arena_http_requests_total{method="GET",route="/health",status="200"} \d+', text)
    assert "rl_arena_http_request_duration_seconds_bucket" in text
    assert alone.metric("rl_arena_http_requests_in_flight") == 1
    assert requests.get(f"http://127.0.0.1:{alone.internal_port}/api/v1/agents", timeout=LIMIT).status_code == 404


def test_every_published_operation_is_there(alone: ApiServer) -> None:
    document = requests.get(f"{alone.url}/openapi.json", timeout=LIMIT).json()
    assert document["openapi"] == "3.1.0"
    for path, item in document["paths"].items():
        real = re.sub(r"{[^}]+}", "9b6759ff-302d-4641-a056-75edf6eb3de6", path)
        allowed = requests.options(alone.url + real, timeout=LIMIT).headers["Allow"].split(", ")
        published = {method.upper() for method in item}
        assert published == set(allowed) - {"HEAD", "OPTIONS"}, path
        assert all("default" in item[method]["responses"] or item[method]["responses"] for method in item)


def test_a_server_that_is_told_to_stop_finishes_what_it_began(postgres: Postgres, tmp_path: pathlib.Path) -> None:
    server = ApiServer(tmp_path / "ending", postgres.database(), None)
    body = json.dumps({"username": "late", "email": "late@example.com", "password": "correct horse"}).encode()
    head = b"POST /api/v1/auth/register HTTP/1.1\r\n" + HOST + b"Content-Length: %d\r\n\r\n" % len(body)
    with connect(server) as connection, connect(server) as idle:
        connection.sendall(head + body[:10])
        idle.sendall(b"GET /health HTTP/1.1\r\n" + HOST + b"\r\n")
        assert statuses(idle.recv(65536)) == [200]
        assert server.process is not None
        server.process.send_signal(signal.SIGTERM)
        assert read_all(idle) == b""
        connection.sendall(body[10:])
        answer = read_all(connection)
        assert statuses(answer) == [201]
        assert b"Connection: close" in answer
    assert server.process.wait(LIMIT) == 0
    server.process = None


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"JWT_SECRET": "short"}, "JWT_SECRET must be at least 32 bytes"),
        ({"EXECUTOR_TOKEN": "short"}, "EXECUTOR_TOKEN must be 32 to 512 printable characters"),
        ({"LISTEN_ADDRESS": "127.0.0.1"}, "LISTEN_ADDRESS"),
        ({"WEB_ROOT": "/no/such/folder"}, "WEB_ROOT"),
        ({"TLS_CERT_FILE": "/dev/null", "TLS_KEY_FILE": "/dev/null"}, "TLS_CERT_FILE"),
    ],
)
def test_a_bad_setting_is_one_line(alone: ApiServer, settings: dict[str, str], words: str) -> None:
    from .server import program

    environment = {**alone.environment, "LISTEN_ADDRESS": "127.0.0.1:0", "INTERNAL_LISTEN_ADDRESS": "127.0.0.1:0"}
    done = subprocess.run(
        [program()], env={**environment, **settings}, capture_output=True, text=True, check=False, timeout=LIMIT
    )
    assert done.returncode == 2
    lines = [line for line in done.stderr.splitlines() if line.startswith("api-server: ")]
    assert len(lines) == 1 and words in lines[0]


def test_no_random_device_is_said(alone: ApiServer) -> None:
    from .server import program

    environment = {**alone.environment, "LISTEN_ADDRESS": "127.0.0.1:0", "INTERNAL_LISTEN_ADDRESS": "127.0.0.1:0"}
    without = ["unshare", "--map-root-user", "--mount", "sh", "-c", 'mount -t tmpfs none /dev && exec "$0"', program()]
    done = subprocess.run(without, env=environment, capture_output=True, text=True, check=False, timeout=LIMIT)
    if "unshare" in done.stderr:
        pytest.skip(done.stderr)
    assert done.returncode == 2, done.stderr
    assert "api-server: /dev/urandom cannot be read: No such file or directory" in done.stderr


def test_a_port_that_is_taken_is_said(alone: ApiServer) -> None:
    from .server import program

    environment = {**alone.environment, "INTERNAL_LISTEN_ADDRESS": "127.0.0.1:0"}
    done = subprocess.run([program()], env=environment, capture_output=True, text=True, check=False, timeout=LIMIT)
    assert done.returncode == 2
    assert "Address already in use" in done.stderr
