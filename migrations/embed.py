#!/usr/bin/env python3
"""The migrations as C: what api-server/migrate.h declares. usage: embed.py OUTPUT FILE.sql..."""

import hashlib
import pathlib
import re
import sys


def literal(text: str) -> str:
    """A C string, a line of it for each line of the text."""
    lines = text.splitlines(keepends=True) or [""]
    escaped = (line.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") for line in lines)
    return "\n".join(f'        "{line}"' for line in escaped)


def entry(path: pathlib.Path) -> tuple[int, str]:
    match = re.fullmatch(r"(\d{4})_[a-z0-9_]+\.sql", path.name)
    if not match:
        sys.exit(f"{path.name}: a migration is called NNNN_what.sql")
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    version = int(match.group(1))
    return version, f'    {{{version}, "{path.name}",\n{literal(content.decode())},\n     "{digest}"}},\n'


def main() -> None:
    entries = sorted(entry(pathlib.Path(name)) for name in sys.argv[2:])
    versions = [version for version, _ in entries]
    if len(set(versions)) != len(versions):
        sys.exit("two migrations have one number")
    body = "".join(text for _, text in entries)
    pathlib.Path(sys.argv[1]).write_text(
        '// Made by migrations/embed.py.\n#include "migrate.h"\n\n'
        f"const struct migration migrations[] = {{\n{body}}};\n"
        f"const unsigned migration_count = {len(entries)};\n"
    )


main()
