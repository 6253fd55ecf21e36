"""Entry point of the executor image, run as a file by `python3 -I -S`.

The interpreter starts without site-packages; only the folder that holds this package is added, and
RL_ARENA_LIB (folders, separated by colons) where the dependencies live elsewhere.
"""

import os
import sys

LIBRARY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def run() -> int:
    extra = [part for part in os.environ.get("RL_ARENA_LIB", "").split(":") if part]
    sys.path[:0] = [LIBRARY, *extra]
    from rl_arena.executor.server import main

    return main()


if __name__ == "__main__":
    sys.exit(run())
