"""Takes the middle, then the corners, then what is left."""

ORDER = (4, 0, 2, 6, 8, 1, 3, 5, 7)


class Agent:
    def get_action(self, observation):
        mask = observation["action_mask"]
        return next(cell for cell in ORDER if mask[cell])
