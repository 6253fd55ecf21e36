#!/usr/bin/env python3
"""What may never be seen in an arena's namespace, whatever was killed when.

  invariants.py [-n NAMESPACE]      looks at a live namespace ($ARENA_KUBECTL, otherwise kubectl)
  invariants.py FILE                looks at a saved `kubectl get ... -o json --show-managed-fields`

Prints each contradiction and exits with 1 when there is any. The lists of a live namespace are not
of one moment, and some states are only passed through: a contradiction counts when several looks in
a row, seconds apart, all see it.
"""

from __future__ import annotations

import argparse
import datetime
import itertools
import json
import math
import os
import shlex
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

GROUP = "rl-arena.io"
KINDS = ("agents", "submissions", "matches", "matchmakingqueues")
CHILDREN = ("jobs", "pods", "configmaps")
OURS = "app.kubernetes.io/managed-by"
MATCHMAKER = ("rl-arena.io/made-by", "matchmaker")
MATCH_ATTEMPTS = 3
SCAN_ATTEMPTS = 4
DAY = 24 * 3600
# An expired entry, a finished match's Pods: the controller acts on these within moments.
GRACE = 20

Object = dict[str, Any]
Check = Callable[["Snapshot"], Iterator[str]]


def condition(item: Object, kind: str) -> Object:
    return next((one for one in status(item).get("conditions", []) if one["type"] == kind), {})


def holds(item: Object, kind: str) -> bool:
    return bool(condition(item, kind).get("status") == "True")


def status(item: Object) -> Object:
    found: Object = item.get("status") or {}
    return found


def name(item: Object) -> str:
    return str(item["metadata"]["name"])


def uid(item: Object) -> str:
    return str(item["metadata"]["uid"])


def label(item: Object, key: str) -> str:
    return str(item["metadata"].get("labels", {}).get(key, ""))


def seconds(text: str) -> float:
    return datetime.datetime.fromisoformat(text).timestamp()


def created(item: Object) -> float:
    return seconds(item["metadata"]["creationTimestamp"])


def deleted(item: Object) -> bool:
    return "deletionTimestamp" in item["metadata"]


def spec_changed(item: Object) -> float:
    """From when on all that was made knew the spec: shortly after somebody last wrote anything but the
    status; for ever ago when nobody tells. Times have whole seconds, and the controller's cache learns
    of a write a moment after it."""
    fields = item["metadata"].get("managedFields", [])
    return max((seconds(one["time"]) + 2 for one in fields if one.get("subresource") != "status"), default=0.0)


class Match:
    """A Match as these checks need it."""

    def __init__(self, item: Object) -> None:
        self.item = item
        self.name = name(item)
        self.agents = [seat["agent"] for seat in item["spec"]["participants"]]
        self.pair = frozenset(self.agents)
        self.seats: list[Object] = status(item).get("participants", [])
        self.complete = holds(item, "Complete")
        self.failed = holds(item, "Failed")
        self.finished = self.complete or self.failed
        self.attempt = int(status(item).get("attempt", 0))
        self.by_matchmaker = label(item, MATCHMAKER[0]) == MATCHMAKER[1]
        self.created = created(item)
        self.ended = seconds(status(item)["completionTime"]) if status(item).get("completionTime") else 0.0
        self.counted = any(seat.get("matchNumber", 0) > 0 for seat in self.seats)

    def is_behind(self, agent: Object) -> bool:
        """Whether the agent is done with it: over, or played and counted in the agent's rating."""
        rated = status(agent).get("rating", {}).get("matches", 0)
        own = [seat for seat in self.seats if seat["agent"] == name(agent)]
        counted = all(seat.get("matchNumber", 0) <= rated for seat in own)
        return self.finished or (holds(self.item, "Executed") and bool(own) and counted)


class Snapshot:
    """Everything in a namespace at (about) one time."""

    def __init__(self, items: list[Object], now: float) -> None:
        self.now = now
        self.items = items
        self.agents = {name(one): one for one in self.of("Agent")}
        self.submissions = {name(one): one for one in self.of("Submission")}
        self.matches = [Match(one) for one in self.of("Match")]
        self.queues = {one["spec"]["environment"]["name"]: one for one in self.of("MatchmakingQueue")}
        self.uids = {uid(one) for one in items}
        self.matches_of: dict[str, list[Match]] = defaultdict(list)
        for match in self.matches:
            for agent in match.agents:
                self.matches_of[agent].append(match)

    def of(self, kind: str) -> list[Object]:
        return [one for one in self.items if one["kind"] == kind]

    def queue_of(self, item: Object) -> Object | None:
        environment = item["spec"]["environment"]
        return self.queues.get(environment)


# ---- all kinds


def check_conditions(s: Snapshot) -> Iterator[str]:
    for item in s.of("Agent") + s.of("Submission") + s.of("Match") + s.of("MatchmakingQueue"):
        who = f"{item['kind']} {name(item)}"
        generation = item["metadata"]["generation"]
        if holds(item, "Reconciling") and holds(item, "Stalled"):
            yield f"{who}: Reconciling and Stalled at once"
        if status(item).get("observedGeneration", 0) > generation:
            yield f"{who}: observed a generation that is not there yet"
        if status(item) and status(item).get("observedGeneration", 0) < generation and s.now - created(item) > GRACE:
            yield f"{who}: generation {generation} was not looked at"
        if holds(item, "Ready") and (holds(item, "Reconciling") or holds(item, "Stalled")):
            yield f"{who}: Ready, and Reconciling or Stalled"
        for one in status(item).get("conditions", []):
            if one["status"] != "True" and not one["message"].strip():
                yield f"{who}: condition {one['type']} is {one['status']} without a word"


def check_owners(s: Snapshot) -> Iterator[str]:
    for child in s.of("Job") + s.of("Pod") + s.of("ConfigMap"):
        if label(child, OURS) != "rl-arena" or deleted(child):
            continue
        who = f"{child['kind']} {name(child)}"
        owners = [one for one in child["metadata"].get("ownerReferences", []) if one.get("controller")]
        if not owners:
            yield f"{who}: nobody owns it"
        elif owners[0]["uid"] not in s.uids:
            yield f"{who}: its owner {owners[0]['kind']} {owners[0]['name']} is gone"


# ---- Submission


def check_versions(s: Snapshot) -> Iterator[str]:
    given: dict[str, list[Object]] = defaultdict(list)
    for one in s.submissions.values():
        if status(one).get("version", 0) > 0:
            given[one["spec"]["agent"]].append(one)
    for agent, ones in given.items():
        counts = Counter(status(one)["version"] for one in ones)
        for version, count in sorted(counts.items()):
            if count > 1:
                yield f"Agent {agent}: version {version} was given {count} times"
        here = s.agents.get(agent)
        # A new agent of an old name starts from what the old one's submissions have.
        if (
            here
            and max(counts) > status(here).get("latestVersion", 0)
            and all(created(here) <= created(o) for o in ones)
        ):
            yield f"Agent {agent}: version {max(counts)} was given, latestVersion is lower"


def check_attempts(s: Snapshot) -> Iterator[str]:
    for one in s.submissions.values():
        limits = (
            ("attempts", one["spec"].get("build", {}).get("maxRetries", 3) + 1),
            ("scanAttempts", SCAN_ATTEMPTS),
        )
        for field, most in limits:
            attempts = status(one).get(field, [])
            who = f"Submission {name(one)}: {field}"
            if [each["number"] for each in attempts] != list(range(1, len(attempts) + 1)):
                yield f"{who}: numbers are not 1, 2, 3..."
            if len(attempts) > most:
                yield f"{who}: {len(attempts)}, at most {most} are allowed"
            if any("finishedAt" not in each for each in attempts[:-1]):
                yield f"{who}: one began before the one before had ended"
            over = status(one).get("phase") in ("Ready", "Rejected", "Failed")
            if over and attempts and "finishedAt" not in attempts[-1]:
                yield f"{who}: it is over, its last attempt is not"


def check_submissions(s: Snapshot) -> Iterator[str]:
    for one in s.submissions.values():
        who, state = f"Submission {name(one)}", status(one)
        phase = state.get("phase", "")
        if holds(one, "Ready") != (phase == "Ready"):
            yield f"{who}: phase is {phase}, Ready is {condition(one, 'Ready').get('status')}"
        if phase in ("Failed", "Rejected") and not holds(one, "Stalled"):
            yield f"{who}: {phase} without Stalled"
        if not holds(one, "Ready"):
            continue
        for kind in ("Fetched", "Built", "Scanned"):
            if not holds(one, kind):
                yield f"{who}: Ready without {kind}"
        if not state.get("digest") or not state.get("image", "").endswith("@" + state["digest"]):
            yield f"{who}: Ready with an image that is not by its digest"
        if not state.get("version"):
            yield f"{who}: Ready without a version"


def check_jobs(s: Snapshot) -> Iterator[str]:
    over = {uid(one) for one in s.submissions.values() if holds(one, "Stalled") or holds(one, "Ready")}
    for job in s.of("Job"):
        owner = job["metadata"].get("ownerReferences", [{}])[0].get("uid")
        if owner in over and status(job).get("active"):
            yield f"Job {name(job)}: runs on though its Submission is over"


# ---- Match


def check_endings(s: Snapshot) -> Iterator[str]:
    pods = Counter(label(pod, "rl-arena.io/match") for pod in s.of("Pod") if not deleted(pod))
    for m in s.matches:
        who = f"Match {m.name}"
        phase = status(m.item).get("phase", "Pending")
        if m.complete and m.failed:
            yield f"{who}: Complete and Failed"
        if m.attempt > MATCH_ATTEMPTS:
            yield f"{who}: attempt {m.attempt} of {MATCH_ATTEMPTS}"
        if m.finished != (phase in ("Complete", "Failed")):
            yield f"{who}: phase is {phase}"
        if not m.finished:
            continue
        if m.ended == 0:
            yield f"{who}: finished without completionTime"
        if holds(m.item, "Reconciling"):
            yield f"{who}: finished and Reconciling"
        if m.complete and not holds(m.item, "Executed"):
            yield f"{who}: Complete without Executed"
        if pods[m.name] and s.now - m.ended > GRACE:
            yield f"{who}: finished, and {pods[m.name]} of its Pods are still there"


def check_outcomes(s: Snapshot) -> Iterator[str]:
    allowed = ({"Win", "Loss"}, {"Win", "Forfeit"}, {"Draw"})
    for m in s.matches:
        outcomes = [seat.get("outcome") for seat in m.seats]
        winners = [seat["agent"] for seat in m.seats if seat.get("outcome") == "Win"]
        if m.complete and (set(outcomes) not in allowed or len(outcomes) != 2):
            yield f"Match {m.name}: outcomes {outcomes}"
        if m.complete and status(m.item).get("winner", "") != (winners[0] if winners else ""):
            yield f"Match {m.name}: winner is {status(m.item).get('winner')!r}, outcomes are {outcomes}"
        if m.failed and m.counted:
            yield f"Match {m.name}: Failed and rated"
        if m.complete and m.counted != holds(m.item, "Rated"):
            yield f"Match {m.name}: Complete, counted {m.counted}, Rated {holds(m.item, 'Rated')}"
        if m.counted and m.item["spec"].get("rated", True) is False:
            yield f"Match {m.name}: rated though spec.rated is false"


def expected(own: int, other: int) -> float:
    weaker = 1 / (1 + math.pow(10, abs(own - other) / 400))
    return weaker if own < other else 1 - weaker


def elo_after(own: int, other: int, outcome: str, before: int) -> int:
    factor = 40 if before < 10 else 32 if before < 20 else 24
    score = {"Win": 1.0, "Draw": 0.5}.get(outcome, 0.0)
    change = factor * (score - expected(own, other))
    rounded = math.floor(abs(change) + 0.5) * (1 if change >= 0 else -1)
    return max(0, own + rounded)


def check_elo(s: Snapshot) -> Iterator[str]:
    for m in s.matches:
        if not m.counted:
            continue
        if not all(seat.get("matchNumber", 0) > 0 for seat in m.seats):
            yield f"Match {m.name}: one seat counts, the other does not"
            continue
        for seat, other in (m.seats, m.seats[::-1]):
            who = f"Match {m.name}, {seat['agent']}"
            right = elo_after(seat["eloBefore"], other["eloBefore"], seat["outcome"], seat["matchNumber"] - 1)
            if seat["eloAfter"] != right:
                yield f"{who}: Elo {seat['eloBefore']} -> {seat['eloAfter']}, should be {right}"
            if seat["eloChange"] != seat["eloAfter"] - seat["eloBefore"]:
                yield f"{who}: eloChange is {seat['eloChange']}"


# ---- ratings of agents


def counted_seats(s: Snapshot, agent: Object) -> list[tuple[Match, Object]]:
    found = []
    for m in s.matches_of[name(agent)]:
        for seat in m.seats:
            if seat.get("agentUID") == uid(agent) and seat.get("matchNumber", 0) > 0:
                found.append((m, seat))
    return sorted(found, key=lambda pair: int(pair[1]["matchNumber"]))


def check_chains(s: Snapshot) -> Iterator[str]:
    """Every match once, in order, each starting from what the one before left. Matches may have been
    deleted, so that only neighbours tell."""
    for agent in s.agents.values():
        who, rating = f"Agent {name(agent)}", status(agent).get("rating", {})
        chain = counted_seats(s, agent)
        for (m, seat), (m2, after) in itertools.pairwise(chain):
            number = seat["matchNumber"]
            if after["matchNumber"] == number:
                yield f"{who}: match number {number} is that of {m.name} and {m2.name}"
            elif after["matchNumber"] == number + 1 and after["eloBefore"] != seat["eloAfter"]:
                yield f"{who}: match {number} left {seat['eloAfter']}, the next began from {after['eloBefore']}"
        done = [(m, seat) for m, seat in chain if m.complete]
        if not done:
            continue
        last, total = done[-1][1], rating.get("matches", 0)
        if last["matchNumber"] > total:
            yield f"{who}: match {last['matchNumber']} ({done[-1][0].name}) is missing in its rating of {total}"
        if last["matchNumber"] == total and last["eloAfter"] != rating.get("elo"):
            yield f"{who}: its last match left {last['eloAfter']}, its rating is {rating.get('elo')}"


def check_records(s: Snapshot) -> Iterator[str]:
    for agent in s.agents.values():
        who, rating = f"Agent {name(agent)}", status(agent).get("rating")
        if not rating:
            continue
        total = rating["matches"]
        if rating["wins"] + rating["losses"] + rating["draws"] != total:
            yield f"{who}: wins, losses and draws are not its {total} matches"
        if rating["peak"] < rating["elo"]:
            yield f"{who}: peak {rating['peak']} is below {rating['elo']}"
        if rating["provisional"] != (total < 10):
            yield f"{who}: provisional is {rating['provisional']} after {total} matches"
        outcomes = Counter(seat["outcome"] for m, seat in counted_seats(s, agent) if m.complete)
        seen = {
            "wins": outcomes["Win"],
            "draws": outcomes["Draw"],
            "losses": outcomes["Loss"] + outcomes["Forfeit"],
        }
        for field, count in seen.items():
            if rating[field] < count:
                yield f"{who}: {field} is {rating[field]}, its matches show {count}"


# ---- Agent and its queue


def is_of(submission: Object, agent: Object) -> bool:
    """What has an owner of the agent's name goes with that one, not with the next of the name."""
    owners = submission["metadata"].get("ownerReferences", [])
    uids = [o["uid"] for o in owners if o["kind"] == "Agent" and o["name"] == name(agent)]
    its_own = len(uids) != 1 or uids[0] == agent["metadata"]["uid"]
    return bool(submission["spec"]["agent"] == name(agent) and its_own)


def check_active(s: Snapshot) -> Iterator[str]:
    for agent in s.agents.values():
        who, state = f"Agent {name(agent)}", status(agent)
        active, pinned = state.get("activeSubmission"), agent["spec"].get("activeSubmission")
        if not active:
            if holds(agent, "Ready"):
                yield f"{who}: Ready without an active submission"
            continue
        one = s.submissions.get(active)
        if one is None or not is_of(one, agent) or not holds(one, "Ready"):
            yield f"{who}: its active submission {active} is not there, not its own or not Ready"
            continue
        if state.get("image") != status(one)["image"] or state.get("activeVersion") != status(one)["version"]:
            yield f"{who}: image or version is not that of {active}"
        own = [o for o in s.submissions.values() if is_of(o, agent) and holds(o, "Ready")]
        newest = max(own, key=lambda o: int(status(o)["version"]))
        if pinned and active != pinned:
            yield f"{who}: {pinned} is pinned, {active} plays"
        elif not pinned and active != name(newest):
            yield f"{who}: {name(newest)} is newer than {active}, which plays"


def check_queue_states(s: Snapshot) -> Iterator[str]:
    for agent in s.agents.values():
        queue, entry = s.queue_of(agent), status(agent).get("queue", {})
        who, state = f"Agent {name(agent)}", entry.get("state")
        started = [m.name for m in s.matches_of[name(agent)] if m.attempt > 0 and not m.is_behind(agent)]
        if state == "Playing" and not any(not m.finished for m in s.matches_of[name(agent)]):
            yield f"{who}: Playing without a match"
        limit = queue["spec"].get("maxConcurrentMatchesPerAgent", 1) if queue else 1
        if len(started) > limit:
            yield f"{who}: plays {len(started)} matches at a time, the limit is {limit}"
        if state == "Waiting" and len(started) >= limit:
            yield f"{who}: Waiting while it plays {', '.join(sorted(started))}"
        if agent["spec"].get("suspended") and state not in ("Suspended", None):
            yield f"{who}: suspended by its spec, its state is {state}"
        if state in ("Waiting", "Cooldown", "Playing"):
            if not holds(agent, "Queued"):
                yield f"{who}: {state}, and not Queued"
            if not holds(agent, "Ready"):
                yield f"{who}: {state}, and not Ready"
            if not agent["spec"].get("matchmaking", {}).get("enabled", True):
                yield f"{who}: {state} though matchmaking is not enabled"
        if state == "Waiting" and seconds(entry["expiresAt"]) < s.now - GRACE:
            yield f"{who}: Waiting though its entry has expired"


# ---- matchmaking


def check_pairs(s: Snapshot) -> Iterator[str]:
    """Rules that a match of the matchmaker kept when it was made, as far as the queue's rules are as
    old as the match."""
    for m in s.matches:
        queue = s.queue_of(m.item)
        if not m.by_matchmaker or queue is None or m.created < spec_changed(queue):
            continue
        agents = [s.agents.get(agent) for agent in m.agents]
        owners = {agent["spec"]["owner"] for agent in agents if agent}
        if None not in agents and len(owners) < 2 and not queue["spec"].get("allowSameOwner", False):
            yield f"Match {m.name}: both agents belong to {owners.pop()}"
        # When a match was made is told in whole seconds, rounded down; when one ended, exactly.
        cooldown = queue["spec"]["cooldownSeconds"]
        for other in s.matches_of[m.agents[0]]:
            # Two of the same second: the clock does not tell which came first.
            # Without a cooldown a match of theirs that waits for its start is in nobody's way.
            if other.pair != m.pair or other.created >= m.created - 1 or cooldown == 0:
                continue
            if not other.finished or other.ended > m.created:
                yield f"Match {m.name}: made while {other.name} of the same pair was not over"
            elif m.created + 1 - other.ended <= cooldown and other.ended > spec_changed(queue):
                yield f"Match {m.name}: {m.created - other.ended:.1f} s after {other.name} of the same pair"


def check_limits(s: Snapshot) -> Iterator[str]:
    for environment, queue in s.queues.items():
        made = [m for m in s.matches if m.by_matchmaker and m.item["spec"]["environment"] == environment]
        most = queue["spec"].get("maxConcurrentMatches")
        running = [m for m in made if not m.finished]
        if most and len(running) > most and min(m.created for m in running) > spec_changed(queue):
            yield f"MatchmakingQueue {name(queue)}: {len(running)} matches at a time, the limit is {most}"
        daily = queue["spec"]["maxMatchesPerAgentPerDay"]
        for agent in {agent for m in made for agent in m.agents}:
            times = sorted(m.created for m in s.matches_of[agent] if m.by_matchmaker)
            if any(b - a < DAY for a, b in zip(times, times[daily:], strict=False)):
                yield f"Agent {agent}: more than {daily} matches in 24 hours"


CHECKS: tuple[Check, ...] = (
    check_conditions,
    check_owners,
    check_versions,
    check_attempts,
    check_submissions,
    check_jobs,
    check_endings,
    check_outcomes,
    check_elo,
    check_chains,
    check_records,
    check_active,
    check_queue_states,
    check_pairs,
    check_limits,
)


def contradictions(items: list[Object], now: float) -> list[str]:
    snapshot = Snapshot(items, now)
    return [f"{check.__name__[6:]}: {text}" for check in CHECKS for text in check(snapshot)]


# ---- a live namespace


def read_live(namespace: str) -> list[Object]:
    """Children first: an owner that is listed later may be younger, never missing."""
    command = shlex.split(os.environ.get("ARENA_KUBECTL", "kubectl"))
    names = ",".join((*CHILDREN, *(f"{kind}.{GROUP}" for kind in KINDS)))
    done = subprocess.run(
        [*command, "-n", namespace, "get", names, "-o", "json", "--show-managed-fields"],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    if done.returncode != 0:
        raise SystemExit(f"invariants: cannot read the namespace {namespace}: {done.stderr.strip()}")
    items: list[Object] = json.loads(done.stdout)["items"]
    return items


def look_again(namespace: str, looks: int, pause: float) -> tuple[list[str], int]:
    """What every look saw; without any, the first look is enough."""
    seen: list[str] = []
    count = 0
    for number in range(looks):
        if number:
            time.sleep(pause)
        items = read_live(namespace)
        count = len(items)
        found = contradictions(items, time.time())
        seen = found if number == 0 else [text for text in seen if text in found]
        if not seen:
            break
    return seen, count


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", nargs="?", type=Path, help="a saved snapshot; - for standard input")
    parser.add_argument("-n", "--namespace", default="rl-arena")
    parser.add_argument("--looks", type=int, default=6, help="how often a contradiction has to be seen")
    parser.add_argument("--pause", type=float, default=5, help="seconds between two looks")
    options = parser.parse_args()
    if options.file:
        text = sys.stdin.read() if str(options.file) == "-" else options.file.read_text()
        items = json.loads(text)["items"]
        found, count = contradictions(items, time.time()), len(items)
    else:
        found, count = look_again(options.namespace, options.looks, options.pause)
    for line in found:
        print(line)
    print(f"{count} objects, {len(found)} contradictions")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
