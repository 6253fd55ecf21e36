"""Adds up what the stages of ./arena test found, and ends with one line.

Every JUnit file in the folder counts by its cases. A stage without such a file
(a build, a check) counts as one case, and so does a stage that failed although
none of its cases did.
"""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path


def cases(path: Path) -> tuple[int, int, int, list[str]]:
    """Passed, failed and skipped cases of one file, and the failed ones' names."""
    passed = skipped = 0
    failed: list[str] = []
    for case in ElementTree.parse(path).iter("testcase"):
        kinds = {child.tag for child in case}
        if kinds & {"failure", "error"}:
            failed.append(f"{path.stem}: {case.get('classname', '')} {case.get('name', '')}".strip())
        elif "skipped" in kinds:
            skipped += 1
        else:
            passed += 1
    return passed, len(failed), skipped, failed


def main() -> int:
    folder = Path(sys.argv[1])
    lines = (folder / "stages").read_text().split("\n") if (folder / "stages").exists() else []
    passed = failed = skipped = 0
    names: list[str] = []
    for line in filter(None, lines):
        stage, outcome = line.split()
        path = folder / f"{stage}.xml"
        counted = (0, 0, 0, [])
        if path.exists():
            try:
                counted = cases(path)
            except ElementTree.ParseError as error:
                counted = (0, 1, 0, [f"{stage}: unreadable result: {error}"])
        if outcome == "failed" and counted[1] == 0:
            counted = (counted[0], 1, counted[2], [f"stage {stage}"])
        elif not path.exists():
            counted = (1, 0, 0, [])
        passed += counted[0]
        failed += counted[1]
        skipped += counted[2]
        names += counted[3]
    for name in names:
        print(f"failed: {name}")
    if skipped:
        print(f"skipped: {skipped}")
    print(f"{passed} passed, {failed} failed", flush=True)
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
