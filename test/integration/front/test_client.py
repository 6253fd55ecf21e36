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

    def __init__(self, tmp_path: pathlib.Path, *command: Any) -> None:
        self.log = tmp_path / "log"
        environment = {"PATH": os.environ["PATH"], "ARENA_PASSWORD": PASSWORD}
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [str(word) for word in command], env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def ended(self) -> str:
        """What it has said; it went well."""
        try:
            code = self.process.wait(90)
        finally:
            self.process.kill()
        assert code == 0, self.log.read_text()
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
        agent = agent_of(namespace, "shelly")["metadata"]["uid"]
        said = client.ended()
        assert f"agent {agent}\nsubmission {uid}\n" in said and re.search("^success: ", said, re.MULTILINE), said


def test_the_shell_client_says_why_not(server: ApiServer, namespace: Namespace, tmp_path: pathlib.Path) -> None:
    client = Running(tmp_path, FOLDER / "client.sh", server.url, "shaun", "Returner", "no-such-game", CODE / "agent.py")
    with pytest.raises(AssertionError, match="environmentId names no environment"):
        client.ended()


def test_the_python_client_follows_its_code_to_the_first_match(
    server: ApiServer, namespace: Namespace, tmp_path: pathlib.Path
) -> None:
    client = Running(
        tmp_path, sys.executable, FOLDER / "client.py", "--url", server.url, "--user", "pia", "--agent", "Returner",
        "--environment", "pong", "--limit", "60", CODE,
    )  # fmt: skip
    one = submitted(namespace, "pia")
    assert one["spec"]["source"].keys() == {"archive"}  # the folder, packed
    finish(namespace, {"id": one["metadata"]["uid"]})
    agent = agent_of(namespace, "pia")["metadata"]["name"]
    namespace.agent("opponent-of-pia", "nobody", displayName="Opponent")
    sides = [{"agent": agent}, {"agent": "opponent-of-pia"}]
    namespace.create("matches", "match-of-pia", {"environment": "pong", "participants": sides})
    namespace.play("match-of-pia", 0, numbers=(1, 1))
    said = client.ended()
    assert "Returner beat Opponent, rating +20" in said, said
