"""How large the stripped programs are, and the images that the embedded cluster's registry has.

An image's size is that of its layers as they travel, compressed. The registry is asked when a cluster
runs here; otherwise only the programs are told.
"""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import subprocess

from common import Context

MIB = 1024 * 1024
PROGRAMS = ("controller", "api-server", "fetch")
# And how large they may be, in MiB.
IMAGES = {"controller": 40, "api-server": 40, "fetch": 40, "executor": None, "agent-runtime": 160}
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


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


def layers(name: str) -> float | None:
    """MiB of the image that the embedded cluster runs; None without a cluster."""
    netns = pathlib.Path("/run/netns") / os.environ.get("ARENA_NETNS", "rl-arena")
    registry = os.environ.get("REGISTRY", "10.77.0.1:5000")
    if not netns.exists():
        return None
    url = f"http://{registry}/v2/rl-arena/{name}/manifests/dev"
    command = ["nsenter", f"--net={netns}", "curl", "-fsS", "--max-time", "5", "-H", f"Accept: {MANIFEST}", url]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return None
    manifest = json.loads(done.stdout)
    return sum(layer["size"] for layer in manifest["layers"]) / MIB


def run(context: Context) -> None:
    largest = 0.0
    for name in PROGRAMS:
        size = stripped(context, name) / 1024
        largest = max(largest, size)
        context.row(f"{name}, stripped", "KiB", [size])
        context.row(f"{name}, its shared libraries", "MiB", [libraries(context.folder / name) / MIB])
    context.goal("programs", largest < 1024, "each under 1 MiB")
    for name, limit in IMAGES.items():
        found = layers(name)
        if found is None:
            context.note(f"image {name}: no cluster here that has it")
            continue
        context.row(f"image {name}, compressed", "MiB", [found])
        if limit:
            context.goal(f"image {name}", found < limit, f"under {limit} MiB")
