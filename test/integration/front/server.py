"""The real api-server of the test's own: a process on free ports, and a person's way to speak to it."""

from __future__ import annotations

import itertools
import os
import pathlib
import re
import signal
import subprocess
import time
from typing import Any

import requests

from .plane import ROOT, Namespace, wait_until
from .postgres import free_port

BUILDS = ("build/sanitize", "build/gcc", "build")
SECRET = "of-the-tests-and-at-least-32-bytes-long"
LIMIT = 60.0  # seconds until a test that hangs is ended
people = itertools.count(1)


def program(plain: bool = False) -> str:
    """$ARENA_API_SERVER, otherwise from a build folder, the sanitized one first. `plain`: $ARENA_API_SERVER_PLAIN, if
    there is one: the sanitizers keep what was freed, so that their program's memory says nothing."""
    if plain and (without := os.environ.get("ARENA_API_SERVER_PLAIN")):
        return without
    given = os.environ.get("ARENA_API_SERVER")
    built = [ROOT / build / "api-server" / "api-server" for build in BUILDS]
    found = [given] if given else [str(path) for path in built if path.exists()]
    assert found, f"api-server is not built: none of {built}"
    return found[0]


class Client:
    """Somebody with (or without) a token."""

    def __init__(self, url: str, token: str | None = None) -> None:
        self.url, self.token = url, token
        self.session = requests.Session()
        self.session.trust_env = False
        self.user: dict[str, Any] = {}

    def request(self, method: str, path: str, **arguments: Any) -> requests.Response:
        headers = dict(arguments.pop("headers", {}))
        if self.token is not None and "Authorization" not in headers:
            headers["Authorization"] = f"Bearer {self.token}"
        if path.startswith("/") and not path.startswith("/api") and not path.startswith("/health"):
            path = f"/api/v1{path}"
        arguments.setdefault("timeout", LIMIT)
        return self.session.request(method, self.url + path, headers=headers, **arguments)

    def get(self, path: str, **query: Any) -> requests.Response:
        return self.request("GET", path, params=query)

    def post(self, path: str, body: Any = None, **arguments: Any) -> requests.Response:
        return self.request("POST", path, json=body, **arguments)

    def put(self, path: str, body: Any = None) -> requests.Response:
        return self.request("PUT", path, json=body)

    def delete(self, path: str) -> requests.Response:
        return self.request("DELETE", path)

    @property
    def name(self) -> str:
        return str(self.user["username"])


class ApiServer:
    def __init__(
        self,
        folder: pathlib.Path,
        database: str,
        namespace: Namespace | None,
        plain: bool = False,
        **settings: str | int,
    ) -> None:
        self.folder, self.database, self.namespace = folder, database, namespace
        self.program = program(plain)
        folder.mkdir(parents=True, exist_ok=True)
        self.port, self.internal_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / "log"
        rates = {f"RATE_{name}": 1_000_000 for name in ("AUTH", "SUBMISSION", "MATCH", "REPLAY", "GENERAL")}
        self.environment = {
            "PATH": os.environ["PATH"],
            "LISTEN_ADDRESS": f"127.0.0.1:{self.port}",
            "INTERNAL_LISTEN_ADDRESS": f"127.0.0.1:{self.internal_port}",
            "DATABASE_URL": database,
            "JWT_SECRET": SECRET,
            "LOG_FORMAT": "json",
            "POD_NAME": folder.name,
            "USE_K8S": "false",
            **{key: str(value) for key, value in {**rates, **settings}.items()},
        }
        if namespace is not None:
            config = namespace.plane.kubeconfig(folder / "kubeconfig")
            self.environment |= {
                "USE_K8S": "true",
                "KUBECONFIG": str(config),
                "K8S_NAMESPACE": namespace.name,
                "POD_NAMESPACE": namespace.name,
            }
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [self.program], env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        try:
            wait_until("the api-server is ready", self.is_ready, LIMIT)
        except AssertionError as error:
            self.kill()
            raise AssertionError(f"{error}\n{self.words()}") from None

    def is_ready(self) -> bool:
        assert self.process is not None and self.process.poll() is None, self.words()
        try:
            return bool(requests.get(f"{self.url}/readyz", timeout=5).status_code == 200)
        except requests.RequestException:
            return False

    def words(self, count: int = 5000) -> str:
        return self.log.read_text(errors="replace")[-count:]

    def stop(self) -> None:
        """In order: nothing may be left behind (the sanitizers look)."""
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(LIMIT)
        self.process = None
        assert code == 0, f"the api-server ended with {code}: {self.words()}"

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    # ---- people ----

    def client(self, token: str | None = None) -> Client:
        return Client(self.url, token)

    def register(self, username: str | None = None, **more: Any) -> Client:
        """A new user, signed in."""
        username = username or f"person-{next(people)}"
        body = {"username": username, "email": f"{username}@example.com", "password": "correct horse", **more}
        client = self.client()
        answer = client.post("/auth/register", body)
        assert answer.status_code == 201, answer.text
        client.token, client.user = answer.json()["token"], answer.json()["user"]
        return client

    def again(self, client: Client) -> Client:
        """The same person at this replica."""
        other = self.client(client.token)
        other.user = client.user
        return other

    def metric(self, name: str) -> float:
        """The sum of its series."""
        text = requests.get(f"http://127.0.0.1:{self.internal_port}/metrics", timeout=LIMIT).text
        found = re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)$", text, re.MULTILINE)
        return sum(float(value) for value in found)


def seen(what: str, look: Any, seconds: float = LIMIT) -> Any:
    """Polls until `look` gives something true; an assertion in it counts as not yet."""
    end = time.monotonic() + seconds
    while True:
        try:
            value = look()
            if value:
                return value
        except AssertionError:
            if time.monotonic() > end:
                raise
        assert time.monotonic() < end, f"gave up waiting until {what}"
        time.sleep(0.05)
