"""One pass of the matchmaker over 1,000 to 100,000 waiting agents, beside the way of one SQL query for each.

`pairing.c` measures the pass itself on three crowds. The other way has the same entries in PostgreSQL with an
index on Elo: each agent in its turn asks for the nearest that suits, and both are marked. It is what a
service without a matchmaker's memory does; its sizes end where a pass takes minutes.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import defaultdict
from typing import Any

from common import Context, exponent, median
from common.machine import ROOT

sys.path.insert(0, str(ROOT / "test" / "integration" / "front"))

from postgres import Postgres, connect  # noqa: E402

PROGRAM = "bench/bench-pairing"
TABLES = """
    DROP TABLE IF EXISTS entry, recent;
    CREATE TABLE entry (id text PRIMARY KEY, owner text NOT NULL, elo int NOT NULL, reach int NOT NULL,
                        priority int NOT NULL, enqueued bigint NOT NULL, matched bool NOT NULL DEFAULT false);
    CREATE TABLE recent (a text NOT NULL, b text NOT NULL);
"""
INDEXES = """
    CREATE INDEX ON entry (elo) WHERE NOT matched;
    CREATE INDEX ON recent (a, b);
    ANALYZE entry, recent;
"""
OPPONENT = """
    SELECT o.id FROM entry o
    WHERE NOT o.matched AND o.id <> %(id)s AND o.owner <> %(owner)s
      AND o.elo BETWEEN %(elo)s - %(reach)s AND %(elo)s + %(reach)s AND abs(o.elo - %(elo)s) <= o.reach
      AND NOT EXISTS (SELECT FROM recent r WHERE r.a = %(id)s AND r.b = o.id)
    ORDER BY abs(o.elo - %(elo)s), o.priority, o.enqueued, o.id LIMIT 1
"""
FIELDS = ("id", "owner", "elo", "reach", "priority", "enqueued")


def fill(connection: Any, entries: str) -> None:
    rows = [line.split("\t") for line in entries.splitlines()]
    connection.execute(TABLES)
    with connection.cursor() as cursor:
        with cursor.copy(f"COPY entry ({', '.join(FIELDS)}) FROM STDIN") as copy:
            for kind, *row in rows:
                if kind == "agent":
                    copy.write_row(row)
        with cursor.copy("COPY recent FROM STDIN") as copy:
            for kind, *row in rows:
                if kind == "recent":
                    copy.write_row(row)
                    copy.write_row(row[::-1])
    connection.execute(INDEXES)


def one_pass(connection: Any) -> tuple[float, int]:
    """Milliseconds, and pairs. The queries are prepared, and all are one transaction."""
    began, pairs = time.perf_counter(), 0
    matched: set[str] = set()
    with connection.transaction():
        waiting = connection.execute(f"SELECT {', '.join(FIELDS)} FROM entry ORDER BY priority, enqueued, id")
        for row in waiting.fetchall():
            if row[0] in matched:
                continue
            found = connection.execute(OPPONENT, dict(zip(FIELDS, row, strict=True)), prepare=True).fetchone()
            if found:
                both = [row[0], found[0]]
                connection.execute("UPDATE entry SET matched = true WHERE id = ANY(%s)", [both], prepare=True)
                matched.update(both)
                pairs += 1
    return (time.perf_counter() - began) * 1000, pairs


def passes(context: Context, program: str) -> list[dict[str, Any]]:
    """What bench/pairing.c found: for each crowd and number of agents the times in milliseconds."""
    file = context.folder / "pairing.json"
    subprocess.run([program, str(file)], check=True, stdout=subprocess.DEVNULL)
    found: list[dict[str, Any]] = json.loads(file.read_text())["results"]
    return found


def run(context: Context) -> None:
    program = str(context.program(PROGRAM))
    sizes = context.sizes([1000, 3000, 10_000], [1000])
    context.input(pairing_runs="10 in each run", sql_sizes=sizes)
    times: dict[tuple[str, int], list[float]] = defaultdict(list)
    pairs: dict[tuple[str, int], int] = {}
    with Postgres() as server:
        connection = connect(server.url())
        for _ in range(context.runs):
            for one in passes(context, program):
                times[one["crowd"], one["agents"]] += one["times"]
                pairs[one["crowd"], one["agents"]] = one["pairs"]
            for size in sizes:
                entries = subprocess.run([program, "--entries", str(size)], check=True, capture_output=True, text=True)
                fill(connection, entries.stdout)
                spent, pairs["sql", size] = one_pass(connection)
                times["sql", size].append(spent)
                context.say(f"{size} agents by SQL: {spent:.0f} ms")
        connection.close()
    for (crowd, size), values in times.items():
        side = "SQL for each agent" if crowd == "sql" else "arena"
        what = f"{'spread' if crowd == 'sql' else crowd}, {size} agents"
        context.row(what, "ms", values, side, pairs=pairs[crowd, size])
    for crowd in dict.fromkeys(crowd for crowd, _ in times):
        points = {size: median(values) for (other, size), values in times.items() if other == crowd}
        if len(points) > 1:
            side = "SQL for each agent" if crowd == "sql" else "arena"
            context.row(f"growth of {'spread' if crowd == 'sql' else crowd}: exponent", "", [exponent(points)], side)
    context.note(
        "pairs of spread: "
        + ", ".join(f"{size}: arena {pairs['spread', size]}, SQL {pairs['sql', size]}" for size in sizes)
    )
    context.goal("pairing of 100,000", median(times["spread", 100_000]) < 50, "under 50 ms")
