"""The way to the source: addresses, redirects, hashes, lengths, servers that misbehave."""

from __future__ import annotations

import hashlib
import pathlib
import socket
import ssl
import subprocess
import threading
import time

import pytest

from .conftest import LOOPBACK, Fetch, Handler, Server
from .test_archive import AGENT, zipped

CONTENT = zipped(AGENT)


def test_the_hash_is_checked(fetch: Fetch, server: Server) -> None:
    url = server.serve("/a.zip", CONTENT)
    done = fetch("archive", "--url", url, "--sha256", "0" * 64, "--format", "zip")
    done.assert_refused("HashMismatch")
    assert hashlib.sha256(CONTENT).hexdigest() in done.message


def test_progress_is_told(fetch: Fetch, server: Server) -> None:
    done = fetch.archive(server.serve("/a.zip", CONTENT), CONTENT, "zip")
    assert done.stdout.splitlines()[0].startswith("fetching the archive http://127.0.0.1")
    assert "fetched: 1 files" in done.stdout


# Addresses.


def test_loopback_is_refused_by_default(fetch: Fetch, server: Server) -> None:
    url = server.serve("/a.zip", CONTENT)
    for host in ("127.0.0.1", "localhost", "2130706433", "0x7f.1", "0", "[::ffff:127.0.0.1]"):
        done = fetch.archive(url.replace("127.0.0.1", host), CONTENT, "zip", allow=None)
        done.assert_refused("ForbiddenAddress")
        assert "127.0.0.1" not in done.message
    assert server.requests == []


@pytest.mark.parametrize(
    "host",
    ["169.254.169.254", "10.96.0.1", "192.168.0.1", "100.64.0.1", "[fd00::1]", "[fe80::1]", "[64:ff9b::a9fe:a9fe]"],
)
def test_private_addresses(fetch: Fetch, host: str) -> None:
    fetch.archive(f"http://{host}/a.zip", CONTENT, "zip", allow=None).assert_refused("ForbiddenAddress")
    fetch.git(f"http://{host}/a.git", "main", allow=None).assert_refused("ForbiddenAddress")


def test_redirect_to_a_forbidden_address(fetch: Fetch, server: Server) -> None:
    """127.0.0.1 is allowed here, 127.0.0.2 is not: the check is made again for where the redirect leads."""
    server.serve("/a.zip", CONTENT)
    elsewhere = server.url.replace("127.0.0.1", "127.0.0.2") + "/a.zip"
    url = server.redirect("/go", elsewhere)
    fetch.archive(url, CONTENT, "zip", allow="127.0.0.1/32").assert_refused("ForbiddenAddress")
    assert [path for _, path, _ in server.requests] == ["/go"]


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://127.0.0.1/", "http://[::"])
def test_redirect_to_another_scheme(fetch: Fetch, server: Server, target: str) -> None:
    fetch.archive(server.redirect("/go", target), CONTENT, "zip").assert_refused("BadRedirect")


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("file:///etc/passwd", "BadUrl"),
        ("ftp://example.com/x", "BadUrl"),
        ("//example.com/x", "BadUrl"),
        ("nothing", "BadUrl"),
        ("http://", "BadUrl"),
        ("http://a b/", "BadUrl"),
        ("http://user:secret@example.com/", "CredentialsInUrl"),
        ("http://example.com/" + "x" * 3000, "BadUrl"),
    ],
)
def test_urls(fetch: Fetch, url: str, reason: str) -> None:
    done = fetch.archive(url, CONTENT, "zip")
    assert (done.code, done.reason) == (10, reason) or (url == "nothing" and done.code == 11)
    assert "secret" not in done.message


def test_no_proxy_from_the_environment(fetch: Fetch, server: Server) -> None:
    url = server.serve("/a.zip", CONTENT)
    done = fetch.archive(
        url, CONTENT, "zip", env={"http_proxy": "http://127.0.0.1:1", "ALL_PROXY": "socks5://127.0.0.1:1"}
    )
    done.assert_done()


# Redirects.


def test_redirects(fetch: Fetch, server: Server) -> None:
    url = server.serve("/a.zip", CONTENT)
    for i in range(5):
        url = server.redirect(f"/{i}", url, status=[301, 302, 303, 307, 308][i])
    fetch.archive(url, CONTENT, "zip").assert_done()
    fetch.archive(server.redirect("/6", url), CONTENT, "zip").assert_refused("TooManyRedirects")


def test_redirect_loop(fetch: Fetch, server: Server) -> None:
    url = server.redirect("/a", "/b")
    server.redirect("/b", "/a")
    fetch.archive(url, CONTENT, "zip").assert_refused("TooManyRedirects")


# What the server answers.


@pytest.mark.parametrize(
    ("status", "reason", "code"),
    [
        (404, "NotFound", 10),
        (410, "NotFound", 10),
        (401, "NotPublic", 10),
        (403, "NotPublic", 10),
        (400, "BadAnswer", 10),
        (206, "BadAnswer", 10),
        (429, "ServerError", 11),
        (500, "ServerError", 11),
        (503, "ServerError", 11),
    ],
)
def test_statuses(fetch: Fetch, server: Server, status: int, reason: str, code: int) -> None:
    server.routes["/a"] = lambda handler: handler.answer(status, b"an error page")
    fetch.archive(server.url + "/a", CONTENT, "zip").assert_refused(reason, code=code)


def test_shorter_than_told(fetch: Fetch, server: Server) -> None:
    def route(handler: Handler) -> None:
        handler.answer(200, CONTENT[:-10], Content_Length=str(len(CONTENT)))
        handler.close_connection = True
        handler.connection.shutdown(socket.SHUT_RDWR)

    server.routes["/a"] = route
    fetch.archive(server.url + "/a", CONTENT, "zip").assert_refused("Incomplete", code=11)


def test_longer_than_told(fetch: Fetch, server: Server) -> None:
    def route(handler: Handler) -> None:
        handler.answer(200, CONTENT, Content_Length=str(len(CONTENT) - 10))
        handler.close_connection = True

    server.routes["/a"] = route
    fetch.archive(server.url + "/a", CONTENT, "zip").assert_refused("HashMismatch")


def test_larger_than_allowed(fetch: Fetch, server: Server) -> None:
    url = server.serve("/a", b"x" * 200_000)
    fetch.archive(url, CONTENT, "zip", "--max-bytes", "100000").assert_refused("TooBig")


def endless(handler: Handler, status: int, piece: bytes, pause: float = 0) -> None:
    handler.send_response(status)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    try:
        while True:
            handler.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            time.sleep(pause)
    except OSError:
        handler.close_connection = True


@pytest.mark.parametrize("status", [200, 404, 302])
def test_endless(fetch: Fetch, server: Server, status: int) -> None:
    server.routes["/a"] = lambda handler: endless(handler, status, b"x" * 65536)
    fetch.archive(server.url + "/a", CONTENT, "zip", "--max-bytes", "5000000").assert_refused("TooBig")


def test_endless_headers(fetch: Fetch, server: Server) -> None:
    def route(handler: Handler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
        try:
            while True:
                handler.wfile.write(b"X-Padding: " + b"x" * 1000 + b"\r\n")
        except OSError:
            handler.close_connection = True

    server.routes["/a"] = route
    fetch.archive(server.url + "/a", CONTENT, "zip").assert_refused("BadAnswer")


def test_slow(fetch: Fetch, server: Server) -> None:
    server.routes["/a"] = lambda handler: endless(handler, 200, b"x", pause=0.1)
    fetch.archive(server.url + "/a", CONTENT, "zip", "--timeout", "2").assert_refused("Timeout", code=11)


def test_silent(fetch: Fetch) -> None:
    """A server that takes the connection and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        held: list[socket.socket] = []
        threading.Thread(target=lambda: held.append(listener.accept()[0]), daemon=True).start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/a"
        fetch.archive(url, CONTENT, "zip", "--timeout", "1").assert_refused("Timeout", code=11)


def test_unreachable(fetch: Fetch) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/a"
        fetch.archive(url, CONTENT, "zip").assert_refused("Unreachable", code=11)


def test_no_http(fetch: Fetch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection = listener.accept()[0]
            connection.recv(1000)
            connection.sendall(b"SSH-2.0-OpenSSH\r\n")
            connection.close()

        threading.Thread(target=serve, daemon=True).start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/a"
        assert fetch.archive(url, CONTENT, "zip").code in (10, 11)


def test_unknown_host(fetch: Fetch) -> None:
    fetch.archive("http://nothing.invalid/a", CONTENT, "zip", allow=LOOPBACK).assert_refused("HostNotFound", code=11)


# TLS.


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", "key.pem", "-out", "cert.pem"],
        cwd=folder, capture_output=True, check=True,
    )  # fmt: skip
    return folder


@pytest.fixture
def secure(server: Server, certificate: pathlib.Path) -> Server:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.url = server.url.replace("http://127.0.0.1", "https://localhost")
    return server


def test_tls(fetch: Fetch, secure: Server, certificate: pathlib.Path) -> None:
    url = secure.serve("/a.zip", CONTENT)
    fetch.archive(url, CONTENT, "zip").assert_refused("BadCertificate")
    trust = {"SSL_CERT_FILE": str(certificate / "cert.pem")}
    fetch.archive(url, CONTENT, "zip", env=trust).assert_done()
    # The right authority, another name.
    fetch.archive(url.replace("localhost", "127.0.0.1"), CONTENT, "zip", env=trust).assert_refused("BadCertificate")
    missing = {"SSL_CERT_FILE": str(certificate / "missing.pem")}
    fetch.archive(url, CONTENT, "zip", env=missing).assert_refused("AuthoritiesMissing", code=11)


def test_no_way_back_to_plain_http(fetch: Fetch, secure: Server, certificate: pathlib.Path) -> None:
    url = secure.redirect("/go", "http://localhost:1/a.zip")
    done = fetch.archive(url, CONTENT, "zip", env={"SSL_CERT_FILE": str(certificate / "cert.pem")})
    done.assert_refused("BadRedirect")
