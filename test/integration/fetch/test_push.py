"""Taking a built image to a registry, and the layers of a build to the next one: against Debian's registry, against a
registry that gives tokens, against layouts that an author's steps have been at, and against registries that fail."""

from __future__ import annotations

import base64
import gzip
import hashlib
import http.client
import http.server
import io
import json
import os
import pathlib
import shutil
import socket
import subprocess
import tarfile
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from .conftest import program

pytestmark = pytest.mark.skipif(not shutil.which("docker-registry"), reason="needs Debian's docker-registry")

USER, PASSWORD = "pusher", "s3cret:with colon"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
KEY = "ab" * 32


def digest_of(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def layer(name: str, content: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        info = tarfile.TarInfo(name)
        info.size = len(content)
        archive.addfile(info, io.BytesIO(content))
    return gzip.compress(buffer.getvalue(), mtime=0)


class Layout:
    """What the builder leaves, and ways to spoil it."""

    def __init__(self, folder: pathlib.Path, *layers: bytes, created: str = "2026-01-02T03:04:05Z") -> None:
        self.folder = folder
        self.blobs = folder / "blobs" / "sha256"
        self.blobs.mkdir(parents=True)
        config = json.dumps({"created": created, "rootfs": {"type": "layers", "diff_ids": []}}).encode()
        self.manifest: dict[str, Any] = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": self.blob(CONFIG, config),
            "layers": [self.blob(LAYER, one) for one in layers],
        }
        self.write()

    def blob(self, kind: str, content: bytes) -> dict[str, Any]:
        digest = digest_of(content)
        (self.blobs / digest[7:]).write_bytes(content)
        return {"mediaType": kind, "digest": digest, "size": len(content)}

    def write(self) -> None:
        entry = self.blob(MANIFEST, json.dumps(self.manifest).encode())
        (self.folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))

    def path(self, part: dict[str, Any]) -> pathlib.Path:
        return self.blobs / part["digest"][7:]


def now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


class Registry:
    def __init__(self, folder: pathlib.Path, auth: dict[str, Any] | None = None) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.host = f"127.0.0.1:{probe.getsockname()[1]}"
        folder.mkdir()
        settings: dict[str, Any] = {
            "version": 0.1,
            "storage": {"filesystem": {"rootdirectory": str(folder / "data")}},
            "http": {"addr": self.host},
        }
        if auth:
            settings["auth"] = auth
        (folder / "config.yml").write_text(json.dumps(settings))  # JSON is YAML
        with (folder / "log").open("w") as log:
            command = ["docker-registry", "serve", str(folder / "config.yml")]
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", int(self.host.rpartition(":")[2]))) == 0:
                    return
            time.sleep(0.05)
        pytest.fail((folder / "log").read_text(), pytrace=False)

    def end(self) -> None:
        self.process.kill()
        self.process.wait()

    def get(self, path: str, accept: str = MANIFEST) -> bytes:
        words = ["curl", "-sSfL", "--user", f"{USER}:{PASSWORD}", "-H", f"Accept: {accept}"]
        return subprocess.run([*words, f"http://{self.host}/v2/{path}"], capture_output=True, check=True).stdout


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    registry = Registry(tmp_path_factory.mktemp("open") / "registry")
    yield registry
    registry.end()


@pytest.fixture(scope="module")
def private(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    folder = tmp_path_factory.mktemp("private")
    salt = "$2b$05$" + "e2e." * 5 + "e."
    hashed = subprocess.run(
        ["perl", "-e", "print crypt($ARGV[0], $ARGV[1])", PASSWORD, salt], capture_output=True, text=True, check=True
    ).stdout
    (folder / "htpasswd").write_text(f"{USER}:{hashed}\n")
    registry = Registry(folder / "registry", {"htpasswd": {"realm": "r", "path": str(folder / "htpasswd")}})
    yield registry
    registry.end()


class Done:
    def __init__(self, code: int, output: str, message: pathlib.Path) -> None:
        self.code, self.output = code, output
        self.text = message.read_text() if message.exists() else ""

    @property
    def reason(self) -> str:
        return str(json.loads(self.text)["reason"])

    @property
    def message(self) -> str:
        return str(json.loads(self.text)["message"])


class Pusher:
    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.built = folder / "built"
        self.built.mkdir()
        self.runs = 0

    def run(self, *arguments: str, user: str | None = None, insecure: bool = True, **env: str) -> Done:
        self.runs += 1
        message = self.folder / f"message-{self.runs}"
        command = [program(), *arguments, "--message-file", str(message)]
        if insecure:
            command.append("--insecure")
        if user is not None:
            command += ["--credentials", str(self.folder / "config.json")]
        clean = {name: value for name, value in os.environ.items() if name.endswith("SAN_OPTIONS")}
        done = subprocess.run(command, env=clean | env, capture_output=True, text=True, timeout=60, check=False)
        return Done(done.returncode, done.stdout + done.stderr, message)

    def password(self, host: str, password: str = PASSWORD) -> str:
        auth = base64.b64encode(f"{USER}:{password}".encode()).decode()
        (self.folder / "config.json").write_text(json.dumps({"auths": {host: {"auth": auth}}}))
        return USER

    def push(self, host: str, name: str = "agents/ns/ann", *more: str, **options: Any) -> Done:
        return self.run("push", "--from", str(self.built), "--to", f"{host}/{name}:v1", *more, **options)


@pytest.fixture
def pusher(tmp_path: pathlib.Path) -> Pusher:
    return Pusher(tmp_path)


# What arrives.


def test_image_arrives_under_the_digest_that_is_told(pusher: Pusher, registry: Registry) -> None:
    layout = Layout(pusher.built / "image", layer("a", os.urandom(3_000_000)), layer("b", b"b"))
    done = pusher.push(registry.host)
    assert done.code == 0, done.output
    for reference in ("v1", done.text):
        manifest = registry.get(f"agents/ns/ann/manifests/{reference}")
        assert digest_of(manifest) == done.text
    told = json.loads(manifest)
    assert told["config"] == layout.manifest["config"] and told["layers"] == layout.manifest["layers"]
    for part in (told["config"], *told["layers"]):
        assert registry.get(f"agents/ns/ann/blobs/{part['digest']}") == layout.path(part).read_bytes()


def test_digest_does_not_depend_on_what_else_the_builder_wrote(pusher: Pusher, registry: Registry) -> None:
    layout = Layout(pusher.built / "image", layer("a", b"a"))
    first = pusher.push(registry.host)
    layout.manifest |= {"annotations": {"x": "y"}, "subject": layout.manifest["config"], "Layers": []}
    layout.write()
    assert pusher.push(registry.host).text == first.text


def test_registry_with_a_password(pusher: Pusher, private: Registry) -> None:
    Layout(pusher.built / "image", layer("a", b"a"))
    done = pusher.push(private.host, user=pusher.password(private.host))
    assert done.code == 0, done.output
    assert digest_of(private.get("agents/ns/ann/manifests/v1")) == done.text
    assert PASSWORD not in done.output


@pytest.mark.parametrize("password", ["wrong", None])
def test_wrong_password_is_told(pusher: Pusher, private: Registry, password: str | None) -> None:
    Layout(pusher.built / "image", layer("a", b"a"))
    user = pusher.password(private.host, password) if password else pusher.password("another.test")
    done = pusher.push(private.host, user=user)
    assert (done.code, done.reason) == (11, "PushFailed")
    assert f"http://{private.host}/v2/" in done.message and "UNAUTHORIZED: authentication required" in done.message


def test_registry_without_tls_is_not_spoken_to_unless_that_is_configured(pusher: Pusher, private: Registry) -> None:
    Layout(pusher.built / "image", layer("a", b"a"))
    done = pusher.push(private.host, user=pusher.password(private.host), insecure=False)
    assert (done.code, done.reason) == (11, "PushFailed"), done.output
    assert "cannot be reached" in done.message and f"https://{private.host}/v2/" in done.message


# What an author's steps may have left.


def spoiled(layout: Layout, how: str) -> None:
    first = layout.path(layout.manifest["layers"][0])
    content = first.read_bytes()
    if how == "no image":
        shutil.rmtree(layout.folder)
    elif how == "no index":
        (layout.folder / "index.json").unlink()
    elif how == "index is a link":
        (layout.folder / "index.json").unlink()
        (layout.folder / "index.json").symlink_to("/etc/passwd")
    elif how == "index is no JSON":
        (layout.folder / "index.json").write_text("{" * 100_000)
    elif how == "index is endless":
        os.truncate(layout.folder / "index.json", 1 << 40)
    elif how == "two images":
        index = json.loads((layout.folder / "index.json").read_text())
        index["manifests"] *= 2
        (layout.folder / "index.json").write_text(json.dumps(index))
    elif how == "image is a link":
        layout.folder.rename(layout.folder.with_name("elsewhere"))
        layout.folder.symlink_to("elsewhere")
    elif how == "blobs is a link":
        layout.blobs.rename(layout.folder / "elsewhere")
        layout.blobs.symlink_to(layout.folder / "elsewhere")
    elif how == "layer is a link":
        first.rename(layout.folder / "elsewhere")
        first.symlink_to(layout.folder / "elsewhere")
    elif how == "layer is a pipe":
        first.unlink()
        os.mkfifo(first)
    elif how == "layer is a device":
        first.unlink()
        first.symlink_to("/dev/zero")
    elif how == "layer is missing":
        first.unlink()
    elif how == "layer is another":
        first.write_bytes(bytes([content[0] ^ 1]) + content[1:])
    elif how == "layer is longer":
        first.write_bytes(content + b"x")
    elif how == "layer is endless":
        os.truncate(first, 1 << 40)
        layout.manifest["layers"][0]["size"] = 1 << 40
        layout.write()
    elif how == "layer is elsewhere":
        layout.manifest["layers"][0]["urls"] = ["http://169.254.169.254/"]
        layout.write()
    elif how == "configuration is no JSON":
        layout.manifest["config"] = layout.blob(CONFIG, b"\x7fELF")
        layout.write()
    elif how == "name leads out":
        layout.manifest["layers"][0]["digest"] = "sha256:../../../../../../etc/passwd"
        layout.write()


HOWS = [
    "no image", "no index", "index is a link", "index is no JSON", "index is endless", "two images", "image is a link",
    "blobs is a link", "layer is a link", "layer is a pipe", "layer is a device", "layer is missing",
    "layer is another", "layer is longer", "layer is endless", "layer is elsewhere", "configuration is no JSON",
    "name leads out",
]  # fmt: skip


@pytest.mark.parametrize("how", HOWS)
def test_spoiled_image_is_refused_and_nothing_of_it_can_be_pulled(pusher: Pusher, registry: Registry, how: str) -> None:
    layout = Layout(pusher.built / "image", layer("a", how.encode()))
    spoiled(layout, how)
    name = "refused/" + how.replace(" ", "-")
    done = pusher.push(registry.host, name)
    assert (done.code, done.reason) == (10, "ImageTooBig" if how == "layer is endless" else "BadImage"), done.output
    assert done.message.endswith(".")
    with pytest.raises(subprocess.CalledProcessError):
        registry.get(f"{name}/tags/list")


def test_image_over_the_limit_is_refused(pusher: Pusher, registry: Registry) -> None:
    Layout(pusher.built / "image", layer("a", os.urandom(100_000)))
    done = pusher.push(registry.host, "agents/ns/large", "--max-bytes", "50000")
    assert (done.code, done.reason) == (10, "ImageTooBig")


# Tokens, and registries that fail.


class Tokens(http.server.BaseHTTPRequestHandler):
    """In front of a registry: gives tokens for the password, each for a few requests, and breaks off now and then."""

    protocol_version = "HTTP/1.1"
    backend = ""
    fails: dict[str, list[int]] = {}
    uses = 3
    left: dict[str, int] = {}
    asked: list[str] = []

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        host = self.headers["Host"]
        if self.path.startswith("/token"):
            self.give_token()
            return
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if self.left.get(token, 0) <= 0:
            realm = f'Bearer realm="http://{host}/token",service="a registry",scope="repository:x:pull"'
            self.answer(401, b'{"errors":[{"code":"UNAUTHORIZED","message":"no token"}]}', WWW_Authenticate=realm)
            return
        self.left[token] -= 1
        waiting = self.fails.get(self.command)
        if waiting:
            status = waiting.pop(0)
            if status == 0:
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
            else:
                self.answer(status, b"not now")
            return
        self.forward(body, host)

    do_HEAD = do_POST = do_PUT = do_GET

    def give_token(self) -> None:
        self.asked.append(self.path)
        expected = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if self.headers.get("Authorization") != expected:
            self.answer(401, b'{"errors":[{"code":"UNAUTHORIZED","message":"who is that"}]}')
            return
        token = f"token-{len(self.asked)}"
        self.left[token] = self.uses
        self.answer(200, json.dumps({"access_token": token}).encode())

    def forward(self, body: bytes, host: str) -> None:
        connection = http.client.HTTPConnection(self.backend)
        kept = ("content-type", "accept")
        headers = {name: value for name, value in self.headers.items() if name.lower() in kept} | {"Host": host}
        connection.request(self.command, self.path, body, headers)
        answer = connection.getresponse()
        content = answer.read()
        told = {name: answer.headers[name] for name in ("Location", "Content-Type") if name in answer.headers}
        self.answer(answer.status, content, **told)

    def answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def tokens(registry: Registry) -> Iterator[tuple[str, type[Tokens]]]:
    handler = type("Handler", (Tokens,), {"backend": registry.host, "fails": {}, "left": {}, "asked": []})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    yield f"127.0.0.1:{server.server_address[1]}", handler
    server.shutdown()
    server.server_close()


def test_password_is_traded_for_tokens_which_run_out(
    pusher: Pusher, registry: Registry, tokens: tuple[str, type[Tokens]]
) -> None:
    host, handler = tokens
    Layout(pusher.built / "image", layer("a", b"tokens"), layer("b", b"tokens"))
    done = pusher.push(host, "agents/ns/tokens", user=pusher.password(host))
    assert done.code == 0, done.output
    assert digest_of(registry.get("agents/ns/tokens/manifests/v1")) == done.text
    assert len(handler.asked) > 1, "they ran out"
    assert handler.asked[0] == "/token?service=a%20registry&scope=repository:agents/ns/tokens:pull,push"


def test_token_that_is_not_given_is_told(pusher: Pusher, tokens: tuple[str, type[Tokens]]) -> None:
    host, _ = tokens
    Layout(pusher.built / "image", layer("a", b"a"))
    done = pusher.push(host, user=pusher.password(host, "wrong"))
    assert (done.code, done.reason) == (11, "PushFailed")
    assert f"http://{host}/token" in done.message and "UNAUTHORIZED: who is that" in done.message


@pytest.mark.parametrize("fails", [{"PUT": [503]}, {"PUT": [0]}, {"POST": [500, 429]}, {"HEAD": [502]}])
def test_what_may_pass_is_tried_again(
    pusher: Pusher, registry: Registry, tokens: tuple[str, type[Tokens]], fails: dict[str, list[int]]
) -> None:
    host, handler = tokens
    handler.fails, handler.uses = fails, 1000
    name = f"agents/ns/{next(iter(fails)).lower()}"
    Layout(pusher.built / "image", layer("a", os.urandom(1_000_000)))
    done = pusher.push(host, name, user=pusher.password(host))
    assert done.code == 0, done.output
    assert digest_of(registry.get(f"{name}/manifests/v1")) == done.text
    assert not any(fails.values())


def test_registry_that_goes_on_failing_is_told(pusher: Pusher, tokens: tuple[str, type[Tokens]]) -> None:
    host, handler = tokens
    handler.fails, handler.uses = {"POST": [507] * 3}, 1000
    Layout(pusher.built / "image", layer("a", os.urandom(1000)))
    done = pusher.push(host, user=pusher.password(host))
    assert (done.code, done.reason) == (11, "PushFailed")
    assert "HTTP status 507" in done.message and "not now" in done.message


class Sender(http.server.BaseHTTPRequestHandler):
    """A registry that sends uploads to a storage of its own, under another name."""

    protocol_version = "HTTP/1.1"
    seen: list[tuple[str, str, bool]] = []

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        shown = "Authorization" in self.headers
        self.seen.append((self.command, self.path.partition("?")[0], shown))
        self.send_response(401 if not shown and self.path == "/v2/" else self.status())
        self.send_header("WWW-Authenticate", "Basic realm=r")
        self.send_header("Location", f"http://localhost:{self.server.server_address[1]}/storage?of=this")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_HEAD = do_POST = do_PUT = do_GET

    def status(self) -> int:
        return {"GET": 200, "HEAD": 404, "POST": 202, "PUT": 201}[self.command]

    def log_message(self, *_: Any) -> None:
        pass


def test_another_host_is_not_shown_the_password(pusher: Pusher) -> None:
    handler = type("Handler", (Sender,), {"seen": []})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    host = f"127.0.0.1:{server.server_address[1]}"
    Layout(pusher.built / "image")
    done = pusher.push(host, "a/b", user=pusher.password(host))
    server.shutdown()
    server.server_close()
    assert done.code == 0, done.output
    assert ("PUT", "/storage", False) in handler.seen
    assert ("PUT", "/v2/a/b/manifests/v1", True) in handler.seen


# Layers from build to build.


def keep(pusher: Pusher, host: str, repository: str) -> Done:
    return pusher.push(host, f"{repository}/image", "--cache", f"{host}/{repository}/cache")


def bring(pusher: Pusher, host: str, repository: str) -> tuple[Done, pathlib.Path]:
    folder = pusher.folder / f"next-{pusher.runs}"
    folder.mkdir()
    return pusher.run("layers", "--cache", f"{host}/{repository}/cache", "--to", str(folder)), folder


def test_layers_come_back_as_they_were(pusher: Pusher, registry: Registry) -> None:
    Layout(pusher.built / "image")
    kept = Layout(pusher.built / f"layer:{KEY}", layer("a", os.urandom(100_000)), created=now())
    Layout(pusher.built / f"layer:{'cd' * 32}", layer("old", b"o"), created="2020-01-02T03:04:05Z")
    Layout(pusher.built / "layer:not-a-key", layer("x", b"x"), created=now())
    spoiled(Layout(pusher.built / f"layer:{'ef' * 32}", layer("s", b"s"), created=now()), "layer is a link")
    done = keep(pusher, registry.host, "kept")
    assert done.code == 0 and "kept 1 layers" in done.output, done.output
    brought, folder = bring(pusher, registry.host, "kept")
    assert brought.code == 0, brought.output
    assert [one.name for one in folder.iterdir()] == [f"layer:{KEY}"], brought.output
    again = folder / f"layer:{KEY}"
    (entry,) = json.loads((again / "index.json").read_text())["manifests"]
    manifest = json.loads((again / "blobs" / "sha256" / entry["digest"][7:]).read_bytes())
    assert manifest["layers"] == kept.manifest["layers"]
    for part in (manifest["config"], *manifest["layers"]):
        assert (again / "blobs" / "sha256" / part["digest"][7:]).read_bytes() == kept.path(part).read_bytes()
    # And once more from there, as the next build's pusher does it.
    for one in pusher.built.glob("layer:*"):
        shutil.rmtree(one)
    again.rename(pusher.built / again.name)
    assert "kept 1 layers" in keep(pusher, registry.host, "kept").output


def test_no_layers_are_no_failure(pusher: Pusher, registry: Registry, private: Registry) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        for host in (registry.host, private.host, f"127.0.0.1:{closed.getsockname()[1]}"):
            done, folder = bring(pusher, host, "nothing/here")
            assert done.code == 0 and not list(folder.iterdir()), done.output


def test_layers_that_cannot_be_kept_do_not_spoil_the_push(pusher: Pusher, registry: Registry) -> None:
    Layout(pusher.built / "image")
    Layout(pusher.built / f"layer:{KEY}", layer("a", b"a"), created=now())
    done = pusher.push(registry.host, "agents/ns/alone", "--cache", "127.0.0.1:1/a/cache")
    assert done.code == 0 and done.text.startswith("sha256:"), done.output
    assert "no layers are kept" in done.output


def test_half_a_layer_is_none(pusher: Pusher, registry: Registry, tokens: tuple[str, type[Tokens]]) -> None:
    Layout(pusher.built / "image")
    kept = Layout(pusher.built / f"layer:{KEY}", layer("a", os.urandom(10_000)), created=now())
    assert "kept 1" in keep(pusher, registry.host, "half").output
    host, handler = tokens
    part = kept.manifest["layers"][0]["digest"]

    def cut(self: Tokens, body: bytes, name: str) -> None:
        if part in self.path:
            self.answer(200, b"shorter")
        else:
            Tokens.forward(self, body, name)

    handler.forward = cut  # type: ignore[method-assign]
    pusher.password(host)
    folder = pusher.folder / "cut"
    folder.mkdir()
    done = pusher.run("layers", "--cache", f"{host}/half/cache", "--to", str(folder), user=USER)
    assert done.code == 0 and not list(folder.iterdir()), done.output


@pytest.mark.parametrize(
    "words",
    [
        ("push", "--from", "/", "--to", "r.test/a"),
        ("push", "--from", "/", "--to", "r.test:5000"),
        ("push", "--from", "/", "--to", "r.test/a@sha256:" + KEY),
        ("push", "--to", "r.test/a:1"),
        ("push", "--from", "/", "--to", "r.test/a:1", "--cache", "r.test/a:1"),
        ("layers", "--to", "/"),
        ("layers", "--to", "/", "--cache", "r.test/a b"),
    ],
)
def test_wrong_command_line(pusher: Pusher, words: tuple[str, ...]) -> None:
    assert pusher.run(*words).code == 2
