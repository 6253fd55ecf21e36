"""The informer against an API server that refuses, cuts, repeats, forgets and talks nonsense."""

from __future__ import annotations

import pathlib
import time
from collections.abc import Callable, Iterator

import pytest
from fake_api import BY_HAND, Answer, FakeApi, Query, bookmark, end_of_list, event, listing, status, thing
from probe import Probe, write_kubeconfig

GONE = status(410, "Expired", "too old resource version")


@pytest.fixture(params=[True, False], ids=["stream", "pages"])
def api(request: pytest.FixtureRequest) -> Iterator[FakeApi]:
    api = FakeApi(streams=request.param)
    yield api
    api.close()


streamed = pytest.mark.parametrize("api", [True], ids=["stream"], indirect=True)
in_pages = pytest.mark.parametrize("api", [False], ids=["pages"], indirect=True)


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
    if api.streams:
        assert [(q["sendInitialEvents"], q["resourceVersionMatch"]) for q in api.lists] == [("true", "NotOlderThan")]
        assert "resourceVersion" not in watch.query and watch.query is api.lists[0]
    else:
        assert api.lists == [{"limit": "500"}]
    probe.quit()


@in_pages
def test_a_server_without_streams_is_asked_for_one_once(api: FakeApi, begin: Begin) -> None:
    api.on_list = answers(listing(10), listing(20, thing("a", 15)))
    probe = begin()
    api.next_watch().send(event("ERROR", GONE))
    probe.expect("+ a 15")
    assert api.next_watch().version == 20
    assert (api.streams_refused, len(api.lists)) == (1, 2)
    probe.quit()


@streamed
def test_what_happens_while_a_list_is_told(api: FakeApi, begin: Begin) -> None:
    api.on_list = answers(BY_HAND)
    probe = begin()
    stream = api.next_watch()
    stream.send(
        event("ADDED", thing("a", 1)),
        event("ADDED", thing("b", 2)),
        event("ADDED", thing("c", 3)),
        bookmark(3),
        event("MODIFIED", thing("a", 11)),
        event("DELETED", thing("b", 12)),
        event("DELETED", thing("c", 13)),
        event("ADDED", thing("c", 14)),
        end_of_list(20) + event("MODIFIED", thing("a", 21)),  # in one piece
    )
    probe.expect("~ a 21")  # what else has arrived goes before the word that all is there
    assert probe.expect("synced") == "synced 2"
    assert {name: version for name, (version, _) in probe.dump().items()} == {"a": 21, "c": 14}
    assert not any(" b " in line for line in probe.all)
    stream.end()
    assert api.next_watch().version == 21
    probe.quit()


@streamed
@pytest.mark.parametrize("how", ["cut", "error", "nonsense", "older"])
def test_of_a_list_that_is_not_told_to_its_end_nothing_is_taken(api: FakeApi, begin: Begin, how: str) -> None:
    api.on_list = answers(listing(10, thing("a", 5)), BY_HAND, listing(30, thing("a", 5), thing("c", 30)))
    probe = begin()
    api.next_watch().send(event("ERROR", GONE))
    stream = api.next_watch()
    stream.send(event("ADDED", thing("b", 12)))
    if how == "cut":
        stream.end()
    elif how == "error":
        stream.send(event("ERROR", status(500, "InternalError", "etcd went away")))
    elif how == "nonsense":
        stream.send(b"<html>\n")
    else:
        stream.send(end_of_list(9))
    probe.expect("+ c 30")
    assert set(probe.dump()) == {"a", "c"}
    assert not any(" b " in line or line.startswith("-") for line in probe.all)
    probe.quit()


@streamed
@pytest.mark.parametrize("how", ["cut", "error"])
def test_a_server_whose_streams_never_reach_their_end_is_asked_for_pages(api: FakeApi, begin: Begin, how: str) -> None:
    """It may cut those that fall behind, or know no better answer than 500 (kube-apiserver with an old etcd)."""

    def on_list(query: Query) -> Answer:
        if "limit" in query:
            return listing(20, thing("a", 5))
        return (
            event("ERROR", status(500, "InternalError", "fall back"))
            if how == "error"
            else event("ADDED", thing("a", 5))
        )

    api.on_list = on_list
    probe = begin()
    assert probe.expect("synced") == "synced 1"
    api.on_list = answers(listing(30, thing("a", 25)))
    api.next_watch().refuse(410, GONE)
    probe.expect("~ a 25")
    assert ["limit" in query for query in api.lists] == [False, True, False]  # each list tries anew
    probe.quit()


@streamed
def test_a_list_that_falls_silent_is_asked_for_again(api: FakeApi, begin: Begin) -> None:
    api.on_list = answers(BY_HAND, listing(30, thing("c", 30)))
    probe = begin()
    began = time.monotonic()
    api.next_watch().send(event("ADDED", thing("b", 12)))
    assert probe.expect("synced", 90) == "synced 1"
    assert time.monotonic() - began > 59  # no sooner: a busy API server may think for long
    assert set(probe.dump()) == {"c"}
    probe.quit()


@streamed
def test_a_list_of_many_megabytes_is_whole(api: FakeApi, begin: Begin) -> None:
    padding = "x" * 10_000
    things = [{**thing(f"c{i}", i + 1), "spec": {"padding": padding}} for i in range(1000)]
    api.on_list = answers(listing(2000, *things))
    probe = begin()
    assert probe.expect("synced", 30) == "synced 1000"
    assert {name: version for name, (version, _) in probe.dump().items()} == {f"c{i}": i + 1 for i in range(1000)}
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


@streamed
def test_a_refusal_right_behind_the_list_counts_too(api: FakeApi, begin: Begin) -> None:
    """Before the word that all is there, which forgot it, so that one more was needed."""
    refusal = status(400, "BadRequest", "invalid resource version")
    api.on_list = answers(BY_HAND, listing(20, thing("a", 15)))
    probe = begin()
    api.next_watch().send(end_of_list(10) + event("ERROR", refusal))  # in one piece
    for _ in range(3):
        api.next_watch().refuse(400, refusal)
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


@in_pages
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


@in_pages
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


@in_pages
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
