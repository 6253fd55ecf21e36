"""The filter's decisions, by running its instructions here for both architectures."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rl_arena.runtime import sandbox

PID = 4242
MACHINES = ("x86_64", "aarch64")


def decide(machine: str, number: int, arguments: tuple[int, ...] = (), arch: int | None = None) -> int:
    """What the kernel would answer: a small machine for the instructions that the filter uses."""
    code = sandbox.build_filter(machine, PID)
    padded = [value & 0xFFFFFFFFFFFFFFFF for value in (*arguments, 0, 0, 0, 0, 0, 0)][:6]
    data = struct.pack("<IIQ6Q", number & 0xFFFFFFFF, arch or sandbox.AUDIT_ARCH[machine], 0, *padded)
    accumulator, at = 0, 0
    for _ in range(len(code)):
        operation, if_true, if_false, value = code[at]
        at += 1
        if operation == sandbox.LOAD:
            (accumulator,) = struct.unpack_from("<I", data, value)
        elif operation == sandbox.AND:
            accumulator &= value
        elif operation == sandbox.RETURN:
            return value
        else:
            met = {
                sandbox.JUMP_EQUAL: accumulator == value,
                sandbox.JUMP_GREATER_OR_EQUAL: accumulator >= value,
                sandbox.JUMP_SET: bool(accumulator & value),
            }[operation]
            at += if_true if met else if_false
    raise AssertionError("the filter does not end")


def of(pair: tuple[int, int], machine: str) -> int:
    return pair[MACHINES.index(machine)]


@pytest.mark.parametrize("machine", MACHINES)
def test_refused_calls(machine):
    for name, pair in sandbox.REFUSED.items():
        if of(pair, machine) >= 0:
            assert decide(machine, of(pair, machine)) == sandbox.REFUSE, name


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize(
    ("call", "arguments", "allowed"),
    [
        (sandbox.CLONE, (sandbox.CLONE_THREAD | 0x3D0F00,), True),
        (sandbox.CLONE, (17,), False),
        (sandbox.CLONE, (0x10000000 | 17,), False),
        (sandbox.KILL, (PID, 9), True),
        (sandbox.KILL, (0, 9), False),
        (sandbox.KILL, (-1, 9), False),
        (sandbox.KILL, (-PID, 9), False),
        (sandbox.KILL, (1, 9), False),
        (sandbox.TGKILL, (PID, PID + 3, 6), True),
        (sandbox.TGKILL, (1, 1, 6), False),
        (sandbox.PRLIMIT64, (0,), True),
        (sandbox.PRLIMIT64, (PID,), True),
        (sandbox.PRLIMIT64, (1,), False),
        (sandbox.SCHED_SETAFFINITY, (0,), True),
        (sandbox.SCHED_SETAFFINITY, (1,), False),
        (sandbox.SOCKETPAIR, (1, 1 | 0o2000000), True),
        (sandbox.SOCKETPAIR, (1, 2), False),
        (sandbox.SOCKETPAIR, (1, 5), False),
        (sandbox.FCNTL, (3, 1), True),
        (sandbox.FCNTL, (3, sandbox.F_SETOWN), False),
        (sandbox.FCNTL, (3, sandbox.F_SETSIG), False),
        (sandbox.FCNTL, (3, sandbox.F_SETOWN_EX), False),
        (sandbox.IOCTL, (3, 0x5401), True),
        (sandbox.IOCTL, (3, sandbox.FIOSETOWN), False),
    ],
)
def test_calls_decided_by_arguments(machine, call, arguments, allowed):
    answer = decide(machine, of(call, machine), arguments)
    assert answer == (sandbox.ALLOW if allowed else sandbox.REFUSE)


@pytest.mark.parametrize("machine", MACHINES)
def test_other_ways_in(machine):
    assert decide(machine, of(sandbox.CLONE3, machine)) == sandbox.UNKNOWN_CALL
    other = sandbox.AUDIT_ARCH[MACHINES[1 - MACHINES.index(machine)]]
    assert decide(machine, 1, arch=other) == sandbox.KILL_PROCESS
    assert decide(machine, 1, arch=0x40000003) == sandbox.KILL_PROCESS  # i386
    if machine == "x86_64":
        assert decide(machine, sandbox.X32_BIT | 41) == sandbox.UNKNOWN_CALL


@given(
    st.sampled_from(MACHINES),
    st.integers(0, 2**32 - 1) | st.integers(0, 500),
    st.tuples(*[st.integers(0, 2**64 - 1)] * 3),
)
def test_everything_has_an_answer(machine, number, arguments):
    allowed = (sandbox.ALLOW, sandbox.REFUSE, sandbox.UNKNOWN_CALL)
    assert decide(machine, number, arguments) in allowed
    assert len(sandbox.build_filter(machine, PID)) < 4096


def test_unknown_architecture():
    with pytest.raises(sandbox.SandboxError):
        sandbox.build_filter("riscv64", PID)
