"""The examples: a real API server takes them, and they are what they say they are."""

from __future__ import annotations

import hashlib
import pathlib
import re
import subprocess
import sys
from typing import Any

import pytest
import yaml
from arena_api import PLURALS, ROOT, Arena, kustomize

EXAMPLES = ROOT / "examples"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SHOWN = [
    (f"{page.name}-{number}", text)
    for page in PAGES
    for number, text in enumerate(re.findall(r"^```yaml\n(.*?)^```$", page.read_text(), re.M | re.S), 1)
]
FILES = sorted(path for path in EXAMPLES.rglob("*.yaml") if path.name != "kustomization.yaml")


def documents(path: pathlib.Path) -> list[dict[str, Any]]:
    return [document for document in yaml.safe_load_all(path.read_text()) if document]


def run(*command: str) -> str:
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(EXAMPLES).as_posix())
def test_the_api_server_takes_them(arena: Arena, path: pathlib.Path) -> None:
    for document in documents(path):
        document["metadata"]["namespace"] = arena.namespace
        answer = arena.api.request(
            "POST", arena.path(document["kind"]), document, dryRun="All", fieldValidation="Strict"
        )
        assert answer.ok, f"{document['metadata']}: {answer.message}"


@pytest.mark.parametrize(("name", "text"), SHOWN, ids=[name for name, _ in SHOWN])
def test_the_api_server_takes_what_the_pages_show(arena: Arena, name: str, text: str) -> None:
    for document in yaml.safe_load_all(text):
        document["metadata"]["namespace"] = arena.namespace
        answer = arena.api.request(
            "POST", arena.path(document["kind"]), document, dryRun="All", fieldValidation="Strict"
        )
        assert answer.ok, f"{document['metadata']}: {answer.message}"


def test_the_code_in_the_yaml_is_the_code_in_the_files() -> None:
    run(str(EXAMPLES / "render.py"), "--check")


def test_two_agents_of_different_owners_for_each_environment() -> None:
    objects = kustomize("examples")
    agents = [item for item in objects if item["kind"] == "Agent"]
    for queue in kustomize("manifests/environments"):
        name = queue["metadata"]["name"]
        owners = [item["spec"]["owner"] for item in agents if item["spec"]["environment"] == name]
        assert len(owners) >= 2, name
        assert len(set(owners)) == len(owners), name


def test_every_agent_has_a_first_version() -> None:
    objects = kustomize("examples")
    names = {item["metadata"]["name"] for item in objects if item["kind"] == "Agent"}
    submitted = [item["spec"]["agent"] for item in objects if item["kind"] == "Submission"]
    assert sorted(submitted) == sorted(names)
    assert {item["metadata"]["namespace"] for item in objects} == {"rl-arena"}
    assert {item["kind"] for item in objects} <= set(PLURALS)


def test_the_pages_show_all_four_kinds() -> None:
    shown = {document["kind"] for _, text in SHOWN for document in yaml.safe_load_all(text)}
    assert shown == set(PLURALS)


def test_the_code_compiles() -> None:
    for path in [*FILES, *EXAMPLES.rglob("*.py")]:
        if path.suffix == ".py":
            compile(path.read_text(), str(path), "exec")
            continue
        for document in documents(path):
            source = document["spec"].get("source", {})
            for name, text in source.get("inline", {}).get("files", {}).items():
                if name.endswith(".py"):
                    compile(text, f"{path}:{name}", "exec")


def test_what_the_sources_download_is_what_they_name(tmp_path: pathlib.Path) -> None:
    said = run(str(EXAMPLES / "sources" / "prepare.py"), str(tmp_path))
    again = run(str(EXAMPLES / "sources" / "prepare.py"), str(tmp_path))
    assert said == again, "not the same twice"
    _, submission = documents(EXAMPLES / "sources" / "archive.yaml")
    archive = submission["spec"]["source"]["archive"]
    name = archive["url"].rsplit("/", 1)[-1]
    packed = (tmp_path / name).read_bytes()
    assert hashlib.sha256(packed).hexdigest() == archive["sha256"]

    _, submission = documents(EXAMPLES / "sources" / "git.yaml")
    source = submission["spec"]["source"]["git"]
    repository = tmp_path / source["url"].rsplit("/", 1)[-1]
    shown = subprocess.run(
        ["git", "-c", "safe.directory=*", "-C", str(repository), "show",
         f"{source['ref']}:{source['path']}/agent.py"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert shown.stdout == (EXAMPLES / "sources" / "git" / "pong-git" / "agent.py").read_text()


def test_the_readme_of_the_sources_names_them_all() -> None:
    text = (EXAMPLES / "sources" / "README.md").read_text()
    for path in (EXAMPLES / "sources").glob("*.yaml"):
        assert f"`{path.name}`" in text
