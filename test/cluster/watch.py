"""Follows the sample agents, and one that comes by REST, until each has played; then prints the leaderboard."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
import threading
import time
from typing import Any

NAMESPACE = "rl-arena"
GROUP = "rl-arena.io"
RESULTS = 24
Resource = dict[str, Any]


class Stuck(Exception):
    """Waiting longer would not help; the text says why and what to do."""


def kubectl(*arguments: str) -> str:
    command = [*shlex.split(os.environ["ARENA_KUBECTL"]), "-n", NAMESPACE, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip())
    return done.stdout


def listed(*kinds: str) -> dict[str, list[Resource]]:
    """All resources of the kinds in one call, by kind."""
    names = ",".join(f"{kind}.{GROUP}" for kind in kinds)
    found: dict[str, list[Resource]] = {}
    for item in json.loads(kubectl("get", names, "-o", "json"))["items"]:
        found.setdefault(item["kind"], []).append(item)
    return found


def sample_names(folder: str, kind: str) -> set[str]:
    """The names of one kind in examples/, as kubectl renders them."""
    rendered = kubectl("create", "--dry-run=client", "-o", "json", "-k", folder)
    items: list[Resource] = []
    decoder = json.JSONDecoder()
    while rendered := rendered.lstrip():
        item, end = decoder.raw_decode(rendered)
        items += item.get("items", [item])
        rendered = rendered[end:]
    return {item["metadata"]["name"] for item in items if item["kind"] == kind}


def status(resource: Resource) -> Resource:
    return resource.get("status") or {}


def name(resource: Resource) -> str:
    return resource["metadata"]["name"]


def condition(resource: Resource, kind: str) -> Resource:
    found = (entry for entry in status(resource).get("conditions", []) if entry["type"] == kind)
    return next(found, {})


def played(agent: Resource) -> int:
    return int((status(agent).get("rating") or {}).get("matches", 0))


class Progress:
    """Prints a line for each change, and one now and then while nothing changes."""

    def __init__(self) -> None:
        self.started = int(os.environ.get("ARENA_START", time.time()))
        self.known: dict[str, str] = {}
        self.first = True
        self.spoke = 0.0

    def say(self, text: str) -> None:
        elapsed = int(time.time()) - self.started
        clock = time.strftime("%H:%M:%S")
        print(f"[{clock} +{elapsed // 60}m{elapsed % 60:02d}s] {text}", file=sys.stderr, flush=True)
        self.spoke = time.monotonic()

    def note(self, key: str, text: str, old: bool = False) -> None:
        """Tells a change; what is marked as old was so before this run, and is only remembered."""
        if self.known.get(key) != text:
            self.known[key] = text
            if not old:
                self.say(text)

    def beat(self, text: str) -> None:
        if time.monotonic() - self.spoke > 20:
            self.say(text)


class Client:
    """The example of a client, at work beside us; what it says becomes our lines."""

    def __init__(self, progress: Progress, command: list[str]) -> None:
        self.last = "it said nothing"
        self.progress = progress
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        for line in self.process.stdout or ():
            self.last = line.strip()
            self.progress.say(f"by REST: {self.last}")

    def done(self) -> bool:
        """Whether it has got to its end; raises when that was a bad one."""
        code = self.process.poll()
        if code:
            self.reader.join(5)
            raise Stuck(f"the client that takes part by REST failed: {self.last}\nsee: ./arena logs api-server")
        return code == 0

    def end(self) -> None:
        self.process.terminate()


def describe_submission(submission: Resource) -> str:
    state = status(submission)
    phase = state.get("phase", "Pending")
    text = f"submission {name(submission)}: {phase}"
    if phase in ("Rejected", "Failed"):
        ready = condition(submission, "Ready")
        text += f" ({ready.get('reason', '?')}: {ready.get('message', 'no message')})"
    return text


def describe_match(match: Resource) -> str:
    state = status(match)
    text = f"match {name(match)}: {state.get('phase', 'Pending')}"
    if state.get("phase") == "Complete":
        text += f", {result(match)}"
    elif state.get("phase") == "Failed":
        failed = condition(match, "Failed")
        text += f" ({failed.get('reason', '?')}: {failed.get('message', 'no message')})"
    return text


def result(match: Resource) -> str:
    """Who beat whom, by how much, and what it did to the ratings."""
    parts = []
    for side in status(match).get("participants", []):
        part = f"{side.get('agent')} {side.get('outcome', '?').lower()}"
        if side.get("score") is not None:
            part += f" {side['score']}"
        if side.get("eloAfter") is not None:
            part += f" (elo {side.get('eloBefore')} -> {side['eloAfter']})"
        if side.get("errorMessage"):
            part += f" [{side['errorMessage']}]"
        parts.append(part)
    return ", ".join(parts) + f", {status(match).get('steps', 0)} steps"


def look(progress: Progress, agents: set[str], submissions: set[str]) -> bool:
    """One look at everything; True once every sample agent has played."""
    found = listed("agents", "submissions", "matches")
    for submission in found.get("Submission", []):
        if name(submission) in submissions:
            phase = status(submission).get("phase")
            progress.note(f"s/{name(submission)}", describe_submission(submission), progress.first and phase == "Ready")
            if phase in ("Rejected", "Failed"):
                raise Stuck(
                    f"the sample {describe_submission(submission)}\n"
                    f"see: ./arena kubectl -n {NAMESPACE} describe submission {name(submission)}"
                )
    for match in found.get("Match", []):
        if agents & {side["agent"] for side in match["spec"]["participants"]}:
            over = status(match).get("phase") in ("Complete", "Failed")
            progress.note(f"m/{name(match)}", describe_match(match), progress.first and over)
    progress.first = False
    here = {name(agent): agent for agent in found.get("Agent", [])}
    waiting = sorted(wanted for wanted in agents if wanted not in here or played(here[wanted]) == 0)
    if waiting:
        progress.beat(
            f"{len(agents) - len(waiting)} of {len(agents)} agents have played; not yet: {', '.join(waiting)}"
        )
    return not waiting


def wait(progress: Progress, agents: set[str], submissions: set[str], client: Client, limit: float) -> None:
    end = time.monotonic() + limit
    trouble = ""
    while time.monotonic() < end:
        try:
            played_all = look(progress, agents, submissions)
            if client.done() and played_all:
                return
            if played_all:
                progress.beat(f"not yet: the agent that came by REST ({client.last})")
            trouble = ""
        except (RuntimeError, subprocess.TimeoutExpired) as error:
            # The API server may be away for a moment.
            trouble = str(error)
            progress.beat(f"can not look at the cluster: {trouble}")
        time.sleep(2)
    raise Stuck(
        f"not every sample agent has played after {limit:.0f} s. {trouble}\n"
        f"see: ./arena status, ./arena logs controller, ./arena kubectl -n {NAMESPACE} get agents,submissions,matches"
    )


def table(rows: list[list[str]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)


def leaderboard(agents: list[Resource]) -> str:
    """Everybody who has played, the best first."""
    rows = [["#", "AGENT", "OWNER", "ENVIRONMENT", "ELO", "MATCHES", "WON", "LOST", "DRAWN"]]

    def elo(agent: Resource) -> int:
        return int((status(agent).get("rating") or {}).get("elo", 0))

    ranked = sorted((agent for agent in agents if played(agent)), key=lambda one: (-elo(one), name(one)))
    for place, agent in enumerate(ranked, 1):
        rating = status(agent).get("rating") or {}
        counts = [str(rating.get(key, 0)) for key in ("matches", "wins", "losses", "draws")]
        spec = agent["spec"]
        rows.append([str(place), name(agent), spec["owner"], spec["environment"], str(elo(agent)), *counts])
    return table(rows)


def finished(matches: list[Resource]) -> list[Resource]:
    """The latest last."""
    done = [match for match in matches if status(match).get("phase") in ("Complete", "Failed")]
    return sorted(done, key=lambda match: status(match).get("completionTime") or "")


def results(matches: list[Resource]) -> str:
    done = finished(matches)
    lines = [f"(the latest {RESULTS} of {len(done)})"] if len(done) > RESULTS else []
    for match in done[-RESULTS:]:
        text = result(match) if status(match)["phase"] == "Complete" else describe_match(match)
        lines.append(f"{name(match)}  {match['spec']['environment']}: {text}")
    return "\n".join(lines) or "none"


def report(front: str) -> None:
    found = listed("agents", "matches")
    matches = found.get("Match", [])
    print("\nLeaderboard")
    print(leaderboard(found.get("Agent", [])))
    print("\nMatches")
    print(results(matches))
    with_replay = [match for match in finished(matches) if (status(match).get("replay") or {}).get("htmlUrl")]
    example = name(with_replay[-1]) if with_replay else "MATCH"
    print(
        f"""
The front:      {front}   (its interface: {front}/docs; examples/client/ shows how to take part)
Watch one:      ./arena replay {example}   (saves a page, open it in a browser)
Look around:    ./arena kubectl -n {NAMESPACE} get agents,submissions,matches,matchmakingqueues
Take part:      copy examples/pong.yaml, change names and agent.py, then ./arena kubectl -n {NAMESPACE} apply -f FILE
Other sources:  examples/sources/README.md (zip, git, own Dockerfile, ready-made image)
Stop:           ./arena down   (--purge also forgets what was played)"""
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", required=True)
    parser.add_argument("--limit", type=float, required=True)
    parser.add_argument("--front", required=True, help="the front's address")
    parser.add_argument("client", nargs="+", help="the command that takes part by REST, with its arguments")
    options = parser.parse_args()
    progress = Progress()
    try:
        agents = sample_names(options.examples, "Agent")
        submissions = sample_names(options.examples, "Submission")
        progress.say(f"waiting until {len(agents)} sample agents are built, scanned and have played")
        client = Client(progress, options.client)
        try:
            wait(progress, agents, submissions, client, options.limit)
        finally:
            client.end()
    except (Stuck, RuntimeError) as error:
        print(f"arena: {error}", file=sys.stderr)
        return 1
    progress.say("every sample agent has played")
    report(options.front)
    return 0


if __name__ == "__main__":
    sys.exit(main())
