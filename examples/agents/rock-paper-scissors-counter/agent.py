"""Counts what the other side has chosen and beats its favourite."""


class Agent:
    def __init__(self):
        self.reset()

    def reset(self):
        self.counts = [0, 0, 0]

    def act(self, observation):
        last = int(observation)
        if last < 3:
            self.counts[last] += 1
        favourite = self.counts.index(max(self.counts))
        return (favourite + 1) % 3
