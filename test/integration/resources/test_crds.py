"""What the API server accepts of the four kinds, what it refuses, and in which words.

Every case goes to a real API server; those that change nothing are dry runs.
"""

from __future__ import annotations

from typing import Any

import pytest
from arena_api import PLURALS, Api, Arena, kubectl

SHA = "a" * 64
AGENT: dict[str, Any] = {"owner": "alice", "environment": "pong"}
FILES = {"agent.py": "def agent(observation):\n    return 1\n"}
SUBMISSION: dict[str, Any] = {"agent": "ace", "source": {"inline": {"files": FILES}}}
MATCH: dict[str, Any] = {
    "environment": "pong",
    "participants": [{"agent": "ace"}, {"agent": "bob"}],
}
QUEUE: dict[str, Any] = {"environment": {"name": "pong"}}
GOOD = {"Agent": AGENT, "Submission": SUBMISSION, "Match": MATCH, "MatchmakingQueue": QUEUE}


def change(spec: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {**spec, **fields}


def source(**fields: Any) -> dict[str, Any]:
    return {"agent": "ace", "source": fields}


def files(**texts: str) -> dict[str, Any]:
    return source(inline={"files": texts})


def archive(**fields: Any) -> dict[str, Any]:
    base = {"url": "https://example.com/agent.zip", "sha256": SHA, "format": "zip"}
    return source(archive={**base, **fields})


def git(**fields: Any) -> dict[str, Any]:
    return source(git={"url": "https://example.com/me/agent.git", "ref": "main", **fields})


def participants(*seats: dict[str, Any]) -> dict[str, Any]:
    return change(MATCH, participants=list(seats))


def queue(**fields: Any) -> dict[str, Any]:
    return change(QUEUE, **fields)


def contains(whole: Any, part: Any) -> bool:
    """Whether every field of part is in whole, with the same value."""
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(
            key in whole and contains(whole[key], value) for key, value in part.items()
        )
    return bool(whole == part)


# name: kind, spec, what must be in the stored spec
ACCEPTED: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "agent-defaults": (
        "Agent",
        AGENT,
        {
            "matchmaking": {"enabled": True, "priority": 5, "mode": "Continuous"},
            "suspended": False,
        },
    ),
    "agent-full": (
        "Agent",
        change(
            AGENT,
            displayName="Äce ♟ of pong",
            description="Two\nlines.",
            activeSubmission="ace-v1",
            matchmaking={"enabled": False, "priority": 1, "mode": "Once"},
            suspended=True,
        ),
        {"matchmaking": {"enabled": False, "priority": 1, "mode": "Once"}, "suspended": True},
    ),
    "agent-part-of-matchmaking": (
        "Agent",
        change(AGENT, matchmaking={"priority": 10}),
        {"matchmaking": {"enabled": True, "priority": 10, "mode": "Continuous"}},
    ),
    "agent-unpinned-by-empty": ("Agent", change(AGENT, activeSubmission=""), {}),
    "agent-owner-of-one-letter": ("Agent", change(AGENT, owner="a"), {}),
    "agent-owner-with-dots": ("Agent", change(AGENT, owner="alice.b_c-d"), {}),
    "submission-defaults": (
        "Submission",
        SUBMISSION,
        {"build": {"timeoutSeconds": 900, "maxRetries": 3, "noCache": False}},
    ),
    "submission-folders": (
        "Submission",
        files(**{"agent.py": "", "model/net.py": "x = 1\n", ".dockerignore": "", "a/__init__.py": ""}),
        {},
    ),
    "submission-dockerfile-alone": ("Submission", files(Dockerfile="FROM scratch\n"), {}),
    "submission-largest": ("Submission", files(**{"agent.py": "#" * 524288}), {}),
    "submission-largest-in-many": (
        "Submission",
        files(**{"agent.py": "#" * 16384}, **{f"f{i}.txt": "é" * 8192 for i in range(31)}),
        {},
    ),
    "submission-no-retries": (
        "Submission",
        change(SUBMISSION, build={"maxRetries": 0, "timeoutSeconds": 10}),
        {"build": {"maxRetries": 0, "timeoutSeconds": 10, "noCache": False}},
    ),
    "submission-archive": ("Submission", archive(), {}),
    "submission-archive-tar": ("Submission", archive(format="tar.gz"), {}),
    "submission-archive-port": ("Submission", archive(url="http://10.77.0.1:8082/a.zip?x=1#y"), {}),
    "submission-archive-ipv6": ("Submission", archive(url="https://[2001:db8::1]:8443/a.zip"), {}),
    "submission-git": ("Submission", git(), {}),
    "submission-git-tag-path": ("Submission", git(ref="refs/tags/v1.2", path="agents/pong"), {}),
    "submission-git-commit": ("Submission", git(ref="0123456789abcdef0123456789abcdef01234567"), {}),
    "submission-image": ("Submission", source(image="registry.example.com:5000/me/agent:v1"), {}),
    "submission-image-short": ("Submission", source(image="agent"), {}),
    "submission-image-digest": (
        "Submission",
        source(image=f"10.77.0.1:5000/a/b@sha256:{SHA}"),
        {},
    ),
    "match-defaults": (
        "Match",
        MATCH,
        {"rated": True, "timeoutSeconds": 300, "recordReplay": True},
    ),
    "match-full": (
        "Match",
        change(
            participants({"agent": "ace", "submission": "ace-v1"}, {"agent": "bob"}),
            rated=False,
            seed=9007199254740991,
            timeoutSeconds=10,
            recordReplay=False,
            ttlSecondsAfterFinished=0,
        ),
        {"seed": 9007199254740991, "rated": False, "recordReplay": False},
    ),
    "match-seed-zero": ("Match", change(MATCH, seed=0), {"seed": 0}),
    "queue-defaults": (
        "MatchmakingQueue",
        QUEUE,
        {
            "environment": {"name": "pong", "players": 2},
            "paused": False,
            "intervalSeconds": 30,
            "elo": {
                "initial": 1500,
                "range": 100,
                "step": 100,
                "maxRange": 500,
                "widenSeconds": 30,
            },
            "entryTTLSeconds": 86400,
            "cooldownSeconds": 300,
            "maxMatchesPerAgentPerDay": 100,
            "maxConcurrentMatchesPerAgent": 1,
            "allowSameOwner": False,
            "match": {
                "timeoutSeconds": 300,
                "moveMilliseconds": 1000,
                "bankMilliseconds": 10000,
                "startupSeconds": 30,
                "recordReplay": True,
                "ttlSecondsAfterFinished": 604800,
                "resources": {},
            },
            "scan": {"failOn": "CRITICAL", "ignoreUnfixed": True},
        },
    ),
    "queue-part-of-elo": (
        "MatchmakingQueue",
        queue(elo={"maxRange": 200}),
        {"elo": {"range": 100, "maxRange": 200, "step": 100}},
    ),
    "queue-never-widens": (
        "MatchmakingQueue",
        queue(elo={"range": 500, "step": 0}),
        {"elo": {"range": 500, "step": 0, "maxRange": 500}},
    ),
    "queue-big-agents": (
        "MatchmakingQueue",
        queue(match={"resources": {"cpu": "2", "memory": "1.5Gi"}}),
        {"match": {"resources": {"cpu": "2", "memory": "1.5Gi"}, "timeoutSeconds": 300}},
    ),
    "queue-scans-tell-only": (
        "MatchmakingQueue",
        queue(scan={"failOn": "NONE"}),
        {"scan": {"failOn": "NONE", "ignoreUnfixed": True}},
    ),
    "queue-no-cooldown": (
        "MatchmakingQueue",
        queue(cooldownSeconds=0, paused=True, maxConcurrentMatches=1),
        {"cooldownSeconds": 0},
    ),
}

# name: kind, spec, the field that the answer names, words that must be in it
REFUSED: dict[str, tuple[str, Any, str, str]] = {
    # Agent
    "agent-without-spec": ("Agent", None, "spec", "Required value"),
    "agent-without-owner": ("Agent", {"environment": "pong"}, "spec.owner", "Required value"),
    "agent-without-environment": ("Agent", {"owner": "a"}, "spec.environment", "Required value"),
    "agent-empty-owner": ("Agent", change(AGENT, owner=""), "spec.owner", "at least 1 char"),
    "agent-long-owner": ("Agent", change(AGENT, owner="a" * 51), "spec.owner", "may not be more than 50"),
    "agent-odd-owner": ("Agent", change(AGENT, owner="alice!"), "spec.owner", "letters, digits"),
    "agent-odd-environment": (
        "Agent",
        change(AGENT, environment="Connect Four"),
        "spec.environment",
        "must be the name of a MatchmakingQueue",
    ),
    "agent-display-name-of-two-lines": (
        "Agent",
        change(AGENT, displayName="a\nb"),
        "spec.displayName",
        "should match",
    ),
    "agent-priority-0": (
        "Agent",
        change(AGENT, matchmaking={"priority": 0}),
        "spec.matchmaking.priority",
        "greater than or equal to 1",
    ),
    "agent-priority-11": (
        "Agent",
        change(AGENT, matchmaking={"priority": 11}),
        "spec.matchmaking.priority",
        "less than or equal to 10",
    ),
    "agent-priority-float": (
        "Agent",
        change(AGENT, matchmaking={"priority": 1.5}),
        "spec.matchmaking.priority",
        "must be of type integer",
    ),
    "agent-mode": (
        "Agent",
        change(AGENT, matchmaking={"mode": "Never"}),
        "spec.matchmaking.mode",
        'supported values: "Continuous", "Once"',
    ),
    "agent-pin-no-name": (
        "Agent",
        change(AGENT, activeSubmission="../x"),
        "spec.activeSubmission",
        "must be the name of a Submission of this agent",
    ),
    "agent-unknown-field": ("Agent", change(AGENT, elo=3000), "", 'unknown field "spec.elo"'),
    "agent-suspended-text": (
        "Agent",
        change(AGENT, suspended="yes"),
        "spec.suspended",
        "must be of type boolean",
    ),
    # Submission
    "submission-without-agent": (
        "Submission",
        {"source": {"image": "a"}},
        "spec.agent",
        "Required value",
    ),
    "submission-without-source": ("Submission", {"agent": "ace"}, "spec.source", "Required value"),
    "submission-empty-source": ("Submission", source(), "spec.source", "exactly one of inline"),
    "submission-two-sources": (
        "Submission",
        source(image="a", inline={"files": FILES}),
        "spec.source",
        "exactly one of inline, archive, git and image",
    ),
    "submission-agent-no-name": (
        "Submission",
        change(SUBMISSION, agent="Ace"),
        "spec.agent",
        "must be the name of an Agent in this namespace",
    ),
    "submission-no-files": (
        "Submission",
        source(inline={"files": {}}),
        "spec.source.inline.files",
        "at least 1 properties",
    ),
    "submission-no-agent-py": (
        "Submission",
        files(**{"main.py": ""}),
        "spec.source.inline.files",
        "must have an agent.py, or a Dockerfile",
    ),
    "submission-33-files": (
        "Submission",
        files(**{"agent.py": ""}, **{f"f{i}": "" for i in range(32)}),
        "spec.source.inline.files",
        "must have at most 32 items",
    ),
    "submission-one-byte-too-many": (
        "Submission",
        files(**{"agent.py": "#" * 524288, "b.py": "#"}),
        "spec.source.inline.files",
        "at most 524288 bytes in all: use archive or git",
    ),
    "submission-bytes-not-letters": (
        "Submission",
        files(**{"agent.py": "é" * 262145}),
        "spec.source.inline.files",
        "at most 524288 bytes in all: use archive or git",
    ),
    "submission-file-is-a-folder": (
        "Submission",
        files(**{"agent.py": "", "model": "", "model/net.py": ""}),
        "spec.source.inline.files",
        "must not be the folder of another file",
    ),
    "submission-bad-url": (
        "Submission",
        archive(url="file:///etc/passwd"),
        "spec.source.archive.url",
        "must be an http:// or https:// address",
    ),
    "submission-url-with-password": (
        "Submission",
        archive(url="https://me:secret@example.com/a.zip"),
        "spec.source.archive.url",
        "without user name or password",
    ),
    "submission-url-with-space": (
        "Submission",
        archive(url="https://example.com/a b.zip"),
        "spec.source.archive.url",
        "must be an http:// or https:// address",
    ),
    "submission-archive-without-hash": (
        "Submission",
        source(archive={"url": "https://example.com/a.zip", "format": "zip"}),
        "spec.source.archive.sha256",
        "Required value",
    ),
    "submission-short-hash": (
        "Submission",
        archive(sha256="abc"),
        "spec.source.archive.sha256",
        "at least 64 chars",
    ),
    "submission-upper-case-hash": (
        "Submission",
        archive(sha256="A" * 64),
        "spec.source.archive.sha256",
        "64 hexadecimal digits in lower case",
    ),
    "submission-rar": (
        "Submission",
        archive(format="rar"),
        "spec.source.archive.format",
        'supported values: "zip", "tar.gz"',
    ),
    "submission-git-ssh": (
        "Submission",
        git(url="git@example.com:me/agent.git"),
        "spec.source.git.url",
        "must be an http:// or https:// address",
    ),
    "submission-git-without-ref": (
        "Submission",
        source(git={"url": "https://example.com/a.git"}),
        "spec.source.git.ref",
        "Required value",
    ),
    "submission-git-ref-option": (
        "Submission",
        git(ref="--upload-pack=x"),
        "spec.source.git.ref",
        "must be a branch, a tag or a full commit hash",
    ),
    "submission-git-ref-range": (
        "Submission",
        git(ref="a..b"),
        "spec.source.git.ref",
        "must be a branch, a tag or a full commit hash",
    ),
    "submission-git-path-out": (
        "Submission",
        git(path="agents/../.."),
        "spec.source.git.path",
        "must be a relative path",
    ),
    "submission-image-with-space": (
        "Submission",
        source(image="my agent"),
        "spec.source.image",
        "must be an image reference",
    ),
    "submission-image-option": (
        "Submission",
        source(image="--insecure"),
        "spec.source.image",
        "must be an image reference",
    ),
    "submission-4-retries": (
        "Submission",
        change(SUBMISSION, build={"maxRetries": 4}),
        "spec.build.maxRetries",
        "less than or equal to 3",
    ),
    "submission-no-time": (
        "Submission",
        change(SUBMISSION, build={"timeoutSeconds": 9}),
        "spec.build.timeoutSeconds",
        "greater than or equal to 10",
    ),
    # Match
    "match-one-player": (
        "Match",
        participants({"agent": "ace"}),
        "spec.participants",
        "at least 2 items",
    ),
    "match-three-players": (
        "Match",
        participants({"agent": "a"}, {"agent": "b"}, {"agent": "c"}),
        "spec.participants",
        "must have at most 2 items",
    ),
    "match-against-itself": (
        "Match",
        participants({"agent": "ace"}, {"agent": "ace"}),
        "spec.participants",
        "an agent does not play against itself",
    ),
    "match-against-its-older-self": (
        "Match",
        participants({"agent": "ace", "submission": "v1"}, {"agent": "ace", "submission": "v2"}),
        "spec.participants",
        "an agent does not play against itself",
    ),
    "match-odd-agent": (
        "Match",
        participants({"agent": "Ace"}, {"agent": "bob"}),
        "spec.participants[0].agent",
        "must be the name of an Agent",
    ),
    "match-odd-submission": (
        "Match",
        participants({"agent": "ace"}, {"agent": "bob", "submission": "a/b"}),
        "spec.participants[1].submission",
        "must be the name of a Submission",
    ),
    "match-negative-seed": (
        "Match",
        change(MATCH, seed=-1),
        "spec.seed",
        "greater than or equal to 0",
    ),
    "match-big-seed": (
        "Match",
        change(MATCH, seed=9007199254740992),
        "spec.seed",
        "less than or equal to 9007199254740991",
    ),
    "match-no-time": (
        "Match",
        change(MATCH, timeoutSeconds=0),
        "spec.timeoutSeconds",
        "greater than or equal to 10",
    ),
    "match-negative-ttl": (
        "Match",
        change(MATCH, ttlSecondsAfterFinished=-1),
        "spec.ttlSecondsAfterFinished",
        "greater than or equal to 0",
    ),
    # MatchmakingQueue
    "queue-three-players": (
        "MatchmakingQueue",
        {"environment": {"name": "pong", "players": 3}},
        "spec.environment.players",
        "less than or equal to 2",
    ),
    "queue-range-above-max": (
        "MatchmakingQueue",
        queue(elo={"range": 600}),
        "spec.elo.range",
        "elo.range must be at most elo.maxRange",
    ),
    "queue-step-0": (
        "MatchmakingQueue",
        queue(elo={"step": 0}),
        "spec.elo.step",
        "or the range never widens",
    ),
    "queue-interval-0": (
        "MatchmakingQueue",
        queue(intervalSeconds=0),
        "spec.intervalSeconds",
        "greater than or equal to 1",
    ),
    "queue-short-ttl": (
        "MatchmakingQueue",
        queue(match={"ttlSecondsAfterFinished": 3600}),
        "spec.match.ttlSecondsAfterFinished",
        "greater than or equal to 86400",
    ),
    "queue-cooldown-beyond-ttl": (
        "MatchmakingQueue",
        queue(cooldownSeconds=86401, match={"ttlSecondsAfterFinished": 86400}),
        "spec.cooldownSeconds",
        "must be at most match.ttlSecondsAfterFinished",
    ),
    "queue-more-per-agent-than-in-all": (
        "MatchmakingQueue",
        queue(maxConcurrentMatches=1, maxConcurrentMatchesPerAgent=2),
        "spec.maxConcurrentMatchesPerAgent",
        "must be at most maxConcurrentMatches",
    ),
    "queue-startup-beyond-timeout": (
        "MatchmakingQueue",
        queue(match={"timeoutSeconds": 20, "startupSeconds": 21}),
        "spec.match.startupSeconds",
        "must be at most match.timeoutSeconds",
    ),
    "queue-move-beyond-timeout": (
        "MatchmakingQueue",
        queue(match={"timeoutSeconds": 30, "moveMilliseconds": 30001}),
        "spec.match.moveMilliseconds",
        "must be at most match.timeoutSeconds",
    ),
    "queue-cpu-nonsense": (
        "MatchmakingQueue",
        queue(match={"resources": {"cpu": "lots"}}),
        "spec.match.resources.cpu",
        "cpu must be a quantity between 10m and 64",
    ),
    "queue-cpu-nothing": (
        "MatchmakingQueue",
        queue(match={"resources": {"cpu": "0"}}),
        "spec.match.resources.cpu",
        "cpu must be a quantity between 10m and 64",
    ),
    "queue-memory-small": (
        "MatchmakingQueue",
        queue(match={"resources": {"memory": "512"}}),
        "spec.match.resources.memory",
        "memory must be a quantity between 32Mi and 256Gi",
    ),
    "queue-scan-severity": (
        "MatchmakingQueue",
        queue(scan={"failOn": "critical"}),
        "spec.scan.failOn",
        'supported values: "CRITICAL", "HIGH", "MEDIUM", "LOW"',
    ),
}

UNSAFE_FILES = [
    "../agent.py", "a/../b.py", "/etc/passwd", "a//b.py", "a/", "..", ".", "./a.py", "..data", "-rf",
    "a b.py", "a\\b.py", "a\nb", "n" * 129, "é.py",
]  # fmt: skip


def object_name(kind: str) -> str:
    return "pong" if kind == "MatchmakingQueue" else "ace"


@pytest.mark.parametrize("case", ACCEPTED)
def test_accepted(arena: Arena, case: str) -> None:
    kind, spec, expected = ACCEPTED[case]
    answer = arena.create(kind, object_name(kind), spec)
    assert answer.ok, answer.message
    assert contains(answer.body["spec"], expected), answer.body["spec"]


@pytest.mark.parametrize("case", REFUSED)
def test_refused(arena: Arena, case: str) -> None:
    kind, spec, field, words = REFUSED[case]
    answer = arena.create(kind, object_name(kind), spec)
    assert answer.status in (400, 422), f"accepted: {answer.body}"
    assert "evaluating rule" not in answer.message, "a rule could not judge what another one has refused"
    if not field:
        assert words in answer.message
        return
    said = [cause["message"] for cause in answer.causes if cause["field"] == field]
    assert any(words in message for message in said), answer.message


@pytest.mark.parametrize("name", UNSAFE_FILES)
def test_unsafe_file_names_are_refused(arena: Arena, name: str) -> None:
    answer = arena.create("Submission", "ace", files(**{"agent.py": "", name: ""}))
    assert answer.status == 422
    assert "file names must be relative paths" in answer.message


@pytest.mark.parametrize("kind", GOOD)
def test_long_names_are_refused(arena: Arena, kind: str) -> None:
    name = "n" * 53
    spec = GOOD[kind]
    if kind == "MatchmakingQueue":
        spec = {"environment": {"name": name}}
    answer = arena.create(kind, name, spec)
    assert answer.status == 422
    assert "may not be more than 52" in answer.message or "at most 52 characters" in answer.message


@pytest.mark.parametrize("kind", ["Agent", "Submission", "Match"])
def test_names_of_52_are_accepted(arena: Arena, kind: str) -> None:
    assert arena.create(kind, "n" * 52, GOOD[kind]).ok


@pytest.mark.parametrize("kind", ["Agent", "Submission", "Match"])
def test_names_with_dots_are_refused(arena: Arena, kind: str) -> None:
    answer = arena.create(kind, "ace.v1", GOOD[kind])
    assert answer.status == 422
    assert "must not contain dots" in answer.message


def test_a_queue_has_the_name_of_its_environment(arena: Arena) -> None:
    answer = arena.create("MatchmakingQueue", "other", QUEUE)
    assert answer.status == 422
    assert "metadata.name must be spec.environment.name" in answer.message


# kind, patch, None if it is allowed, otherwise the field and the words
CHANGES: dict[str, tuple[str, dict[str, Any], tuple[str, str] | None]] = {
    "agent-owner": ("Agent", {"owner": "bob"}, ("spec.owner", "owner never changes")),
    "agent-environment": (
        "Agent",
        {"environment": "chess"},
        ("spec.environment", "environment never changes"),
    ),
    "agent-pin": ("Agent", {"activeSubmission": "ace-v2"}, None),
    "agent-suspend": ("Agent", {"suspended": True, "displayName": "Ace"}, None),
    "agent-without-owner": ("Agent", {"owner": None}, ("spec.owner", "Required value")),
    "submission-code": (
        "Submission",
        {"source": {"inline": {"files": {"agent.py": "other"}}}},
        ("spec", "a Submission never changes: make a new one"),
    ),
    "submission-retries": (
        "Submission",
        {"build": {"maxRetries": 0}},
        ("spec", "a Submission never changes: make a new one"),
    ),
    "match-seed": ("Match", {"seed": 8}, ("spec", "a Match never changes: make a new one")),
    "match-rated": ("Match", {"rated": False}, ("spec", "a Match never changes")),
    "queue-rules": ("MatchmakingQueue", {"paused": True, "elo": {"initial": 1200}}, None),
    "queue-environment": (
        "MatchmakingQueue",
        {"environment": {"name": "chess"}},
        ("<nil>", "metadata.name must be spec.environment.name"),
    ),
    "queue-into-nonsense": (
        "MatchmakingQueue",
        {"elo": {"maxRange": 50}},
        ("spec.elo.range", "must be at most elo.maxRange"),
    ),
}


@pytest.fixture(scope="module")
def stored(arena: Arena) -> Arena:
    """One object of each kind, really stored."""
    for kind, spec in GOOD.items():
        answer = arena.create(kind, object_name(kind), spec, dry_run=False)
        assert answer.ok, answer.message
    return arena


@pytest.mark.parametrize("case", CHANGES)
def test_changes(stored: Arena, case: str) -> None:
    kind, patch, refusal = CHANGES[case]
    answer = stored.patch(kind, object_name(kind), {"spec": patch}, dryRun="All")
    if refusal is None:
        assert answer.ok, answer.message
        return
    assert answer.status == 422, answer.body
    field, words = refusal
    said = [cause["message"] for cause in answer.causes if cause["field"] == field]
    assert any(words in message for message in said), answer.body


@pytest.mark.parametrize("kind", GOOD)
def test_what_others_may_change(stored: Arena, kind: str) -> None:
    """Labels and annotations of an immutable object stay free, and writing the same again is fine."""
    patch = {"metadata": {"labels": {"team": "a"}}, "spec": GOOD[kind]}
    assert stored.patch(kind, object_name(kind), patch, dryRun="All").ok


@pytest.mark.parametrize("kind", GOOD)
def test_status_is_apart_from_spec(stored: Arena, kind: str) -> None:
    name = object_name(kind)
    through_spec = stored.patch(kind, name, {"status": {"observedGeneration": 7}})
    assert through_spec.ok
    assert "status" not in through_spec.body or not through_spec.body["status"]
    through_status = stored.patch(
        kind, name, {"spec": {"suspended": True}, "status": {"observedGeneration": 1}}, "status"
    )
    assert through_status.ok, through_status.message
    assert through_status.body["status"] == {"observedGeneration": 1}
    assert "suspended" not in through_status.body["spec"] or not through_status.body["spec"]["suspended"]
    assert through_status.body["metadata"]["generation"] == through_spec.body["metadata"]["generation"]


def condition(kind: str, status: str, reason: str, message: str = "") -> dict[str, Any]:
    return {
        "type": kind,
        "status": status,
        "observedGeneration": 1,
        "lastTransitionTime": "2026-01-02T03:04:05Z",
        "reason": reason,
        "message": message,
    }


DIGEST = f"10.77.0.1:5000/agents/rl-arena/ace@sha256:{SHA}"
# kind: a whole status, and what `kubectl get` must print of it
STATUSES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "Agent": (
        {
            "observedGeneration": 1,
            "activeSubmission": "ace-v2",
            "activeVersion": 2,
            "image": DIGEST,
            "latestVersion": 2,
            "latestSubmission": "8b2b6d4e-0000-4000-8000-000000000001",
            "rating": {
                "elo": 1520, "matches": 3, "wins": 2, "losses": 1, "draws": 0, "peak": 1540,
                "provisional": True,
            },
            "queue": {
                "state": "Waiting", "enqueuedAt": "2026-01-02T03:04:05.678Z",
                "expiresAt": "2026-01-03T03:04:05Z", "rangeNow": 200, "ticket": "ace-v2/1",
                "reason": "Looks for an opponent within 200 points.",
            },
            "consecutiveForfeits": 0,
            "conditions": [
                condition("Ready", "True", "Active", "Version 2 plays."),
                condition("Queued", "True", "Waiting", "In the queue."),
            ],
        },
        {
            "Name": "ace", "Environment": "pong", "Owner": "alice", "Elo": 1520, "Matches": 3,
            "Version": 2, "Ready": "True", "Reason": "Active", "Queue": "Waiting", "Wins": 2,
            "Losses": 1, "Draws": 0, "Submission": "ace-v2", "Message": "Version 2 plays.",
        },
    ),
    "Submission": (
        {
            "observedGeneration": 1,
            "phase": "Rejected",
            "version": 2,
            "image": DIGEST,
            "digest": f"sha256:{SHA}",
            "attempts": [
                {
                    "number": 1, "job": "ace-build-1", "pod": "ace-build-1-x2x4z",
                    "startedAt": "2026-01-02T03:04:05Z", "finishedAt": "2026-01-02T03:05:05Z",
                    "reason": "BuildFailed", "message": "error building image: exit status 1",
                }
            ],
            "scanAttempts": [{"number": 1, "job": "ace-scan-1", "startedAt": "2026-01-02T03:04:05Z"}],
            "scan": {
                "scanner": "trivy 0.74.0", "databaseDate": "", "finishedAt": "2026-01-02T03:06:05Z",
                "critical": 1, "high": 2, "medium": 3, "low": 4, "unknown": 0, "fixable": 2,
                "fixableCritical": 1, "fixableHigh": 1, "fixableMedium": 0, "fixableLow": 0,
                "fixableUnknown": 0,
                "findings": [
                    {
                        "id": "CVE-2022-21797", "package": "joblib", "installed": "1.1.0",
                        "fixed": "1.2.0", "severity": "CRITICAL", "title": "code execution",
                    }
                ],
            },
            "conditions": [
                condition("Ready", "False", "VulnerabilitiesFound", "CVE-2022-21797 in joblib.")
            ],
        },
        {
            "Name": "ace", "Agent": "ace", "Version": 2, "Phase": "Rejected", "Ready": "False",
            "Reason": "VulnerabilitiesFound", "Critical": 1, "High": 2, "Image": DIGEST,
            "Message": "CVE-2022-21797 in joblib.",
        },
    ),
    "Match": (
        {
            "observedGeneration": 1,
            "phase": "Complete",
            "reason": "Played",
            "attempt": 1,
            "participants": [
                {
                    "agent": "ace", "agentUID": "8b2b6d4e-0000-4000-8000-000000000001",
                    "submission": "ace-v2", "version": 2, "image": DIGEST, "score": 11.0, "errors": 0,
                    "outcome": "Win", "eloBefore": 1500, "eloAfter": 1520, "eloChange": 20,
                    "matchNumber": 1,
                },
                {
                    "agent": "bob", "score": -0.5, "errors": 1, "outcome": "Forfeit",
                    "errorMessage": "ran out of time", "eloBefore": 1500, "eloAfter": 1480,
                    "eloChange": -20, "matchNumber": 1,
                },
            ],
            "winner": "ace",
            "seed": 9007199254740991,
            "environmentVersion": "pong-1",
            "steps": 321,
            "executionMilliseconds": 4567,
            "replay": {
                "url": "http://executor/replays/1.json.gz", "htmlUrl": "http://executor/replays/1.html",
                "sha256": SHA, "htmlSha256": SHA,
            },
            "startTime": "2026-01-02T03:04:05Z",
            "completionTime": "2026-01-02T03:05:05Z",
            "conditions": [condition("Complete", "True", "Played", "ace won.")],
        },
        {
            "Name": "ace", "Environment": "pong", "First": "ace", "Second": "bob",
            "Phase": "Complete", "Reason": "Played", "Winner": "ace", "Steps": 321, "Attempt": 1,
            "Elo1": 20, "Elo2": -20, "Replay": "http://executor/replays/1.html",
        },
    ),
    "MatchmakingQueue": (
        {
            "observedGeneration": 1,
            "waiting": 4,
            "playing": 2,
            "matchedTotal": 17,
            "lastRunTime": "2026-01-02T03:04:05Z",
            "nextRunTime": "2026-01-02T03:04:35Z",
            "medianWaitSeconds": 12,
            "conditions": [condition("Ready", "True", "Pairing", "Looks for pairs every 30 s.")],
        },
        {
            "Name": "pong", "Waiting": 4, "Playing": 2, "Matched": 17, "Wait": 12, "Paused": False,
            "Ready": "True", "Reason": "Pairing", "Interval": 30, "Fail On": "CRITICAL",
            "Message": "Looks for pairs every 30 s.",
        },
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", STATUSES)
def test_columns_tell_the_story(stored: Arena, kind: str) -> None:
    status, row = STATUSES[kind]
    name = object_name(kind)
    answer = stored.patch(kind, name, {"status": status}, "status", fieldValidation="Strict")
    assert answer.ok, answer.message
    assert contains(answer.body["status"], status), "the schema dropped a field of the status"
    cells = stored.table(kind, name)
    assert {column: cells[column] for column in row} == row


# name: kind, status, the field that the answer names, words
BAD_STATUSES: dict[str, tuple[str, dict[str, Any], str, str]] = {
    "phase": ("Submission", {"phase": "Odd"}, "status.phase", "supported values"),
    "outcome": (
        "Match",
        {"participants": [{"agent": "ace", "outcome": "Lucky"}]},
        "status.participants[0].outcome",
        "supported values",
    ),
    "queue-state": ("Agent", {"queue": {"state": ""}}, "status.queue.state", "supported values"),
    "negative-elo": (
        "Agent",
        {"rating": {"elo": -1}},
        "status.rating.elo",
        "greater than or equal to 0",
    ),
    "condition-without-reason": (
        "Agent",
        {"conditions": [{**condition("Ready", "True", "Active"), "reason": ""}]},
        "status.conditions[0].reason",
        "at least 1 char",
    ),
    "condition-twice": (
        "Match",
        {"conditions": [condition("Complete", "True", "Played")] * 2},
        "status.conditions[1]",
        "Duplicate value",
    ),
    "51-findings": (
        "Submission",
        {"scan": {"findings": [{"id": "CVE-1"}] * 51}},
        "status.scan.findings",
        "must have at most 50 items",
    ),
}


@pytest.mark.parametrize("case", BAD_STATUSES)
def test_status_is_bounded(stored: Arena, case: str) -> None:
    kind, status, field, words = BAD_STATUSES[case]
    answer = stored.patch(kind, object_name(kind), {"status": status}, "status", dryRun="All")
    assert answer.status == 422, answer.body
    said = [cause["message"] for cause in answer.causes if cause["field"] == field]
    assert any(words in message for message in said), answer.message


def test_kubectl_wait_understands_the_conditions(stored: Arena) -> None:
    for kind, want in (("Submission", "Ready=false"), ("Match", "Complete"), ("Agent", "Ready")):
        status = {"status": STATUSES[kind][0]}
        assert stored.patch(kind, "ace", status, "status").ok
        target = f"{kind.lower()}/ace"
        done = kubectl("wait", "-n", stored.namespace, f"--for=condition={want}", target, "--timeout=20s")
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("kind", "selector"),
    [
        ("Agent", "spec.environment=pong,spec.owner=alice"),
        ("Submission", "spec.agent=ace"),
        ("Match", "spec.environment=pong"),
    ],
)
def test_field_selectors(stored: Arena, kind: str, selector: str) -> None:
    hit = stored.api.request("GET", stored.path(kind), fieldSelector=selector)
    assert [item["metadata"]["name"] for item in hit.body["items"]] == ["ace"]
    miss = stored.api.request("GET", stored.path(kind), fieldSelector=selector + "x")
    assert miss.ok
    assert miss.body["items"] == []


def test_discovery(api: Api, crds: None) -> None:
    resources = api.request("GET", "/apis/rl-arena.io/v1alpha1").body["resources"]
    by_name = {resource["name"]: resource for resource in resources}
    for kind, plural in PLURALS.items():
        found = by_name[plural]
        assert found["kind"] == kind
        assert found["namespaced"] is True
        assert found["categories"] == ["arena"]
        assert found["shortNames"]
        assert f"{plural}/status" in by_name


@pytest.mark.parametrize("kind", PLURALS)
def test_kubectl_explain(arena: Arena, kind: str) -> None:
    for path in (kind.lower(), f"{kind.lower()}.spec", f"{kind.lower()}.status"):
        done = kubectl("explain", path)
        assert done.returncode == 0, done.stderr
        assert "<empty>" not in done.stdout, done.stdout


def test_kubectl_get_arena(stored: Arena) -> None:
    done = kubectl("get", "arena", "-n", stored.namespace)
    assert done.returncode == 0, done.stderr
    for kind in PLURALS.values():
        singular = {"matches": "match"}.get(kind, kind.removesuffix("s"))
        assert f"{singular}.rl-arena.io/" in done.stdout
