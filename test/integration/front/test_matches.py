"""Matches, leaderboards, records and one's own page: asked for, played, listed; and who may what."""

from __future__ import annotations

import concurrent.futures
import re
from typing import Any

import pytest

from .plane import Namespace
from .server import ApiServer, Client, seen
from .test_accounts import refused
from .test_agents import NOWHERE, make, mirrored, pages, ready


def ask(client: Client, a: dict[str, Any], b: dict[str, Any], **more: Any) -> Any:
    return client.post("/matches", {"agent1Id": a["id"], "agent2Id": b["id"], **more})


def two(server: ApiServer, namespace: Namespace, **more: Any) -> tuple[Client, dict[str, Any], Client, dict[str, Any]]:
    """Two people with a ready agent each."""
    one, other = server.register(), server.register()
    return one, ready(namespace, one, make(one, **more)), other, ready(namespace, other, make(other, **more))


def object_of(namespace: Namespace, match: dict[str, Any]) -> dict[str, Any]:
    return namespace.by_uid("matches", match["id"])


def played(
    namespace: Namespace,
    client: Client,
    match: dict[str, Any],
    winner: int | None,
    numbers: tuple[int, int] | None = None,
) -> dict[str, Any]:
    namespace.play(object_of(namespace, match)["metadata"]["name"], winner, numbers)

    def look() -> Any:
        now = client.get(f"/matches/{match['id']}").json()["match"]
        return now if now["status"] == "completed" else None

    return dict(seen("the match is over", look))


# ---- asking for one ----


def test_a_match_is_an_object_and_is_there_at_once(servers: list[ApiServer], namespace: Namespace) -> None:
    one, mine, other, theirs = two(servers[0], namespace)
    answer = ask(one, mine, theirs)
    assert answer.status_code in (201, 202), answer.text
    assert set(answer.json()) == {"message", "match"}
    match = answer.json()["match"]
    assert match["status"] == "pending" and match["rated"] is False and match["isPublic"] is True
    assert match["agent1Id"] == mine["id"] and match["agent2Id"] == theirs["id"]
    assert match["agent1Name"] == mine["name"] and match["agent2Name"] == theirs["name"]
    assert match["environmentId"] == mine["environmentId"] and "winnerId" not in match
    for server in servers:
        anyone = server.client()
        assert anyone.get(f"/matches/{match['id']}").json() == {"match": match}
        for agent in (mine, theirs):
            assert anyone.get(f"/matches/agent/{agent['id']}").json()["matches"] == [match]
    made = object_of(namespace, match)
    assert re.fullmatch(r"m-[0-9a-f]{20}", made["metadata"]["name"])
    assert made["metadata"]["labels"]["rl-arena.io/requested-by"] == one.name
    assert made["metadata"]["annotations"]["rl-arena.io/created-by"] == "api-server"
    assert made["metadata"]["finalizers"] == ["rl-arena.io/mirror"]
    spec = made["spec"]
    assert spec["rated"] is False and spec["environment"] == "pong" and spec["ttlSecondsAfterFinished"] == 604800
    assert [p["agent"] for p in spec["participants"]] == [
        namespace.by_uid("agents", agent["id"])["metadata"]["name"] for agent in (mine, theirs)
    ]


def test_it_is_played_as_the_environment_says(server: ApiServer, namespace: Namespace) -> None:
    rules = {"timeoutSeconds": 77, "recordReplay": False, "ttlSecondsAfterFinished": 100000}
    namespace.queue("quick", match=rules, cooldownSeconds=60)
    one, mine, other, theirs = two(server, namespace, environmentId="quick")
    spec = object_of(namespace, ask(one, theirs, mine).json()["match"])["spec"]
    assert {key: spec[key] for key in rules} == rules


def test_one_side_must_be_ones_own(server: ApiServer, namespace: Namespace) -> None:
    one, mine, other, theirs = two(server, namespace)
    stranger = server.register()
    refused(ask(stranger, mine, theirs), 403, "yours")
    refused(ask(server.client(), mine, theirs), 401)
    assert ask(one, theirs, mine).status_code == 201


@pytest.mark.parametrize(
    ("body", "status", "part"),
    [
        ({}, 400, "agent1Id"),
        ({"agent1Id": "MINE"}, 400, "agent2Id"),
        ({"agent1Id": "MINE", "agent2Id": "MINE"}, 400, "two agents"),
        ({"agent1Id": "MINE", "agent2Id": "no-uuid"}, 400, "agent2Id"),
        ({"agent1Id": "MINE", "agent2Id": 7}, 400, "agent2Id"),
        ({"agent1Id": None, "agent2Id": "MINE"}, 400, "agent1Id"),
        ({"agent1Id": "MINE", "agent2Id": NOWHERE}, 404, "agent2Id"),
        ({"agent1Id": NOWHERE, "agent2Id": "MINE"}, 404, "agent1Id"),
        ({"agent1Id": "MINE", "agent2Id": "' OR 1=1 --"}, 400, "agent2Id"),
        ({"agent1Id": "MINE", "agent2Id": "THEIRS", "rated": "yes"}, 400, "rated"),
        ({"agent1Id": "MINE", "agent2Id": "THEIRS", "rated": 1}, 400, "rated"),
    ],
)
def test_what_cannot_be_is_refused_by_name(
    server: ApiServer, namespace: Namespace, body: dict[str, Any], status: int, part: str
) -> None:
    one, mine, other, theirs = two(server, namespace)
    words = {"MINE": mine["id"], "THEIRS": theirs["id"]}
    refused(one.post("/matches", {key: words.get(str(value), value) for key, value in body.items()}), status, part)


def test_an_agent_in_upper_case_is_the_same_agent(server: ApiServer, namespace: Namespace) -> None:
    one, mine, other, theirs = two(server, namespace)
    refused(one.post("/matches", {"agent1Id": mine["id"], "agent2Id": mine["id"].upper()}), 400)
    assert one.post("/matches", {"agent1Id": mine["id"].upper(), "agent2Id": theirs["id"]}).status_code == 201


def test_both_must_be_ready_and_play_the_same(server: ApiServer, namespace: Namespace) -> None:
    namespace.queue("othello")
    one, mine, other, theirs = two(server, namespace)
    seen("othello is there", lambda: one.get("/environments/othello").status_code == 200)
    refused(ask(one, mine, make(other)), 409, "not ready")
    refused(
        ask(one, mine, ready(namespace, other, make(other, environmentId="othello"))), 400, "different environments"
    )
    suspended = ready(namespace, other, make(other))
    name = namespace.by_uid("agents", suspended["id"])["metadata"]["name"]
    namespace.patch("agents", name, {"spec": {"suspended": True}})
    mirrored(one, suspended, status="suspended")
    refused(ask(one, mine, suspended), 409, "suspended")


def test_a_paused_environment_makes_none(server: ApiServer, namespace: Namespace) -> None:
    namespace.queue("resting")
    one, mine, other, theirs = two(server, namespace, environmentId="resting")
    namespace.patch("matchmakingqueues", "resting", {"spec": {"paused": True}})
    refused(ask(one, mine, theirs), 409, "no matches")
    namespace.delete("matchmakingqueues", "resting")
    refused(ask(one, mine, theirs), 409, "no matches")


# ---- ratings are not to be had by asking ----


def test_nobody_rates_a_match_with_a_strangers_agent(server: ApiServer, namespace: Namespace) -> None:
    namespace.queue("family", allowSameOwner=True)
    one, mine, other, theirs = two(server, namespace, environmentId="family")
    refused(ask(one, mine, theirs, rated=True), 403, "matchmaker")
    refused(ask(one, theirs, mine, rated=True), 403, "matchmaker")
    second = ready(namespace, one, make(one, environmentId="family"))
    answer = ask(one, mine, second, rated=True)
    assert answer.status_code == 201 and answer.json()["match"]["rated"] is True
    assert object_of(namespace, answer.json()["match"])["spec"]["rated"] is True
    refused(ask(one, second, mine, rated=True), 409, "met")  # cooldown
    assert ask(one, second, mine).status_code == 201  # unrated: as often as one likes


def test_ones_own_agents_only_where_the_environment_pairs_them(server: ApiServer, namespace: Namespace) -> None:
    one = server.register()
    a, b = ready(namespace, one, make(one)), ready(namespace, one, make(one))
    refused(ask(one, a, b, rated=True), 403, "one owner")
    answer = ask(one, a, b)
    assert answer.status_code == 201 and answer.json()["match"]["rated"] is False


def test_unfinished_matches_are_bounded(server: ApiServer, namespace: Namespace) -> None:
    one, mine, other, theirs = two(server, namespace)
    made = [ask(one, mine, theirs).json()["match"] for _ in range(5)]
    answer = ask(one, mine, theirs)
    refused(answer, 429, "not played yet")
    assert int(answer.headers["Retry-After"]) > 0
    assert ask(other, mine, theirs).status_code == 201  # the bound is each one's own
    played(namespace, one, made[0], 0)
    assert ask(one, mine, theirs).status_code == 201


def test_a_strangers_day_is_not_used_up(server: ApiServer, namespace: Namespace) -> None:
    namespace.queue("busy", maxMatchesPerAgentPerDay=8)
    one, mine, other, theirs = two(server, namespace, environmentId="busy")
    for _ in range(2):
        played(namespace, one, ask(one, mine, theirs).json()["match"], 0)
    refused(ask(one, mine, theirs), 429, "day")
    refused(ask(server.again(one), theirs, mine), 429, "day")
    own = ready(namespace, one, make(one, environmentId="busy"))
    assert ask(one, mine, own).status_code == 201


def test_the_same_key_is_the_same_match(servers: list[ApiServer], namespace: Namespace) -> None:
    one, mine, other, theirs = two(servers[0], namespace)
    body = {"agent1Id": mine["id"], "agent2Id": theirs["id"]}

    def send(number: int) -> Any:
        client = servers[number % 2].again(one)
        return client.post("/matches", body, headers={"Idempotency-Key": "once"})

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(send, range(4)))
    assert {a.status_code for a in answers} == {201}, [a.text for a in answers]
    assert len({a.json()["match"]["id"] for a in answers}) == 1
    turned = {"agent1Id": theirs["id"], "agent2Id": mine["id"]}
    refused(one.post("/matches", turned, headers={"Idempotency-Key": "once"}), 409, "Idempotency-Key")
    answer = other.post("/matches", body, headers={"Idempotency-Key": "once"})
    assert answer.status_code == 201 and answer.json()["match"]["id"] != answers[0].json()["match"]["id"]
    refused(one.post("/matches", body, headers={"Idempotency-Key": "x" * 201}), 400, "Idempotency-Key")


# ---- results ----


def test_a_result_is_told_by_seat(server: ApiServer, namespace: Namespace) -> None:
    one, mine, other, theirs = two(server, namespace)
    won = played(namespace, one, ask(one, mine, theirs).json()["match"], 1)
    assert won["winnerId"] == theirs["id"] and won["agent1Score"] == 0 and won["agent2Score"] == 1
    assert "agent1EloChange" not in won and won["completedAt"].startswith("2026-01-02T03:04:05")
    drawn = played(namespace, one, ask(one, mine, theirs).json()["match"], None)
    assert drawn["status"] == "completed" and "winnerId" not in drawn
    rated = namespace.create(
        "matches",
        f"rated-{one.name}",
        {
            "environment": "pong",
            "participants": [
                {"agent": namespace.by_uid("agents", agent["id"])["metadata"]["name"]} for agent in (mine, theirs)
            ],
        },
    )
    uid = {"id": rated["metadata"]["uid"]}
    seen("it is mirrored", lambda: one.get(f"/matches/{uid['id']}").status_code == 200)
    result = played(namespace, one, uid, 0, numbers=(1, 1))
    assert result["agent1EloChange"] == 20 and result["agent2EloChange"] == -20 and result["rated"] is True
    stats = seen("it counts", lambda: one.get(f"/agents/{mine['id']}/stats").json()["stats"])
    assert stats == [
        {
            "opponentId": theirs["id"],
            "opponentName": theirs["name"],
            "wins": 1,
            "losses": 0,
            "draws": 0,
            "totalMatches": 1,
        }
    ]
    mirror = one.get(f"/agents/{theirs['id']}/stats").json()
    assert mirror["agentId"] == theirs["id"] and mirror["total"] == 1 and mirror["stats"][0]["losses"] == 1


def test_an_agents_last_words_are_its_owners(server: ApiServer, namespace: Namespace) -> None:
    """Strangers, the opponent among them, read what happened; not what the code printed, traces with lines of it."""
    one, mine, other, theirs = two(server, namespace)
    match = ask(one, mine, theirs).json()["match"]
    name = object_of(namespace, match)["metadata"]["name"]
    state = namespace.play(name, 1)["status"]
    words = "it raised ValueError: 7\nlast output:\n    secret = 42"
    state["participants"][0] |= {"outcome": "Forfeit", "errorMessage": words}
    namespace.status("matches", name, {"participants": state["participants"]})
    path = f"/matches/{match['id']}"
    own = seen("its words are there", lambda: one.get(path).json()["match"].get("agent1Error"))
    assert own == words
    for client in (other, server.client(), server.register()):
        listed = client.get(f"/matches/agent/{mine['id']}").json()["matches"]
        for shown in (client.get(path).json()["match"], *listed):
            assert shown["agent1Error"] == "it raised ValueError: 7" and "secret" not in str(shown)
            assert shown["errorMessage"] == f"{mine['name']} forfeited: it raised ValueError: 7"
    # A token that is no good any more makes one a stranger; it does not close what is for all.
    assert server.client("nonsense").get(path).json() == server.client().get(path).json()


def test_the_history_outlives_its_agents(server: ApiServer, namespace: Namespace) -> None:
    one, mine, other, theirs = two(server, namespace)
    match = played(namespace, one, ask(one, mine, theirs).json()["match"], 0)
    assert other.delete(f"/agents/{theirs['id']}").status_code == 200
    assert one.get(f"/matches/{match['id']}").json()["match"]["agent2Name"] == theirs["name"]
    assert one.get(f"/matches/agent/{mine['id']}").json()["total"] == 1
    assert one.get(f"/matches/agent/{theirs['id']}").json()["total"] == 1  # of a deleted one too
    again = make(other, theirs["name"])
    assert one.get(f"/matches/agent/{again['id']}").json()["total"] == 0  # a namesake has none of them
    assert one.get(f"/matches/{match['id']}").json()["match"]["agent2Id"] == theirs["id"]


# ---- lists ----


def test_pages_of_matches_have_true_totals(server: ApiServer, namespace: Namespace) -> None:
    namespace.queue("series")
    one, mine, other, theirs = two(server, namespace, environmentId="series")
    own = ready(namespace, one, make(one, environmentId="series"))
    made = []
    for number in range(9):
        match = ask(one, *((mine, own), (own, theirs), (theirs, mine))[number % 3]).json()["match"]
        made.append(match["id"])
        if number % 3 < 2:
            played(namespace, one, match, number % 2)
    anyone = server.client()
    for query in ({}, {"environmentId": "series"}, {"environmentId": mine["environmentId"]}):
        found = [m["id"] for m in pages(anyone, "/matches", "matches", 4, **query)]
        assert set(made) <= set(found) and len(found) == len(set(found))
        assert not query or sorted(found) == sorted(made)
    done = pages(anyone, "/matches", "matches", 4, environmentId="series", status="completed")
    assert len(done) == 6 and {m["status"] for m in done} == {"completed"}
    assert len(pages(anyone, "/matches", "matches", 4, environmentId="series", status="pending")) == 3
    assert pages(anyone, "/matches", "matches", 4, environmentId="series", status="failed") == []
    for agent, count in ((mine, 6), (own, 6), (theirs, 6)):
        found = pages(anyone, f"/matches/agent/{agent['id']}", "matches", 4)
        assert len(found) == count and all(agent["id"] in (m["agent1Id"], m["agent2Id"]) for m in found)
        assert [m["createdAt"] for m in found] == sorted((m["createdAt"] for m in found), reverse=True)
    assert len(anyone.get(f"/matches/agent/{mine['id']}", limit=2).json()["matches"]) == 2
    refused(anyone.get(f"/matches/agent/{NOWHERE}"), 404)
    refused(anyone.get("/matches/agent/no-uuid"), 404)
    refused(anyone.get(f"/matches/{NOWHERE}"), 404)
    refused(anyone.get("/matches", status="lost"), 400, "status")
    assert anyone.get("/matches", environmentId="' OR '1'='1").json()["total"] == 0


# ---- leaderboards ----


def test_a_leaderboard_is_by_elo_then_fewer_matches_then_older(servers: list[ApiServer], namespace: Namespace) -> None:
    namespace.queue("ladder")
    one, anyone = servers[0].register(), servers[1].client()
    agents = [make(one, environmentId="ladder") for _ in range(7)]
    ratings = [(1500, 2, 0), (1700, 9, 1), (1500, 1, 0), (1600, 3, 3), (1500, 1, 0), (1400, 0, 5)]
    for agent, (elo, wins, losses) in zip(agents, ratings, strict=False):
        ready(namespace, one, agent, elo=elo, wins=wins, losses=losses)
    expected = [agents[n]["id"] for n in (1, 3, 2, 4, 0, 5)]  # the seventh has no submission: no rank
    for word in ("ladder", agents[0]["environmentId"]):
        board = anyone.get(f"/leaderboard/environment/{word}", limit=100).json()
        ranked = [a["id"] for a in board["leaderboard"]]
        if agents[2]["createdAt"] == agents[4]["createdAt"]:  # made within a second: which is first is their ids'
            assert set(ranked[2:4]) == set(expected[2:4]) and ranked[:2] + ranked[4:] == expected[:2] + expected[4:]
        else:
            assert ranked == expected
        assert [a["rank"] for a in board["leaderboard"]] == [1, 2, 3, 4, 5, 6]
        assert board["data"] == board["leaderboard"] and board["type"] == "public"
        assert board["environmentId"] == agents[0]["environmentId"]
        assert (board["total"], board["totalItems"], board["totalPages"], board["page"]) == (6, 6, 1, 1)
    page = anyone.get("/leaderboard/environment/ladder", limit=4, page=2).json()
    assert [a["id"] for a in page["leaderboard"]] == ranked[4:] and [a["rank"] for a in page["data"]] == [5, 6]
    assert (page["total"], page["totalPages"], page["page"]) == (6, 2, 2)
    for place, ident in enumerate(ranked, 1):
        assert anyone.get(f"/agents/{ident}").json()["agent"]["rank"] == place
    assert anyone.get(f"/agents/{agents[6]['id']}").json()["agent"]["rank"] is None
    refused(anyone.get("/leaderboard/environment/no-such"), 404)
    refused(anyone.get(f"/leaderboard/environment/{NOWHERE}"), 404)
    refused(anyone.get("/leaderboard/environment/ladder", type="secret"), 400, "type")
    assert anyone.get("/leaderboard/environment/ladder", type="private").json()["data"] == []
    assert anyone.get("/leaderboard/environment/ladder", type="all").json()["total"] == 6
    whole = anyone.get("/leaderboard", limit=100).json()
    assert [a["elo"] for a in whole["data"]] == sorted((a["elo"] for a in whole["data"]), reverse=True)
    assert set(expected) <= {a["id"] for a in whole["data"]} and whole["total"] == len(whole["data"])
    assert [a["rank"] for a in whole["data"]] == list(range(1, whole["total"] + 1))


def test_an_empty_leaderboard_is_an_empty_list(server: ApiServer, namespace: Namespace) -> None:
    namespace.queue("deserted")
    anyone = server.client()
    seen("it is there", lambda: anyone.get("/environments/deserted").status_code == 200)
    board = anyone.get("/leaderboard/environment/deserted").json()
    assert board["leaderboard"] == [] and board["data"] == [] and board["total"] == 0 and board["totalPages"] == 1


def test_many_readers_see_what_is_new(servers: list[ApiServer], namespace: Namespace) -> None:
    """Equal questions of a moment are asked once, and yet nobody is told what is old."""
    namespace.queue("crowd")
    one = servers[0].register()
    clients = [servers[n % 2].client() for n in range(8)]
    seen("it is there", lambda: clients[0].get("/environments/crowd").status_code == 200)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for number in range(5):
            agent = make(one, environmentId="crowd")
            noise = [pool.submit(c.get, "/agents?environmentId=crowd") for c in clients]
            found = [f.result().json() for f in [pool.submit(c.get, "/agents?environmentId=crowd") for c in clients]]
            assert all(body["total"] == number + 1 and body["agents"][0]["name"] for body in found)
            assert all(any(a["id"] == agent["id"] for a in body["agents"]) for body in found)
            assert all(f.result().status_code == 200 for f in noise)


# ---- one's own page ----


def test_ones_own_page_sums_up(server: ApiServer, namespace: Namespace) -> None:
    namespace.queue("page-one")
    one, mine, other, theirs = two(server, namespace, environmentId="page-one")
    ready(namespace, one, mine, elo=1400, wins=3, losses=2)
    ready(namespace, other, theirs, elo=1900, wins=9, losses=0)
    idle = make(one, environmentId="page-one")
    for winner in (0, 1, None):
        played(namespace, one, ask(one, mine, theirs).json()["match"], winner)
    ask(one, mine, theirs)  # pending: no result, so not there
    me = one.get("/users/me").json()
    assert me["stats"] == {"totalSubmissions": 1, "activeAgents": 1, "totalMatches": 5, "totalWins": 3, "bestRank": 2}
    recent = {a["id"]: a for a in me["recentAgents"]}
    assert set(recent) == {mine["id"], idle["id"]}
    assert recent[mine["id"]] == {
        "id": mine["id"], "name": mine["name"], "status": "active", "competition": "Page-One", "rank": 2
    }  # fmt: skip
    assert recent[idle["id"]]["rank"] is None and recent[idle["id"]]["status"] == "pending"
    assert sorted(m["result"] for m in me["matchHistory"]) == ["draw", "loss", "win"]
    for entry in me["matchHistory"]:
        assert set(entry) == {"id", "opponent", "result", "competition", "timestamp"}
        assert entry["opponent"] == theirs["name"] and entry["competition"] == "Page-One"
    assert sorted(m["result"] for m in other.get("/users/me").json()["matchHistory"]) == ["draw", "loss", "win"]
    assert other.get("/users/me").json()["stats"]["bestRank"] == 1


def test_a_match_between_ones_own_agents_is_there_once(server: ApiServer, namespace: Namespace) -> None:
    one = server.register()
    a, b = ready(namespace, one, make(one)), ready(namespace, one, make(one))
    played(namespace, one, ask(one, a, b).json()["match"], 1)
    history = one.get("/users/me").json()["matchHistory"]
    assert [(m["opponent"], m["result"]) for m in history] == [(b["name"], "loss")]
