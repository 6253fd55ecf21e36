"""The API server as the tests see it: calls over kept connections, and a mirror of everything there is."""

from __future__ import annotations

import http.client
import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from control_plane import TOKEN, until_it_is_ready

GROUP = "/apis/rl-arena.io/v1alpha1"
PATHS = {
    "agents": GROUP,
    "submissions": GROUP,
    "matches": GROUP,
    "matchmakingqueues": GROUP,
    "jobs": "/apis/batch/v1",
    "pods": "/api/v1",
    "configmaps": "/api/v1",
    "events": "/api/v1",
}
# What decides when an arena has settled; Events come after the facts.
MIRRORED = tuple(kind for kind in PATHS if kind != "events")

Object = dict[str, Any]


class ApiError(Exception):
    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code


class Api:
    """One kept connection for each thread."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.local = threading.local()
        self.context = ssl.create_default_context()
        self.context.check_hostname, self.context.verify_mode = False, ssl.CERT_NONE

    def connect(self, seconds: float | None = 30) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection("127.0.0.1", self.port, context=self.context, timeout=seconds)

    def once(
        self, method: str, path: str, data: str | None, headers: dict[str, str]
    ) -> tuple[http.client.HTTPResponse, bytes]:
        connection = getattr(self.local, "connection", None)
        if connection is None:
            connection = self.local.connection = self.connect()
        try:
            connection.request(method, path, data, headers)
            answer = connection.getresponse()
            return answer, answer.read()
        except (OSError, http.client.HTTPException):
            connection.close()
            self.local.connection = None
            raise

    def ask(
        self, method: str, path: str, data: str | None, headers: dict[str, str]
    ) -> tuple[http.client.HTTPResponse, bytes]:
        """Once more when the kept connection has ended meanwhile."""
        try:
            return self.once(method, path, data, headers)
        except (OSError, http.client.HTTPException):
            return self.once(method, path, data, headers)

    def call(self, method: str, path: str, body: Object | None = None) -> Object:
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
        if method == "PATCH":
            headers["Content-Type"] = "application/merge-patch+json"
        data = None if body is None else json.dumps(body)
        for _ in until_it_is_ready():
            answer, text = self.ask(method, path, data, headers)
            if answer.status != 429:
                break
        if answer.status >= 300:
            raise ApiError(answer.status, text.decode(errors="replace"))
        found: Object = json.loads(text)
        return found

    def path(self, kind: str, namespace: str = "", name: str = "", subresource: str = "") -> str:
        parts = [PATHS[kind]]
        if namespace:
            parts += ["namespaces", namespace]
        return "/".join([*parts, kind, *(part for part in (name, subresource) if part)])

    def create(self, kind: str, namespace: str, body: Object) -> Object:
        return self.call("POST", self.path(kind, namespace), body)

    def list(self, kind: str, namespace: str) -> list[Object]:
        """With kind and apiVersion in each item, as kubectl shows them."""
        answer = self.call("GET", self.path(kind, namespace))
        shown = {"kind": answer["kind"].removesuffix("List"), "apiVersion": answer["apiVersion"]}
        return [{**shown, **item} for item in answer["items"]]

    def patch(self, kind: str, namespace: str, name: str, body: Object, subresource: str = "") -> Object:
        return self.call("PATCH", self.path(kind, namespace, name, subresource), body)

    def try_patch_status(self, kind: str, namespace: str, name: str, status: Object) -> None:
        """Of an object that may be gone by now."""
        try:
            self.patch(kind, namespace, name, {"status": status}, "status")
        except ApiError as error:
            if error.code != 404:
                raise

    def delete(self, kind: str, namespace: str, name: str, **options: Any) -> None:
        try:
            self.call("DELETE", self.path(kind, namespace, name), options or None)
        except ApiError as error:
            if error.code not in (404, 409):
                raise

    def watch(self, kind: str, stop: threading.Event) -> Iterator[tuple[str, Object]]:
        """Everything of a kind in all namespaces, from now on and for ever."""
        headers = {"Authorization": f"Bearer {TOKEN}"}
        version = self.call("GET", self.path(kind))["metadata"]["resourceVersion"]
        while not stop.is_set():
            connection = self.connect(None)
            try:
                connection.request("GET", f"{self.path(kind)}?watch=true&resourceVersion={version}", None, headers)
                for line in connection.getresponse():
                    event = json.loads(line)
                    assert event["type"] != "ERROR", event
                    version = event["object"]["metadata"]["resourceVersion"]
                    yield event["type"], event["object"]
            except (OSError, http.client.HTTPException):
                if not stop.is_set():
                    time.sleep(0.1)
            finally:
                connection.close()


Listener = Callable[[str, str, Object], None]


class Mirror:
    """Everything in all namespaces, as the watches tell it, and what was ever there."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.changed = threading.Condition()
        self.objects: dict[tuple[str, str], dict[str, Object]] = {}
        self.ever: dict[tuple[str, str], dict[str, Object]] = {}  # by uid, as last seen
        self.moved: dict[str, float] = {}  # when something last changed in a namespace
        self.listeners: list[Listener] = []
        self.stopping = threading.Event()
        self.trouble: list[BaseException] = []
        for kind in MIRRORED:
            threading.Thread(target=self.follow, args=(kind,), daemon=True).start()

    def follow(self, kind: str) -> None:
        try:
            for change, item in self.api.watch(kind, self.stopping):
                self.take(kind, change, item)
        except BaseException as error:  # noqa: BLE001 - shown by whoever waits
            if not self.stopping.is_set():
                with self.changed:
                    self.trouble.append(error)
                    self.changed.notify_all()

    def take(self, kind: str, change: str, item: Object) -> None:
        meta = item["metadata"]
        place = (meta.get("namespace", ""), kind)
        with self.changed:
            known = self.objects.setdefault(place, {})
            self.ever.setdefault(place, {})[meta["uid"]] = item
            if change == "DELETED":
                known.pop(meta["name"], None)
            else:
                known[meta["name"]] = item
            if kind != "matchmakingqueues":  # its status tells of every pass
                self.moved[place[0]] = time.monotonic()
            self.changed.notify_all()
        for listener in self.listeners:
            listener(kind, change, item)

    def now(self, namespace: str, kind: str) -> list[Object]:
        return list(self.objects.get((namespace, kind), {}).values())

    def wait(self, what: str, namespace: str, reached: Callable[[], bool], seconds: float, quiet: float = 0.0) -> None:
        """Until it is reached, and nothing has moved for so long."""
        end = time.monotonic() + seconds
        with self.changed:
            while True:
                assert not self.trouble, self.trouble
                rest = self.moved.get(namespace, 0.0) + quiet - time.monotonic()
                if reached():
                    if rest <= 0:
                        return
                else:
                    rest = 1.0
                if time.monotonic() > end:
                    raise AssertionError(f"gave up waiting until {what}")
                self.changed.wait(max(rest, 0.01))

    def forget(self, namespace: str) -> None:
        with self.changed:
            for place in [place for place in self.ever if place[0] == namespace]:
                self.ever.pop(place, None)
                self.objects.pop(place, None)

    def stop(self) -> None:
        self.stopping.set()
