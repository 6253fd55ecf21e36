"""What a row says of an object (api-server/store_rows.c), and what the shapes of REST make of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from .postgres import connect
from .store_probe import (
    Object,
    Store,
    a_match,
    a_submission,
    an_agent,
    an_environment,
    an_object,
    changed,
    completed,
    condition,
    rating,
    ready,
    row,
    running,
)

Connection = psycopg.Connection[Any]


@pytest.fixture
def sql(database: str) -> Iterator[Connection]:
    with connect(database) as c:
        yield c


def shape(sql: Connection, query: str) -> Any:
    found = sql.execute(query).fetchone()
    assert found
    return found[0]


def uid(thing: Object) -> str:
    return str(thing["metadata"]["uid"])


# ---- submissions ----

BUILT = condition("Built", "True")
NOT_BUILT = condition("Built", "False", "BuildFailed", "pip failed")
REFUSED = condition("Fetched", "False", "WrongHash", "the hash is another")


@pytest.mark.parametrize(
    ("status", "word"),
    [
        ({}, "pending"),
        ({"phase": "Pending", "conditions": [condition("Ready", "False", "AgentNotFound", "no agent")]}, "pending"),
        ({"phase": "Building", "conditions": [condition("Ready", "Unknown", "Building", "it is built")]}, "building"),
        ({"phase": "Scanning", "conditions": [BUILT]}, "scanning"),
        ({"phase": "Ready", "conditions": [condition("Ready", "True")]}, "success"),
        ({"phase": "Rejected", "conditions": [BUILT, condition("Ready", "False", "VulnerabilitiesFound")]}, "rejected"),
        ({"phase": "Failed", "conditions": [NOT_BUILT]}, "build_failed"),
        ({"phase": "Failed", "conditions": [REFUSED]}, "failed"),
        ({"phase": "Failed", "conditions": [BUILT, condition("Scanned", "False", "ScanFailed")]}, "failed"),
        ({"phase": "Unheard-of"}, "pending"),
    ],
)
def test_a_submissions_status_in_the_words_of_rest(status: Object, word: str) -> None:
    assert row("submission", changed(a_submission("a-v1", "a"), **status))["status"] == word


def test_attempts_and_their_words() -> None:
    attempts = [
        {"number": 1, "job": "a-build-1", "pod": "p1", "startedAt": "2026-01-02T03:04:05Z",
         "finishedAt": "2026-01-02T03:05:05Z", "reason": "OOMKilled", "message": "no memory"},
        {"number": 2, "job": "a-build-2", "startedAt": "2026-01-02T03:06:05Z"},
    ]  # fmt: skip
    made = row("submission", changed(a_submission("a-v1", "a"), phase="Building", attempts=attempts))
    assert (made["attempts"], made["build_job"]) == (2, "a-build-2")
    assert made["last_attempt_at"] == "2026-01-02T03:06:05.000000Z"
    assert not {"build_pod", "attempt_reason", "error_message"} & made.keys()
    attempts[1] |= {"finishedAt": "2026-01-02T03:07:05Z", "reason": "BuildFailed", "message": "pip: no such package"}
    failed = changed(a_submission("a-v1", "a"), phase="Failed", attempts=attempts, conditions=[NOT_BUILT])
    made = row("submission", failed)
    assert (made["attempt_reason"], made["error_message"]) == ("BuildFailed", "pip: no such package")


@pytest.mark.parametrize(
    ("source", "kind", "url", "sha256"),
    [
        ({"inline": {"files": {"agent.py": "x"}}}, "inline", None, None),
        ({"archive": {"url": "https://x/a", "sha256": "a" * 64, "format": "zip"}}, "archive", "https://x/a", "a" * 64),
        ({"git": {"url": "https://x/r.git", "ref": "main"}}, "git", "https://x/r.git", None),
        ({"image": "registry/x:1"}, "image", None, None),
    ],
)  # fmt: skip
def test_sources(source: Object, kind: str, url: str | None, sha256: str | None) -> None:
    made = row("submission", a_submission("a-v1", "a", **source))
    assert (made["source_kind"], made.get("code_url"), made.get("code_sha256")) == (kind, url, sha256)


# ---- what PostgreSQL does not take ----


def test_texts_that_postgresql_does_not_take(sql: Connection, store: Store) -> None:
    nul = "a\0b"
    store.put("agent", an_agent("a", displayName=nul, description=nul))
    finding = {"id": "CVE-1", "package": nul, "installed": "\ud800", "severity": "HIGH", "title": "t\0"}
    scan = {"scanner": nul, "critical": 1, "high": "many", "findings": [finding], "surplus": nul}
    store.put("submission", changed(a_submission("a-v1", "a"), scan=scan, phase=nul))
    assert sql.execute("SELECT display_name, description FROM agents").fetchone() == ("a", "")
    kept = shape(sql, "SELECT scan FROM submissions")
    assert kept["critical"] == 1 and kept["high"] == 0 and "surplus" not in kept
    assert kept["findings"] == [{"id": "CVE-1", "installed": "\ufffd", "severity": "HIGH"}]


def test_numbers_are_brought_into_their_range(sql: Connection, store: Store) -> None:
    wild = {"elo": 10**15, "matches": -7, "wins": 10**30, "losses": "x", "draws": 1.5, "peak": None}
    store.put("agent", changed(an_agent("a"), rating=wild, queue={"state": "Elsewhere", "rangeNow": -1}))
    assert sql.execute("SELECT elo, rated_matches, losses, queue_state FROM agents").fetchone() == (10**6, 0, 0, "Idle")


@pytest.mark.parametrize(
    ("kind", "thing", "words"),
    [
        ("agent", an_object("a", {"owner": "alice"}), "spec.environment is missing"),
        ("agent", {"metadata": {"name": "a"}}, "no metadata.uid"),
        ("match", an_object("m", {"environment": "pong", "participants": []}), "spec.participants has 0 entries"),
        ("queue", an_object("q", {}), "spec.environment.name is missing"),
    ],
)
def test_what_is_no_object_of_the_kind(store: Store, kind: str, thing: Object, words: str) -> None:
    assert words in store.refused(kind, thing)


def test_a_uid_that_is_none(store: Store) -> None:
    agent = an_agent("a")
    agent["metadata"]["uid"] = "'; DROP TABLE agents; --"
    assert "is no UUID" in store.refused("agent", agent)
    match = a_match("m", an_agent("x"), an_agent("y"))
    store.put("match", changed(match, participants=[{"agent": "x", "agentUID": "nonsense"}]))


# ---- the shapes of REST ----


def test_an_agent_has_what_rest_names(sql: Connection, store: Store) -> None:
    pong = store.put("queue", an_environment())
    user = sql.execute(
        "INSERT INTO users (username, email, password_hash) VALUES ('alice', 'a@example.org', 'x') RETURNING id::text"
    ).fetchone()
    assert user
    agent = an_agent("a", displayName="Chaser", description="It chases.")
    submission = ready(a_submission("a-v1", "a"))
    store.put("agent", changed(agent, activeSubmission="a-v1", activeVersion=1, rating=rating(1520, 3, 1, 1)))
    store.put("submission", submission)
    made = shape(sql, "SELECT agent_json(a) FROM agents a")
    updated = made.pop("updatedAt")
    assert updated.endswith("Z")
    assert made == {
        "id": uid(agent), "userId": user[0], "username": "alice", "name": "Chaser", "description": "It chases.",
        "environmentId": uid(pong), "environmentName": "pong", "elo": 1520, "score": 1520, "wins": 3, "losses": 1,
        "draws": 1, "totalMatches": 5, "provisional": True, "activeSubmissionId": uid(submission), "activeVersion": 1,
        "status": "active", "createdAt": "2026-01-02T03:04:05.000Z", "rank": 1,
        "matchmaking": {"enabled": True, "priority": 5, "state": "idle", "reason": "", "rangeNow": 0},
    }  # fmt: skip


def test_an_agent_of_nobody_in_no_environment(sql: Connection, store: Store) -> None:
    store.put("agent", an_agent("a"))
    made = shape(sql, "SELECT agent_json(a) FROM agents a")
    assert made["userId"] is None and made["environmentId"] is None and made["rank"] is None
    assert made["name"] == "a" and made["status"] == "pending" and "activeSubmissionId" not in made


def test_the_states_of_an_agent(sql: Connection, store: Store) -> None:
    agent = store.put("agent", an_agent("a"))
    submission = store.put("submission", a_submission("a-v1", "a"))
    status = "SELECT agent_status(a) FROM agents a"
    assert shape(sql, status) == "processing"
    store.put("submission", changed(submission, phase="Failed", version=1, conditions=[NOT_BUILT]))
    assert shape(sql, status) == "failed"
    agent = store.put("agent", changed(agent, activeSubmission="a-v0"))
    assert shape(sql, status) == "active"
    agent["spec"]["suspended"] = True
    store.put("agent", changed(agent))
    assert shape(sql, status) == "suspended"
    store.vanished("agent", agent)
    assert shape(sql, status) == "deleted"


def test_a_submission_has_what_rest_names(sql: Connection, store: Store) -> None:
    pong, agent = store.put("queue", an_environment()), store.put("agent", an_agent("a"))
    source = {"archive": {"url": "https://x/secret.zip", "sha256": "a" * 64, "format": "zip"}}
    submission = ready(changed(a_submission("a-v1", "a", **source), scan={"high": 2, "findings": [{"id": "CVE-1"}]}))
    store.put("submission", submission)
    public = shape(sql, "SELECT submission_json(s, false) FROM submissions s")
    private = shape(sql, "SELECT submission_json(s, true) FROM submissions s")
    assert public.pop("updatedAt")
    assert public == {
        "id": uid(submission), "agentId": uid(agent), "agentName": "a", "environmentId": uid(pong), "version": 1,
        "status": "success", "message": "Version 1 may play.", "dockerImageUrl": "registry/agent@sha256:" + "a" * 64,
        "retryCount": 0, "isActive": False, "source": "archive", "reason": "Ready",
        "createdAt": "2026-01-02T03:04:05.000Z",
    }  # fmt: skip
    assert private.keys() - public.keys() == {"codeUrl", "scan", "updatedAt"}
    assert private["scan"]["high"] == 2 and "findings" not in private["scan"]


LOG_LINE = "ValueError: my-own-code on line 7"


@pytest.mark.parametrize(
    ("status", "public"),
    [
        ({"phase": "Failed", "conditions": [NOT_BUILT, condition("Ready", "False", "BuildFailed", LOG_LINE)]},
         "It failed. Its owner can read why."),
        ({"phase": "Failed", "conditions": [REFUSED, condition("Ready", "False", "WrongHash", LOG_LINE)]},
         "It failed. Its owner can read why."),
        ({"phase": "Rejected", "conditions": [condition("Ready", "False", "VulnerabilitiesFound", LOG_LINE)]},
         "Vulnerabilities were found in its image. Its owner can read which."),
        ({"phase": "Building", "conditions": [condition("Ready", "Unknown", "Retrying", LOG_LINE)]},
         "An attempt failed and is tried again."),
    ],
)  # fmt: skip
def test_what_a_build_printed_is_its_owners(sql: Connection, store: Store, status: Object, public: str) -> None:
    store.put("agent", an_agent("a"))
    attempt = {"number": 1, "job": "j", "startedAt": "2026-01-02T03:04:05Z", "finishedAt": "2026-01-02T03:04:05Z",
               "reason": "BuildFailed", "message": LOG_LINE}  # fmt: skip
    store.put("submission", changed(a_submission("a-v1", "a"), attempts=[attempt], **status))
    shown = shape(sql, "SELECT submission_json(s, false) FROM submissions s")
    assert shown["message"] == public and LOG_LINE not in str(shown)
    assert shown.get("errorMessage") in (None, public)
    own = shape(sql, "SELECT submission_json(s, true) FROM submissions s")
    assert own["message"] == LOG_LINE and own.get("errorMessage") in (None, LOG_LINE)


def test_what_an_agent_printed_is_its_owners(sql: Connection, store: Store) -> None:
    a, b = store.put("agent", an_agent("a")), store.put("agent", an_agent("b", "bob"))
    match = completed(a_match("m", a, b), a, b, ("Win", "Forfeit"))
    words = "it raised ValueError\nlast output:\n  File agent.py, line 7\n    secret = 42"
    match["status"]["participants"][1]["errorMessage"] = words
    store.put("match", match)
    shown = shape(sql, "SELECT match_json(m) FROM matches m")
    assert shown["agent2Error"] == "it raised ValueError" and "secret" not in str(shown)
    assert shown["errorMessage"] == "b forfeited: it raised ValueError"
    assert "secret" not in str(sql.execute("SELECT payload FROM events").fetchall())
    own = "SELECT match_own_json(m, '{}') FROM matches m"
    assert shape(sql, own.format("bob")) == {"agent2Error": words}
    assert shape(sql, own.format("alice")) == {} and shape(sql, own.format("nobody")) == {}


def test_which_submission_is_active(sql: Connection, store: Store) -> None:
    agent = store.put("agent", an_agent("a"))
    for version in (1, 2, 3):
        store.put("submission", ready(a_submission(f"a-v{version}", "a"), version))

    def states() -> list[str]:
        found = sql.execute("SELECT submission_status(s) FROM submissions s ORDER BY version").fetchall()
        return [r[0] for r in found]

    assert states() == ["success"] * 3
    agent = store.put("agent", changed(agent, activeSubmission="a-v2", activeVersion=2))
    assert states() == ["inactive", "active", "success"]  # the newest comes to play by itself
    agent["spec"]["activeSubmission"] = "a-v2"
    agent = store.put("agent", changed(agent))
    assert states() == ["inactive", "active", "inactive"]
    agent["spec"]["activeSubmission"] = "a-v1"
    agent = store.put("agent", changed(agent))
    assert states() == ["success", "active", "inactive"]  # the first is asked for
    store.vanished("agent", agent)
    assert states() == ["inactive"] * 3


def test_a_match_has_what_rest_names(sql: Connection, store: Store) -> None:
    pong = store.put("queue", an_environment())
    a, b = store.put("agent", an_agent("a", displayName="A")), store.put("agent", an_agent("b", "bob"))
    one, two = ready(a_submission("a-v1", "a")), ready(a_submission("b-v1", "b"))
    namesake = a_submission("a-v1", "a")
    store.put("submission", namesake)
    store.vanished("submission", namesake)
    for submission in (one, two):
        store.put("submission", submission)
    match = a_match("m", a, b)
    store.put("match", match)
    asked = "SELECT match_json(m) FROM matches m"
    told = "SELECT payload FROM events WHERE type LIKE 'match%' ORDER BY id DESC LIMIT 1"
    base = {
        "id": uid(match), "environmentId": uid(pong), "environmentName": "pong", "agent1Id": uid(a), "agent2Id": uid(b),
        "agent1Name": "A", "agent2Name": "b", "rated": True, "isPublic": True, "createdAt": "2026-01-02T03:04:05.000Z",
    }  # fmt: skip
    assert shape(sql, asked) == shape(sql, told) == base | {"status": "pending"}
    store.put("match", running(match))
    assert (
        shape(sql, asked) == shape(sql, told) == base | {"status": "running", "startedAt": "2026-01-02T03:05:00.250Z"}
    )
    store.put("match", completed(match, a, b, ("Win", "Forfeit")))
    assert shape(sql, asked) == shape(sql, told) == base | {
        "status": "completed", "winnerId": uid(a), "agent1SubmissionId": uid(one), "agent2SubmissionId": uid(two),
        "agent1Version": 1, "agent2Version": 1, "agent1Score": 1.5, "agent2Score": 0, "agent1EloChange": 20,
        "agent2EloChange": -20, "agent1Elo": 1500, "agent2Elo": 1500, "agent1Outcome": "win",
        "agent2Outcome": "forfeit", "agent2Error": "it was late", "errorMessage": "b forfeited: it was late",
        "seed": 7, "steps": 100,
        "durationMilliseconds": 1234, "startedAt": "2026-01-02T03:05:00.250Z",
        "completedAt": "2026-01-02T03:06:00.500Z",
    }  # fmt: skip


def test_a_replay_is_ours_where_we_have_it(sql: Connection, store: Store) -> None:
    a, b = store.put("agent", an_agent("a")), store.put("agent", an_agent("b"))
    match = completed(a_match("m", a, b), a, b, ("Draw", "Draw"))
    match["status"]["replay"] = {"url": "http://executor/m.json.gz", "htmlUrl": "http://executor/m.html"}
    store.put("match", match)
    asked = "SELECT match_json(m) FROM matches m"
    made = shape(sql, asked)
    assert (made["replayUrl"], made["replayHtmlUrl"]) == ("http://executor/m.json.gz", "http://executor/m.html")
    assert "winnerId" not in made
    digest = "a" * 64
    sql.execute(
        "INSERT INTO blobs (sha256, size, media_type, upload) VALUES (%s, 1, 'x', gen_random_uuid())", (digest,)
    )
    sql.execute("INSERT INTO replays (match_id, kind, sha256, size) VALUES (%s, 'json', %s, 1)", (uid(match), digest))
    made = shape(sql, asked)
    assert made["replayUrl"] == f"/api/v1/matches/{uid(match)}/replay?format=json"
    assert made["replayHtmlUrl"] == "http://executor/m.html"
    # Brought before its end was heard of, it is in the event as well.
    again = a_match("m2", a, b)
    store.put("match", again)
    sql.execute("INSERT INTO replays (match_id, kind, sha256, size) VALUES (%s, 'html', %s, 1)", (uid(again), digest))
    store.put("match", completed(again, a, b, ("Win", "Loss")))
    told = shape(sql, "SELECT payload FROM events WHERE type = 'match_completed' ORDER BY id DESC LIMIT 1")
    assert told["replayHtmlUrl"] == f"/api/v1/matches/{uid(again)}/replay?format=html"
    assert told == shape(sql, f"SELECT match_json(m) FROM matches m WHERE id = '{uid(again)}'")


def test_a_failed_match_says_why(sql: Connection, store: Store) -> None:
    a, b = store.put("agent", an_agent("a")), store.put("agent", an_agent("b"))
    failed = condition("Failed", "True", "ExecutorAway", "The executor did not answer.")
    store.put("match", changed(a_match("m", a, b), phase="Failed", conditions=[failed]))
    made = shape(sql, "SELECT match_json(m) FROM matches m")
    assert made["status"] == "failed" and made["errorMessage"] == "The executor did not answer."


def test_an_environment_and_its_state(sql: Connection, store: Store) -> None:
    pong = store.put("queue", an_environment())
    state = "SELECT environment_json(e) FROM environments e"
    assert shape(sql, state)["status"] == "unavailable"
    pong = store.put(
        "queue", changed(pong, waiting=2, playing=1, matchedTotal=2**40, conditions=[condition("Ready", "True")])
    )
    made = shape(sql, state)
    assert (made["id"], made["name"], made["displayName"], made["players"]) == (uid(pong), "pong", "Pong", 2)
    assert (made["status"], made["playing"], made["matchedTotal"]) == ("open", 1, 2**40)
    pong["spec"]["paused"] = True
    store.put("queue", changed(pong))
    assert shape(sql, state)["status"] == "paused"
    for asked in ("pong", uid(pong), uid(pong).upper()):
        assert sql.execute("SELECT environment_name(%s)", (asked,)).fetchone() == ("pong",)
    assert sql.execute("SELECT environment_name('chess')").fetchone() == (None,)
