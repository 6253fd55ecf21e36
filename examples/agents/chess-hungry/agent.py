"""Takes the most valuable piece in reach, otherwise moves about.

An action is (column * 8 + row) * 73 + plane: the square to move from, seen from one's own side, and
a direction. Planes 0 to 55 are queen moves (distance - 1) * 8 + direction, 56 to 63 knight moves,
the rest underpromotions.
"""

QUEEN = [(dx, dy) for dx in (-1, 0, 1) for dy in (-1, 0, 1) if (dx, dy) != (0, 0)]
KNIGHT = [(dx, dy) for dx in range(-2, 3) for dy in range(-2, 3) if abs(dx) + abs(dy) == 3]
OTHERS = 13  # the first of the six planes with the other side's pieces: pawn to king
VALUES = (1, 3, 3, 5, 9, 0)


def target(action):
    """Row and column that the move ends on."""
    square, plane = divmod(action, 73)
    column, row = divmod(square, 8)
    if plane < 56:
        distance, direction = divmod(plane, 8)
        dx, dy = QUEEN[direction]
        return row + dy * (distance + 1), column + dx * (distance + 1)
    if plane < 64:
        dx, dy = KNIGHT[plane - 56]
        return row + dy, column + dx
    return row + 1, column + (plane - 64) // 3 - 1


class Agent:
    def __init__(self, player_id):
        self.moves = player_id

    def reset(self):
        self.moves = 0

    def act(self, observation):
        board = observation["observation"]
        legal = observation["action_mask"].nonzero()[0]
        self.moves += 1

        def worth(action):
            row, column = target(int(action))
            cell = board[7 - row][column]
            taken = max((VALUES[i] for i in range(6) if cell[OTHERS + i]), default=0)
            # Quiet moves change with the move's number, so that the game does not go in circles.
            return taken, (int(action) * 31 + self.moves * 17) % 97

        return int(max(legal, key=worth))
