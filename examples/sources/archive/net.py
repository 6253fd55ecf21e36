"""Picks the action with the highest value, the lowest one of equals."""

from sortedcontainers import SortedList


def best(values):
    ranked = SortedList((-float(value), action) for action, value in enumerate(values))
    return ranked[0][1]
