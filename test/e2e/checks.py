"""The invariants program, and what a replay has to be."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from typing import Any

import cluster
import front_user as front
from cluster import Object, status

INVARIANTS = cluster.ROOT / "test" / "support" / "invariants.py"


def assert_no_contradictions() -> None:
    """Over the whole namespace, whoever made the objects."""
    environment = {**os.environ, "ARENA_KUBECTL": " ".join(cluster.kubectl_command())}
    command = [sys.executable, str(INVARIANTS), "-n", cluster.NAMESPACE]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}\n{cluster.controller_log()}"


FETCH = "import sys, urllib.request; sys.stdout.buffer.write(urllib.request.urlopen(sys.argv[1], timeout=20).read())"


def replay_file(match: Object, key: str) -> str:
    """One of a match's two files: the front's, or from the executor through the API server."""
    address: str = status(match)["replay"][key]
    if not of_the_executor(address):
        return front.replay(match["metadata"]["uid"], "json" if key == "url" else "html")
    return cluster.service("executor", "replays/" + address.rpartition("/")[2])


def of_the_executor(address: str) -> bool:
    """Where there is no front, or none that could be reached, replays stay there."""
    return address.startswith("http://executor.")


def replay_page(match: Object) -> str:
    """The page by its own address, from inside the cluster: the API server's proxy rewrites HTML."""
    address: str = status(match)["replay"]["htmlUrl"]
    if not of_the_executor(address):
        return front.replay(match["metadata"]["uid"], "html")
    return cluster.kubectl(
        "exec", "deployment/executor", "--", "python3", "-c", FETCH, address, namespace=cluster.SYSTEM
    )  # fmt: skip


def game_hash(replay: dict[str, Any]) -> str:
    """As proto/executor.proto says: over the canonical text of what was played."""
    played = {"frames": replay["frames"], "game": replay["game"]}
    text = json.dumps(played, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def shown_name(agent: str) -> str:
    return str(cluster.get("agents", agent)["spec"].get("displayName") or agent)


def assert_replay(match: Object) -> dict[str, Any]:
    """Both files are there, are what their hashes say, and the page needs nothing from elsewhere."""
    replay: dict[str, Any] = json.loads(replay_file(match, "url"))
    assert game_hash(replay) == status(match)["replay"]["sha256"]
    assert replay["game"]["seed"] == str(status(match)["seed"])
    assert replay["game"]["players"] == [shown_name(seat["agent"]) for seat in match["spec"]["participants"]]
    assert replay["game"]["environment"] == match["spec"]["environment"]
    assert replay["game"]["environmentVersion"] == status(match)["environmentVersion"]
    assert replay["metadata"]["matchId"] == match["metadata"]["uid"]
    page = replay_page(match)
    assert hashlib.sha256(page.encode()).hexdigest() == status(match)["replay"]["htmlSha256"]
    outside = re.search(r"""(src|href)\s*=\s*["']?\s*(https?:)?//|@import|url\(\s*["']?https?:""", page)
    assert outside is None, f"the page asks for {outside.group(0) if outside else ''}"
    assert "<script" in page and "Content-Security-Policy" in page
    assert "<script" in replay_file(match, "htmlUrl"), "the page comes through the API server as well"
    return replay
