#!/usr/bin/env python3
"""Writes <environment>.yaml from agents/<environment>-<name>/agent.py.

An inline Submission holds its code literally, and code wants to be read and tested as a file; so
this copies the one into the other. A test checks that it was run: examples/render.py --check.
"""

from __future__ import annotations

import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
ENVIRONMENTS = (
    "pong",
    "connect-four",
    "tic-tac-toe",
    "rock-paper-scissors",
    "leduc-holdem",
    "chess",
)
OWNERS = ("alice", "bob")

HEADER = """\
# Made by render.py from agents/: two agents, and the first version of each.
"""
OBJECTS = """\
---
apiVersion: rl-arena.io/v1alpha1
kind: Agent
metadata:
  name: {name}
spec:
  owner: {owner}
  environment: {environment}
  displayName: {display}
  description: {description}
---
apiVersion: rl-arena.io/v1alpha1
kind: Submission
metadata:
  name: {name}-v1
spec:
  agent: {name}
  source:
    inline:
      files:
        agent.py: |
{code}
"""


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def indented(code: str) -> str:
    return "\n".join(f"{'':10}{line}" if line else "" for line in code.rstrip("\n").split("\n"))


def document(environment: str) -> str:
    parts = [HEADER]
    folders = sorted(HERE.glob(f"agents/{environment}-*/agent.py"))
    for owner, file in zip(OWNERS, folders, strict=True):
        code = file.read_text()
        name = file.parent.name
        kind = name.removeprefix(environment + "-")
        parts.append(
            OBJECTS.format(
                name=name,
                owner=owner,
                environment=environment,
                display=quoted(kind.replace("-", " ").capitalize()),
                description=quoted(code.split('"""')[1].split("\n\n")[0].strip()),
                code=indented(code),
            )
        )
    return "".join(parts)


def main() -> int:
    check = sys.argv[1:] == ["--check"]
    stale = []
    for environment in ENVIRONMENTS:
        path = HERE / f"{environment}.yaml"
        text = document(environment)
        if check:
            if not path.exists() or path.read_text() != text:
                stale.append(path.name)
        else:
            path.write_text(text)
    if stale:
        print(f"not up to date, run examples/render.py: {', '.join(stale)}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
