"""Any legal move, from a sequence that is the same in every game."""

import random


def create_agent(player_id):
    generator = random.Random(player_id)

    def choose(observation):
        return int(generator.choice(observation["action_mask"].nonzero()[0].tolist()))

    return choose
