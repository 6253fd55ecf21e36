"""What follows from a change of the mirror, each exactly once: references, queue, history, results of pairs, events."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from .postgres import connect
from .store_probe import (
    Object,
    Store,
    a_match,
    a_submission,
    an_agent,
    an_environment,
    changed,
    completed,
    condition,
    rating,
    ready,
    running,
    seats,
)

Connection = psycopg.Connection[Any]


@pytest.fixture
def sql(database: str) -> Iterator[Connection]:
    with connect(database) as c:
        yield c


def uid(thing: Object) -> str:
    return str(thing["metadata"]["uid"])


def one(sql: Connection, query: str, *values: Any) -> Any:
    row = sql.execute(query, values).fetchone()
    return row[0] if row and len(row) == 1 else row


def events(sql: Connection, kind: str | None = None) -> list[tuple[Any, ...]]:
    """(type, topics, usernames, payload) of all, in order."""
    return sql.execute(
        "SELECT type, topics, usernames, payload FROM events WHERE %s::text IS NULL OR type = %s ORDER BY id",
        (kind, kind),
    ).fetchall()


def forget(sql: Connection) -> None:
    sql.execute("DELETE FROM events")


def playing(agent: Object, submission: str, version: int = 1, elo: int = 1500, **status: Any) -> Object:
    return changed(
        agent,
        activeSubmission=submission,
        activeVersion=version,
        rating=rating(elo),
        conditions=[condition("Ready", "True")],
        **status,
    )


# ---- rows ----


def test_an_older_object_never_replaces_a_newer_one(sql: Connection, store: Store) -> None:
    first = an_agent("a")
    second = playing(first, "a-v1", elo=1510)
    third = playing(first, "a-v2", elo=1520)
    for order in ([second, first, third, second, first], [third], [first]):
        for thing in order:
            store.put("agent", thing)
    assert one(sql, "SELECT elo, active_submission FROM agents") == (1520, "a-v2")


def test_an_unrated_agent_starts_from_its_environment(sql: Connection, store: Store) -> None:
    store.put("queue", an_environment("pong", elo={"initial": 1200}))
    store.put("agent", an_agent("a"))
    store.put("agent", an_agent("b", environment="chess"))
    assert sql.execute("SELECT elo FROM agents ORDER BY object_name").fetchall() == [(1200,), (1500,)]


def test_what_vanished_stays_and_never_comes_back(sql: Connection, store: Store) -> None:
    agent = store.put("agent", playing(an_agent("a"), "a-v1"))
    store.vanished("agent", agent)
    store.vanished("agent", agent)
    store.put("agent", playing(agent, "a-v9"))
    assert one(sql, "SELECT active_submission, vanished_at IS NOT NULL FROM agents") == ("a-v1", True)


def test_a_newer_object_takes_the_name(sql: Connection, store: Store) -> None:
    old, new = an_agent("a"), an_agent("a")
    store.put("agent", old)
    store.put("agent", new)
    store.put("agent", changed(new))
    stale = changed(old)
    stale["metadata"]["resourceVersion"] = str(int(old["metadata"]["resourceVersion"]))
    store.put("agent", stale)
    assert str(one(sql, "SELECT id FROM agents WHERE vanished_at IS NULL")) == uid(new)
    assert one(sql, "SELECT count(*) FROM agents") == 2


def test_the_older_of_two_with_a_name_comes_in_as_gone(sql: Connection, store: Store) -> None:
    old, new = an_agent("a"), an_agent("a")
    store.put("agent", new)
    store.put("agent", old)
    assert str(one(sql, "SELECT id FROM agents WHERE vanished_at IS NULL")) == uid(new)


def test_two_objects_of_one_name_in_one_batch(sql: Connection, store: Store) -> None:
    store.put("agent", an_agent("x"))
    row = one(sql, "SELECT to_jsonb(a) FROM agents a")
    rows = [{**row, "id": f"00000000-0000-0000-0000-00000000000{i}", "object_name": "a", "resource_version": 5000 + i,
             "updated_at": None} for i in (1, 3, 2)]  # fmt: skip
    assert one(sql, "SELECT store_agents(%s)", Jsonb(rows)) == 1
    assert str(one(sql, "SELECT id FROM agents WHERE object_name = 'a'")).endswith("3")


# ---- references ----


def test_matches_and_submissions_find_their_agents_in_any_order(sql: Connection, store: Store) -> None:
    a, b = an_agent("a"), an_agent("b", "bob")
    match, submission = a_match("m", a, b), a_submission("a-v1", "a")
    things = [("agent", a), ("agent", b), ("match", match), ("submission", submission)]
    random.Random(7).shuffle(things)
    for order in itertools.permutations(things):
        sql.execute("TRUNCATE agents, ranked_elos, submissions, matches, events CASCADE")
        for kind, thing in order:
            store.put(kind, thing)
        assert one(sql, "SELECT agent1_id::text, agent2_id::text FROM matches") == (uid(a), uid(b))
        assert one(sql, "SELECT agent_id::text FROM submissions") == uid(a)
        assert one(sql, "SELECT agent1_id::text, agent2_id::text FROM matchmaking_history") == (uid(a), uid(b))


def test_a_later_agent_of_the_name_gets_no_earlier_match(sql: Connection, store: Store) -> None:
    a, b, again = an_agent("a"), an_agent("b"), an_agent("a")
    match = a_match("m", a, b)
    for kind, thing in (("agent", a), ("agent", b), ("match", match)):
        store.put(kind, thing)
    store.vanished("agent", a)
    store.put("agent", again)
    store.put("match", running(match))  # its status does not name the agents yet
    assert one(sql, "SELECT agent1_id::text FROM matches") == uid(a)


def test_a_submission_that_outlives_its_agent_is_the_next_ones(sql: Connection, store: Store) -> None:
    a, again = an_agent("a"), an_agent("a")
    gone, kept = a_submission("a-v1", "a"), a_submission("a-v2", "a")
    for kind, thing in (("agent", a), ("submission", gone), ("submission", kept)):
        store.put(kind, thing)
    store.vanished("submission", gone)
    store.put("agent", again)
    rows = dict(sql.execute("SELECT object_name, agent_id::text FROM submissions").fetchall())
    assert rows == {"a-v1": uid(a), "a-v2": uid(again)}


def test_a_submission_of_a_user_is_nobody_elses(sql: Connection, store: Store) -> None:
    """Made by REST, it is deleted with its agent, a little later. The name can be had by somebody else meanwhile."""
    a, again = an_agent("a"), an_agent("a", "mallory")
    store.put("agent", a)
    for name in ("a-v1", "a-v2"):
        sql.execute("INSERT INTO submission_claims (object_name, agent_id) VALUES (%s, %s)", (name, uid(a)))
    store.put("submission", a_submission("a-v1", "a"))
    store.vanished("agent", a)
    store.put("agent", again)
    store.put("submission", a_submission("a-v2", "a"))  # was on its way
    rows = dict(sql.execute("SELECT object_name, agent_id::text FROM submissions").fetchall())
    assert rows == {"a-v1": uid(a), "a-v2": uid(a)}


# ---- the queue ----


def test_the_queue_holds_who_waits(sql: Connection, store: Store) -> None:
    store.put("queue", an_environment())
    agent = an_agent("a", matchmaking={"priority": 3})
    waiting = playing(
        agent, "a-v1", queue={"state": "Waiting", "enqueuedAt": "2026-01-02T03:04:05.678000Z", "rangeNow": 100}
    )
    wider = playing(
        agent, "a-v1", elo=1540, queue={"state": "Waiting", "enqueuedAt": "2026-01-02T03:04:05.678Z", "rangeNow": 200}
    )
    store.put("agent", agent)
    assert one(sql, "SELECT count(*) FROM matchmaking_queue") == 0
    for thing in (waiting, wider, waiting):
        store.put("agent", thing)
    assert one(sql, "SELECT environment, priority, elo, range_now FROM matchmaking_queue") == ("pong", 3, 1540, 200)
    store.put("agent", playing(agent, "a-v1", queue={"state": "Playing"}))
    assert one(sql, "SELECT count(*) FROM matchmaking_queue") == 0
    store.put("agent", playing(agent, "a-v1", queue={"state": "Waiting"}))
    assert one(sql, "SELECT count(*) FROM matchmaking_queue") == 1
    store.vanished("agent", agent)
    assert one(sql, "SELECT count(*) FROM matchmaking_queue") == 0


# ---- results ----


def test_a_rated_match_counts_once_for_each_side(sql: Connection, store: Store) -> None:
    a, b = store.put("agent", an_agent("a")), store.put("agent", an_agent("b", "bob"))
    match = a_match("m", a, b)
    played = changed(match, phase="Rating", participants=seats(a, b, ("Win", "Forfeit")))
    done = completed(played, a, b, ("Win", "Forfeit"))
    unrated_again = changed(done, conditions=[condition("Complete", "True")])
    once_more = completed(unrated_again, a, b, ("Win", "Forfeit"))
    for thing in (match, done, played, match, done, unrated_again, once_more, done):
        store.put("match", thing)
    results = sql.execute("SELECT agent_id::text, opponent_id::text, wins, losses, draws FROM head_to_head").fetchall()
    assert sorted(results) == sorted([(uid(a), uid(b), 1, 0, 0), (uid(b), uid(a), 0, 1, 0)])
    draw = completed(a_match("m2", b, a), b, a, ("Draw", "Draw"), 2)
    store.put("match", draw)  # seen only when it is over
    results = sql.execute("SELECT agent_id::text, wins, losses, draws FROM head_to_head").fetchall()
    assert sorted(results) == sorted([(uid(a), 1, 0, 1), (uid(b), 0, 1, 1)])


def test_an_unrated_match_counts_for_nobody(sql: Connection, store: Store) -> None:
    a, b = store.put("agent", an_agent("a")), store.put("agent", an_agent("b", "bob"))
    done = completed(a_match("m", a, b, rated=False), a, b, ("Win", "Loss"))
    done["status"]["conditions"][0]["status"] = "False"
    store.put("match", done)
    assert one(sql, "SELECT count(*) FROM head_to_head") == 0


def test_many_matches_of_a_pair_in_one_batch(sql: Connection, store: Store) -> None:
    a, b = store.put("agent", an_agent("a")), store.put("agent", an_agent("b", "bob"))
    store.put("match", completed(a_match("m", a, b), a, b, ("Win", "Loss")))
    row = one(sql, "SELECT to_jsonb(m) FROM matches m")
    rows = [{**row, "id": f"00000000-0000-0000-0000-0000000000{i:02}", "object_name": f"m{i}"} for i in range(20)]
    assert one(sql, "SELECT store_matches(%s)", Jsonb(rows)) == 20
    assert one(sql, "SELECT store_matches(%s)", Jsonb(rows)) == 0
    assert one(sql, "SELECT wins, losses FROM head_to_head WHERE agent_id = %s", uid(a)) == (21, 0)
    assert len(events(sql, "match_completed")) == 21


def test_the_history_has_the_matchmakers_matches(sql: Connection, store: Store) -> None:
    a = store.put("agent", playing(an_agent("a"), "a-v1", elo=1600))
    b = store.put("agent", playing(an_agent("b", "bob"), "b-v1", elo=1450))
    by_hand = a_match("by-hand", a, b, made_by_matchmaker=False)
    made = a_match("made", a, b)
    for thing in (made, by_hand, made, running(made), completed(made, a, b, ("Win", "Loss"))):
        store.put("match", thing)
    assert sql.execute("SELECT match_id::text, elo_difference FROM matchmaking_history").fetchall() == [
        (uid(made), 150)
    ]


# ---- events ----


def test_a_submission_tells_each_step_to_its_owner(sql: Connection, store: Store) -> None:
    agent = store.put("agent", an_agent("a"))
    submission = a_submission("a-v1", "a")
    building = changed(
        submission, phase="Building", version=1, conditions=[condition("Ready", "Unknown", "Building", "It is built.")]
    )
    finished = ready(building)
    for thing in (submission, building, building, submission, finished, building, changed(finished)):
        store.put("submission", thing)
    told = events(sql)
    assert [(e[0], e[1], e[2], e[3]["status"]) for e in told] == [
        ("build_status", [], ["alice"], status) for status in ("pending", "building", "success")
    ]
    assert told[2][3] == {
        "submissionId": uid(submission), "agentId": uid(agent), "agentName": "a", "version": 1, "status": "success",
        "message": "Version 1 may play.", "imageUrl": "registry/agent@sha256:" + "a" * 64,
    }  # fmt: skip


def test_the_agents_choice_tells_of_both_submissions(sql: Connection, store: Store) -> None:
    store.put("queue", an_environment())
    agent = store.put("agent", an_agent("a"))
    first, second = ready(a_submission("a-v1", "a"), 1), ready(a_submission("a-v2", "a"), 2)
    store.put("submission", first)
    agent = store.put("agent", playing(agent, "a-v1", 1))
    store.put("submission", second)
    agent = store.put("agent", playing(agent, "a-v2", 2))
    store.put("agent", playing(agent, "a-v2", 2, elo=1700))
    told = [(e[3]["version"], e[3]["status"]) for e in events(sql, "build_status")]
    assert told == [(1, "success"), (1, "active"), (2, "success"), (1, "inactive"), (2, "active")]
    assert one(sql, "SELECT agent_json(a)->>'activeSubmissionId' FROM agents a") == uid(second)


def test_a_match_tells_its_three_steps_once(sql: Connection, store: Store) -> None:
    store.put("queue", an_environment())
    a, b = store.put("agent", an_agent("a")), store.put("agent", an_agent("b", "bob"))
    match = a_match("m", a, b)
    started, done = running(match), completed(running(match), a, b, ("Loss", "Win"))
    for thing in (match, started, match, done, started, done, changed(done)):
        store.put("match", thing)
    told = events(sql)
    assert [(e[0], e[1], e[2]) for e in told] == [
        (kind, [f"match:{uid(match)}"], ["alice", "bob"])
        for kind in ("match_created", "match_started", "match_completed")
    ]
    assert told[2][3] == one(sql, "SELECT match_json(m) FROM matches m")
    assert told[2][3]["winnerId"] == uid(b)


def test_a_match_of_one_owner_is_told_once(sql: Connection, store: Store) -> None:
    a, b = store.put("agent", an_agent("a")), store.put("agent", an_agent("b"))
    store.put("match", a_match("m", a, b))
    assert [e[2] for e in events(sql)] == [["alice"]]


def test_an_old_match_is_news_of_its_end_alone(sql: Connection, store: Store) -> None:
    a, b = store.put("agent", an_agent("a")), store.put("agent", an_agent("b", "bob"))
    store.put("match", completed(a_match("m", a, b), a, b, ("Loss", "Win")))
    store.put("match", running(a_match("m2", a, b)))
    assert [e[0] for e in events(sql)] == ["match_completed", "match_created", "match_started"]


def test_a_match_that_is_deleted_has_failed(sql: Connection, store: Store) -> None:
    a, b = store.put("agent", an_agent("a")), store.put("agent", an_agent("b", "bob"))
    unfinished, done = a_match("m", a, b), completed(a_match("m2", a, b), a, b, ("Win", "Loss"))
    for match in (unfinished, done):
        store.put("match", match)
    for match in (unfinished, done, unfinished):
        store.vanished("match", match)
    told = [(e[3]["id"], e[3]["status"], e[3].get("errorMessage")) for e in events(sql, "match_completed")]
    assert told == [
        (uid(done), "completed", None),
        (uid(unfinished), "failed", "It was deleted before it was finished."),
    ]


def test_the_leaderboard_tells_what_moved(sql: Connection, store: Store) -> None:
    pong = store.put("queue", an_environment())
    for i, name in enumerate(("a", "b", "c")):
        store.put("agent", playing(an_agent(name), f"{name}-v1", elo=1500 + 10 * i))
    d = store.put("agent", an_agent("d"))
    forget(sql)
    d = store.put("agent", playing(d, "d-v1", elo=1515))
    store.put("agent", changed(d, queue={"state": "Playing"}))  # nothing that the leaderboard shows
    store.vanished("agent", d)
    told = events(sql, "leaderboard_update")
    assert [e[1] for e in told] == [[f"leaderboard:{uid(pong)}"]] * 2
    assert [(r["name"], r["rank"]) for r in told[0][3]["rows"]] == [("d", 2)]
    assert told[0][3]["removed"] == [] and told[0][3]["partial"] is False
    assert told[1][3]["rows"] == [] and told[1][3]["removed"] == [uid(d)]


def test_many_that_move_at_once_are_one_event(sql: Connection, store: Store) -> None:
    store.put("queue", an_environment())
    store.put("agent", playing(an_agent("x"), "x-v1", elo=1))
    row = one(sql, "SELECT to_jsonb(a) FROM agents a")
    forget(sql)
    rows = [
        {**row, "id": f"00000000-0000-0000-0000-000000000{i:03}", "object_name": f"a{i}", "elo": 2000 - i}
        for i in range(150)
    ]
    assert one(sql, "SELECT store_agents(%s)", Jsonb(rows)) == 150
    told = events(sql, "leaderboard_update")
    assert len(told) == 1 and told[0][3]["partial"] is True
    assert [(r["rank"], r["elo"]) for r in told[0][3]["rows"]] == [(i + 1, 2000 - i) for i in range(20)]


@pytest.mark.parametrize("seed", range(5))
def test_places_are_those_of_a_count(sql: Connection, store: Store, seed: int) -> None:
    """Whatever comes in whatever groups: agents of two environments, that change, are ranked no more, or vanish."""
    store.put("agent", playing(an_agent("x"), "x-v1", elo=1))
    row = one(sql, "SELECT to_jsonb(a) FROM agents a")
    chance = random.Random(seed)
    for version in range(10, 50):
        numbers = chance.sample(range(60), chance.randint(1, 25))
        changes = [
            {
                **row,
                "id": f"00000000-0000-0000-0000-000000000{number:03}",
                "object_name": f"a{number}",
                "environment": f"env-{number % 2}",
                "elo": chance.randint(1495, 1505),
                "rated_matches": chance.randint(0, 3),
                "active_submission": chance.choice(("v1", "v1", None)),
                "resource_version": version,
            }
            for number in numbers
        ]
        sql.execute("SELECT store_agents(%s)", (Jsonb(changes),))
        if chance.random() < 0.3:
            gone = [change["id"] for change in changes[:3]]
            sql.execute("UPDATE agents SET vanished_at = now() WHERE id = ANY (%s::uuid[])", (gone,))
        if chance.random() < 0.2:
            sql.execute(
                "UPDATE agents SET vanished_at = NULL, environment = 'env-0' WHERE id = %s", (changes[0]["id"],)
            )
    counted = sql.execute(
        "SELECT id, row_number() OVER (PARTITION BY environment ORDER BY elo DESC, rated_matches, created_at, id)"
        " FROM agents WHERE active_submission IS NOT NULL AND vanished_at IS NULL ORDER BY id"
    ).fetchall()
    told = sql.execute("SELECT id, agent_rank(a) FROM agents a WHERE agent_rank(a) IS NOT NULL ORDER BY id").fetchall()
    assert told == counted and len(told) > 5
    kept = sql.execute("SELECT * FROM ranked_elos WHERE agents <> 0 ORDER BY environment, elo").fetchall()
    assert kept == sql.execute(
        "SELECT environment, elo, count(*) FROM agents WHERE active_submission IS NOT NULL AND vanished_at IS NULL"
        " GROUP BY environment, elo ORDER BY environment, elo"
    ).fetchall()  # fmt: skip


def test_a_place_counts_who_came_with_the_same_batch(sql: Connection, store: Store) -> None:
    store.put("queue", an_environment())
    low = playing(an_agent("low"), "low-v1", elo=1400)
    store.put("agent", low)
    row = one(sql, "SELECT to_jsonb(a) FROM agents a")
    forget(sql)
    above = {**row, "id": "00000000-0000-0000-0000-000000000001", "object_name": "above", "elo": 1600}
    changed_row = {**row, "wins": 7, "resource_version": row["resource_version"] + 1}
    sql.execute("SELECT store_agents(%s)", (Jsonb([changed_row, above]),))
    told = {r["name"]: r["rank"] for e in events(sql, "leaderboard_update") for r in e[3]["rows"] if r["wins"] == 7}
    assert told == {"low": 2}


@pytest.mark.parametrize("moved", [1, 2, 8, 9, 20, 21, 25])
def test_what_moved_at_once_is_told_with_its_places(sql: Connection, store: Store, moved: int) -> None:
    """Among others, many of the same Elo; one of those that moved is ranked no more. At most the best twenty."""
    store.put("queue", an_environment())
    store.put("agent", playing(an_agent("x"), "x-v1", elo=1))
    row = one(sql, "SELECT to_jsonb(a) FROM agents a")
    chance = random.Random(moved)

    def agent(number: int, version: int) -> Object:
        own = {"id": f"00000000-0000-0000-0000-000000000{number:03}", "object_name": f"a{number}"}
        return {**row, **own, "elo": chance.choice((1400, 1500, 1600, 1700)), "rated_matches": number % 3,
                "resource_version": version}  # fmt: skip

    sql.execute("SELECT store_agents(%s)", (Jsonb([agent(number, 10) for number in range(40)]),))
    forget(sql)
    changes = [agent(number, 11) | {"wins": 1} for number in chance.sample(range(40), moved)]
    if moved > 1:
        changes[0]["active_submission"] = None
    sql.execute("SELECT store_agents(%s)", (Jsonb(changes),))
    ((_, _, _, told),) = events(sql, "leaderboard_update")
    wanted = sql.execute(
        "SELECT agent_json(a) FROM agents a WHERE id = ANY (%s::uuid[]) AND agent_is_ranked(a)"
        " ORDER BY agent_rank(a) LIMIT 20",
        ([change["id"] for change in changes],),
    ).fetchall()
    assert told["rows"] == [found for (found,) in wanted] and len(told["rows"]) == min(20, max(1, moved - 1))
    assert told["removed"] == [change["id"] for change in changes[:1] if moved > 1]
    assert told["partial"] is (moved - 1 > 20)


def test_the_queue_tells_its_topic_and_the_owner(sql: Connection, store: Store) -> None:
    pong = store.put("queue", an_environment())
    agent = store.put("agent", an_agent("a"))
    waiting = playing(
        agent, "a-v1", queue={"state": "Waiting", "enqueuedAt": "2026-01-02T03:04:05Z", "reason": "It waits."}
    )
    store.put("agent", waiting)
    store.put(
        "agent",
        playing(
            agent,
            "a-v1",
            queue={"state": "Waiting", "enqueuedAt": "2026-01-02T03:04:05Z", "reason": "It waits.", "rangeNow": 200},
        ),
    )
    store.put("agent", playing(agent, "a-v1", queue={"state": "Playing", "reason": "It plays."}))
    told = events(sql, "queue_update")
    assert [(e[1], e[2], e[3]["state"], e[3]["waiting"]) for e in told] == [
        ([], ["alice"], "waiting", 1),
        ([f"queue:{uid(pong)}"], [], "unavailable", 1),
        ([], ["alice"], "playing", 0),
        ([f"queue:{uid(pong)}"], [], "unavailable", 0),
    ]
    forget(sql)
    store.put("queue", changed(pong, playing=3, conditions=[condition("Ready", "True")]))
    store.put(
        "queue", changed(pong, playing=3, lastRunTime="2026-01-02T03:04:05Z", conditions=[condition("Ready", "True")])
    )
    assert [(e[3]["state"], e[3]["playing"]) for e in events(sql)] == [("open", 3)]


def test_build_logs_are_told_line_by_line(sql: Connection, store: Store) -> None:
    submission = a_submission("a-v1", "a")
    sql.execute(
        "INSERT INTO build_logs (submission_id, attempt, container, number, position, text)"
        " VALUES (%s, 1, 'build', 1, 0, %s)",
        (uid(submission), "one\ntwo\n"),
    )
    assert events(sql) == [
        ("build_log", [f"build:{uid(submission)}"], [],
         {"submissionId": uid(submission), "attempt": 1, "container": "build", "lines": ["one", "two"]})
    ]  # fmt: skip


def test_events_are_notified_and_seen_in_order(sql: Connection, store: Store, database: str) -> None:
    """Whoever is at an event's transaction keeps later events from becoming visible before it."""
    a, b = an_agent("a"), an_agent("b", "bob")
    store.put("queue", an_environment())
    with connect(database) as listener, connect(database) as slow:
        listener.execute("LISTEN arena_events")
        with slow.transaction():
            slow.execute("INSERT INTO events (type, payload) VALUES ('first', '{}')")
            late = store.process
            assert late.stdin and late.stdout
            late.stdin.write("agent " + json.dumps(playing(a, "a-v1")) + "\n")
            late.stdin.flush()
            sql.execute("SET statement_timeout = '300ms'")
            with pytest.raises(psycopg.errors.QueryCanceled):
                sql.execute("INSERT INTO events (type, payload) VALUES ('second', '{}')")
            assert events(sql) == []
        assert late.stdout.readline().strip() == "ok"
        store.put("agent", b)
        heard = [int(n.payload) for n in listener.notifies(timeout=5, stop_after=2)]
    ids = [r[0] for r in sql.execute("SELECT id FROM events ORDER BY id").fetchall()]
    assert heard == [ids[0], ids[-1]]
