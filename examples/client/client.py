#!/usr/bin/env python3
"""Takes part in RL Arena through its REST interface: an account, an agent, its code, its first match.

    ARENA_PASSWORD=... ./client.py --url http://127.0.0.1:8800 --user carol \\
        --agent "Returner" --environment pong agent/

The code is a file agent.py, a .zip or .tar.gz, or a folder, which is packed. What happens is told by
events over a WebSocket; where one was missed, it is asked for. The standard library alone.
"""

from __future__ import annotations

import argparse
import http.client
import io
import json
import os
import pathlib
import secrets
import sys
import time
import urllib.parse
import zipfile
from collections.abc import Iterator
from typing import Any

from websocket import Closed, WebSocket

Json = dict[str, Any]
FAILED = ("build_failed", "failed", "rejected")
PLAYABLE = ("success", "active")


class Refused(Exception):
    """The front's own words."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Front:
    """The arena at one address, as one user."""

    def __init__(self, url: str) -> None:
        parts = urllib.parse.urlsplit(url)
        self.secure, self.host, self.token = parts.scheme == "https", parts.netloc, ""

    def connection(self, seconds: float = 60) -> http.client.HTTPConnection:
        kind = http.client.HTTPSConnection if self.secure else http.client.HTTPConnection
        return kind(self.host, timeout=seconds)

    def send(self, method: str, path: str, content: bytes | None, content_type: str) -> Json:
        headers = {"Accept": "application/json"}
        if content is not None:
            headers["Content-Type"] = content_type
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        while True:
            connection = self.connection()
            connection.request(method, f"/api/v1{path}", content, headers)
            answer = connection.getresponse()
            text = answer.read().decode()
            connection.close()
            if answer.status != http.HTTPStatus.TOO_MANY_REQUESTS:
                break
            time.sleep(int(answer.headers.get("Retry-After", "5")))
        try:
            body = json.loads(text) if text else {}
        except ValueError:
            body = {"message": text[:200]}
        if answer.status >= 400:
            raise Refused(answer.status, body.get("message") or body.get("error") or f"status {answer.status}")
        result: Json = body
        return result

    def get(self, path: str, **query: Any) -> Json:
        return self.send("GET", path + (f"?{urllib.parse.urlencode(query)}" if query else ""), None, "")

    def post(self, path: str, **body: Any) -> Json:
        return self.send("POST", path, json.dumps(body).encode(), "application/json")

    def upload(self, agent_id: str, name: str, content: bytes) -> Json:
        """multipart/form-data, as a browser's form sends it."""
        mark = secrets.token_hex(16)
        head = (
            f'--{mark}\r\nContent-Disposition: form-data; name="agentId"\r\n\r\n{agent_id}\r\n'
            f'--{mark}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n"
        )
        form = head.encode() + content + f"\r\n--{mark}--\r\n".encode()
        submission: Json = self.send("POST", "/submissions", form, f"multipart/form-data; boundary={mark}")[
            "submission"
        ]
        return submission

    def sign_in(self, user: str, email: str, password: str) -> None:
        try:
            answer = self.post("/auth/register", username=user, email=email, password=password)
        except Refused as refused:
            if refused.status != http.HTTPStatus.CONFLICT:
                raise
            try:
                answer = self.post("/auth/login", email=email, password=password)
            except Refused as wrong:
                if wrong.status != http.HTTPStatus.UNAUTHORIZED:
                    raise
                raise Refused(
                    wrong.status,
                    f"there is a user {user}, or one with the address {email}, and this is another password: "
                    "choose another --user, or give the --email of yours",
                ) from wrong
        name = answer["user"]["username"]
        if name != user.lower():  # the arena's names are
            raise Refused(0, f"{email} is the address of {name}, not of {user}: give --user {name}, or another --email")
        self.token = answer["token"]

    def agent(self, name: str, environment: str, description: str) -> Json:
        """The user's agent of that name, made if there is none."""
        found: Json
        try:
            found = self.post("/agents", name=name, environmentId=environment, description=description)["agent"]
        except Refused as refused:
            if refused.status != http.HTTPStatus.CONFLICT:
                raise
            found = next(one for one in self.get("/agents/my")["agents"] if one["name"] == name)
        if environment.lower() not in (found["environmentName"], found["environmentId"]):
            raise Refused(0, f"your agent {name} plays {found['environmentName']}: choose another --agent")
        return found

    def events(self, seconds: float) -> Iterator[Json]:
        """The user's own events, until time is up. An empty one says: look for yourself, now is what counts."""
        end, since = time.monotonic() + seconds, -1
        while time.monotonic() < end:
            try:
                missed = f"?since={since}" if since >= 0 else ""
                events = WebSocket(self.connection(), f"/api/v1/ws{missed}", self.token)
                yield {}
                while (left := end - time.monotonic()) > 0:
                    event = events.receive(left)
                    since = int(event.get("id") or since)
                    yield event
            except TimeoutError:
                break
            except (Closed, OSError):
                time.sleep(1)
        raise TimeoutError(f"it is not over after {seconds:.0f} s")


def say(text: str) -> None:
    print(text, flush=True)


def packed(path: pathlib.Path) -> tuple[str, bytes]:
    """The name and the content of the file to send."""
    if not path.is_dir():
        return path.name, path.read_bytes()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(one for one in path.rglob("*") if one.is_file() and "__pycache__" not in one.parts):
            archive.write(file, file.relative_to(path))
    return f"{path.resolve().name}.zip", buffer.getvalue()


def follow_build(front: Front, submission_id: str, seconds: float) -> None:
    """Until the submission may play; raises with the reason when it may not."""
    told = ""
    for event in front.events(seconds):
        if event and (event["type"] != "build_status" or event["payload"]["submissionId"] != submission_id):
            continue
        state = event["payload"] if event else front.get(f"/submissions/{submission_id}")["submission"]
        text = ": ".join(filter(None, (state["status"], state.get("message"))))
        if not told.startswith(text):  # an event without a message tells nothing new
            say(text)
            told = text
        if state["status"] in FAILED:
            raise Refused(0, f"the submission was not taken: {text}")
        if state["status"] in PLAYABLE:
            return


def submission_of(match: Json, agent_id: str) -> str | None:
    """The one that the agent played it with."""
    found: str | None = match.get("agent1SubmissionId" if match["agent1Id"] == agent_id else "agent2SubmissionId")
    return found


def follow_match(front: Front, agent_id: str, submission_id: str, seconds: float) -> Json:
    """The latest match of the agent's submission that is over; waits for the first one."""
    for event in front.events(seconds):
        if event and event["type"] != "match_completed":
            continue
        done: list[Json] = [
            one
            for one in front.get(f"/matches/agent/{agent_id}")["matches"]
            if one["status"] == "completed" and submission_of(one, agent_id) == submission_id
        ]
        if done:
            return done[0]
    raise TimeoutError


def result(match: Json, agent_id: str) -> str:
    mine, other = ("agent1", "agent2") if match["agent1Id"] == agent_id else ("agent2", "agent1")
    winner = match.get("winnerId")
    outcome = "drew with" if winner is None else "beat" if winner == agent_id else "lost to"
    change = match.get(f"{mine}EloChange")
    rating = f", rating {change:+d}" if change is not None else ""
    return f"{match[f'{mine}Name']} {outcome} {match[f'{other}Name']}{rating}"


def take_part(front: Front, options: argparse.Namespace) -> None:
    password = os.environ.get("ARENA_PASSWORD")
    if not password:
        raise Refused(0, "your password is expected in the environment: ARENA_PASSWORD='...' client.py ...")
    front.sign_in(options.user, options.email or f"{options.user}@example.com", password)
    agent = front.agent(options.agent, options.environment, options.description)
    say(f"{options.user}'s agent {agent['name']} in {options.environment}")
    submission_id = agent.get("activeSubmissionId")
    if submission_id and not options.again:
        say("code of it plays already; --again sends this as a new version")
    else:
        name, content = packed(options.code)
        submission_id = front.upload(agent["id"], name, content)["id"]
        say(f"sent {name} ({len(content)} bytes)")
        follow_build(front, submission_id, options.limit)
    match = follow_match(front, agent["id"], submission_id, options.limit)
    say(result(match, agent["id"]))
    if match.get("errorMessage"):
        say(match["errorMessage"])
    agent = front.get(f"/agents/{agent['id']}")["agent"]
    say(f"rating {agent['elo']} after {agent['totalMatches']}, rank {agent.get('rank', 'none')}")
    if match.get("replayHtmlUrl"):
        say(f"replay: {urllib.parse.urljoin(options.url, match['replayHtmlUrl'])}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", required=True, help="the arena, for instance what ./arena url prints")
    parser.add_argument("--user", required=True, help="made if new; the password is in $ARENA_PASSWORD")
    parser.add_argument("--email", help="default: USER@example.com")
    parser.add_argument("--agent", required=True, help="made if new")
    parser.add_argument("--environment", required=True, help="its name or id, see /api/v1/environments")
    parser.add_argument("--description", default="")
    parser.add_argument("--again", action="store_true", help="send the code also when some version may play already")
    parser.add_argument("--limit", type=float, default=1800, help="seconds to wait for the build, and for a match")
    parser.add_argument("code", type=pathlib.Path)
    options = parser.parse_args()
    try:
        take_part(Front(options.url), options)
    except ConnectionError as error:
        print(f"client: {options.url} can not be reached ({error}): is the arena up?", file=sys.stderr)
    except (Refused, TimeoutError, OSError) as error:
        print(f"client: {error}", file=sys.stderr)
    else:
        return 0
    return 1


if __name__ == "__main__":
    sys.exit(main())
