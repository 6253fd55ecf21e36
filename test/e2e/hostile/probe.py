"""A step of a Dockerfile that looks for what it should not have, and prints what it found as one line."""

from __future__ import annotations

import ctypes
import errno
import json
import os
import re
import socket
import ssl
import stat
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
API = "https://10.96.0.1/api/v1/namespaces"
USUAL_DEVICES = {"core", "fd", "full", "mqueue", "null", "ptmx", "pts", "random", "shm", "stderr", "stdin", "stdout"}
USUAL_DEVICES |= {"termination-log", "tty", "urandom", "zero", "console"}


def outcome(attempt: Callable[[], Any]) -> Any:
    try:
        return attempt()
    except urllib.error.HTTPError as error:
        return error.code
    except OSError as error:
        reason = getattr(error, "reason", error)
        return errno.errorcode.get(getattr(reason, "errno", None) or 0, type(reason).__name__)


def get(address: str) -> Callable[[], int]:
    def run() -> int:
        with urllib.request.urlopen(address, timeout=3, context=ssl._create_unverified_context()) as answer:
            return int(answer.status)

    return run


def post(address: str) -> Callable[[], int]:
    def run() -> int:
        request = urllib.request.Request(address, b"{}", {"Content-Type": "application/json"}, method="POST")
        with urllib.request.urlopen(request, timeout=3, context=ssl._create_unverified_context()) as answer:
            return int(answer.status)

    return run


def status(name: str) -> str:
    with open("/proc/self/status", encoding="ascii") as file:
        return next(line.split(":")[1].strip() for line in file if line.startswith(name + ":"))


def mount() -> str:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"x", b"/mnt", b"tmpfs", 0, 0) == -1:
        raise OSError(ctypes.get_errno(), "")
    return "mounted"


def written(path: str) -> Callable[[], str]:
    def run() -> str:
        with open(path, "w", encoding="ascii") as file:
            file.write("b")
        return "written"

    return run


def environments() -> list[str]:
    """Names of all variables that any process here has and that sound like a secret."""
    names: set[str] = set()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                names |= {part.split(b"=")[0].decode() for part in file.read().split(b"\0")}
        except OSError:
            pass
    return sorted(name for name in names if re.search("SECRET|PASSWORD|TOKEN|CREDENTIAL|_KEY", name))


def main() -> int:
    found = {
        "uid": os.getuid(),
        "capabilities": status("CapEff"),
        "bounds": status("CapBnd"),
        "privileges": status("NoNewPrivs"),
        "seccomp": status("Seccomp"),
        "account": outcome(lambda: os.listdir(ACCOUNT)),
        "credentials": outcome(lambda: os.listdir("/kaniko/.docker")),
        "environment": environments(),
        "secrets": outcome(get(f"{API}/rl-arena/secrets")),
        "configmaps": outcome(get(f"{API}/rl-arena/configmaps")),
        "submissions": outcome(get("https://10.96.0.1/apis/rl-arena.io/v1alpha1/namespaces/rl-arena/submissions")),
        "new pod": outcome(post(f"{API}/rl-arena/pods")),
        "kubelet": outcome(get("https://10.77.0.1:10250/pods")),
        "read-only kubelet": outcome(get("http://10.77.0.1:10255/pods")),
        "metadata": outcome(get("http://169.254.169.254/latest/meta-data/")),
        "processes": len([pid for pid in os.listdir("/proc") if pid.isdigit()]),
        "devices": sorted(set(os.listdir("/dev")) - USUAL_DEVICES),
        "new device": outcome(lambda: os.mknod("/disk", stat.S_IFBLK | 0o600, os.makedev(254, 0))),
        "containerd": [path for path in ("/run/containerd", "/var/run/docker.sock") if os.path.exists(path)],
        "mount": outcome(mount),
        "raw": outcome(lambda: str(socket.socket(socket.AF_INET, socket.SOCK_RAW, 1))),
        "kernel": outcome(written("/proc/sysrq-trigger")),
        "host name": outcome(written("/proc/sys/kernel/hostname")),
        "core": outcome(lambda: len(open("/proc/kcore", "rb").read(1))),
    }
    print("FOUND " + json.dumps(found), flush=True)
    return 1  # nothing to be scanned


if __name__ == "__main__":
    sys.exit(main())
