"""Raises whenever it can, and never folds while it may call."""

CALL, RAISE, FOLD, CHECK = range(4)


def agent(observation):
    mask = observation["action_mask"]
    return next(action for action in (RAISE, CALL, CHECK, FOLD) if mask[action])
