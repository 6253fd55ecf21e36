"""A running kube-probe: commands in, events out."""

from __future__ import annotations

import os
import pathlib
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Callable

ROOT = pathlib.Path(__file__).resolve().parents[3]
BUILDS = ("build/sanitize", "build/gcc", "build")
LIMIT = 60.0  # seconds until a test that hangs is ended


def program() -> str:
    """$ARENA_KUBE_PROBE, otherwise from a build folder, the sanitized one first."""
    given = os.environ.get("ARENA_KUBE_PROBE")
    built = [ROOT / build / "test" / "integration" / "kube" / "kube-probe" for build in BUILDS]
    found = [given] if given else [str(path) for path in built if path.exists()]
    assert found, f"kube-probe is not built: none of {built}"
    return found[0]


def write_kubeconfig(path: pathlib.Path, server: str, user: str) -> pathlib.Path:
    """`user` is the user's part, as YAML in one line."""
    path.write_text(
        "current-context: c\n"
        "contexts: [{name: c, context: {cluster: k, user: u}}]\n"
        f"clusters: [{{name: k, cluster: {{server: '{server}', insecure-skip-tls-verify: true}}}}]\n"
        f"users: [{{name: u, user: {user}}}]\n"
    )
    return path


class Probe:
    def __init__(self, kubeconfig: pathlib.Path, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [program(), *arguments],
            env={**os.environ, "KUBECONFIG": str(kubeconfig)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.lines: queue.Queue[str] = queue.Queue()
        self.all: list[str] = []
        self.errors: list[str] = []
        self.readers = [
            threading.Thread(target=self.read_lines, daemon=True),
            threading.Thread(target=self.read_errors, daemon=True),
        ]
        for reader in self.readers:
            reader.start()

    def read_lines(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self.all.append(line.rstrip("\n"))
            self.lines.put(line.rstrip("\n"))

    def read_errors(self) -> None:
        assert self.process.stderr
        for line in self.process.stderr:
            self.errors.append(line.rstrip("\n"))

    def say(self, command: str) -> None:
        assert self.process.stdin
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()

    def expect(self, start: str, seconds: float = LIMIT) -> str:
        """The next line that starts so; those before it are passed over."""
        end = time.monotonic() + seconds
        while True:
            try:
                line = self.lines.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"no {start!r} came: {self.all[-20:]} {self.errors[-20:]}") from None
            if line.startswith(start):
                return line

    def ask(self, command: str, answer: str) -> str:
        self.say(command)
        return self.expect(answer)

    def dump(self) -> dict[str, tuple[int, str]]:
        self.say("dump")
        found = {}
        while not (line := self.expect("")).startswith("dumped"):
            if line.startswith("= "):
                _, name, version, value = line.split(" ", 3)
                found[name] = (int(version), value)
        return found

    def metrics(self) -> dict[str, float]:
        self.say("metrics")
        found = {}
        while not (line := self.expect("metric")).startswith("metrics-end"):
            name, value = line.removeprefix("metric ").rsplit(" ", 1)
            found[name] = float(value)
        return found

    def quit(self) -> None:
        """Ends it, with everything closed and nothing leaked."""
        self.say("quit")
        self.wait()

    def wait(self, code: int = 0) -> None:
        assert self.process.wait(LIMIT) == code, "\n".join(self.errors[-60:])
        for reader in self.readers:
            reader.join()

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


StartProbe = Callable[..., Probe]
