#!/usr/bin/env python3
"""Runs benches: each prints a table and leaves build/bench/NAME.json.

usage: run.py [--runs N] [--small] [NAME...]     without a name: all of them, one after the other

`--small` is a trial with small inputs and two runs: it shows that a bench works, and is no figure.
"""

from __future__ import annotations

import argparse
import importlib
import pathlib
import sys
import traceback

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from common import Context  # noqa: E402


def names() -> list[str]:
    return sorted(file.stem for file in HERE.glob("*.py") if file.stem != "run")


def run(name: str, runs: int, small: bool) -> bool:
    context = Context(name, runs, small)
    try:
        importlib.import_module(name).run(context)
    except Exception:  # noqa: BLE001 - the other benches have something to tell too
        traceback.print_exc()
        return False
    finally:
        context.close()
        if context.rows:
            context.write()
            print(context.table(), flush=True)
    return True


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, help="of each side (default: 5)")
    parser.add_argument("--small", action="store_true", help="a trial")
    parser.add_argument("name", nargs="*", help=", ".join(names()))
    wanted = parser.parse_args()
    unknown = set(wanted.name) - set(names())
    if unknown:
        parser.error(f"no such bench: {', '.join(sorted(unknown))} (there are: {', '.join(names())})")
    runs = wanted.runs or (2 if wanted.small else 5)
    return 0 if all([run(name, runs, wanted.small) for name in wanted.name or names()]) else 1


if __name__ == "__main__":
    sys.exit(main())
