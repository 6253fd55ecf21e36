"""Looks at every way the game can end; never loses."""

from functools import cache

LINES = ((0, 1, 2), (3, 4, 5), (6, 7, 8), (0, 3, 6), (1, 4, 7), (2, 5, 8), (0, 4, 8), (2, 4, 6))


@cache
def value(own, other):
    """The best that the side to move can reach: 1, 0 or -1. Boards are sets of nine bits."""
    if any(all(other >> cell & 1 for cell in line) for line in LINES):
        return -1
    moves = [cell for cell in range(9) if not (own | other) >> cell & 1]
    return max((-value(other, own | 1 << cell) for cell in moves), default=0)


def agent(observation):
    board = observation["observation"].reshape(9, 2)
    own = sum(1 << cell for cell in range(9) if board[cell][0])
    other = sum(1 << cell for cell in range(9) if board[cell][1])
    moves = [cell for cell in range(9) if observation["action_mask"][cell]]
    return max(moves, key=lambda cell: -value(other, own | 1 << cell))
