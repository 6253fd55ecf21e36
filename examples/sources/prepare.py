#!/usr/bin/env python3
"""Puts what the examples download into a folder that a web server serves: prepare.py FOLDER.

  FOLDER/pong-net.zip   the archive of archive.yaml, byte for byte the same everywhere, so that its
                        sha256 can stand in the YAML
  FOLDER/agents.git     the repository of git.yaml, with one commit that is the same everywhere

Prints the archive's sha256 and the commit.
"""

from __future__ import annotations

import hashlib
import io
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import zipfile

HERE = pathlib.Path(__file__).resolve().parent
ARCHIVED = ("agent.py", "net.py", "requirements.txt", "weights.npy")
EPOCH = (1980, 1, 1, 0, 0, 0)


def archive() -> bytes:
    """Stored, not deflated: zlib's output depends on its version."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as packed:
        for name in ARCHIVED:
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.create_system = 3
            entry.external_attr = 0o644 << 16
            packed.writestr(entry, (HERE / "archive" / name).read_bytes())
    return out.getvalue()


def git(*arguments: str, folder: str | pathlib.Path) -> str:
    """git as nobody in particular: no configuration of this machine, a fixed author and time."""
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_SYSTEM": os.devnull,
        "GIT_AUTHOR_NAME": "Carol",
        "GIT_AUTHOR_EMAIL": "carol@example.com",
        "GIT_AUTHOR_DATE": "2026-01-01T00:00:00Z",
        "GIT_COMMITTER_NAME": "Carol",
        "GIT_COMMITTER_EMAIL": "carol@example.com",
        "GIT_COMMITTER_DATE": "2026-01-01T00:00:00Z",
    }
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments],
        env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout.strip()


def repository(target: pathlib.Path) -> str:
    with tempfile.TemporaryDirectory() as work:
        git("init", "--quiet", "--initial-branch=main", folder=work)
        shutil.copytree(HERE / "git", pathlib.Path(work) / "agents", ignore=shutil.ignore_patterns("__pycache__"))
        git("add", "--all", folder=work)
        git("commit", "--quiet", "--message=agents: one that stays with the ball", folder=work)
        git("tag", "v1", folder=work)
        commit = git("rev-parse", "HEAD", folder=work)
        fresh = target.with_name(target.name + ".new")
        shutil.rmtree(fresh, ignore_errors=True)
        git("clone", "--quiet", "--bare", work, str(fresh), folder=work)
    shutil.rmtree(target, ignore_errors=True)
    fresh.rename(target)
    return commit


def main() -> int:
    if len(sys.argv) != 2:
        print("usage: prepare.py FOLDER", file=sys.stderr)
        return 2
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    packed = archive()
    fresh = folder / "pong-net.zip.new"
    fresh.write_bytes(packed)
    fresh.rename(folder / "pong-net.zip")
    print(f"pong-net.zip sha256 {hashlib.sha256(packed).hexdigest()}")
    print(f"agents.git commit {repository(folder / 'agents.git')}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
