"""docs/security.md tells of each fuzz target how long it ran, or that it did not run long enough."""

from __future__ import annotations

import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text()
ENOUGH = 20


def test_each_fuzz_target_has_had_its_time_or_is_said_not_to() -> None:
    build = (ROOT / "test" / "fuzz" / "meson.build").read_text()
    targets = set(re.findall(r"^  '(\w+)': \[", build, re.M))
    lines = PAGE.partition("at most 1 GiB:")[2].partition("Found and fixed:")[0].splitlines()
    rows = [re.match(r"\| `(\w+)` \|.*\| [\d,]+ \| ([\d.]+) \|$", line) for line in lines]
    minutes = {row[1]: float(row[2]) for row in rows if row}
    said = "have not had their 20 minutes" in " ".join(lines)
    assert len(targets) > 15
    assert set(minutes) == targets
    assert said == any(each < ENOUGH for each in minutes.values())


def test_each_corpus_has_seeds() -> None:
    for corpus in (ROOT / "test" / "fuzz" / "corpus").iterdir():
        assert len(list(corpus.iterdir())) > 1, corpus.name
