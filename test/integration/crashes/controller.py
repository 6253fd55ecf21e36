"""The controller as a process: built with fault points, outside of any cluster, to be killed."""

from __future__ import annotations

import fcntl
import os
import pathlib
import re
import signal
import subprocess
import time

from control_plane import TOKEN, wait_until
from probe import write_kubeconfig

from . import ROOT
from .executor import TOKEN as EXECUTOR_TOKEN

BUILD = pathlib.Path(os.environ.get("ARENA_FAULT_BUILD", ROOT / "build" / "faults"))
REPOSITORY = "registry.example:5000/agents"
LIMIT = 60.0


def build() -> pathlib.Path:
    """What is installed has no fault points: this is a build of its own, with the sanitizers.

    Each of pytest's processes asks for it; the first one builds.
    """
    BUILD.parent.mkdir(parents=True, exist_ok=True)
    with BUILD.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (BUILD / "build.ninja").exists():
            options = ["-Dfault_points=true", "-Dtests=false", "-Db_sanitize=address,undefined"]
            subprocess.run(["meson", "setup", str(BUILD), str(ROOT), *options], check=True, capture_output=True)
        done = subprocess.run(["ninja", "-C", str(BUILD), "controller/controller"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-4000:]
    return BUILD / "controller" / "controller"


def place_of(line: str) -> str:
    """A fault point without what differs from run to run: 'before PATCH matches/status'."""
    when, _, what = line.strip().partition(" ")
    method, _, path = what.rpartition(" ")
    if not path.startswith("http"):
        return f"{when} {method}"
    found = re.search(r"/namespaces/[^/]+/([a-z]+)(?:/[^/?]+)?(/[a-z]+)?", path)
    assert found, line
    return f"{when} {method} {found[1]}{found[2] or ''}"


def glob_of(place: str) -> str:
    """The same place for FAULT_ONLY."""
    when, method, *what = place.split()
    kind, _, subresource = what[0].partition("/") if what else ("", "", "")
    if method not in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        return f"{place} *"
    return (
        f"{when} {method} */{kind}" + ("" if method == "POST" else "/*") + (f"/{subresource}*" if subresource else "")
    )


class Controller:
    """One process. `server` is how it gets to the API server."""

    def __init__(
        self, program: pathlib.Path, folder: pathlib.Path, namespace: str, server: str, executor: str, listen: str,
        identity: str = "controller-0", **more: str,
    ) -> None:  # fmt: skip
        self.folder = folder
        life = f"{identity}-{time.monotonic_ns()}"
        self.list, self.log = folder / f"{life}.points", folder / f"{life}.log"
        kubeconfig = write_kubeconfig(folder / f"kubeconfig-{identity}", server, f"{{token: {TOKEN}}}")
        environment = {
            "PATH": os.defpath,
            "KUBECONFIG": str(kubeconfig),
            "K8S_NAMESPACE": namespace,
            "POD_NAMESPACE": namespace,
            "POD_NAME": identity,
            "CONTAINER_REGISTRY_URL": REPOSITORY,
            "EXECUTOR_URL": executor,
            "EXECUTOR_TOKEN": EXECUTOR_TOKEN,
            "LISTEN_ADDRESS": listen,
            "LOG_FORMAT": "text",
            "LOG_LEVEL": "debug",
            "FAULT_LIST": str(self.list),
            "ASAN_OPTIONS": "detect_leaks=1",
            "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
            **{f"{name}_IMAGE": f"registry.example/{name.lower()}:1" for name in IMAGES},
            **more,
        }
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [str(program)], env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def points(self) -> list[str]:
        return self.list.read_text().splitlines() if self.list.exists() else []

    def is_dead(self) -> bool:
        return self.process.poll() is not None

    def kill(self) -> None:
        if not self.is_dead():
            self.process.kill()
        self.process.wait()

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self) -> None:
        """As Kubernetes ends it: nothing is cut off, nothing leaks (the sanitizers' exit code)."""
        self.wait_for("leading")
        self.process.terminate()
        code = self.process.wait(LIMIT)
        assert code == 0, f"exit code {code}\n{self.words()}"

    def words(self, lines: int = 60) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def wait_for(self, text: str, seconds: float = LIMIT) -> None:
        wait_until(f"it says {text!r}", lambda: text in self.log.read_text(errors="replace"), seconds)


IMAGES = ("FETCH", "BUILDER", "SCANNER", "RUNTIME")
