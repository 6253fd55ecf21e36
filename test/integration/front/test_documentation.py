"""docs/rest.md against what the program says of itself."""

from __future__ import annotations

import json
import os
import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[3]
PROGRAM = pathlib.Path(os.environ.get("ARENA_API_SERVER", ROOT / "build" / "gcc" / "api-server" / "api-server"))
METHODS = ("get", "put", "post", "patch", "delete")


@pytest.fixture(scope="module")
def document() -> dict:
    done = subprocess.run([PROGRAM, "openapi"], env={}, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def page() -> str:
    return (ROOT / "docs" / "rest.md").read_text()


def operations(document: dict) -> dict[str, dict]:
    """Each operation, by "GET /path"."""
    return {
        f"{method.upper()} {path}": item[method]
        for path, item in document["paths"].items()
        for method in METHODS
        if method in item
    }


def rows() -> dict[str, str]:
    """Who may call each route of the page's table."""
    found = []
    for routes, who in re.findall(r"^\| (`[A-Z]+ /.*?) \| (-|user|owner) \|", page(), re.MULTILINE):
        found += [(route, who) for route in re.findall(r"`([A-Z]+ /\S*)`", routes)]
    assert len(found) == len(dict(found)), "a route is there twice"
    return dict(found)


def test_every_route_is_told_and_no_other(document: dict) -> None:
    assert set(rows()) == set(operations(document))


def test_who_may_is_what_the_program_asks_for(document: dict) -> None:
    for route, operation in operations(document).items():
        if route.endswith("/ws"):
            continue  # a token may come in the first message
        required = bool(operation.get("security")) and {} not in operation["security"]
        assert required == (rows()[route] != "-"), route


def test_every_event_of_the_tables_triggers_is_told() -> None:
    scripts = "".join(file.read_text() for file in sorted((ROOT / "migrations").glob("*.sql")))
    made = set(re.findall(r"'((?:build|match|leaderboard|queue)_[a-z]+)'", scripts))
    kinds = {"build_status", "build_log", "match_created", "match_started", "match_completed", "leaderboard_update"}
    assert kinds | {"queue_update"} <= made
    for kind in sorted(made & (kinds | {"queue_update", "match_frame"})):
        assert f"`{kind}`" in page(), kind


@pytest.mark.parametrize(
    ("variable", "shown"),
    [("RATE_AUTH", "{} a minute"), ("RATE_SUBMISSION", "{} a minute"), ("RATE_MATCH", "{} a minute"),
     ("RATE_REPLAY", "{} a minute"), ("RATE_GENERAL", "{} a minute"), ("SUBMISSIONS_PER_DAY", "{} a day")],
)  # fmt: skip
def test_the_limits_are_the_configurations(variable: str, shown: str) -> None:
    table = (ROOT / "docs" / "configuration.md").read_text()
    default = re.search(rf"^\| `{variable}` \| `(\d+)` \|", table, re.MULTILINE)
    assert default is not None and shown.format(default[1]) in page()


def test_every_metric_is_told() -> None:
    sources = [*(ROOT / "api-server").rglob("*.c"), *(ROOT / "controller").glob("*.c"), *(ROOT / "lib").rglob("*.c")]
    made = {
        name
        for file in sources
        for name in re.findall(r'metrics_(?:counter|gauge|histogram)\(\s*\w[\w>-]*,\s*"(\w+)"', file.read_text())
    }
    executor = (ROOT / "executor" / "rl_arena" / "executor" / "metrics.py").read_text()
    made |= set(re.findall(r'(?:Counter|Gauge|Histogram)\(\s*"(\w+)"', executor))
    told = set(re.findall(r"^\| `(\w+)` \|", (ROOT / "docs" / "operations.md").read_text(), re.M))
    assert len(made) > 30
    assert told == made
