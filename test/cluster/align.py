#!/usr/bin/env python3
"""Gives the Go programs that are built here one version of every module that more than one of them compiles.

    test/cluster/align.py        changes go.mod and go.sum; run it after raising a version, then ./arena test

A package is then compiled once for all of them instead of once for each: a quarter of all that there is to compile.
The highest version that any of them asks for wins. Kubernetes and etcd are left alone: their parts fit each other
exactly.
"""

from __future__ import annotations

import json
import os
import pathlib
import re
import subprocess

HERE = pathlib.Path(__file__).resolve().parent
MODULES = HERE / "go"
PROGRAMS = ("coredns", "kaniko", "trivy", "trivydb", "versitygw")
# These go with each other, and Kaniko's are of a time when they were cut otherwise.
KEPT = {"kaniko": ("github.com/containerd/", "github.com/docker/", "github.com/moby/", "github.com/opencontainers/")}
ENVIRONMENT = {
    **os.environ,
    "CGO_ENABLED": "0",
    "GOTOOLCHAIN": "local",
    "GOEXPERIMENT": "jsonv2",
    "GOFLAGS": "-mod=mod",
}


def go(program: str, *arguments: str) -> str:
    command = ["go", *arguments]
    done = subprocess.run(command, cwd=MODULES / program, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{program}: {' '.join(command)[:200]}\n{done.stderr}")
    return done.stdout


def package(program: str) -> str:
    """What is built of it, as gobin.sh says."""
    found = re.search(rf"^\w+ +{program} +(\S+)$", (HERE / "gobin.sh").read_text(), re.MULTILINE)
    assert found, program
    return found[1]


def compiled(program: str) -> dict[str, str]:
    """The modules that packages of it come from, and their versions."""
    text = go(program, "list", "-deps", "-json=Module", package(program))
    decoder, found, at = json.JSONDecoder(), {}, 0
    while at < len(text):
        one, at = decoder.raw_decode(text, at)
        at += len(text[at:]) - len(text[at:].lstrip())
        module = one.get("Module") or {}
        own = module.get("Path", "").startswith(KEPT.get(program, ("-",)))
        if module.get("Version") and "Replace" not in module and not own:
            found[module["Path"]] = module["Version"]
    return found


def key(version: str) -> tuple:
    """Orders as semantic versions do: a release after its pre-releases."""
    numbers, _, rest = version.removesuffix("+incompatible").lstrip("v").partition("-")
    return tuple(map(int, numbers.split("."))), rest == "", rest


def align() -> bool:
    every = {program: compiled(program) for program in PROGRAMS}
    highest: dict[str, str] = {}
    for modules in every.values():
        for path, version in modules.items():
            highest[path] = max(highest.get(path, version), version, key=key)
    changed = False
    for program, modules in every.items():
        wanted = [path for path, version in sorted(modules.items()) if version != highest[path]]
        if wanted:
            print(f"{program}: {len(wanted)} modules", flush=True)
            # At least these: what they need themselves may raise others, hence the next round.
            go(program, "mod", "edit", *(f"-require={path}@{highest[path]}" for path in wanted))
            go(program, "mod", "tidy")
            changed = True
    return changed


if __name__ == "__main__":
    while align():
        continue
