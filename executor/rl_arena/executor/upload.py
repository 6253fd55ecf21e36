"""Gives finished replays to the arena's front, which keeps and serves them.

The files stay here as well: when the front cannot be reached for a while, the match is reported with this
executor's own addresses, as it is without a front, and the front gets them later (late_uploads.py).
"""

from __future__ import annotations

import asyncio
import json
import time
import urllib.parse

import aiohttp

from rl_arena.executor import log, metrics
from rl_arena.executor.replay import Replay
from rl_arena.proto import executor_pb2

URL_MAX = 2048
ANSWER_MAX = 64 << 10
TOKEN_MAX = 16 << 10
FIRST_WAIT = 0.5
LONGEST_WAIT = 8.0
MAY_PASS = {401, 403, 404, 408, 425, 429}  # a token that is being renewed, a front that is being replaced


class Refused(Exception):
    """The front will not take it, however often it is asked."""


class Uploader:
    def __init__(self, url: str, token_file: str, seconds: float = 30):
        self._url = url.rstrip("/")
        self._token_file = token_file
        self._seconds = seconds  # for both files, all tries together: the result waits for it

    async def upload(self, response: executor_pb2.MatchResponse, replay: Replay) -> bool:
        """Replaces both addresses in the response when the front has both files."""
        try:
            page, data = await self.bring(response.match_id, response.attempt, replay.html, replay.json_gz)
        except (TimeoutError, Refused) as problem:
            metrics.uploads.labels("failed").inc()
            log.warning("replay stays here", match=response.match_id, attempt=response.attempt, error=str(problem))
            return False
        metrics.uploads.labels("done").inc()
        response.replay_url, response.replay_html_url = data, page
        return True

    async def bring(self, match_id: str, attempt: int, html: bytes, json_gz: bytes) -> tuple[str, str]:
        """The front's addresses of both files. TimeoutError with the last problem when time is over; Refused."""
        deadline = time.monotonic() + self._seconds
        match = f"{self._url}/{urllib.parse.quote(match_id, safe='')}"
        async with aiohttp.ClientSession(trust_env=False, timeout=aiohttp.ClientTimeout(sock_connect=5)) as session:
            page = await self._put(session, f"{match}?kind=html&attempt={attempt}", html, deadline)
            data = await self._put(session, f"{match}?kind=json&attempt={attempt}", json_gz, deadline)
        return page, data

    async def _put(self, session: aiohttp.ClientSession, url: str, content: bytes, deadline: float) -> str:
        """The front's address of it. TimeoutError with the last problem when time is over."""
        wait, problem = FIRST_WAIT, "no time left"
        while (left := deadline - time.monotonic()) > 0:
            try:
                async with asyncio.timeout(left):
                    return await self._try(session, url, content)
            except TimeoutError:
                problem = "no answer in time"
            except (OSError, aiohttp.ClientError, ValueError) as error:
                problem = f"{type(error).__name__}: {error}"
            left = deadline - time.monotonic()
            await asyncio.sleep(max(0.0, min(wait, left)))
            wait = min(2 * wait, LONGEST_WAIT)
        raise TimeoutError(problem)

    async def _try(self, session: aiohttp.ClientSession, url: str, content: bytes) -> str:
        headers = {
            "Authorization": f"Bearer {await asyncio.to_thread(self._token)}",  # renewed by the kubelet
            "Content-Type": "application/octet-stream",
        }
        async with session.put(url, data=content, headers=headers, allow_redirects=False) as answer:
            if answer.status not in (200, 201):
                if answer.status < 500 and answer.status not in MAY_PASS:
                    raise Refused(f"HTTP status {answer.status}")
                raise ValueError(f"HTTP status {answer.status}")
            body = await answer.content.read(ANSWER_MAX)
            return _address(body)

    def _token(self) -> str:
        with open(self._token_file, encoding="ascii") as file:
            token = file.read(TOKEN_MAX).strip()
        if not token or any(character.isspace() for character in token):
            raise ValueError("the token's file has no token")
        return token


def _address(body: bytes) -> str:
    answer = json.loads(body)
    url = answer.get("url") if isinstance(answer, dict) else None
    if not isinstance(url, str) or len(url) > URL_MAX or not url.startswith(("http://", "https://")):
        raise ValueError("the answer has no address")
    return url
