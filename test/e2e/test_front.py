"""Through the front alone, as the web page goes: an account, code, its build as it happens, a match, a rating, a
replay that draws. Then what the front promises beside the custom resources, and what it survives."""

from __future__ import annotations

import collections
import concurrent.futures
import http
import http.client
import io
import json
import pathlib
import re
import textwrap
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import browser
import cluster
import front_user as front
import pytest
from checks import assert_no_contradictions
from cluster import Object, status
from front_user import Events, Front, Refused
from objects import Run

ENVIRONMENT = "pong"
FRONT = "app.kubernetes.io/name=api-server"
ACCOUNT = f"system:serviceaccount:{cluster.SYSTEM}:api-server"
CODE = """
    def agent(observation):
        return {move} if observation[1] > observation[4] else {other}
"""


@dataclass
class Author:
    """Someone who knows nothing of Kubernetes."""

    name: str
    password: str
    front: Front
    agent: Object
    submission: Object
    events: Events

    def now(self) -> Object:
        found: Object = self.front.get(f"/agents/{self.agent['id']}")["agent"]
        return found

    def own_matches(self) -> list[Object]:
        found: list[Object] = self.front.get(f"/matches/agent/{self.agent['id']}")["matches"]
        return found

    def rated(self) -> list[Object]:
        return [one for one in self.own_matches() if one["status"] == "completed" and "agent1EloChange" in one]


def zipped(code: str) -> bytes:
    """With a module beside it, as a file alone would not be an archive."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("agent.py", code.replace("def agent", "import helper  # noqa\n\n\ndef agent"))
        archive.writestr("helper.py", "HERE = True\n")
    return buffer.getvalue()


def author(run: Run, name: str, move: int, as_zip: bool) -> Author:
    user = f"{name}-{run.mark}"
    me, password = front.signed_in(user)
    agent = me.agent(run.name(f"front-{name}"), ENVIRONMENT, "comes by REST")
    events = Events(me, [])
    code = textwrap.dedent(CODE).lstrip().format(move=move, other=2 - move)
    file = ("agent.zip", zipped(code)) if as_zip else ("agent.py", code.encode())
    submission = me.upload(agent["id"], *file)
    events.socket.send({"type": "subscribe", "topics": [f"build:{submission['id']}"]})
    return Author(user, password, me, agent, submission, events)


@pytest.fixture(scope="module")
def authors(run: Run) -> Iterator[tuple[Author, Author]]:
    """Two, whose agents are built at the same time and meet each other by themselves, or whoever waits there."""
    both = author(run, "ann", 2, as_zip=True), author(run, "ben", 0, as_zip=False)
    yield both
    for one in both:
        one.events.close()
        one.front.send("DELETE", f"/agents/{one.agent['id']}", None, "")
    theirs = {one.submission["id"] for one in both}

    def gone() -> bool:
        return theirs.isdisjoint(item["metadata"]["uid"] for item in cluster.listed("submissions"))

    cluster.eventually(gone, "their submissions have gone with them")


@pytest.fixture(scope="module")
def ready(authors: tuple[Author, Author]) -> tuple[Author, Author]:
    for one in authors:

        def active(one: Author = one) -> bool:
            state = one.front.get(f"/submissions/{one.submission['id']}")["submission"]
            assert state["status"] not in ("build_failed", "failed", "rejected"), state["message"]
            return bool(state["status"] == "active")

        front.until(active, f"the code of {one.name} may play", 900)
    return authors


@pytest.fixture(scope="module")
def match(ready: tuple[Author, Author]) -> Object:
    """The first one that was rated; the matchmaker made it."""
    found: list[Object] = front.until(ready[0].rated, "a rated match", 900)
    return found[-1]


# What happens, as it happens


def test_the_build_is_told_by_events(ready: tuple[Author, Author]) -> None:
    one, other = ready
    mine = {"submissionId": one.submission["id"]}
    told = front.until(lambda: one.events.of("build_status", status="active", **mine), "the event of the end", 30)
    assert told[0]["agentId"] == one.agent["id"] and told[0]["message"]
    states = [event["status"] for event in one.events.of("build_status", **mine)]
    order = ["pending", "building", "scanning", "success", "active"]
    assert states == sorted(states, key=order.index), states
    assert {"building", "scanning", "active"} <= set(states)
    assert one.events.of("submission:status", **mine) == one.events.of("build_status", **mine)
    assert not other.events.of("build_status", **mine), "somebody else's build"


def test_the_builds_log_is_told_line_by_line_and_kept(ready: tuple[Author, Author]) -> None:
    one, other = ready
    path = f"/api/v1/submissions/{one.submission['id']}/build-logs"
    code, _, text = front.fetch(one.front, path)
    assert code == 200 and text.strip()
    lines = [line for event in one.events.of("build_log") for line in event["lines"]]
    assert lines, "no event brought a line"
    assert lines[-1].strip() in text.decode()
    assert front.fetch(other.front, path)[0] == 403
    assert front.fetch(Front(front.address()), path)[0] == 401


def test_the_code_is_its_owners(ready: tuple[Author, Author]) -> None:
    one, other = ready
    path = f"/submissions/{one.submission['id']}"
    assert "codeUrl" in one.front.get(path)["submission"]
    for stranger in (other.front, Front(front.address())):
        assert "codeUrl" not in stranger.get(path)["submission"]
    with pytest.raises(Refused) as refused:
        other.front.upload(one.agent["id"], "agent.py", b"def agent(observation): return 0\n")
    assert refused.value.status == 403


def test_what_was_uploaded_is_what_runs(ready: tuple[Author, Author]) -> None:
    """The resources behind it: an archive by its hash, a small file as it is, built and scanned like any other."""
    sources = {}
    for one in ready:
        found = [item for item in cluster.listed("submissions") if item["metadata"]["uid"] == one.submission["id"]]
        (submission,) = found
        sources[one.name] = submission["spec"]["source"]
        assert "@sha256:" in status(submission)["image"]
        agent = cluster.get("agents", submission["spec"]["agent"])
        assert agent["metadata"]["uid"] == one.agent["id"] and agent["spec"]["owner"] == one.name
    assert re.fullmatch(r"[0-9a-f]{64}", sources[ready[0].name]["archive"]["sha256"])
    assert list(sources[ready[1].name]["inline"]["files"]) == ["agent.py"]


# Match and rating


def test_the_match_is_told_and_its_rating_is_the_agents(ready: tuple[Author, Author], match: Object) -> None:
    one = ready[0]
    assert one.agent["id"] in (match["agent1Id"], match["agent2Id"])
    told = front.until(lambda: one.events.of("match_completed", id=match["id"]), "the match's event", 30)
    assert told[0]["status"] == "completed" and told[0]["agent1EloChange"] == match["agent1EloChange"]
    assert one.events.of("match_created", id=match["id"])

    def agrees() -> bool:
        now, rated = one.now(), one.rated()
        mine = [side["agent1EloChange" if side["agent1Id"] == now["id"] else "agent2EloChange"] for side in rated]
        return bool(now["elo"] == 1500 + sum(mine) and now["totalMatches"] == len(rated))

    assert front.until(agrees, "the rating is the sum of its changes", 60)


def test_the_leaderboard_is_kubectls(ready: tuple[Author, Author], match: Object) -> None:
    def by_kubectl() -> list[tuple[str, int, int]]:
        playing = [item for item in cluster.listed("agents") if item["spec"]["environment"] == ENVIRONMENT]
        rows = []
        for item in playing:
            if "activeSubmission" in status(item):
                rating = status(item).get("rating") or {"elo": 1500, "matches": 0}
                made = item["metadata"]["creationTimestamp"]
                rows.append((-rating["elo"], rating["matches"], made, item["metadata"]["uid"]))
        return [(uid, -elo, matches) for elo, matches, _, uid in sorted(rows)][:100]

    def by_front() -> list[tuple[str, int, int]]:
        page = ready[0].front.get(f"/leaderboard/environment/{ENVIRONMENT}", limit=100)
        assert [row["rank"] for row in page["leaderboard"]] == list(range(1, len(page["leaderboard"]) + 1))
        assert page["data"] == page["leaderboard"] and page["total"] >= len(page["leaderboard"])
        return [(row["id"], row["elo"], row["totalMatches"]) for row in page["leaderboard"]]

    def same() -> bool:
        before, shown, after = by_kubectl(), by_front(), by_kubectl()
        assert before != after or shown == after, f"{shown}\n{after}"
        return shown == after

    cluster.eventually(lambda: _quietly(same), "both show the same", 60, 2)


def _quietly(check: Any) -> bool:
    """The mirror may be a moment behind: looked at again."""
    try:
        return bool(check())
    except AssertionError:
        return False


def test_the_replay_draws_in_a_sandboxed_frame(
    ready: tuple[Author, Author], match: Object, tmp_path: pathlib.Path
) -> None:
    def there() -> bytes | None:
        code, headers, page = front.fetch(ready[0].front, f"/api/v1/matches/{match['id']}/replay?format=html")
        if code != 200:
            return None
        assert headers["Content-Type"].startswith("text/html")
        assert "Content-Disposition" not in headers or "attachment" not in headers["Content-Disposition"]
        return page

    page = front.until(there, "the replay's page", 60).decode()
    assert not re.search(r"""(src|href)\s*=\s*["']?\s*(https?:)?//""", page)
    seen = browser.colours(tmp_path, browser.in_a_sandbox(page))
    court, first, second, ball = (0x10, 0x14, 0x1B), (0x6D, 0xB3, 0xFF), (0xFF, 0x9A, 0x63), (0xE8, 0xEA, 0xED)
    assert seen[court] > 50000, seen.most_common(8)
    assert seen[first] > 300 and seen[second] > 300, "two paddles"
    assert seen[ball] > 50, "a ball"
    shown = browser.document(tmp_path, page)
    names = json.loads(front.replay(match["id"], "json"))["metadata"]["players"]
    assert all(name in shown for name in names) and re.search(r"Step \d+ of \d+", shown)


def test_the_replays_frames(ready: tuple[Author, Author], match: Object) -> None:
    replay = json.loads(front.replay(match["id"], "json"))
    assert replay["metadata"]["finalScore"] == [match["agent1Score"], match["agent2Score"]]
    assert replay["metadata"]["duration"] >= 0 and replay["metadata"]["timestamp"]
    for frame in replay["frames"]:
        places = [*frame["info"]["ball_pos"], *frame["info"]["paddle_positions"]]
        assert len(places) == 4 and all(0 <= place <= 1 for place in places)
    listed = ready[0].front.get("/matches/replays", agentId=ready[0].agent["id"])["matches"]
    assert match["id"] in [one["id"] for one in listed]


def test_history_outlives_the_object(ready: tuple[Author, Author], match: Object) -> None:
    (name,) = [cluster.name_of(one) for one in cluster.listed("matches") if one["metadata"]["uid"] == match["id"]]
    cluster.delete("matches", name)
    assert cluster.find("matches", name) is None
    again = ready[0].front.get(f"/matches/{match['id']}")["match"]
    assert again["agent1EloChange"] == match["agent1EloChange"] and again["status"] == "completed"
    assert front.fetch(ready[0].front, f"/api/v1/matches/{match['id']}/replay?format=html")[0] == 200


def test_an_unrated_match_by_hand(ready: tuple[Author, Author]) -> None:
    one, other = ready
    asked = one.front.post("/matches", agent1Id=one.agent["id"], agent2Id=other.agent["id"])["match"]
    assert asked["status"] == "pending" and asked["rated"] is False
    # The next read, whoever asks, shows it.
    assert other.front.get(f"/matches/{asked['id']}")["match"]["agent1Id"] == one.agent["id"]

    def over() -> Object | None:
        now: Object = one.front.get(f"/matches/{asked['id']}")["match"]
        assert now["status"] != "failed", now
        return now if now["status"] == "completed" else None

    done = front.until(over, "the match by hand", 600)
    assert "agent1EloChange" not in done


# Behind it


def test_pages_for_people_and_programs() -> None:
    anyone = Front(front.address())
    code, headers, page = front.fetch(anyone, "/docs")
    assert code == 200 and headers["Content-Type"].startswith("text/html")
    code, _, text = front.fetch(anyone, "/openapi.json")
    assert code == 200 and json.loads(text)["openapi"].startswith("3.1")
    assert front.fetch(anyone, "/")[0] == 200
    assert front.fetch(anyone, "/metrics")[0] == 404, "metrics are on the internal port"


def test_internal_port_asks_for_a_service_account() -> None:
    """From inside, as an agent's image of its own could where no NetworkPolicy is enforced."""
    ask = (
        "import sys, urllib.request, urllib.error\n"
        "try: print(urllib.request.urlopen(sys.argv[1], timeout=20).status)\n"
        "except urllib.error.HTTPError as error: print(error.code)\n"
    )
    url = f"http://api-server.{cluster.SYSTEM}.svc:8081/internal/v1/sources/{'0' * 64}"
    answer = cluster.kubectl("exec", "deployment/executor", "--", "python3", "-c", ask, url, namespace=cluster.SYSTEM)
    assert answer.strip() == "401"


def may(verb: str, what: str, *more: str, namespace: str = cluster.NAMESPACE) -> bool:
    answer = cluster.kubectl_answer("auth", "can-i", verb, what, f"--as={ACCOUNT}", *more, namespace=namespace)
    return answer.strip() == "yes"


def test_the_front_may_do_what_it_needs_and_no_more() -> None:
    for verb, what in (("create", "agents.rl-arena.io"), ("create", "submissions.rl-arena.io")):
        assert may(verb, what), f"{verb} {what}"
    assert may("patch", "matches.rl-arena.io") and may("get", "pods", "--subresource=log")
    assert may("create", "tokenreviews.authentication.k8s.io", namespace="default")
    for verb, what in (
        ("get", "secrets"),
        ("create", "pods"),
        ("create", "jobs.batch"),
        ("delete", "submissions.rl-arena.io"),
        ("delete", "matches.rl-arena.io"),
        ("patch", "matchmakingqueues.rl-arena.io"),
    ):
        assert not may(verb, what), f"{verb} {what}"
    for kind in ("agents", "submissions", "matches"):
        assert not may("patch", f"{kind}.rl-arena.io", "--subresource=status")
    assert not may("create", "pods", "--subresource=exec")
    assert not may("get", "secrets", namespace=cluster.SYSTEM)
    assert not may("create", "serviceaccounts", "--subresource=token", namespace=cluster.SYSTEM)


def test_it_runs_as_the_restricted_profile_wants() -> None:
    pod = cluster.get("deployments", "api-server", cluster.SYSTEM)["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    for container in pod["containers"]:
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert container["resources"]["limits"]["memory"]


# What it survives


def front_rolled_out() -> None:
    cluster.kubectl(
        "rollout", "status", "deployment/api-server", "--timeout=120s", namespace=cluster.SYSTEM, limit=130
    )  # fmt: skip


def scale(replicas: int) -> None:
    cluster.kubectl("scale", "deployment/api-server", f"--replicas={replicas}", namespace=cluster.SYSTEM)
    front_rolled_out()


def test_two_replicas_show_the_same(ready: tuple[Author, Author]) -> None:
    before = cluster.get("deployments", "api-server", cluster.SYSTEM)["spec"]["replicas"]
    scale(2)
    try:
        one = ready[0]
        for number in range(10):
            text = f"written {number}"
            body = json.dumps({"description": text}).encode()
            one.front.send("PUT", f"/agents/{one.agent['id']}", body, "application/json")
            # Each request is a connection of its own, and goes to either.
            assert [one.now()["description"] for _ in range(3)] == [text] * 3
    finally:
        scale(before)


def test_no_secret_is_in_the_log(authors: tuple[Author, Author]) -> None:
    text = cluster.kubectl("logs", "deployment/api-server", "--tail=-1", namespace=cluster.SYSTEM)
    for one in authors:
        assert one.password not in text and one.front.token not in text
    errors = [line for line in text.splitlines() if '"level":"error"' in line]
    assert not errors, "\n".join(errors[:10])


def test_an_update_of_the_front_loses_no_request() -> None:
    """A Pod that ends takes connections until no node sends it any."""
    answers: collections.Counter[str] = collections.Counter()
    where, over = front.address(), threading.Event()

    def ask() -> None:
        try:
            code, _, _ = front.fetch(Front(where), "/api/v1/environments")
            answers[str(int(code))] += 1
        except (OSError, http.client.HTTPException) as error:
            answers[repr(error)] += 1

    def keep_asking() -> None:
        with concurrent.futures.ThreadPoolExecutor(64) as pool:
            asked = []
            while not over.wait(0.02):
                asked.append(pool.submit(ask))
            for one in asked:
                one.result()

    old = {cluster.name_of(pod) for pod in cluster.listed("pods", FRONT, cluster.SYSTEM)}
    thread = threading.Thread(target=keep_asking)
    thread.start()
    try:
        cluster.kubectl("rollout", "restart", "deployment/api-server", namespace=cluster.SYSTEM)
        front_rolled_out()

        def gone() -> bool:
            return old.isdisjoint(cluster.name_of(pod) for pod in cluster.listed("pods", FRONT, cluster.SYSTEM))

        cluster.eventually(gone, "the old Pod has gone")
    finally:
        over.set()
        thread.join()
    # One address may not ask so often: that, too, is an answer.
    assert set(answers) <= {"200", "429"} and answers["200"] >= 10, answers
    assert answers.total() >= 100, answers


def test_no_contradictions() -> None:
    assert_no_contradictions()
