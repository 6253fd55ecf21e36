"""The child process: goes under the filter, loads the author's code, answers for it.

Run as a file by `python -S -P`, with the descriptor of its socket, the limits on memory and files,
the folder of the author's code and further folders of modules as arguments. Nothing of the author's,
installed packages included, is imported before sandbox.enter().
"""

from __future__ import annotations

import fcntl
import os
import random
import sys
import traceback
from typing import Any

LIBRARY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MESSAGE_MAX = 1000


class Pipe:
    """The child's end of the socket to the parent: whole frames, blocking."""

    def __init__(self, descriptor: int):
        self._descriptor = descriptor
        # Not for anybody but this process.
        fcntl.fcntl(descriptor, fcntl.F_SETFD, fcntl.FD_CLOEXEC)

    def _read(self, size: int) -> bytes:
        parts = []
        while size:
            part = os.read(self._descriptor, min(size, 1 << 20))
            if not part:
                os._exit(0)  # the parent is gone or has closed us
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def receive(self) -> tuple[dict[str, Any], memoryview]:
        from rl_arena.runtime import frames

        (size,) = frames.LENGTH.unpack(self._read(frames.LENGTH.size))
        return frames.unpack(self._read(size))

    def send(self, header: dict[str, Any], blob: bytes | bytearray = b"") -> None:
        from rl_arena.runtime import frames

        data = memoryview(frames.pack(header, blob))
        while data:
            data = data[os.write(self._descriptor, data) :]


def place(error: BaseException, folder: str) -> str:
    """Where it happened: the last line of the author's own code, else of what that called."""
    frames = [f for f in traceback.extract_tb(error.__traceback__, limit=-50) if not f.filename.startswith(LIBRARY)]
    own = [frame for frame in frames if frame.filename.startswith(folder + os.sep)]
    if not frames:
        return ""
    last = (own or frames)[-1]
    return f" ({os.path.basename(last.filename)}, line {last.lineno})"


def describe(error: BaseException, folder: str) -> str:
    """An exception in one bounded line, whatever its author made of __str__."""
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - it is the author's code that runs here
        text = "(its text cannot be had)"
    name = type(error).__name__
    return (f"{name}: {text}" if text else name)[:MESSAGE_MAX] + place(error, folder)


def failure(kind: str, error: BaseException, folder: str) -> dict[str, Any]:
    """What goes to the parent; the trace goes to the log that the parent keeps."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(LIBRARY):
        trace = trace.tb_next  # our own frames tell an author nothing
    try:
        traceback.print_exception(type(error), error, trace, limit=-20)
        sys.stderr.flush()
    except Exception:  # noqa: BLE001, S110 - the author may have replaced stderr
        pass
    return {"kind": kind, "message": describe(error, folder)}


class Session:
    """One game: the author's player, between `load` and the end of the process."""

    def __init__(self, folder: str):
        self._folder = folder
        self._player: Any = None

    def load(self, header: dict[str, Any], blob: memoryview) -> dict[str, Any]:
        from rl_arena.runtime import author, plain

        self._seed(header["seed"])
        configuration = author.Configuration(plain.from_tagged(header["configuration"], blob))
        sys.path.insert(0, self._folder)
        try:
            module = author.load_module(self._folder)
        except author.AuthorError as error:
            return {"kind": "load", "message": str(error)}
        except Exception as error:  # noqa: BLE001
            return failure("load", error, self._folder)
        try:
            self._player = author.Player(module, header["player_id"], configuration)
            self._player.reset()
        except author.AuthorError as error:
            return {"kind": "load", "message": str(error)}
        except Exception as error:  # noqa: BLE001
            return failure("reset", error, self._folder)
        return {}

    @staticmethod
    def _seed(seed: int) -> None:
        """Makes code that draws from the usual generators repeatable without further ado."""
        import numpy as np

        random.seed(seed)
        np.random.seed(seed & 0xFFFFFFFF)

    def act(self, header: dict[str, Any], blob: memoryview) -> tuple[dict[str, Any], bytearray]:
        from rl_arena.runtime import plain

        answer: dict[str, Any] = {"step": header["step"]}
        try:
            observation = plain.from_tagged(header["observation"], blob)
            action, data = plain.to_tagged(self._player.act(observation))
        except plain.BadAction as error:
            return {**answer, "error": {"kind": "bad_action", "message": str(error)}}, bytearray()
        except Exception as error:  # noqa: BLE001
            return {**answer, "error": failure("raised", error, self._folder)}, bytearray()
        return {**answer, "action": action}, data


def main() -> None:
    descriptor, memory, file_size = (int(text) for text in sys.argv[1:4])
    folder, libraries = sys.argv[4:6]
    sys.argv = [os.path.join(folder, "agent.py")]
    sys.path.append(LIBRARY)
    from rl_arena.runtime import author, frames, sandbox  # noqa: F401 - loaded before the filter

    pipe = Pipe(descriptor)
    try:
        sandbox.enter(sandbox.Limits(memory=memory, file_size=file_size))
    except (sandbox.SandboxError, OSError, ValueError) as error:
        pipe.send({"sandbox": f"the agent's process cannot be confined: {error}"})
        return
    pipe.send({"sandbox": ""})

    # Only now what the author installed: .pth files and sitecustomize run here too.
    sys.path.remove(LIBRARY)
    import site

    site.main()
    sys.path += [LIBRARY, *filter(None, libraries.split(":"))]
    from rl_arena.runtime import plain  # noqa: F401 - numpy, the slow part, before the clock runs

    session = Session(folder)
    while True:
        header, blob = pipe.receive()
        if header["op"] == "load":
            pipe.send({"loaded": True, "error": session.load(header, blob)})
        else:
            pipe.send(*session.act(header, blob))


if __name__ == "__main__":
    main()
