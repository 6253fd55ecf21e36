"""Raises with a pair or a king, folds a jack, and otherwise stays in for little."""

CALL, RAISE, FOLD, CHECK = range(4)


def first(mask, *wishes):
    return next(action for action in wishes if mask[action])


def agent(observation, configuration):
    cards, mask = observation["observation"], observation["action_mask"]
    own = list(cards[0:3]).index(1)  # 0 jack, 1 queen, 2 king
    pair = cards[3 + own] == 1
    if pair or own == 2:
        return first(mask, RAISE, CALL, CHECK, FOLD)
    if own == 0:
        return first(mask, CHECK, FOLD, CALL, RAISE)
    return first(mask, CHECK, CALL, FOLD, RAISE)
