#!/usr/bin/env python3
"""Fails on an include that points upward, and on a foreign library used outside of its one wrapper.

usage: layers.py SOURCE_ROOT
"""

import re
import sys
from pathlib import Path

# Part -> the parts whose headers it may include. A part's folder is lib/<part> or <part>.
LAYERS = {
    "base": {"base"},
    "io": {"io", "base"},
    "kube": {"kube", "io", "base"},
    "arena": {"arena", "base", "proto"},
    "controller": {"controller", "arena", "proto", "kube", "io", "base"},
    "api-server": {"api-server", "arena", "proto", "kube", "io", "base"},
    "fetch": {"fetch", "io", "base"},
}
LIBRARIES = ("base", "io", "kube", "arena")

# Foreign header -> the files that may include it.
DOORS = {
    r"json-c/": r"lib/base/include/base/json\.h",
    r"uthash|utlist|utarray": r"lib/base/table\.c",
    # fetch has no loop: one download with curl's blocking interface, behind its own file.
    r"curl/": r"lib/io/http[a-z_]*\.[ch]|fetch/.*\.[ch]",
    r"microhttpd\.h": r"lib/io/probe_server\.c",
    r"libpq-fe\.h": r"lib/io/db[a-z_]*\.[ch]",
    r"libwebsockets\.h": r"api-server/sockets\.c",
    r"http_parser\.h": r"api-server/(connection_parts\.h|answer\.c)",
    r"wslay/": r"api-server/websocket\.c",
    r"yaml\.h": r"lib/kube/(kubeconfig|config|yaml)[a-z_]*\.[ch]|(controller|api-server)/settings\.c",
    r"archive(_entry)?\.h>|git2(\.h|/)": r"fetch/.*\.[ch]",
    r"protobuf-c/|.*\.pb-c\.h": r"lib/arena/.*\.[ch]",
}

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"][^>"]+[>"])', re.MULTILINE)


def part_of(path: str) -> str | None:
    steps = path.split("/")
    part = steps[1] if steps[0] == "lib" else steps[0]
    return part if part in LAYERS else None


def target_of(include: str) -> str | None:
    """The part that an include such as "kube/client.h" belongs to; None for what is not ours."""
    name = include[1:-1]
    if name.endswith(".pb-c.h"):
        return "proto"
    first = name.split("/")[0]
    if "/" in name and first in LAYERS:
        return first
    if "../" in name:
        return next((step for step in name.split("/") if step in LAYERS), None)
    return None


def problems_in(path: str, text: str) -> list[str]:
    part = part_of(path)
    found = []
    for match in INCLUDE.finditer(text):
        include = match.group(1)
        line = text.count("\n", 0, match.start(1)) + 1
        target = target_of(include) if include[0] == '"' else None
        if part and target and target not in LAYERS[part]:
            found.append(f"{path}:{line}: {part} includes {include}, which belongs to {target}")
        for header, door in DOORS.items():
            if re.match(r'[<"](?:' + header + ")", include) and not re.fullmatch(door, path):
                found.append(f"{path}:{line}: {include} is only for {door}")
    return found


def sources(root: Path) -> list[Path]:
    folders = [root / "lib" / name for name in LIBRARIES]
    folders += [root / name for name in LAYERS if name not in LIBRARIES]
    return sorted(p for folder in folders if folder.is_dir() for p in folder.rglob("*.[ch]"))


def check(root: Path) -> list[str]:
    found = []
    for source in sources(root):
        path = source.relative_to(root).as_posix()
        found += problems_in(path, source.read_text(encoding="utf-8", errors="replace"))
    return found


def main() -> int:
    root = Path(sys.argv[1])
    if not sources(root):
        print(f"no C source under {root}", file=sys.stderr)
        return 2
    found = check(root)
    for problem in found:
        print(problem, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
