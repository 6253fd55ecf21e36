"""Small statistics over what was measured."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence


def median(values: Sequence[float]) -> float:
    return float(statistics.median(values))


def quantile(values: Sequence[float], part: float) -> float:
    """The smallest value that at least this part of all are not above: quantile(v, 0.99) is p99."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(part * len(ordered)) - 1)]


def exponent(points: Mapping[int, float]) -> float:
    """Of a power law through (size, cost), by least squares of the logarithms: 1 is linear, 2 square."""
    xs = [math.log(size) for size in points]
    ys = [math.log(cost) for cost in points.values()]
    return float(statistics.linear_regression(xs, ys).slope)
