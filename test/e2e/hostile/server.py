"""An image that serves the agents' contract itself, without the arena's runtime and its filter.

Its match's name says what it does: a Pod is called "<match>-agent-<seat>", a match
"e2e-<run>-own-<what>". What it has seen it tells as an error of its own, which loses the match.
"""

from __future__ import annotations

import base64
import concurrent.futures
import ctypes
import errno
import http.client
import os
import re
import socket
import ssl
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

sys.path.insert(0, "/opt/rl-arena/lib")

import grpc  # noqa: E402
from rl_arena.proto import agent_pb2  # noqa: E402

FOUND = re.fullmatch(r"e2e-[0-9a-f]+-own-(.+)-agent-\d", os.uname().nodename)
WHAT = FOUND.group(1) if FOUND else "nothing"
PORT = int(os.environ.get("AGENT_PORT", "50051"))
READY = agent_pb2.ResetResponse().SerializeToString()
TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount/token"
PODS = "/api/v1/namespaces/rl-arena/pods"


def move(request: bytes) -> bytes:
    asked = agent_pb2.ActRequest.FromString(request)
    mask = asked.observation.map.fields["action_mask"].tensor.data
    return agent_pb2.ActResponse(step=asked.step, action=agent_pb2.Value(integer=mask.index(1))).SerializeToString()


def told(words: str) -> bytes:
    """The loss of a game at its beginning, with these words."""
    error = agent_pb2.AgentError(kind=agent_pb2.ERROR_RESET, message=words)
    return agent_pb2.ResetResponse(error=error).SerializeToString()


# In a game


def garbage(_: bytes) -> Iterator[bytes]:
    yield b"\xff\xfe\xfd" * 50


def gigantic(_: bytes) -> Iterator[bytes]:
    yield b"\0" * (20 << 20)


def endless(_: bytes) -> Iterator[bytes]:
    while True:
        yield b"\0" * 60_000


def silent(_: bytes) -> Iterator[bytes]:
    time.sleep(3600)
    yield b""


def dies(_: bytes) -> Iterator[bytes]:
    os._exit(9)
    yield b""


def eats(_: bytes) -> Iterator[bytes]:
    kept = []
    while True:
        kept.append(os.urandom(1 << 20) * 8)
    yield b""


PLAYS: dict[str, Callable[[bytes], Iterator[bytes]]] = {
    "garbage": garbage,
    "gigantic": gigantic,
    "endless": endless,
    "silent": silent,
    "dies": dies,
    "eats": eats,
}


def play(requests: Iterator[bytes], _: Any) -> Iterator[bytes]:
    for request in requests:
        if WHAT in PLAYS:
            yield from PLAYS[WHAT](request)
        else:
            yield move(request)


# Before it


def forks() -> bytes:
    """As many as there may be; they go with the container."""
    done = 0
    try:
        while done < 20_000:
            if os.fork() == 0:
                time.sleep(3600)
            done += 1
    except OSError as error:
        return told(f"forked {done} times, then {errno.errorcode.get(error.errno, '')}")
    return told(f"forked {done} times")


def floods() -> bytes:
    """More than the Pod's disk, then waits for what comes of it."""
    block = base64.b64encode(os.urandom(1 << 20)) + b"\n"
    for _ in range(250):
        os.write(1, block)
    time.sleep(28)
    return READY


def failure(attempt: Callable[[], Any]) -> str:
    try:
        return str(attempt())
    except urllib.error.HTTPError as error:
        return str(error.code)
    except OSError as error:
        reason = getattr(error, "reason", error)
        return errno.errorcode.get(getattr(reason, "errno", None) or 0, type(reason).__name__)
    except http.client.HTTPException as error:
        return type(error).__name__


def ask(address: str) -> Callable[[], int]:
    def get() -> int:
        unchecked = ssl._create_unverified_context()
        with urllib.request.urlopen(address, timeout=3, context=unchecked) as answer:
            return int(answer.status)

    return get


def ask_executor() -> str:
    """To play a match that nobody asked for. Who is let in is told what is missing in it."""
    with grpc.insecure_channel("executor.rl-arena-system.svc.cluster.local:50051") as channel:
        try:
            channel.unary_unary("/executor.Executor/RunMatch")(b"", timeout=5)
        except grpc.RpcError as error:
            return str(error.code().name)
    return "ANSWERED"


def status(name: str) -> str:
    with open("/proc/self/status", encoding="ascii") as file:
        return next(line.split(":")[1].strip() for line in file if line.startswith(name + ":"))


def mount() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"x", b"/tmp", b"tmpfs", 0, 0) == -1:
        raise OSError(ctypes.get_errno(), "")


def spies() -> bytes:
    seen = {
        "uid": str(os.getuid()),
        "caps": status("CapEff") + status("CapBnd"),
        "privileges": status("NoNewPrivs"),
        "seccomp": status("Seccomp"),
        "token": failure(lambda: open(TOKEN).read()),
        "root": failure(lambda: open("/agent/new", "w")),
        "raw": failure(lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)),
        "packet": failure(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW)),
        "mount": failure(mount),
        "api": failure(ask(f"https://10.96.0.1{PODS}")),
        "kubelet": failure(ask("https://10.77.0.1:10250/pods")),
        "readonly": failure(ask("http://10.77.0.1:10255/pods")),
        "executor": ask_executor(),
        "metadata": failure(ask("http://169.254.169.254/latest/meta-data/")),
        "secrets": ",".join(name for name in os.environ if re.search("SECRET|PASSWORD|CREDENTIAL", name)),
    }
    return told(" ".join(f"{key}={value}" for key, value in seen.items()))


RESETS: dict[str, Callable[[], bytes]] = {"forks": forks, "floods": floods, "spies": spies}


def reset(_: bytes, __: Any) -> bytes:
    return RESETS[WHAT]() if WHAT in RESETS else READY


def speak_http() -> None:
    listener = socket.create_server(("0.0.0.0", PORT))
    while True:
        connection, _ = listener.accept()
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")


def main() -> None:
    if WHAT == "quits":
        sys.exit("I do not feel like playing")
    if WHAT == "deaf":
        time.sleep(3600)
    if WHAT == "http":
        speak_http()
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(4), options=(("grpc.max_send_message_length", -1),))
    handlers = {
        "Reset": grpc.unary_unary_rpc_method_handler(reset),
        "Play": grpc.stream_stream_rpc_method_handler(play),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("agent.Agent", handlers),))
    server.add_insecure_port(f"0.0.0.0:{PORT}")
    server.start()
    server.wait_for_termination()


if __name__ == "__main__":
    main()
