"""docs/reliability.md names tests: they are there, under these names."""

from __future__ import annotations

import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "reliability.md").read_text()
NAMED = re.findall(r"`((?:crashes|e2e|integration|property|unit)/[\w/]+\.(?:c|py))(?:::(\w+))?`", PAGE)
SCENARIO = re.compile(r'\{\.name = "([^"]+)",( \.small = true,)?')


def text_of(file: str) -> str:
    place = f"integration/{file}" if file.startswith("crashes/") else file
    return (ROOT / "test" / place).read_text()


def test_each_named_test_exists() -> None:
    assert len(NAMED) > 40
    for file, name in NAMED:
        definition = f"def {name}(" if file.endswith(".py") else f"static void {name}(void **state)"
        assert not name or definition in text_of(file), f"{file}::{name}"


def test_each_fault_has_a_test() -> None:
    rows = [line for line in PAGE[PAGE.index("## The controller") :].splitlines() if line.count("|") == 4]
    faults = [row for row in rows if not re.match(r"\|(---| fault \| | scenario \| | \*? ?[\w', ]+\*? \| \d)", row)]
    assert len(faults) > 30
    assert [row for row in faults if "::" not in row] == []


def test_each_test_of_crashes_and_faults_is_named() -> None:
    files = sorted((ROOT / "test/integration/crashes").glob("test_*.py")) + [ROOT / "test/e2e/test_faults.py"]
    told = {name for _, name in NAMED}
    for file in files:
        for name in re.findall(r"^def (test_\w+)\(", file.read_text(), re.M):
            assert name in told or name == "test_nothing_was_left_behind", f"{file.name}::{name}"


def test_the_models_scenarios_are_told() -> None:
    code = (ROOT / "test/model/scenarios.c").read_text().partition("SCENARIOS_DEEP[]")[0]
    scenarios = [name + (" *" if small else "") for name, small in SCENARIO.findall(code)]
    assert len(scenarios) > 10
    assert re.findall(r"^\| ([^|]+) \| [\d,]+ \| [\d,]+ \|$", PAGE, re.M) == scenarios
