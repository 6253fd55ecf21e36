"""The embedded cluster of `./arena up`, as the benches that need a whole arena use it.

They make their own objects under names that begin with `bench-`, and take them away again.
"""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from .machine import ROOT

sys.path.insert(0, str(ROOT / "test" / "e2e"))
import cluster  # noqa: E402
from objects import API_VERSION, READY_IMAGE  # noqa: E402

Object = dict[str, Any]
PREFIX = "bench-"


def require() -> None:
    """Fails with a sentence when no arena runs here."""
    try:
        cluster.kubectl("get", "deployments", namespace=cluster.SYSTEM)
    except cluster.KubectlError as error:
        raise RuntimeError(f"this bench needs a running arena (./arena up): {error}") from error


def thing(kind: str, name: str, spec: Object) -> Object:
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": PREFIX + name}, "spec": spec}


def agents(environment: str, names: list[str], image: str = READY_IMAGE) -> None:
    """Ready agents of one environment that only play by hand."""
    for name in names:
        spec = {"owner": f"{PREFIX}{name}", "environment": environment, "matchmaking": {"enabled": False}}
        submission = {"agent": PREFIX + name, "source": {"image": image}}
        cluster.apply([thing("Agent", name, spec), thing("Submission", f"{name}-v1", submission)])
    for name in names:
        wanted = f"submission/{PREFIX}{name}-v1"
        cluster.kubectl("wait", "--for=condition=Ready", wanted, "--timeout=600s", limit=620)


def match(name: str, environment: str, first: str, second: str) -> Object:
    seats = [{"agent": PREFIX + first}, {"agent": PREFIX + second}]
    return thing("Match", name, {"environment": environment, "participants": seats})


def clear() -> None:
    for kind in ("matches", "submissions", "agents"):
        names = [cluster.name_of(one) for one in cluster.listed(kind)]
        own = [name for name in names if name.startswith(PREFIX)]
        if own:
            cluster.delete(kind, *own)


class Watch:
    """Every change of one kind, with the monotonic time at which kubectl told it."""

    def __init__(self, kind: str, heard: Callable[[float, str, Object], None]) -> None:
        command = [*cluster.kubectl_command(), "-n", cluster.NAMESPACE, "get", cluster.full(kind)]
        command += ["--watch-only", "--output-watch-events", "-o", "json"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE)
        self.heard = heard
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()
        time.sleep(1)  # until it watches; nothing tells

    def _read(self) -> None:
        text, decoder = "", json.JSONDecoder()
        assert self.process.stdout
        while part := self.process.stdout.read1(1 << 16):
            now = time.monotonic()
            text += part.decode()
            while text := text.lstrip():
                try:
                    event, end = decoder.raw_decode(text)
                except ValueError:
                    break
                self.heard(now, event["type"], event["object"])
                text = text[end:]

    def close(self) -> None:
        self.process.terminate()
        self.process.wait()
        self.thread.join(5)


def pid_of(program: str) -> int:
    """Of the one process in the cluster's Pods whose command has a path that ends like this."""
    found = []
    for folder in pathlib.Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
            inside = b"kubepods" in (folder / "cgroup").read_bytes()
        except OSError:
            continue
        if inside and any(word.endswith(f"/{program}".encode()) for word in words):
            found.append(int(folder.name))
    if not found:
        raise RuntimeError(f"no process of {program} in the cluster")
    return min(found)
