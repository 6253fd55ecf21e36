"""The clients of examples/client against the real front: an account, code, what becomes of it. The controller's part is
the test's."""

from __future__ import annotations

import os
import pathlib
import re
import subprocess
import sys
from typing import Any

import pytest

from .blobs import finish
from .plane import ROOT, Namespace
from .server import ApiServer, seen

FOLDER = ROOT / "examples" / "client"
CODE = FOLDER / "agent"
PASSWORD = "of-the-examples"


class Running:
    """A client at work, as somebody runs it."""

    def __init__(self, tmp_path: pathlib.Path, *command: Any, **environment: str) -> None:
        self.log = tmp_path / "log"
        environment = {"PATH": os.environ["PATH"], "ARENA_PASSWORD": PASSWORD} | environment
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [str(word) for word in command], env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def ended(self, code: int = 0) -> str:
        """What it has said; it went well, or as told."""
        try:
            found = self.process.wait(90)
        finally:
            self.process.kill()
        assert found == code, self.log.read_text()
        return self.log.read_text()


def agent_of(namespace: Namespace, owner: str) -> dict[str, Any]:
    found = [one for one in namespace.list("agents") if one["spec"]["owner"] == owner]
    assert len(found) == 1
    return found[0]


def submitted(namespace: Namespace, owner: str, count: int = 1) -> dict[str, Any]:
    """The last of `count` submissions of the owner's one agent."""

    def look() -> Any:
        agent = agent_of(namespace, owner)["metadata"]["name"]
        found = [one for one in namespace.list("submissions") if one["spec"]["agent"] == agent]
        return len(found) == count and max(found, key=lambda one: int(one["metadata"]["resourceVersion"]))

    return dict(seen("the code is handed in", look))


def play(namespace: Namespace, agent: dict[str, Any], submission: dict[str, Any], number: int = 1) -> None:
    """A match that the agent wins with this submission."""
    name = agent["metadata"]["name"]
    opponent = f"opponent-{number}-of-{agent['spec']['owner']}"
    namespace.agent(opponent, "nobody", displayName="Opponent")
    sides = [{"agent": name, "submission": submission["metadata"]["name"]}, {"agent": opponent}]
    namespace.create("matches", f"match-{number}-of-{name}"[:63], {"environment": "pong", "participants": sides})
    namespace.play(f"match-{number}-of-{name}"[:63], 0, numbers=(number, 1))


def test_the_shell_client_takes_part_and_comes_again(
    server: ApiServer, namespace: Namespace, tmp_path: pathlib.Path
) -> None:
    command = (FOLDER / "client.sh", server.url, "shelly", "Returner", "pong", CODE / "agent.py")
    for number in (1, 2):  # the second time the account and the agent are there
        client = Running(tmp_path, *command)
        one = submitted(namespace, "shelly", number)
        assert one["spec"]["source"]["inline"]["files"]["agent.py"] == (CODE / "agent.py").read_text()
        uid = one["metadata"]["uid"]
        finish(namespace, {"id": uid}, version=number)
        play(namespace, agent_of(namespace, "shelly"), one, number)
        agent = agent_of(namespace, "shelly")["metadata"]["uid"]
        said = client.ended()
        assert f"agent {agent}\nsubmission {uid}\n" in said and re.search("^success: ", said, re.MULTILINE), said
        assert "Returner against Opponent: won\n" in said, said


def test_the_shell_client_says_why_not(server: ApiServer, namespace: Namespace, tmp_path: pathlib.Path) -> None:
    client = Running(tmp_path, FOLDER / "client.sh", server.url, "shaun", "Returner", "no-such-game", CODE / "agent.py")
    with pytest.raises(AssertionError, match="environmentId names no environment"):
        client.ended()


def test_the_python_client_follows_its_code_to_the_first_match(
    server: ApiServer, namespace: Namespace, tmp_path: pathlib.Path
) -> None:
    command = [
        sys.executable, FOLDER / "client.py", "--url", server.url, "--user", "pia", "--agent", "Returner",
        "--environment", "pong", "--limit", "60", CODE,
    ]  # fmt: skip
    namespace.queue("chess")
    client = Running(tmp_path, *command)
    one = submitted(namespace, "pia")
    assert one["spec"]["source"].keys() == {"archive"}  # the folder, packed
    finish(namespace, {"id": one["metadata"]["uid"]})
    play(namespace, agent_of(namespace, "pia"), one)
    said = client.ended()
    assert "Returner beat Opponent, rating +20" in said, said

    agent = agent_of(namespace, "pia")["metadata"]
    namespace.status("agents", agent["name"], {"activeSubmission": one["metadata"]["name"]})
    pia = server.client()
    active = seen("it plays", lambda: pia.get(f"/agents/{agent['uid']}").json()["agent"].get("activeSubmissionId"))
    assert active == one["metadata"]["uid"]
    said = Running(tmp_path, *command).ended()
    assert "code of it plays already; --again sends this as a new version" in said, said
    assert "Returner beat Opponent" in said, said

    said = Running(tmp_path, *command[:-1], "--environment", "chess", CODE).ended(1)
    assert "your agent Returner plays pong: choose another --agent" in said, said
    said = Running(tmp_path, *command[:-1], "--user", "mia", "--email", "pia@example.com", CODE).ended(1)
    assert "pia@example.com is the address of pia, not of mia" in said, said


def test_the_python_client_says_why_not(server: ApiServer, tmp_path: pathlib.Path) -> None:
    server.register("quentin")

    def said(url: str, password: str) -> str:
        command = (
            FOLDER / "client.py",
            "--url",
            url,
            "--user",
            "quentin",
            "--agent",
            "A",
            "--environment",
            "pong",
            CODE,
        )
        return Running(tmp_path, sys.executable, *command, ARENA_PASSWORD=password).ended(1)

    assert "there is a user quentin, or one with the address quentin@example.com" in said(server.url, "another-one")
    assert "ARENA_PASSWORD='...' client.py" in said(server.url, "")
    assert "http://127.0.0.1:1 can not be reached" in said("http://127.0.0.1:1", PASSWORD)
