"""Agents that do not play fair: each loses with the reason, and the next match is as always.

All against real runtime processes, which are the same ones for the whole run.
"""

from __future__ import annotations

import asyncio
import os

import grpc
import pytest
from harness import MIB, Runtime, arena, interpreter, runtimes

from rl_arena.proto import agent_pb2, agent_pb2_grpc
from rl_arena.proto import executor_pb2 as pb

FAIR = 'def agent(observation): return int(observation["action_mask"].argmax())'
STARTUP, LATE, ILLEGAL, CRASHED = pb.FAILURE_STARTUP, pb.FAILURE_LATE, pb.FAILURE_ILLEGAL, pb.FAILURE_CRASHED

# What the code is, how it is called to lose, and words that its author gets to read.
BEGINNINGS = {
    "raises at import": ('raise ValueError("bad weights")', "ValueError: bad weights (agent.py, line 1)"),
    "does not compile": ("def agent(observation:", "SyntaxError"),
    "offers nothing": ("x = 1", "defines no agent"),
    "offers the wrong thing": ("def create_agent(): return 7", "without act(observation)"),
    "raises in its constructor": ("class Agent:\n  def __init__(self): self.x", "AttributeError"),
    "raises at reset": ("class Agent:\n  def reset(self): 1/0\n  def act(self, o): return 0", "ZeroDivisionError"),
    "exits at import": ("import sys; sys.exit(5)", "exited with status 5"),
    "exits hard at import": ("import os; os._exit(0)", "exited with status 0"),
    "hangs at import": ("while True: pass", "not ready to play within"),
    "sleeps at import": ("import time; time.sleep(1000)", "not ready to play within"),
    "hangs in its constructor": ("class Agent:\n  def __init__(self):\n    while True: pass", "not ready to play"),
    "hangs at reset": ("class Agent:\n  def reset(self):\n    while True: pass\n  def act(self, o): 0", "not ready"),
    "raises what cannot be shown": (
        "class E(Exception):\n  def __str__(self): raise E()\nraise E()",
        "its text cannot be had",
    ),
    "raises a megabyte": ('raise ValueError("x" * 1000000)', "ValueError: xxx"),
    "recurses": ("def f(): f()\nf()", "RecursionError"),
    "kills its process": ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "SIGKILL"),
    "crashes the interpreter": ("import ctypes; ctypes.string_at(0)", "SIGSEGV"),
    "eats memory": ("x = []\nwhile True: x.append(bytearray(10_000_000))", "MemoryError"),
    "starts threads with large stacks": (
        "import threading, time\nwhile True: threading.Thread(target=time.sleep, args=(99,)).start()",
        "can't start new thread",
    ),
    "eats shared memory": (
        "import mmap\nx = []\nwhile True:\n  m = mmap.mmap(-1, 20_000_000); m.write(b'x' * 20_000_000); x.append(m)",
        "MiB of memory",
    ),
    "starts threads without end": (
        "import threading, time\nthreading.stack_size(65536)\nwhile True:\n"
        "  try: threading.Thread(target=time.sleep, args=(99,)).start()\n  except RuntimeError: pass",
        "threads",
    ),
    "writes into the answer channel": (
        "import os\nfor fd in range(3, 20):\n  try: os.write(fd, b'\\xff' * 100)\n  except OSError: pass",
        "answer channel",
    ),
    "writes an answer of its own": (
        "import os, json, struct\nh = json.dumps({'step': 1, 'action': 4}).encode()\n"
        "f = struct.pack('<II', 4 + len(h), len(h)) + h\n"
        "for fd in range(3, 20):\n  try: os.write(fd, f)\n  except OSError: pass",
        "answer channel",
    ),
    "closes everything": ("import os\nos.closerange(0, 256)\nwhile True: pass", "closed its answer channel"),
}

MOVES = {
    "raises": ("raise KeyError('x')", CRASHED, "KeyError"),
    "exits": ("sys.exit(3)", CRASHED, "exited with status 3"),
    "exits hard": ("os._exit(4)", CRASHED, "exited with status 4"),
    "hangs": ("while True: pass", LATE, "took more than"),
    "sleeps": ("time.sleep(1000)", LATE, "took more than"),
    "stops itself": ("os.kill(os.getpid(), 19)", LATE, "took more than"),
    "answers nothing": ("return None", ILLEGAL, "nothing"),
    "answers a boolean": ("return True", ILLEGAL, "True, where an integer"),
    "answers a numpy boolean": ("return np.True_", ILLEGAL, "bool"),
    "answers a float": ("return 4.0", ILLEGAL, "4.0, where an integer"),
    "answers nan": ("return float('nan')", ILLEGAL, "nan"),
    "answers infinity": ("return np.inf", ILLEGAL, "inf"),
    "answers text": ("return '4'", ILLEGAL, "a string"),
    "answers bytes": ("return b'4'", ILLEGAL, "bytes"),
    "answers a taken cell": ("return int((1 - observation['action_mask']).argmax())", ILLEGAL, "not legal"),
    "answers a negative number": ("return -1", ILLEGAL, "moves are 0 to 8"),
    "answers a number too large": ("return 9", ILLEGAL, "moves are 0 to 8"),
    "answers a huge number": ("return 10 ** 30", ILLEGAL, "64 bits"),
    "answers an endless number": ("return 10 ** 100000", ILLEGAL, "64 bits"),
    "answers an int that lies": ("return Liar(77)", ILLEGAL, "77"),
    "answers a huge array": ("return np.zeros(10_000_000)", ILLEGAL, "80000000 bytes"),
    "answers long text": ("return 'x' * 10_000_000", ILLEGAL, "larger than"),
    "answers a long list": ("return [1] * 1_000_000", ILLEGAL, "too many parts"),
    "answers a list in itself": ("x = []; x.append(x); return x", ILLEGAL, "too deep"),
    "answers a wide list": ("x = [0] * 20\nfor _ in range(9): x = [x] * 20\nreturn x", ILLEGAL, "too many parts"),
    "answers an object": ("return object()", ILLEGAL, "object"),
    "answers a generator": ("return (i for i in range(9))", ILLEGAL, "generator"),
    "answers objects in an array": ("return np.array([object()])", ILLEGAL, "object"),
    "answers a map": ("return {'action': 4}", ILLEGAL, "a map"),
    "answers with odd keys": ("return {1: 4}", ILLEGAL, "key"),
    "answers what raises": ("return Raiser()", CRASHED, "RuntimeError"),
    "answers surrogates": ("return {'\\ud800': '\\udfff'}", ILLEGAL, "no plain value"),
    "forks": ("os.fork()", CRASHED, "PermissionError"),
    "starts a program": ("import subprocess; subprocess.run(['/bin/true'])", CRASHED, "PermissionError"),
    "replaces itself": ("os.execv('/bin/true', ['true'])", CRASHED, "PermissionError"),
    "eats memory": ("x = bytearray(10 ** 10)", CRASHED, "MemoryError"),
}

MOVER = """
import os, signal, sys, time
import numpy as np

class Liar(int):
    def __eq__(self, other): return True
    def __hash__(self): return 0
    def __lt__(self, other): return True

class Raiser:
    @property
    def __array__(self): raise RuntimeError("no")

def agent(observation):
{body}
"""


async def duel(specs, folder, pair: list[Runtime], environment="tic-tac-toe", **more):
    async with arena(specs, folder) as executor:
        return await executor.play(environment, [runtime.endpoint for runtime in pair], **more)


def lost(response: pb.MatchResponse, failure: int, words: str, seat: int = 0) -> None:
    """The seat forfeited so, the other one won and has nothing to answer for."""
    loser, winner = response.agent_results[seat], response.agent_results[1 - seat]
    assert response.status == pb.SUCCESS, response
    assert pb.Failure.Name(loser.failure) == pb.Failure.Name(failure), response
    assert words in loser.error_message, loser.error_message
    assert len(loser.error_message) < 2000
    assert response.winner_agent_id == winner.agent_id
    assert winner.failure == pb.FAILURE_NONE
    assert response.replay_url


def unharmed(specs, folder, pair: list[Runtime]) -> None:
    """The same runtimes play on."""
    pair[0].write(FAIR)
    response = asyncio.run(duel(specs, folder, pair))
    assert response.status == pb.SUCCESS
    assert [result.failure for result in response.agent_results] == [pb.FAILURE_NONE] * 2, response
    for runtime in pair:
        assert runtime.process.poll() is None
        assert runtime.status("VmRSS:") < 150 * 1024
        assert runtime.children() == []


@pytest.mark.parametrize("name", BEGINNINGS)
def test_loses_at_the_start(name, specs, pair, tmp_path):
    code, words = BEGINNINGS[name]
    pair[0].write(code)
    pair[1].write(FAIR)
    startup = 4000 if "within" in words or "not ready" in words else 30_000
    lost(asyncio.run(duel(specs, tmp_path, pair, startup_ms=startup)), STARTUP, words)
    unharmed(specs, tmp_path, pair)


@pytest.mark.parametrize("name", MOVES)
def test_loses_at_a_move(name, specs, pair, tmp_path):
    body, failure, words = MOVES[name]
    pair[0].write(FAIR)
    pair[1].write(MOVER.format(body="".join(f"    {line}\n" for line in body.splitlines())))
    limits = {"move_ms": 200, "bank_ms": 300} if failure == LATE else {}
    lost(asyncio.run(duel(specs, tmp_path, pair, **limits)), failure, words, seat=1)
    pair[1].write(FAIR)
    unharmed(specs, tmp_path, pair)


def test_missing_file(specs, pair, tmp_path):
    pair[0].write(FAIR)
    (pair[0].code / "agent.py").unlink()
    pair[1].write(FAIR)
    lost(asyncio.run(duel(specs, tmp_path, pair)), STARTUP, "no agent.py")


def test_errors_are_counted_where_the_game_allows(specs, pair, tmp_path):
    """Pong plays the default move four times; the fifth error loses."""
    pair[0].write("import itertools\nn = itertools.count()\ndef agent(o): return 'up' if next(n) % 10 == 0 else 1")
    pair[1].write("def agent(o): return 1")
    response = asyncio.run(duel(specs, tmp_path, pair, environment="pong"))
    lost(response, ILLEGAL, "5 errors, the last at step 41")
    assert response.agent_results[0].errors == 5
    pair[0].write("import itertools\nn = itertools.count()\ndef agent(o): return 'up' if next(n) < 4 else 1")
    response = asyncio.run(duel(specs, tmp_path, pair, environment="pong"))
    assert response.agent_results[0].errors == 4
    assert response.agent_results[0].failure == pb.FAILURE_NONE
    pair[0].write("def agent(o): raise RuntimeError('never again')")
    response = asyncio.run(duel(specs, tmp_path, pair, environment="pong"))
    lost(response, CRASHED, "never again")
    assert response.total_steps == 4


def test_time_bank(specs, pair, tmp_path):
    """Slow moves are paid from the bank; what is within it is fair."""
    pair[0].write("import time\ndef agent(o):\n  time.sleep(0.5)\n  return int(o['action_mask'].argmax())")
    pair[1].write(FAIR)
    fair = asyncio.run(duel(specs, tmp_path, pair, move_ms=100, bank_ms=30_000))
    assert fair.agent_results[0].failure == pb.FAILURE_NONE
    lost(asyncio.run(duel(specs, tmp_path, pair, move_ms=100, bank_ms=900)), LATE, "took more than")


def test_both_lose(specs, pair, tmp_path):
    for runtime in pair:
        runtime.write("raise ValueError('both')")
    response = asyncio.run(duel(specs, tmp_path, pair))
    assert response.status == pb.ERROR
    assert response.winner_agent_id == ""
    assert [result.failure for result in response.agent_results] == [STARTUP] * 2
    assert "agent 0" in response.error_message and "agent 1" in response.error_message


def test_both_lose_at_the_same_move(specs, pair, tmp_path):
    for runtime in pair:
        runtime.write("import os\ndef agent(o): os._exit(1)")
    response = asyncio.run(duel(specs, tmp_path, pair, environment="pong"))
    assert response.status == pb.ERROR
    assert [result.failure for result in response.agent_results] == [CRASHED] * 2


def test_match_time_is_up(specs, pair, tmp_path):
    """Decided on the scores so far; nobody forfeits."""
    pair[0].write("import time\ndef agent(o):\n  time.sleep(5)\n  return 0")
    pair[1].write(FAIR)
    response = asyncio.run(duel(specs, tmp_path, pair, timeout_sec=2, move_ms=60_000))
    assert response.status == pb.TIMEOUT
    assert response.winner_agent_id == ""
    assert [result.failure for result in response.agent_results] == [pb.FAILURE_NONE] * 2


def test_failure_of_the_pod(specs, pair, tmp_path):
    """An agent that the controller has given up forfeits without being asked."""
    pair[1].write(FAIR)

    async def match():
        async with arena(specs, tmp_path) as executor:
            request = executor.request("tic-tac-toe", ["", pair[1].endpoint])
            request.agents[0].failure = "OOMKilled before it answered"
            return await executor.stub.RunMatch(request)

    lost(asyncio.run(match()), STARTUP, "OOMKilled before it answered")


def test_log_flood_neither_blocks_nor_grows(specs, pair, tmp_path):
    pair[0].write(
        """
        import sys, threading
        def flood():
            while True: sys.stderr.write("x" * 100_000 + "\\n")
        threading.Thread(target=flood, daemon=True).start()
        def agent(observation): return int(observation["action_mask"].argmax())
        """
    )
    pair[1].write(FAIR)
    response = asyncio.run(duel(specs, tmp_path, pair))
    assert [result.failure for result in response.agent_results] == [pb.FAILURE_NONE] * 2, response
    unharmed(specs, tmp_path, pair)


def test_last_lines_are_shown(specs, pair, tmp_path):
    pair[0].write("print('first line'); print('loading step 3'); raise ValueError('boom')")
    pair[1].write(FAIR)
    lost(asyncio.run(duel(specs, tmp_path, pair)), STARTUP, "loading step 3")


# What the code under the filter tried, as it reports it by its own failure.
SPY = """
import ctypes, errno, json, os, resource, signal, socket, sys
PARENT = os.getppid()
libc = ctypes.CDLL(None, use_errno=True)
found = {}

def attempt(name, function):
    try: found[name] = repr(function())[:200]
    except OSError as error: found[name] = errno.errorcode.get(error.errno, str(error))
    except Exception as error: found[name] = type(error).__name__

def call(function, *arguments):
    def run():
        if function(*arguments) == -1: raise OSError(ctypes.get_errno(), "")
        return "DONE"
    return run

for family in ("AF_INET", "AF_INET6", "AF_UNIX", "AF_NETLINK", "AF_PACKET", "AF_VSOCK"):
    for kind in ("SOCK_STREAM", "SOCK_DGRAM", "SOCK_RAW"):
        attempt(f"{family} {kind}", lambda: socket.socket(getattr(socket, family), getattr(socket, kind)))
attempt("datagram pair", lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM))
attempt("resolve", lambda: socket.create_connection(("127.0.0.1", 1)))
attempt("io_uring", call(libc.syscall, 425, 8, 0))
attempt("ptrace", call(libc.ptrace, 16, PARENT, 0, 0))
attempt("process_vm_readv", call(libc.process_vm_readv, PARENT, 0, 0, 0, 0, 0))
attempt("pidfd_open", call(libc.syscall, 434, PARENT, 0))
for number in (0, 9, 15, 19):
    attempt(f"kill {number}", lambda: os.kill(PARENT, number))
    attempt(f"kill all {number}", lambda: os.kill(-1, number))
    attempt(f"killpg {number}", lambda: os.killpg(os.getpgid(PARENT), number))
    attempt(f"tkill {number}", call(libc.syscall, 200, PARENT, number))
    attempt(f"tgkill {number}", call(libc.tgkill, PARENT, PARENT, number))
    attempt(f"sigqueue {number}", call(libc.sigqueue, PARENT, number, 0))
attempt("prlimit", lambda: resource.prlimit(PARENT, resource.RLIMIT_NOFILE, (1, 1)))
attempt("setpriority", lambda: os.setpriority(os.PRIO_PROCESS, PARENT, 19))
attempt("affinity", lambda: os.sched_setaffinity(PARENT, {0}))
attempt("scheduler", lambda: os.sched_setscheduler(PARENT, os.SCHED_IDLE, os.sched_param(0)))
import fcntl
reader, writer = os.pipe()
attempt("owner", lambda: fcntl.fcntl(reader, fcntl.F_SETOWN, PARENT))
attempt("unshare", call(libc.unshare, 0x10000000))
attempt("clone namespaces", call(libc.syscall, 56, 0x10000000 | 17, 0, 0, 0, 0))
attempt("mount", call(libc.mount, b"x", b"/tmp", b"tmpfs", 0, 0))
attempt("keyctl", call(libc.syscall, 250, 0, 0, 0, 0, 0))
attempt("bpf", call(libc.syscall, 321, 0, 0, 0))
attempt("i386 numbers", call(libc.syscall, 0x40000000 | 41, 2, 1, 0))
for name in ("environ", "mem", "maps", "fd", "cwd", "root", "io", "stack"):
    path = f"/proc/{PARENT}/{name}"
    attempt(f"parent's {name}", lambda: os.listdir(path) if name == "fd" else open(path, "rb").read(1))
attempt("oom_score_adj", lambda: open(f"/proc/{PARENT}/oom_score_adj", "w").write("1000"))
attempt("own code", lambda: open(__file__, "a"))
found["environment"] = sorted(os.environ)
found["descriptors"] = sorted(int(fd) for fd in os.listdir("/proc/self/fd"))
found["uid"] = os.getuid()
open(os.environ["TMPDIR"] + "/found.json", "w").write(json.dumps(found))
def agent(observation): return int(observation["action_mask"].argmax())
"""
REFUSALS = {"EPERM", "EACCES", "ENOSYS", "EAFNOSUPPORT"}


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the numbers in the spy are x86_64's")
def test_spy_gets_nowhere(specs, pair, tmp_path):
    import json

    pair[0].write(SPY)
    pair[1].write(FAIR)
    response = asyncio.run(duel(specs, tmp_path, pair))
    assert response.agent_results[0].failure == pb.FAILURE_NONE, response
    found = json.loads((pair[0].scratch / "found.json").read_text())
    environment, descriptors, uid = (found.pop(key) for key in ("environment", "descriptors", "uid"))
    assert "SECRET_OF_THE_PARENT" in environment  # an image's own variables are the author's business
    assert not [name for name in environment if name.startswith(("KUBERNETES", "AGENT_", "RL_ARENA"))]
    assert len(descriptors) <= 7, descriptors  # 0 to 2, the channel, the pipe above, the folder itself
    if uid == 0:  # a machine on which the tests cannot give up root: what only the user's rights refuse
        found = {name: result for name, result in found.items() if not name.startswith(("parent's", "own", "oom"))}
    got = {name: result for name, result in found.items() if result not in REFUSALS}
    assert not got, got
    unharmed(specs, tmp_path, pair)


def test_fork_bomb_and_disk(specs, pair, tmp_path):
    pair[0].write(
        """
        import os
        for _ in range(10_000):
            try: os.fork()
            except OSError: pass
        with open(os.path.join(os.environ["TMPDIR"], "full"), "wb") as file:
            while True: file.write(b"x" * 1_000_000)
        """
    )
    pair[1].write(FAIR)
    lost(asyncio.run(duel(specs, tmp_path, pair)), STARTUP, "File too large")
    assert (pair[0].scratch / "full").stat().st_size <= 64 * MIB
    (pair[0].scratch / "full").unlink()
    unharmed(specs, tmp_path, pair)


def test_runtime_dies_in_a_match(specs, pair, tmp_path):
    pair[1].write(FAIR)

    async def match():
        with runtimes(1) as (doomed,):
            doomed.write("import time\ndef agent(o):\n  time.sleep(3)\n  return 0")
            async with arena(specs, tmp_path) as executor:
                playing = asyncio.ensure_future(executor.play("tic-tac-toe", [doomed.endpoint, pair[1].endpoint]))
                while not executor.matches.active or not executor.matches.find(executor.sent[0].match_id).frames:
                    await asyncio.sleep(0.01)
                await asyncio.sleep(1)
                doomed.process.kill()
                return await playing

    lost(asyncio.run(match()), pb.FAILURE_DISCONNECTED, "stopped answering")


def test_another_agents_image_cannot_end_its_game(specs, pair, tmp_path):
    """Where no network policy keeps it away, it finds the address; without the token it gets no further."""
    pair[1].write(FAIR)
    meddled, streamed = [], []

    async def meddle(endpoint: str) -> None:
        async with grpc.aio.insecure_channel(endpoint) as channel:
            stub = agent_pb2_grpc.AgentStub(channel)
            for token in ((), (("rl-arena-token", "4711"),), (("rl-arena-token", ""),)):
                for call, request in (
                    (stub.Reset, agent_pb2.ResetRequest()),
                    (stub.Act, agent_pb2.ActRequest()),
                    (stub.Close, agent_pb2.CloseRequest()),
                ):
                    with pytest.raises(grpc.aio.AioRpcError) as caught:
                        await call(request, metadata=token)
                    meddled.append(caught.value.code())
                stream = stub.Play(iter([agent_pb2.ActRequest()]), metadata=token)
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await stream.read()
                streamed.append(caught.value.code())

    async def match():
        with runtimes(1, AGENT_TOKEN="0815-a") as (guarded,):
            guarded.write("import time\ndef agent(o):\n  time.sleep(1)\n  return int(o['action_mask'].argmax())")
            async with arena(specs, tmp_path) as executor:
                request = executor.request("tic-tac-toe", [guarded.endpoint, pair[1].endpoint])
                request.agents[0].token = "0815-a"
                playing = asyncio.ensure_future(executor.stub.RunMatch(request))
                while not executor.matches.active or not executor.matches.find(request.match_id).frames:
                    await asyncio.sleep(0.01)
                await meddle(guarded.endpoint)
                return await playing

    response = asyncio.run(match())
    assert set(meddled) == {grpc.StatusCode.UNAUTHENTICATED} and len(meddled) == 9
    # A stream that is refused while its client still writes ends with one or the other.
    assert set(streamed) <= {grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.INTERNAL} and len(streamed) == 3
    assert [result.failure for result in response.agent_results] == [pb.FAILURE_NONE] * 2, response


def test_tests_run_unprivileged_where_they_can():
    """A reminder in the output, not a rule: under root some refusals come from the filter alone."""
    print("agents run by", interpreter())
