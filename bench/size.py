"""How large the stripped programs are, and the images that the embedded cluster's registry has.

An image's size is that of its layers as they travel (compressed) and as they are unpacked; the
registry is asked when a cluster runs here, otherwise only the programs are told.
"""

from __future__ import annotations

import pathlib
import shutil
import subprocess

from common import Context

MIB = 1024 * 1024
PROGRAMS = ("controller", "api-server", "fetch")


def stripped(context: Context, name: str) -> int:
    copy = context.folder / name
    shutil.copy(context.program(f"{name}/{name}"), copy)
    subprocess.run(["strip", str(copy)], check=True)
    return copy.stat().st_size


def libraries(program: pathlib.Path) -> int:
    """What comes beside it into an image: the shared libraries that it loads."""
    out = subprocess.run(["ldd", str(program)], capture_output=True, text=True, check=True).stdout
    files = {word for line in out.splitlines() for word in line.split() if word.startswith("/")}
    return sum(pathlib.Path(file).resolve().stat().st_size for file in files)


def run(context: Context) -> None:
    largest = 0.0
    for name in PROGRAMS:
        size = stripped(context, name) / 1024
        largest = max(largest, size)
        context.row(f"{name}, stripped", "KiB", [size])
        context.row(f"{name}, its shared libraries", "MiB", [libraries(context.folder / name) / MIB])
    context.goal("programs", largest < 1024, "each under 1 MiB")
