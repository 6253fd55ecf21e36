"""What the author's code may not do, enforced by the kernel on the child process.

The child gives up privileges, takes resource limits and installs a seccomp filter on itself before
it loads anything of the author's. All of it works without any privilege, in a Pod under the
`restricted` profile; the container's own seccomp profile stays in force beside this one.

The filter refuses (EPERM): new sockets of every family and their use, new processes (threads are
allowed), signals to and control of other processes, tracing, namespaces, mounts, and kernel
interfaces through which any of these could be had (io_uring, bpf, keyrings, F_SETOWN signals).
Processes are refused altogether, not counted: RLIMIT_NPROC counts per user over the whole node, so
it would let one agent starve another's Pod.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import resource
import struct
from dataclasses import dataclass

PR_SET_DUMPABLE = 4
PR_SET_SECCOMP = 22
PR_SET_PDEATHSIG = 1
PR_SET_NO_NEW_PRIVS = 38
SECCOMP_MODE_FILTER = 2
SIGKILL = 9

# The kernel's numbers: (x86_64, aarch64); -1 where the architecture has no such call.
REFUSED: dict[str, tuple[int, int]] = {
    "socket": (41, 198),
    "connect": (42, 203),
    "accept": (43, 202),
    "accept4": (288, 242),
    "bind": (49, 200),
    "listen": (50, 201),
    "fork": (57, -1),
    "vfork": (58, -1),
    "execve": (59, 221),
    "execveat": (322, 281),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "process_mrelease": (448, 448),
    "kcmp": (312, 272),
    "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438),
    "pidfd_send_signal": (424, 424),
    "tkill": (200, 130),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    "setpriority": (141, 140),
    "ioprio_set": (251, 30),
    "sched_setparam": (142, 118),
    "sched_setscheduler": (144, 119),
    "sched_setattr": (314, 274),
    "migrate_pages": (256, 238),
    "move_pages": (279, 239),
    "unshare": (272, 97),
    "setns": (308, 268),
    "chroot": (161, 51),
    "pivot_root": (155, 41),
    "mount": (165, 40),
    "umount2": (166, 39),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "modify_ldt": (154, -1),
    "iopl": (172, -1),
    "ioperm": (173, -1),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "acct": (163, 89),
    "quotactl": (179, 60),
    "syslog": (103, 116),
}

# Calls that are decided by their arguments.
CLONE = (56, 220)
CLONE3 = (435, 435)
KILL = (62, 129)
TGKILL = (234, 131)
PRLIMIT64 = (302, 261)
SCHED_SETAFFINITY = (203, 122)
SOCKETPAIR = (53, 199)
FCNTL = (72, 25)
IOCTL = (16, 29)

AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
X32_BIT = 0x40000000
CLONE_THREAD = 0x00010000
SOCK_STREAM = 1
SOCK_TYPE_MASK = 0xF
F_SETOWN, F_SETSIG, F_SETOWN_EX = 8, 10, 15
FIOSETOWN, SIOCSPGRP = 0x8901, 0x8902

# Classic BPF: load a word, compare with a constant, mask, answer.
LOAD = 0x20
JUMP_EQUAL = 0x15
JUMP_GREATER_OR_EQUAL = 0x35
JUMP_SET = 0x45
AND = 0x54
RETURN = 0x06
ALLOW = 0x7FFF0000
KILL_PROCESS = 0x80000000
REFUSE = 0x00050000 | errno.EPERM
UNKNOWN_CALL = 0x00050000 | errno.ENOSYS

OFFSET_NUMBER, OFFSET_ARCH, OFFSET_ARGUMENTS = 0, 4, 16

Instruction = tuple[int, int, int, int]


class SandboxError(Exception):
    """The kernel or the machine does not offer what the filter needs."""


@dataclass(frozen=True)
class Limits:
    """Of the child process, in bytes; 0 means no limit."""

    memory: int
    file_size: int
    open_files: int = 256


def _load(offset: int) -> Instruction:
    return (LOAD, 0, 0, offset)


def _answer(value: int) -> Instruction:
    return (RETURN, 0, 0, value)


def _low_word(argument: int) -> int:
    return OFFSET_ARGUMENTS + 8 * argument  # both architectures are little-endian


def _allow_only(argument: int, values: list[int]) -> list[Instruction]:
    """Allows the call when the low word of the argument is one of the values."""
    code = [_load(_low_word(argument))]
    for index, value in enumerate(values):
        code.append((JUMP_EQUAL, len(values) - index, 0, value))
    return [*code, _answer(REFUSE), _answer(ALLOW)]


def _refuse_values(argument: int, values: list[int]) -> list[Instruction]:
    code = [_load(_low_word(argument))]
    for index, value in enumerate(values):
        code.append((JUMP_EQUAL, len(values) - index, 0, value))
    return [*code, _answer(ALLOW), _answer(REFUSE)]


def _by_argument(column: int, own_pid: int) -> list[tuple[int, list[Instruction]]]:
    """The rules that look at arguments; each ends in an answer."""
    threads_only = [
        _load(_low_word(0)),
        (JUMP_SET, 1, 0, CLONE_THREAD),
        _answer(REFUSE),
        _answer(ALLOW),
    ]
    # A datagram pair could be connected to somebody else's socket, a stream pair cannot.
    stream_only = [
        _load(_low_word(1)),
        (AND, 0, 0, SOCK_TYPE_MASK),
        (JUMP_EQUAL, 1, 0, SOCK_STREAM),
        _answer(REFUSE),
        _answer(ALLOW),
    ]
    return [
        (CLONE[column], threads_only),
        # Its flags lie in memory, out of a filter's sight: libc falls back to clone.
        (CLONE3[column], [_answer(UNKNOWN_CALL)]),
        (KILL[column], _allow_only(0, [own_pid])),
        (TGKILL[column], _allow_only(0, [own_pid])),
        (PRLIMIT64[column], _allow_only(0, [0, own_pid])),
        (SCHED_SETAFFINITY[column], _allow_only(0, [0, own_pid])),
        (SOCKETPAIR[column], stream_only),
        # Ways to have the kernel send a signal of one's choice to another process.
        (FCNTL[column], _refuse_values(1, [F_SETOWN, F_SETSIG, F_SETOWN_EX])),
        (IOCTL[column], _refuse_values(1, [FIOSETOWN, SIOCSPGRP])),
    ]


def build_filter(machine: str, own_pid: int) -> list[Instruction]:
    """The filter as instructions; SandboxError for an unknown architecture."""
    if machine not in AUDIT_ARCH:
        raise SandboxError(f"no system call filter for the architecture {machine}")
    column = 0 if machine == "x86_64" else 1
    code: list[Instruction] = [
        _load(OFFSET_ARCH),
        (JUMP_EQUAL, 1, 0, AUDIT_ARCH[machine]),
        _answer(KILL_PROCESS),
        _load(OFFSET_NUMBER),
    ]
    if machine == "x86_64":
        code += [(JUMP_GREATER_OR_EQUAL, 0, 1, X32_BIT), _answer(UNKNOWN_CALL)]
    for number, body in _by_argument(column, own_pid):
        code.append((JUMP_EQUAL, 0, len(body), number))
        code += body
    numbers = sorted(pair[column] for pair in REFUSED.values() if pair[column] >= 0)
    for number in numbers:
        code += [(JUMP_EQUAL, 0, 1, number), _answer(REFUSE)]
    return [*code, _answer(ALLOW)]


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_void_p))


def _prctl(option: int, *arguments: int | ctypes.c_void_p) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    words = [value if isinstance(value, ctypes.c_void_p) else ctypes.c_ulong(value) for value in arguments]
    while len(words) < 4:
        words.append(ctypes.c_ulong(0))
    if libc.prctl(ctypes.c_int(option), *words) != 0:
        code = ctypes.get_errno()
        raise SandboxError(f"prctl({option}) failed: {os.strerror(code)}")


def install_filter() -> None:
    """Puts this process, and every thread it starts from now on, under the filter for good."""
    code = build_filter(platform.machine(), os.getpid())
    data = b"".join(struct.pack("<HBBI", *instruction) for instruction in code)
    buffer = ctypes.create_string_buffer(data, len(data))
    program = _Program(len(code), ctypes.addressof(buffer))
    _prctl(PR_SET_NO_NEW_PRIVS, 1)
    _prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.c_void_p(ctypes.addressof(program)))


def hide_process() -> None:
    """Keeps other processes of the same user out of this one's memory, files and environment."""
    _prctl(PR_SET_DUMPABLE, 0)


def _limit(kind: int, value: int) -> None:
    _, hard = resource.getrlimit(kind)
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    resource.setrlimit(kind, (value, value))


def enter(limits: Limits) -> None:
    """Everything at once, in the child, before any of the author's code is loaded."""
    _prctl(PR_SET_PDEATHSIG, SIGKILL)
    # When the container runs out of memory, this process goes, not the parent.
    try:
        with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
            file.write("1000")
    except OSError:
        pass  # a sandboxed runtime may not offer it; the memory limit below still holds
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_NOFILE, limits.open_files)
    if limits.file_size:
        _limit(resource.RLIMIT_FSIZE, limits.file_size)
    if limits.memory:
        _limit(resource.RLIMIT_DATA, limits.memory)
    install_filter()
