"""A registry with TLS by an own authority and with passwords, and a second arena that lives on it.

Everything is beside the embedded cluster's own: other ports of the node's address, other namespaces
(private/kustomization.yaml), a folder that goes when the test ends, also after one that was killed.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pathlib
import secrets
import shutil
import subprocess
import textwrap
import time
from collections.abc import Callable, Iterator
from typing import Any

import cluster
import pytest
import yaml
from cluster import Object

NAME = os.environ.get("ARENA_NAME", "rl-arena")
STATE = pathlib.Path(os.environ.get("ARENA_STATE", f"/var/lib/{NAME}"))
OVERLAY = cluster.ROOT / "test" / "e2e" / "private"
NAMESPACE = "rl-arena-private"
SYSTEM = "rl-arena-private-system"

ADDRESS = "10.77.0.1"
OPEN_REGISTRY = f"{ADDRESS}:5000"
REGISTRY = f"{ADDRESS}:5443"
WEB = f"{ADDRESS}:5444"
BASES = f"{ADDRESS}:5445"  # of images to build on: the only one whose password authors' build steps are given
USER, PASSWORD = "arena", "correct horse"
BASES_USER, BASES_PASSWORD = "reader", "for all to know"
# From the arena's own names to the private ones, as an operator who mirrors them would choose.
IMAGES = {
    "rl-arena/controller:dev": "own/controller",
    "rl-arena/executor:dev": "own/executor",
    "rl-arena/fetch:dev": "own/fetch",
    "rl-arena/kaniko:dev": "tools/image-builder",
    "rl-arena/trivy:dev": "tools/vulnerability-scanner",
    "rl-arena/trivy-db:2": "tools/advisories",
}
RUNTIME = "rl-arena/agent-runtime:dev"
TAG = "e2e"


def command(*arguments: str | pathlib.Path, limit: float = 120, stdin: str | None = None) -> str:
    words = [str(one) for one in arguments]
    done = subprocess.run(words, input=stdin, capture_output=True, text=True, check=False, timeout=limit)
    assert done.returncode == 0, f"{' '.join(words[:6])}: {done.stdout}{done.stderr}"
    return done.stdout


def inside(*arguments: str | pathlib.Path) -> list[str]:
    """A command in the cluster's network."""
    return ["nsenter", f"--net=/run/netns/{NAME}", "--", *(str(one) for one in arguments)]


# Certificates


class Authority:
    """One that nobody trusts by itself, and a server's certificate by it."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.trusted = folder / "trusted"  # a folder with the one file that others are given
        self.trusted.mkdir(parents=True)
        self.certificate = self.trusted / "ca.crt"
        self.server_certificate, self.server_key = folder / "server.crt", folder / "server.key"
        key, request, names = folder / "ca.key", folder / "server.csr", folder / "server.ext"
        curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
        command(
            "openssl", "req", "-x509", *curve, "-keyout", key, "-out", self.certificate, "-days", "7",
            "-subj", "/CN=an own authority", "-addext", "basicConstraints=critical,CA:TRUE",
            "-addext", "keyUsage=critical,keyCertSign",
        )  # fmt: skip
        command("openssl", "req", *curve, "-keyout", self.server_key, "-out", request, "-subj", "/CN=registry")
        names.write_text(f"subjectAltName=IP:{ADDRESS}\nextendedKeyUsage=serverAuth\n")
        command(
            "openssl", "x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", key, "-CAcreateserial",
            "-days", "7", "-extfile", names, "-out", self.server_certificate,
        )  # fmt: skip


# Programs


@contextlib.contextmanager
def program(name: str, log: pathlib.Path, *arguments: str | pathlib.Path) -> Iterator[None]:
    """Runs in the cluster's network as long as the test does; the kernel ends it with the test, however that ends."""
    with log.open("w") as output:
        words = ["setpriv", "--pdeathsig", "TERM", *inside(*arguments)]
        process = subprocess.Popen(words, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
    try:
        time.sleep(0.3)
        assert process.poll() is None, f"{name} does not run: {log.read_text()}"
        yield
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


def registry(
    folder: pathlib.Path, authority: Authority, address: str = REGISTRY, user: str = USER, password: str = PASSWORD
) -> contextlib.AbstractContextManager[None]:
    folder.mkdir()
    # perl has the C library's bcrypt, the only one that the registry takes.
    hashed = command("perl", "-e", 'print crypt($ARGV[0], "\\$2b\\$05\\$" . "e2e." x 5 . "e.")', password)
    (folder / "htpasswd").write_text(f"{user}:{hashed}\n")
    settings = {
        "version": 0.1,
        "log": {"level": "info", "accesslog": {"disabled": False}},
        "storage": {"filesystem": {"rootdirectory": str(folder / "data")}},
        "auth": {"htpasswd": {"realm": "private", "path": str(folder / "htpasswd")}},
        "http": {
            "addr": address,
            "tls": {"certificate": str(authority.server_certificate), "key": str(authority.server_key)},
        },
    }
    (folder / "config.yml").write_text(yaml.safe_dump(settings))
    return program(f"the registry {address}", folder / "log", "docker-registry", "serve", folder / "config.yml")


def web(folder: pathlib.Path, authority: Authority) -> contextlib.AbstractContextManager[None]:
    """What fetch and pip ask: the archive of examples/sources, and an index with the one package it needs."""
    files = folder / "files"
    package = files / "simple" / "sortedcontainers"
    package.mkdir(parents=True)
    shutil.copy(STATE / "files" / "pong-net.zip", files)
    for wheel in (STATE / "wheels").glob("sortedcontainers-*.whl"):
        shutil.copy(wheel, package)
        (package / "index.html").write_text(f'<!DOCTYPE html><a href="{wheel.name}">{wheel.name}</a>')
    certificate, key = authority.server_certificate, authority.server_key
    port = WEB.rpartition(":")[2]
    return program(
        "the web server", folder / "log", "/usr/bin/python3", OVERLAY / "web.py", ADDRESS, port, files, certificate, key
    )


def copy_image(authority: Authority, source: str, target: str, user: str) -> None:
    command(
        *inside(
            "skopeo", "copy", "--quiet", "--src-tls-verify=false", f"--dest-creds={user}",
            f"--dest-cert-dir={authority.trusted}", f"docker://{OPEN_REGISTRY}/{source}", f"docker://{target}:{TAG}",
        ),
        limit=300,
    )  # fmt: skip


def copy_images(authority: Authority) -> None:
    for source, target in IMAGES.items():
        copy_image(authority, source, f"{REGISTRY}/{target}", f"{USER}:{PASSWORD}")
    copy_image(authority, RUNTIME, f"{BASES}/agent-runtime", f"{BASES_USER}:{BASES_PASSWORD}")


# The node


def trust(authority: Authority) -> None:
    """As the registry's operator tells each node's containerd; passwords come with the Pods."""
    folder = STATE / "config" / "certs.d" / REGISTRY
    folder.mkdir(parents=True)
    (folder / "hosts.toml").write_text(
        textwrap.dedent(f"""\
            server = "https://{REGISTRY}"
            [host."https://{REGISTRY}"]
            capabilities = ["pull", "resolve"]
            ca = "{authority.certificate}"
        """)
    )


def forget_images() -> None:
    """What was pulled from here before must not hide that a pull fails now."""
    ctr = ("ctr", "--address", f"/run/{NAME}/containerd/containerd.sock", "-n", "k8s.io", "images")
    names = [name for name in command(*ctr, "list", "-q").split() if name.startswith(f"{REGISTRY}/")]
    if names:
        command(*ctr, "remove", *names)


# The arena


def kubectl(*arguments: str, stdin: str | None = None, namespace: str = NAMESPACE, limit: float = 120) -> str:
    return cluster.kubectl(*arguments, stdin=stdin, namespace=namespace, limit=limit)


def set_secret(namespace: str, name: str, server: str, user: str, password: str) -> None:
    secret = kubectl(
        "create", "secret", "docker-registry", name, f"--docker-server={server}", "--dry-run=client",
        f"--docker-username={user}", f"--docker-password={password}", "-o", "yaml", namespace=namespace,
    )  # fmt: skip
    kubectl("apply", "-f", "-", stdin=secret, namespace=namespace)


def set_password(password: str) -> None:
    for namespace in (NAMESPACE, SYSTEM):
        set_secret(namespace, "registry", REGISTRY, USER, password)


def rolled_out(name: str) -> None:
    try:
        kubectl("rollout", "status", f"deployment/{name}", "--timeout=240s", namespace=SYSTEM, limit=250)
    except cluster.KubectlError as error:
        described = cluster.attempt("describe", "pods", "-l", f"app.kubernetes.io/name={name}", namespace=SYSTEM)
        pytest.fail(f"{error}\n{described}\n{controller_log()}", pytrace=False)


def configure(**settings: str) -> None:
    """Settings of the controller over those of its ConfigMap; one without a value is not set."""
    words = [f"{name}={value}" for name, value in settings.items()]
    kubectl("set", "env", "deployment/controller", *words, namespace=SYSTEM)
    rolled_out("controller")


def deploy(authority: Authority) -> None:
    """The steps of docs/configuration.md."""
    for namespace in (NAMESPACE, SYSTEM):
        kubectl("create", "namespace", namespace, "--save-config")
    set_password(PASSWORD)
    set_secret(NAMESPACE, "bases", BASES, BASES_USER, BASES_PASSWORD)
    token = {"EXECUTOR_TOKEN": secrets.token_hex(32)}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "executor"}, "stringData": token}
    kubectl("create", "-f", "-", stdin=json.dumps(secret), namespace=SYSTEM)
    kubectl("create", "configmap", "authorities", f"--from-file=ca.crt={authority.certificate}")
    command(*cluster.kubectl_command(), "apply", "-k", OVERLAY)  # it says itself what belongs where
    kubectl("apply", "-f", str(cluster.ROOT / "manifests" / "environments" / "pong.yaml"))
    for name in ("executor", "controller"):
        rolled_out(name)


def remove_all(folder: pathlib.Path) -> None:
    kubectl("delete", "namespace", NAMESPACE, SYSTEM, "--ignore-not-found", "--timeout=240s", limit=250)
    shutil.rmtree(STATE / "config" / "certs.d" / REGISTRY, ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)
    forget_images()


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """One such arena on a machine: ports and namespaces are fixed."""
    with (STATE / "private-registry.lock").open("w") as lock:
        end = time.monotonic() + 1800
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                assert time.monotonic() < end, "another test of the private registry does not end"
                time.sleep(1)
        yield


@contextlib.contextmanager
def arena() -> Iterator[Authority]:
    folder = STATE / "private-registry"
    with alone():
        remove_all(folder)
        try:
            authority = Authority(folder / "authority")
            bases = registry(folder / "bases", authority, BASES, BASES_USER, BASES_PASSWORD)
            with registry(folder / "registry", authority), bases, web(folder / "web", authority):
                copy_images(authority)
                trust(authority)
                deploy(authority)
                yield authority
        finally:
            if not os.environ.get("ARENA_E2E_KEEP"):
                remove_all(folder)


# Looking at it


def apply(*objects: Object) -> None:
    kubectl("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)}))


def until(kind: str, name: str, reached: Callable[[Object], Any], what: str, seconds: float) -> Object:
    end = time.monotonic() + seconds
    while True:
        item = cluster.get(kind, name, NAMESPACE)
        if reached(item):
            return item
        over = cluster.is_stalled(item) or cluster.holds(item, "Ready") or cluster.holds(item, "Failed")
        if over or time.monotonic() > end:
            pytest.fail(f"{kind} {name}: not {what}\n{diagnosis(item)}", pytrace=False)
        time.sleep(1)


def controller_log() -> str:
    return cluster.attempt("logs", "deployment/controller", "--tail=15", namespace=SYSTEM)


def diagnosis(item: Object) -> str:
    parts = [yaml.safe_dump(cluster.status(item), sort_keys=False), controller_log()]
    parts.append(cluster.attempt("get", "pods", "-o", "wide", namespace=NAMESPACE))
    parts.append(cluster.attempt("get", "events", "--sort-by=.lastTimestamp", namespace=NAMESPACE))
    for label in ("submission", "match"):
        selector = f"rl-arena.io/{label}={cluster.name_of(item)}"
        logs = ("logs", "-l", selector, "--all-containers", "--prefix", "--tail=20", "--ignore-errors")
        parts.append(cluster.attempt(*logs, namespace=NAMESPACE))
    return "\n---\n".join(parts)


def pulled(pod: str, namespace: str = NAMESPACE) -> list[str]:
    """Images that the kubelet brought for this Pod, not those that were there."""
    selector = f"involvedObject.name={pod},reason=Pulled"
    text = kubectl("get", "events", "--field-selector", selector, "-o", "json", namespace=namespace)
    messages: list[str] = [event["message"] for event in json.loads(text)["items"]]
    return [one.split('"')[1] for one in messages if one.startswith("Successfully pulled image")]
