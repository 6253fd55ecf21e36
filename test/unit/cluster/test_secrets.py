"""Secrets of the embedded cluster: made once, for root's eyes, and never in the tree."""

from __future__ import annotations

import pathlib
import re
import stat

import yaml
from conftest import ROOT, Shell


def test_a_secret_is_made_once_and_another_one_for_another_name(shell: Shell) -> None:
    first, again, other = (shell(f"secret_value {name}").stdout for name in ("one", "one", "two"))
    assert re.fullmatch(r"[0-9a-f]{64}\n?", first)
    assert first == again != other


def test_nobody_else_may_read_it(shell: Shell, tmp_path: pathlib.Path) -> None:
    shell("secret_value one")
    folder = tmp_path / "state" / "secrets"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "one").stat().st_mode) == 0o600


def test_the_manifest_has_the_values_as_they_are(shell: Shell) -> None:
    text = shell("secret_manifest api-server A=1 URL=postgresql://arena:abc=@host/arena").stdout
    (made,) = yaml.safe_load_all(text)
    assert made["kind"] == "Secret" and made["metadata"] == {"name": "api-server", "namespace": "rl-arena-system"}
    assert made["stringData"] == {"A": "1", "URL": "postgresql://arena:abc=@host/arena"}


def test_the_manifests_bring_no_secret_of_their_own() -> None:
    for file in (ROOT / "manifests").rglob("*.y*ml"):
        for item in yaml.safe_load_all(file.read_text()):
            assert (item or {}).get("kind") != "Secret", file
    for file in (ROOT / "manifests").rglob("*.env"):
        assert not re.search(r"^(DATABASE_URL|\w*SECRET\w*)=.", file.read_text(), re.MULTILINE), file
