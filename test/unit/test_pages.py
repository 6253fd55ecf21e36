"""The README and the pages of docs/: what they lead to is there, and the commands that they name exist."""

from __future__ import annotations

import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
    ROOT / "executor" / "README.md",
    ROOT / "examples" / "sources" / "README.md",
]


def names(page: pathlib.Path) -> str:
    return page.relative_to(ROOT).as_posix()


def anchors(page: pathlib.Path) -> set[str]:
    """As GitHub makes them of headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.M)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=names)
def test_every_link_leads_somewhere(page: pathlib.Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if link.startswith(("http://", "https://")):
            continue
        file, _, anchor = link.partition("#")
        target = (page.parent / file).resolve() if file else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=names)
def test_every_command_of_arena_exists(page: pathlib.Path) -> None:
    usage = subprocess.run([ROOT / "arena", "help"], capture_output=True, text=True, check=True).stdout
    known = set(re.findall(r"^  (\w+) ", usage, re.M))
    assert {"demo", "test", "down", "kubectl", "logs"} <= known
    assert set(re.findall(r"\./arena ([a-z]+)", page.read_text())) <= known


def test_the_readme_leads_to_every_page() -> None:
    told = set(re.findall(r"\]\(docs/(\w+\.md)\)", (ROOT / "README.md").read_text()))
    assert told == {page.name for page in (ROOT / "docs").glob("*.md")}
