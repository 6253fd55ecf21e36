"""What every bench shares: the machine it ran on, runs in turn, a table, and a JSON file.

A bench is `bench/NAME.py` with `run(context)`; its docstring's first line says what it measures.
It asks the context for programs, calls both sides in turn and hands over every single value:

    def run(context: Context) -> None:
        times = context.in_turns({"arena": ours, "reference": theirs})    # {side: [value, ...]}
        for side, values in times.items():
            context.row("GET /leaderboard", "requests/s", values, side=side)
        context.goal("GET /leaderboard", median(times["arena"]) >= 10_000, "at least 10,000/s")
        context.note("the load generator used 40% of a core")
"""

from .context import Context
from .values import exponent, median, quantile

__all__ = ["Context", "exponent", "median", "quantile"]
