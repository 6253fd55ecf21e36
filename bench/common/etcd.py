"""Many objects at once: copies of one that the API server has written, put into etcd under other names.

The API server takes minutes for a hundred thousand objects, and nothing is measured by that. What lies in
etcd afterwards is what it would have written itself: only names and uids differ.
"""

from __future__ import annotations

import base64
import itertools
import json
import urllib.request
import uuid
from collections.abc import Iterable, Mapping
from typing import Any

AT_ONCE = 100  # operations of a transaction; etcd takes 128


def coded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


class Etcd:
    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/v3/kv"

    def call(self, what: str, body: Any) -> Any:
        request = urllib.request.Request(f"{self.url}/{what}", data=json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read())

    def get(self, key: str) -> str:
        found = self.call("range", {"key": coded(key)})["kvs"]
        return base64.b64decode(found[0]["value"]).decode()

    def put(self, pairs: Iterable[tuple[str, str]]) -> None:
        rest = iter(pairs)
        while some := list(itertools.islice(rest, AT_ONCE)):
            puts = [{"requestPut": {"key": coded(key), "value": coded(value)}} for key, value in some]
            assert self.call("txn", {"success": puts})["succeeded"]

    def copy(self, keys: Iterable[str], uids: Iterable[str], names: Iterable[Mapping[str, str]]) -> None:
        """Each mapping makes a copy of all keys: its names replace the template's, in the keys and wherever
        else they stand; uids are new, and the same where they were the same."""
        templates = [(key, self.get(key)) for key in keys]
        known = list(uids)

        def copies() -> Iterable[tuple[str, str]]:
            for mapping in names:
                replaced = {**mapping, **{uid: str(uuid.uuid4()) for uid in known}}
                for pair in templates:
                    for old, new in replaced.items():
                        pair = (pair[0].replace(old, new), pair[1].replace(old, new))
                    yield pair

        self.put(copies())
