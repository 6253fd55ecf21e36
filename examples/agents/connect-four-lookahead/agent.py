"""Looks four moves ahead and counts the lines that are still open."""

ROWS, COLUMNS = 6, 7
ORDER = (3, 2, 4, 1, 5, 0, 6)
DEPTH = 4
WON = 10_000
STEPS = ((0, 1), (1, 0), (1, 1), (1, -1))
LINES = [
    [(row + i * down) * COLUMNS + column + i * right for i in range(4)]
    for row in range(ROWS)
    for column in range(COLUMNS)
    for down, right in STEPS
    if 0 <= row + 3 * down < ROWS and 0 <= column + 3 * right < COLUMNS
]


def score(board, side):
    total = 0
    for line in LINES:
        cells = [board[cell] for cell in line]
        own, other = cells.count(side), cells.count(-side)
        if own and other:
            continue
        if own == 4:
            return WON
        if other == 4:
            return -WON
        total += own * own - other * other
    return total


def drop(board, column, side):
    for row in range(ROWS - 1, -1, -1):
        if board[row * COLUMNS + column] == 0:
            after = board[:]
            after[row * COLUMNS + column] = side
            return after
    return None


def search(board, side, depth, low, high):
    now = score(board, side)
    if depth == 0 or abs(now) == WON:
        return now * (depth + 1) if abs(now) == WON else now
    best = None
    for column in ORDER:
        after = drop(board, column, side)
        if after is None:
            continue
        value = -search(after, -side, depth - 1, -high, -low)
        best = value if best is None else max(best, value)
        low = max(low, value)
        if low >= high:
            break
    return 0 if best is None else best


def agent(observation):
    planes = observation["observation"].reshape(ROWS * COLUMNS, 2)
    board = [int(own) - int(other) for own, other in planes]
    moves = [column for column in ORDER if observation["action_mask"][column]]
    limit = WON * (DEPTH + 1)
    return max(moves, key=lambda c: -search(drop(board, c, 1), -1, DEPTH - 1, -limit, limit))
