"""The informer against an API server that refuses, cuts, repeats, forgets and talks nonsense."""

from __future__ import annotations

import pathlib
import time
from collections.abc import Callable, Iterator

import pytest
from fake_api import Answer, FakeApi, Query, bookmark, event, listing, status, thing
from probe import Probe, write_kubeconfig

GONE = status(410, "Expired", "too old resource version")


@pytest.fixture
def api() -> Iterator[FakeApi]:
    api = FakeApi()
    yield api
    api.close()


@pytest.fixture
def begin(api: FakeApi, tmp_path: pathlib.Path) -> Iterator[Callable[..., Probe]]:
    config = write_kubeconfig(tmp_path / "config", api.url, "{}")
    probes: list[Probe] = []

    def begin(*arguments: str) -> Probe:
        probes.append(Probe(config, "cache", "n", *arguments))
        return probes[-1]

    yield begin
    for probe in probes:
        probe.kill()


Begin = Callable[..., Probe]


def answers(*given: Answer) -> Callable[[Query], Answer]:
    """One after the other; the last for ever."""
    left = list(given)
    return lambda query: left.pop(0) if len(left) > 1 else left[0]


def test_what_a_watch_asks_for(api: FakeApi, begin: Begin) -> None:
    api.on_list = answers(listing(10, thing("a", 5)))
    probe = begin()
    watch = api.next_watch()
    assert watch.version == 10
    assert watch.query["allowWatchBookmarks"] == "true"
    assert 300 <= int(watch.query["timeoutSeconds"]) <= 600
    assert api.lists == [{"limit": "500"}]
    probe.quit()


def test_bookmarks_move_the_version(api: FakeApi, begin: Begin) -> None:
    probe = begin()
    watch = api.next_watch()
    watch.send(event("ADDED", thing("a", 12)), bookmark(50))
    probe.expect("+ a 12")
    watch.end()
    assert api.next_watch().version == 50
    assert len(api.lists) == 1
    probe.quit()


def test_cut_within_an_event(api: FakeApi, begin: Begin) -> None:
    probe = begin()
    whole = event("ADDED", thing("b", 13))
    api.next_watch().send(event("ADDED", thing("a", 12)), whole[:30]).end()
    watch = api.next_watch()
    assert watch.version == 12
    watch.send(*(bytes([b]) for b in whole))
    probe.expect("+ b 13")
    probe.quit()


@pytest.mark.parametrize("how", ["event", "answer"])
def test_gone(api: FakeApi, begin: Begin, how: str) -> None:
    api.on_list = answers(listing(10, thing("a", 5), thing("b", 6)), listing(30, thing("a", 25)))
    probe = begin()
    watch = api.next_watch()
    if how == "event":
        watch.send(event("ADDED", thing("c", 12)), event("ERROR", GONE))
        probe.expect("+ c")
    else:
        watch.refuse(410, GONE)
    probe.expect("- b")
    probe.expect("~ a 25")
    assert api.next_watch().version == 30
    assert set(probe.dump()) == {"a"}
    probe.quit()


def test_gone_after_an_outage_is_listed_again_at_once(api: FakeApi, begin: Begin) -> None:
    """The API server is back: what patience there was for its absence is over. Before, three to six seconds more."""
    api.on_list = answers(listing(10), listing(30, thing("a", 25)))
    probe = begin()
    for _ in range(2):
        api.next_watch().refuse(503, status(503, "ServiceUnavailable", "restarting"))
    watch = api.next_watch()
    began = time.monotonic()
    watch.refuse(410, GONE)
    probe.expect("+ a 25")
    assert time.monotonic() - began < 2
    probe.quit()


def test_gone_again_and_again_is_listed_with_patience(api: FakeApi, begin: Begin) -> None:
    api.on_list = answers(*(listing(10 * n) for n in range(1, 50)))
    probe = begin()
    began = time.monotonic()
    for _ in range(4):
        api.next_watch().refuse(410, GONE)
    api.next_watch()
    assert time.monotonic() - began > 0.8 + 1.6  # the first of three at once, the others not
    probe.quit()


def test_error_event_that_passes(api: FakeApi, begin: Begin) -> None:
    probe = begin()
    api.next_watch().send(event("ERROR", status(500, "InternalError", "etcd went away")))
    assert api.next_watch().version == 10
    assert len(api.lists) == 1
    probe.quit()


@pytest.mark.parametrize(
    "line",
    [
        b"nonsense\n",
        b'{"type":"RENAMED","object":{}}\n',
        b'{"type":"ADDED","object":{"metadata":{}}}\n',
        b"x" * 5_000_000,
    ],
)
def test_nonsense_means_list_again(api: FakeApi, begin: Begin, line: bytes) -> None:
    api.on_list = answers(listing(10), listing(20, thing("a", 15)))
    probe = begin()
    api.next_watch().send(line)
    probe.expect("+ a 15")
    assert api.next_watch().version == 20
    probe.quit()


def test_refused_watches_end_in_a_list(api: FakeApi, begin: Begin) -> None:
    api.on_list = answers(listing(10), listing(20, thing("a", 15)))
    probe = begin()
    for _ in range(4):
        api.next_watch().refuse(400, status(400, "BadRequest", "invalid resource version"))
    probe.expect("+ a 15")
    probe.quit()


def test_older_list_is_refused(api: FakeApi, begin: Begin) -> None:
    api.on_list = answers(
        listing(10), listing(15), listing(16, thing("z", 3)), listing(20, thing("a", 19), thing("b", 20))
    )
    probe = begin()
    watch = api.next_watch()
    watch.send(event("ADDED", thing("a", 19)), event("ERROR", GONE))
    probe.expect("+ a 19")
    probe.expect("+ b 20")
    assert not any(" z " in line or line.startswith("- a") for line in probe.all)
    assert len(api.lists) == 4
    assert sum("list refused" in line for line in probe.errors) == 2
    probe.quit()


def test_snapshot_of_the_pages_is_gone(api: FakeApi, begin: Begin) -> None:
    api.on_list = answers(
        listing(10, thing("a", 5), token="the next/page+="),
        (410, GONE, {}),
        listing(20, thing("a", 5), thing("b", 15), thing("c", 16)),
    )
    probe = begin("", "app=x")
    assert probe.expect("synced") == "synced 3"
    first, second, third = api.lists
    assert first == {"limit": "500", "labelSelector": "app=x"}
    assert second == {"limit": "500", "labelSelector": "app=x", "continue": "the next/page+="}
    assert third == {"labelSelector": "app=x"}
    probe.quit()


def test_page_too_large_is_asked_for_in_parts(api: FakeApi, begin: Begin) -> None:
    def on_list(query: Query) -> Answer:
        if int(query["limit"]) > 2:
            return (413, status(413, "RequestEntityTooLarge"), {})
        start = int(query.get("continue", "0"))
        end = start + int(query["limit"])
        items = [thing(f"c{i}", 5) for i in range(start, min(end, 5))]
        return listing(10, *items, token=str(end) if end < 5 else "")

    api.on_list = on_list
    probe = begin("8")
    assert probe.expect("synced") == "synced 5"
    assert [q["limit"] for q in api.lists] == ["8", "4", "2", "2", "2"]
    probe.quit()


def test_small_pages_are_followed_by_larger_ones(api: FakeApi, begin: Begin) -> None:
    heavy = {"padding": "x" * 40_000}

    def on_list(query: Query) -> Answer:
        start = int(query.get("continue", "0"))
        end = start + int(query["limit"])
        items = [{**thing(f"c{i}", 5), "spec": heavy if 150 <= i < 350 else {}} for i in range(start, min(end, 1500))]
        return listing(10, *items, token=str(end) if end < 1500 else "")

    api.on_list = on_list
    probe = begin("50")
    assert probe.expect("synced", 30) == "synced 1500"
    # The third page has 8 MB, and is not followed by a larger one.
    assert [q["limit"] for q in api.lists] == ["50", "100", "200", "200", "400", "500", "500"]
    probe.quit()


def test_busy_server_is_obeyed(api: FakeApi, begin: Begin) -> None:
    times: list[float] = []
    replies = answers((429, status(429, "TooManyRequests"), {"Retry-After": "3"}), listing(10))

    def on_list(query: Query) -> Answer:
        times.append(time.monotonic())
        return replies(query)

    api.on_list = on_list
    probe = begin()
    probe.expect("synced")
    assert times[1] - times[0] >= 2.9
    probe.quit()


@pytest.mark.parametrize("answer", [b"<html>", b"{}", b"[]", b"null", (503, status(503, "ServiceUnavailable"), {})])
def test_no_list(api: FakeApi, begin: Begin, answer: Answer) -> None:
    api.on_list = answers(answer, listing(10, thing("a", 5)))
    probe = begin()
    assert probe.expect("synced") == "synced 1"
    assert len(api.lists) == 2
    probe.quit()


def test_watches_that_end_at_once_are_not_a_spin(api: FakeApi, begin: Begin) -> None:
    probe = begin()
    end = time.monotonic() + 4
    count = 0
    while time.monotonic() < end:
        if api.watches.empty():
            time.sleep(0.01)
            continue
        api.next_watch().end()
        count += 1
    assert count <= 5  # 0.8 s, 1.6 s, 3.2 s ... at least
    probe.quit()
