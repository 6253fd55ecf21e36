"""Agents over REST: made, changed, deleted, listed, queued; whose they are; what the custom resources say."""

from __future__ import annotations

import concurrent.futures
import itertools
import re
import uuid
from typing import Any

import pytest

from .plane import Namespace
from .server import ApiServer, Client, seen
from .test_accounts import refused

numbers = itertools.count(1)
NOWHERE = "00000000-0000-4000-8000-000000000000"


def make(client: Client, name: str | None = None, **more: Any) -> dict[str, Any]:
    name = name or f"Agent {next(numbers)}"
    answer = client.post("/agents", {"name": name, "environmentId": "pong", **more})
    assert answer.status_code == 201, answer.text
    return dict(answer.json()["agent"])


def object_of(namespace: Namespace, agent: dict[str, Any]) -> dict[str, Any]:
    return namespace.by_uid("agents", agent["id"])


def mirrored(client: Client, agent: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """The agent once its row has these values."""

    def look() -> Any:
        now = client.get(f"/agents/{agent['id']}").json()["agent"]
        flat = {**now, **{f"queue_{k}": v for k, v in now["matchmaking"].items()}}
        return now if all(flat.get(key) == value for key, value in fields.items()) else None

    return dict(seen(f"{agent['name']} has {fields}", look))


def ready(namespace: Namespace, client: Client, agent: dict[str, Any], **rating: int) -> dict[str, Any]:
    namespace.ready(agent["id"], **rating)
    return mirrored(client, agent, status="active", elo=rating.get("elo", 1500), queue_state="waiting")


# ---- create ----


def test_an_agent_becomes_an_object_and_is_there_at_once(servers: list[ApiServer], namespace: Namespace) -> None:
    one = servers[0].register()
    answer = one.post("/agents", {"name": "Deep Pong! (v2)", "environmentId": "pong", "description": "First\nline"})
    assert answer.status_code == 201, answer.text
    body = answer.json()
    assert set(body) == {"message", "agent"}
    agent = body["agent"]
    assert agent["name"] == "Deep Pong! (v2)" and agent["description"] == "First\nline"
    assert agent["userId"] == one.user["id"] and agent["username"] == one.name
    assert agent["environmentName"] == "pong" and agent["status"] == "pending" and agent["rank"] is None
    assert agent["elo"] == agent["score"] and agent["totalMatches"] == 0 and agent["provisional"] is True
    assert "activeSubmissionId" not in agent
    uuid.UUID(agent["id"])
    for server in servers:
        assert server.client().get(f"/agents/{agent['id']}").json() == {"agent": agent}
        mine = server.again(one).get("/agents/my").json()
        assert mine == {"agents": [agent], "total": 1}
    made = object_of(namespace, agent)
    assert re.fullmatch(r"deep-pong-v2-[0-9a-f]{6}", made["metadata"]["name"])
    assert made["metadata"]["annotations"]["rl-arena.io/created-by"] == "api-server"
    spec = made["spec"]
    assert spec["owner"] == one.name and spec["environment"] == "pong" and spec["displayName"] == "Deep Pong! (v2)"


def test_an_environment_by_name_or_id(server: ApiServer) -> None:
    one = server.register()
    environment = server.client().get("/environments/pong").json()["environment"]
    a = make(one, environmentId=environment["id"])
    b = make(one, environmentId=environment["id"].upper())
    c = make(one)
    assert a["environmentId"] == b["environmentId"] == c["environmentId"] == environment["id"]
    for word in ("go", NOWHERE, "Pong", "pong'--", "🏓"):
        refused(one.post("/agents", {"name": "x", "environmentId": word}), 400, "environmentId")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "   "),
        ("name", "x" * 101),
        ("name", "a\nb"),
        ("name", "a\u202egnop"),
        ("name", "a\u2028b"),
        ("name", "a\u0000b"),
        ("name", "a\u0085b"),
        ("name", 7),
        ("name", None),
        ("environmentId", None),
        ("environmentId", ""),
        ("environmentId", 7),
        ("description", "x" * 2001),
        ("description", "a\u001b[31mb"),
        ("description", 7),
    ],
)
def test_what_cannot_be_is_refused_by_name(server: ApiServer, field: str, value: Any) -> None:
    one = server.register()
    refused(one.post("/agents", {"name": "fine", "environmentId": "pong", field: value}), 400, field)
    assert one.get("/agents/my").json()["total"] == 0


ODD = [
    "七星",
    "🤖",
    "e\u0301",
    "\u00e9",
    "A" * 100,
    "名" * 100,
    "-",
    "...",
    "a/b",
    "../../x",
    "İstanbul",
    "x\u200dy",
    "\ufeffz",
]
SQL = [
    "'; DROP TABLE agents; --",
    "\\'; SELECT pg_sleep(9); --",
    "$1",
    "%s",
    "1' OR '1'='1",
    "\\",
    '"',
    "{}",
    "E'\\x00'",
]


@pytest.mark.parametrize("name", ODD + SQL)
def test_odd_names_stay_as_they_are(server: ApiServer, namespace: Namespace, name: str) -> None:
    one = server.register()
    agent = make(one, name, description=name)
    assert agent["name"] == name and agent["description"] == name
    made = object_of(namespace, agent)
    assert made["spec"]["displayName"] == name
    assert re.fullmatch(r"[a-z0-9-]{1,40}-[0-9a-f]{6}", made["metadata"]["name"])
    assert one.get("/agents/my").json()["agents"] == [agent]


def test_blanks_at_the_ends_are_no_part_of_a_name(server: ApiServer) -> None:
    one = server.register()
    assert make(one, "  Blank \n")["name"] == "Blank"
    refused(one.post("/agents", {"name": "Blank", "environmentId": "pong"}), 409)


def test_a_name_is_taken_once_by_each_user(server: ApiServer) -> None:
    one, two = server.register(), server.register()
    first = make(one, "Same")
    refused(one.post("/agents", {"name": "Same", "environmentId": "pong"}), 409, "name")
    assert make(two, "Same")["id"] != first["id"]
    assert make(one, "same")["id"] != first["id"]  # another text, another agent


def test_of_many_at_once_one_is_made(servers: list[ApiServer], namespace: Namespace) -> None:
    one = servers[0].register()

    def create(number: int) -> int:
        client = servers[number % 2].again(one)
        return int(client.post("/agents", {"name": "At once", "environmentId": "pong"}).status_code)

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        codes = sorted(pool.map(create, range(8)))
    assert codes == [201] + [409] * 7
    assert sum(item["spec"]["owner"] == one.name for item in namespace.list("agents")) == 1


def test_a_renamed_agents_old_name_is_free_again(server: ApiServer) -> None:
    one = server.register()
    first = make(one, "Old")
    assert one.put(f"/agents/{first['id']}", {"name": "New"}).status_code == 200
    second = make(one, "Old")
    assert second["id"] != first["id"]
    refused(one.post("/agents", {"name": "New", "environmentId": "pong"}), 409)


def test_somebody_without_a_token_makes_nothing(server: ApiServer) -> None:
    anyone, agent = server.client(), make(server.register())
    refused(anyone.post("/agents", {"name": "x", "environmentId": "pong"}), 401)
    refused(anyone.get("/agents/my"), 401)
    refused(anyone.put(f"/agents/{agent['id']}", {"name": "x"}), 401)
    refused(anyone.delete(f"/agents/{agent['id']}"), 401)
    refused(anyone.post(f"/agents/{agent['id']}/enqueue"), 401)


def test_what_the_api_server_refuses_is_told_in_its_words(server: ApiServer, namespace: Namespace) -> None:
    """A rule that only the cluster knows: here, a policy of its operator."""
    path = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies"
    bindings = path.replace("policies", "policybindings")
    rule = {"expression": "!object.spec.displayName.contains('forbidden')", "message": "no such words in this house"}
    rules = [
        {
            "apiGroups": ["rl-arena.io"],
            "apiVersions": ["*"],
            "operations": ["CREATE", "UPDATE"],
            "resources": ["agents"],
        }
    ]
    spec = {"matchConstraints": {"resourceRules": rules}, "validations": [rule], "failurePolicy": "Fail"}
    name = f"words-{namespace.name}"
    selector = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace.name}}}
    binding = {"policyName": name, "validationActions": ["Deny"], "matchResources": selector}
    namespace.plane.call("POST", path, {"metadata": {"name": name}, "spec": spec})
    namespace.plane.call("POST", bindings, {"metadata": {"name": name}, "spec": binding})
    one = server.register()
    try:
        for number in itertools.count(1):  # until the API server has taken the policy in
            answer = one.post("/agents", {"name": f"forbidden {number}", "environmentId": "pong"})
            if answer.status_code != 201:
                break
            assert number < 1000
        refused(answer, 400, "no such words in this house")
    finally:
        namespace.plane.call("DELETE", f"{path}/{name}")
        namespace.plane.call("DELETE", f"{bindings}/{name}")


# ---- change, delete, ownership ----


def test_a_change_keeps_what_is_not_given(servers: list[ApiServer], namespace: Namespace) -> None:
    one = servers[0].register()
    agent = make(one, "Changing", description="before")
    answer = one.put(f"/agents/{agent['id']}", {"name": "Changed"})
    assert answer.status_code == 200 and set(answer.json()) == {"message", "agent"}
    now = answer.json()["agent"]
    assert now["name"] == "Changed" and now["description"] == "before"
    assert servers[1].client().get(f"/agents/{agent['id']}").json()["agent"] == now
    now = one.put(f"/agents/{agent['id']}", {"description": "after"}).json()["agent"]
    assert now["name"] == "Changed" and now["description"] == "after"
    assert one.put(f"/agents/{agent['id']}", {}).json()["agent"] == now
    assert one.put(f"/agents/{agent['id']}", {"description": None}).json()["agent"]["description"] == ""
    assert "description" not in object_of(namespace, agent)["spec"]
    # What is no part of a change changes nothing.
    body = {"owner": "somebody", "environmentId": "chess", "elo": 3000}
    now = one.put(f"/agents/{agent['id']}", body).json()["agent"]
    assert now["username"] == one.name and now["elo"] == agent["elo"] and now["environmentName"] == "pong"


@pytest.mark.parametrize(
    ("field", "value"), [("name", ""), ("name", "x" * 101), ("name", 7), ("description", "x" * 2001)]
)
def test_a_bad_change_is_refused_by_name(server: ApiServer, field: str, value: Any) -> None:
    one = server.register()
    refused(one.put(f"/agents/{make(one)['id']}", {field: value}), 400, field)


def test_a_change_to_a_taken_name(server: ApiServer) -> None:
    one = server.register()
    a, b = make(one), make(one)
    refused(one.put(f"/agents/{a['id']}", {"name": b["name"]}), 409)
    assert one.put(f"/agents/{a['id']}", {"name": a["name"]}).status_code == 200


def test_what_is_not_yours_is_403_and_what_is_not_there_404(server: ApiServer) -> None:
    one, other = server.register(), server.register()
    agent = make(one)
    for client, path, status in (
        (other, agent["id"], 403),
        (one, NOWHERE, 404),
        (one, "no-uuid", 404),
        (one, "1", 404),
    ):
        refused(client.put(f"/agents/{path}", {"name": "x"}), status)
        refused(client.delete(f"/agents/{path}"), status)
        refused(client.post(f"/agents/{path}/enqueue"), status)
        refused(client.post(f"/agents/{path}/dequeue"), status)
    assert one.get(f"/agents/{agent['id']}").json()["agent"] == agent
    for path in (NOWHERE, "no-uuid", "%00", "..%2f..", "'; DROP TABLE agents; --"):
        answer = one.get(f"/agents/{path}")
        assert answer.status_code in (400, 404), (path, answer.text)


def test_a_deleted_agent_is_gone_at_once(servers: list[ApiServer], namespace: Namespace) -> None:
    one = servers[0].register()
    agent = make(one, "Short-lived")
    answer = one.delete(f"/agents/{agent['id']}")
    assert answer.status_code == 200 and answer.json()["id"] == agent["id"]
    for server in servers:
        refused(server.client().get(f"/agents/{agent['id']}"), 404)
        assert server.again(one).get("/agents/my").json() == {"agents": [], "total": 0}
    assert not any(item["metadata"]["uid"] == agent["id"] for item in namespace.list("agents"))
    refused(one.delete(f"/agents/{agent['id']}"), 404)
    assert make(one, "Short-lived")["id"] != agent["id"]


def test_an_agent_deleted_by_kubectl_meanwhile_is_deleted_as_well(server: ApiServer, namespace: Namespace) -> None:
    one = server.register()
    agent = make(one)
    namespace.delete("agents", object_of(namespace, agent)["metadata"]["name"])
    assert one.delete(f"/agents/{agent['id']}").status_code in (200, 404)
    refused(one.get(f"/agents/{agent['id']}"), 404)


# ---- lists ----


def pages(client: Client, path: str, key: str, size: int, **query: Any) -> list[dict[str, Any]]:
    """All pages; every one says the same total."""
    found: list[dict[str, Any]] = []
    page, full = 0, True
    while full:
        page += 1
        body = client.get(path, page=page, pageSize=size, **query).json()
        assert body["page"] == page and body["pageSize"] == size and len(body[key]) <= size
        found += body[key]
        full = len(body[key]) == size
    assert body["total"] == len(found)
    past = client.get(path, page=page + 5, pageSize=size, **query).json()
    assert past[key] == [] and past["total"] == len(found)
    return found


def test_pages_hold_every_agent_once(server: ApiServer, namespace: Namespace) -> None:
    namespace.queue("pages")
    one, anyone = server.register(), server.client()
    made = [make(one, environmentId="pages")["id"] for _ in range(11)]
    for sort, ordered in (("newest", made[::-1]), ("oldest", made), ("name", None), ("elo", None), ("matches", None)):
        found = [a["id"] for a in pages(anyone, "/agents", "agents", 4, environmentId="pages", sort=sort)]
        assert sorted(found) == sorted(made) and len(found) == len(set(found))
        if ordered:
            assert found == ordered or len({a["createdAt"][:19] for a in one.get("/agents/my").json()["agents"]}) < 11
    everybody = pages(anyone, "/agents", "agents", 7)
    assert set(made) <= {a["id"] for a in everybody}
    assert anyone.get("/agents", environmentId="no-such").json()["agents"] == []
    assert anyone.get("/agents", environmentId="no-such").json()["total"] == 0
    assert one.get("/agents/my", environmentId="pong").json() == {"agents": [], "total": 0}
    assert one.get("/agents/my", environmentId="pages").json()["total"] == 11


BAD_PAGES = [
    {"page": 0},
    {"page": -1},
    {"page": "x"},
    {"page": 10**19},
    {"pageSize": 0},
    {"pageSize": 101},
    {"limit": 1.5},
]


@pytest.mark.parametrize("path", ["/agents", "/matches", "/leaderboard", "/leaderboard/environment/pong"])
@pytest.mark.parametrize("query", BAD_PAGES)
def test_pages_that_cannot_be(server: ApiServer, path: str, query: dict[str, Any]) -> None:
    refused(server.client().get(path, **query), 400, next(iter(query)))


def test_an_order_that_is_none(server: ApiServer) -> None:
    refused(server.client().get("/agents", sort="elo; DROP TABLE agents"), 400, "sort")


def test_reads_have_etags(server: ApiServer) -> None:
    agent = make(server.register())
    anyone = server.client()
    for path in (f"/agents/{agent['id']}", "/agents", "/environments", "/leaderboard", "/queue/pong"):
        answer = anyone.get(path)
        tag = answer.headers["ETag"]
        again = anyone.request("GET", path, headers={"If-None-Match": tag})
        assert again.status_code == 304 and again.content == b"", path


# ---- the queue ----


def test_out_of_the_queue_and_in_again(server: ApiServer, namespace: Namespace) -> None:
    one = server.register()
    agent = ready(namespace, one, make(one))
    answer = one.post(f"/agents/{agent['id']}/dequeue")
    assert answer.status_code == 200 and answer.json()["state"] == "idle" and answer.json()["position"] is None
    assert object_of(namespace, agent)["spec"]["matchmaking"]["enabled"] is False
    assert one.get(f"/agents/{agent['id']}").json()["agent"]["matchmaking"]["enabled"] is False
    assert one.post(f"/agents/{agent['id']}/dequeue").status_code == 200
    namespace.queue_state(agent["id"], "Idle")
    mirrored(one, agent, queue_state="idle")
    answer = one.post(f"/agents/{agent['id']}/enqueue")
    body = answer.json()
    assert answer.status_code == 200 and body["state"] == "waiting" and body["position"] >= 1
    assert body["agentId"] == agent["id"] and body["medianWaitSeconds"] == 12 and body["expectedWaitSeconds"] >= 0
    assert object_of(namespace, agent)["spec"]["matchmaking"]["enabled"] is True
    assert body["agent"]["matchmaking"]["enabled"] is True


@pytest.mark.parametrize("state", ["Expired", "Idle"])
def test_an_entry_that_is_over_begins_again_with_another_generation(
    server: ApiServer, namespace: Namespace, state: str
) -> None:
    one = server.register()
    agent = ready(namespace, one, make(one))
    namespace.queue_state(agent["id"], state)
    mirrored(one, agent, queue_state=state.lower())
    before = object_of(namespace, agent)["metadata"]["generation"]
    answer = one.post(f"/agents/{agent['id']}/enqueue")
    assert answer.status_code == 200 and answer.json()["state"] == "waiting", answer.text
    after = object_of(namespace, agent)
    assert after["metadata"]["generation"] > before and after["spec"]["matchmaking"]["enabled"] is True


def test_who_waits_already_changes_nothing(server: ApiServer, namespace: Namespace) -> None:
    one = server.register()
    agent = ready(namespace, one, make(one))
    before = object_of(namespace, agent)["metadata"]["resourceVersion"]
    answer = one.post(f"/agents/{agent['id']}/enqueue")
    assert answer.status_code == 200 and answer.json()["state"] == "waiting"
    assert answer.json()["enqueuedAt"].startswith("2026-01-02T03:04:05")
    assert object_of(namespace, agent)["metadata"]["resourceVersion"] == before


def test_who_cannot_play_does_not_enter(server: ApiServer, namespace: Namespace) -> None:
    one = server.register()
    refused(one.post(f"/agents/{make(one)['id']}/enqueue"), 409, "submission")
    agent = ready(namespace, one, make(one))
    namespace.queue_state(agent["id"], "Suspended", "It forfeited 5 times running.")
    mirrored(one, agent, queue_state="suspended")
    refused(one.post(f"/agents/{agent['id']}/enqueue"), 409, "forfeited")
    agent = ready(namespace, one, make(one))
    namespace.patch("agents", object_of(namespace, agent)["metadata"]["name"], {"spec": {"suspended": True}})
    mirrored(one, agent, status="suspended")
    refused(one.post(f"/agents/{agent['id']}/enqueue"), 409, "suspended")


def test_the_queue_of_an_environment(server: ApiServer, namespace: Namespace) -> None:
    namespace.queue("waiting-room")
    anyone, one = server.client(), server.register()
    room = seen("it is there", lambda: anyone.get("/environments/waiting-room").json().get("environment"))
    assert anyone.get("/queue/waiting-room").json()["waiting"] == 0
    agents = [ready(namespace, one, make(one, environmentId="waiting-room")) for _ in range(3)]
    for path in ("waiting-room", room["id"]):
        queue = anyone.get(f"/queue/{path}").json()
        assert queue["environmentId"] == room["id"] and queue["waiting"] == 3 and queue["medianWaitSeconds"] == 12
        assert queue["expectedWaitSeconds"] >= 12 and queue["status"] == "open"
    places = [one.post(f"/agents/{agent['id']}/enqueue").json()["position"] for agent in agents]
    assert all(1 <= place <= 3 for place in places)
    for path in ("no-such", NOWHERE, "'--"):
        refused(anyone.get(f"/queue/{path}"), 404)


# ---- environments ----


def test_environments(server: ApiServer, namespace: Namespace) -> None:
    namespace.queue("chess", paused=True)
    anyone = server.client()
    chess = seen("it is there", lambda: anyone.get("/environments/chess").json().get("environment"))
    assert chess["displayName"] == "Chess" and chess["players"] == 2 and chess["description"] == "The game of chess."
    listed = anyone.get("/environments").json()
    assert listed["total"] == len(listed["environments"]) and chess["id"] in {e["id"] for e in listed["environments"]}
    assert seen(
        "it is paused", lambda: anyone.get(f"/environments/{chess['id']}").json()["environment"]["status"] == "paused"
    )
    assert anyone.get("/queue/chess").json()["expectedWaitSeconds"] is None
    for path in ("no-such", NOWHERE):
        refused(anyone.get(f"/environments/{path}"), 404)
