"""Entry point of the agent image, run as a file by `python3 -I -S`.

The interpreter starts without site-packages, so that nothing an author installed runs in the
parent. Only the folder that holds this package is added, and RL_ARENA_LIB (folders, separated by
colons) where the dependencies live elsewhere, as in a virtual environment.
"""

import os
import sys

LIBRARY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def run() -> int:
    extra = [part for part in os.environ.get("RL_ARENA_LIB", "").split(":") if part]
    sys.path[:0] = [LIBRARY, *extra]
    from rl_arena.runtime.server import main

    return main()


if __name__ == "__main__":
    sys.exit(run())
