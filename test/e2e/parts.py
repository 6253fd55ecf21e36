"""The embedded cluster's own programs, to be stopped, killed and started again by a test.

They are started by the functions of test/cluster/*.sh, found by their recorded pids, and always back
when a test is over. On another cluster ($KUBECONFIG) these tests are skipped.
"""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import cluster
import pytest
from cluster import ROOT

# Program: how it is started. Starting what runs changes nothing.
STARTS = {
    "etcd": "etcd_up",
    "kube-apiserver": "apiserver_up",
    "containerd": "containerd_up",
    "kubelet": "kubelet_up",
    "registry": "registry_up",
}
READY = {
    "etcd": "apiserver_ready",
    "kube-apiserver": "apiserver_ready",
    "containerd": "containerd_ready",
    "kubelet": "node_ready",
    "registry": "registry_ready",
}


def shell(script: str, limit: float = 180) -> str:
    """Runs with the functions of ./arena, under its lock as far as it starts something."""
    if os.environ.get("KUBECONFIG"):
        pytest.skip("only the embedded cluster's programs can be stopped and started")
    loaded = f"""
        set -euo pipefail
        ARENA_ROOT={shlex.quote(str(ROOT))}
        for part in "$ARENA_ROOT"/test/cluster/lib.sh "$ARENA_ROOT"/test/cluster/*.sh; do . "$part"; done
        {script}
    """
    done = subprocess.run(["bash", "-c", loaded], capture_output=True, text=True, check=False, timeout=limit)
    assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}"
    return done.stdout


def kill(program: str) -> None:
    """As if the machine had ended it, without a chance to say good-bye."""
    shell(f'kill -9 "$(service_pid {program})"')


def stop(program: str) -> None:
    shell(f"service_stop {program}")


def start(program: str) -> None:
    shell(f"{STARTS[program]}; wait_for 120 '{program} is ready' {READY[program]}")


@contextmanager
def away(*programs: str) -> Iterator[None]:
    """They are killed, and back at the end in the order in which they stand here."""
    try:
        for program in programs:
            kill(program)
        yield
    finally:
        for program in programs:
            start(program)


@contextmanager
def without_repository(name: str) -> Iterator[None]:
    """The registry answers, but knows nothing of this one for a while."""
    folder = f'"$ARENA_STATE"/registry/docker/registry/v2/repositories/{name}'
    shell(f"mv {folder} {folder}.away")
    try:
        yield
    finally:
        shell(f"rm -rf {folder}; mv {folder}.away {folder}")


@contextmanager
def full_repository(name: str) -> Iterator[None]:
    """The disk under this new repository of the registry is full: a tmpfs of one page."""
    folder = f'"$ARENA_STATE"/registry/docker/registry/v2/repositories/{name}'
    shell(f"mkdir -p {folder} && mount -t tmpfs -o size=4k tmpfs {folder}")
    try:
        yield
    finally:
        shell(f"umount --lazy {folder}")  # the registry may look into it right now


def kill_container(pod: cluster.Object) -> None:
    """The first container's process, on the node: the Pod stays, the kubelet starts it again."""
    container = cluster.status(pod)["containerStatuses"][0]["containerID"].rpartition("/")[2]
    shell(f"node_ctr tasks kill --signal SIGKILL {container}")
