"""One bench's run: what it may ask for, and what it found."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from . import machine
from .machine import ROOT
from .values import median

# Not build/release: the images take their programs from there, and it has nothing of bench/.
BUILD = pathlib.Path(os.environ.get("ARENA_BENCH_BUILD", ROOT / "build" / "bench-release"))
RESULTS = ROOT / "build" / "bench"


def shown(value: float) -> str:
    """Four digits that count, and thousands apart."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


class Context:
    """`runs`: how often each side is measured. `small`: a trial that shows that the bench works, and no figure."""

    def __init__(self, name: str, runs: int, small: bool) -> None:
        self.name, self.runs, self.small = name, runs, small
        self.machine = machine.describe()
        self.rows: list[dict[str, Any]] = []
        self.goals: list[dict[str, Any]] = []
        self.inputs: dict[str, Any] = {}
        self.notes: list[str] = []
        self.scratch = tempfile.TemporaryDirectory(prefix=f"arena-bench-{name}-")
        self.folder = pathlib.Path(self.scratch.name)
        self.say(machine.line(self.machine))

    def say(self, text: str) -> None:
        """Progress; the table goes to standard output."""
        print(f"[{self.name}] {text}", file=sys.stderr, flush=True)

    def sizes(self, full: Sequence[int], trial: Sequence[int]) -> list[int]:
        return list(trial if self.small else full)

    # ---- programs

    def program(self, target: str) -> pathlib.Path:
        """A program of ours as it is released: `controller/controller`, `api-server/api-server`."""
        if not (BUILD / "build.ninja").exists():
            subprocess.run(
                ["meson", "setup", "--buildtype=release", str(BUILD), str(ROOT)], check=True, stdout=sys.stderr
            )
        subprocess.run(["ninja", "-C", str(BUILD), target], check=True, stdout=sys.stderr)
        return BUILD / target

    # ---- measuring

    def in_turns(self, sides: Mapping[str, Callable[[], float]]) -> dict[str, list[float]]:
        """Every side once, then again: what disturbs the machine for a while disturbs them all."""
        found: dict[str, list[float]] = {side: [] for side in sides}
        for run in range(self.runs):
            for side, measure in sides.items():
                found[side].append(measure())
                self.say(f"run {run + 1} of {self.runs}: {side} {shown(found[side][-1])}")
        return found

    # ---- what was found

    def input(self, **inputs: Any) -> None:
        """What the figures were measured with: sizes, connections, settings."""
        self.inputs.update(inputs)

    def row(self, what: str, unit: str, values: Sequence[float], side: str = "arena", **more: Any) -> None:
        low, middle, high = min(values), median(values), max(values)
        self.rows.append(
            {"what": what, "side": side, "unit": unit, "min": low, "median": middle, "max": high}
            | {"values": list(values), **more}
        )

    def goal(self, what: str, met: bool, target: str) -> None:
        self.goals.append({"what": what, "target": target, "met": bool(met)})

    def note(self, text: str) -> None:
        self.notes.append(text)

    # ---- telling

    def table(self) -> str:
        head = ["what", "side", "min", "median", "max", "unit"]
        lines = [
            [row["what"], row["side"], *(shown(row[key]) for key in ("min", "median", "max")), row["unit"]]
            for row in self.rows
        ]
        widths = [max(len(line[i]) for line in [head, *lines]) for i in range(len(head))]

        def laid_out(line: list[str]) -> str:
            cells = (
                text.rjust(width) if 2 <= i <= 4 else text.ljust(width)
                for i, (text, width) in enumerate(zip(line, widths, strict=True))
            )
            return "  ".join(cells).rstrip()

        out = [f"== {self.name}", machine.line(self.machine)]
        out += [f"{key}: {value}" for key, value in self.inputs.items()]
        out += ["", laid_out(head), *map(laid_out, lines), ""]
        out += [f"{'reached' if g['met'] else 'MISSED '}  {g['what']}: {g['target']}" for g in self.goals]
        out += [f"note: {text}" for text in self.notes]
        if self.small:
            out.append("note: a small trial; these are no figures")
        return "\n".join(out) + "\n"

    def write(self) -> pathlib.Path:
        RESULTS.mkdir(parents=True, exist_ok=True)
        file = RESULTS / f"{self.name}.json"
        found = {
            "bench": self.name, "small": self.small, "machine": self.machine, "inputs": self.inputs,
            "results": self.rows, "goals": self.goals, "notes": self.notes,
        }  # fmt: skip
        file.write_text(json.dumps(found, indent=1) + "\n")
        return file

    def close(self) -> None:
        self.scratch.cleanup()
