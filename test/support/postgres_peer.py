"""A real PostgreSQL for C tests, until stdin is closed.

Prints url, socket_url, stop (as in a crash), stop_fast and start: command lines for a shell.
"""

import pathlib
import shlex
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration" / "front"))

from postgres import Postgres  # noqa: E402


def main() -> None:
    with Postgres() as server:
        quiet = " </dev/null >/dev/null 2>&1"
        print("url", server.url("postgres"))
        print("socket_url", server.socket_url("postgres"))
        print("stop", shlex.join(server.control("-m", "immediate", "stop")) + quiet)
        print("stop_fast", shlex.join(server.control("-m", "fast", "stop")) + quiet)
        print("start", shlex.join(server.control("start")) + quiet)
        print("port", server.port)
        print("ready", flush=True)
        sys.stdin.read()


main()
