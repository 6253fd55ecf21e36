"""Replays and results on disk, under names made of the match's id and attempt.

A result is written last, after what it points to, each by rename: a result that can be read is
whole. Where the folder outlives the process, a match finished before a restart is answered again.
"""

from __future__ import annotations

import contextlib
import os
import re

from google.protobuf import json_format

from rl_arena.executor.replay import Replay
from rl_arena.proto import executor_pb2

MATCH_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,126}")
WAITING = re.compile(rf"({MATCH_ID.pattern})-([0-9]+)\.upload")
FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,160}\.(json\.gz|html|result)")


class Store:
    """Blocking; called from worker threads."""

    def __init__(self, folder: str, base_url: str, max_bytes: int):
        self.folder = folder
        self._base_url = base_url.rstrip("/")
        self._max_bytes = max_bytes
        os.makedirs(folder, exist_ok=True)

    @staticmethod
    def _stem(match_id: str, attempt: int) -> str:
        return f"{match_id}-{attempt}"

    def path(self, name: str) -> str | None:
        """The file of that name, None when there cannot be one."""
        return os.path.join(self.folder, name) if FILE_NAME.fullmatch(name) else None

    def _write(self, name: str, data: bytes) -> None:
        path = os.path.join(self.folder, name)
        temporary = os.path.join(self.folder, f".{name}.part")
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)

    def save_replay(self, response: executor_pb2.MatchResponse, replay: Replay) -> None:
        """Writes both files and fills in where they are and their hashes."""
        stem = self._stem(response.match_id, response.attempt)
        self._write(f"{stem}.json.gz", replay.json_gz)
        self._write(f"{stem}.html", replay.html)
        response.replay_url = f"{self._base_url}/{stem}.json"
        response.replay_html_url = f"{self._base_url}/{stem}.html"
        response.replay_json_sha256 = replay.json_sha256
        response.replay_html_sha256 = replay.html_sha256

    def save_result(self, response: executor_pb2.MatchResponse) -> None:
        stem = self._stem(response.match_id, response.attempt)
        self._write(f"{stem}.result", json_format.MessageToJson(response).encode())
        self.trim()

    def load_result(self, match_id: str, attempt: int) -> executor_pb2.MatchResponse | None:
        path = os.path.join(self.folder, f"{self._stem(match_id, attempt)}.result")
        try:
            with open(path, encoding="utf-8") as file:
                return json_format.Parse(file.read(), executor_pb2.MatchResponse())
        except (OSError, ValueError, json_format.ParseError):
            return None

    # ---- replays that the front has not taken yet: a file of their name beside them

    def set_waiting(self, match_id: str, attempt: int) -> None:
        """Behind all that wait already."""
        self._write(f"{self._stem(match_id, attempt)}.upload", b"")

    def waiting(self) -> list[tuple[str, int]]:
        """Match and attempt, the longest waiting first."""
        found = []
        for entry in os.scandir(self.folder):
            name = WAITING.fullmatch(entry.name)
            if name is not None:
                found.append((entry.stat(follow_symlinks=False).st_mtime_ns, name[1], int(name[2])))
        return [(match_id, attempt) for _, match_id, attempt in sorted(found)]

    def load_replay(self, match_id: str, attempt: int) -> tuple[bytes, bytes] | None:
        """HTML and packed JSON; None when they were trimmed."""
        stem = os.path.join(self.folder, self._stem(match_id, attempt))
        try:
            with open(f"{stem}.html", "rb") as html, open(f"{stem}.json.gz", "rb") as json_gz:
                return html.read(), json_gz.read()
        except FileNotFoundError:
            return None

    def unset_waiting(self, match_id: str, attempt: int) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(self.folder, f"{self._stem(match_id, attempt)}.upload"))

    def trim(self) -> None:
        """Removes the oldest files until the folder is within its size."""
        entries = []
        for entry in os.scandir(self.folder):
            try:
                status = entry.stat(follow_symlinks=False)
            except OSError:
                continue  # another thread was faster
            entries.append((status.st_mtime, status.st_size, entry.path))
        total = sum(size for _, size, _ in entries)
        for _, size, path in sorted(entries):
            if total <= self._max_bytes:
                return
            try:
                os.unlink(path)
            except OSError:
                continue
            total -= size
