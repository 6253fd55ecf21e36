"""A linear policy for pong: its weights come with it in the archive."""

from pathlib import Path

import numpy as np
from net import best

WEIGHTS = np.load(Path(__file__).parent / "weights.npy", allow_pickle=False)


class Agent:
    def __init__(self, player_id):
        self.paddle = 4 + player_id

    def act(self, observation):
        distance = observation[1] - observation[self.paddle]
        return best(WEIGHTS @ np.array([distance, 1.0], dtype=np.float32))
