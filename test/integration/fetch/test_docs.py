"""docs/builds.md names every reason that the program can end with, and no other."""

from __future__ import annotations

import re

from .conftest import ROOT


def test_reasons() -> None:
    code = "".join(path.read_text() for path in sorted((ROOT / "fetch").glob("*.c")))
    known = set(re.findall(r'(?:fault_refuse|fault_retry)\(\s*[\w>-]+,\s*"(\w+)"', code))
    known |= set(re.findall(r'\brefuse\(w, "(\w+)"', code))
    known -= {"BadReport", "NoReport"}  # of the scan
    known -= {"BadImage", "ImageTooBig", "PushFailed"}  # after the build
    page = (ROOT / "docs" / "builds.md").read_text()
    sources = page[page.index("### What is refused") : page.index("### Where `fetch` connects to")]
    lines = [line for line in sources.splitlines() if line.startswith("| `")]
    told = {word for line in lines for word in re.findall(r"`([A-Z]\w+)`", line.split("|")[1])}
    told |= set(re.findall(r"`([A-Z][a-z]+[A-Z]?\w+)`", sources[sources.index("`ServerError`") :].split("\n\n")[0]))
    assert told == known
