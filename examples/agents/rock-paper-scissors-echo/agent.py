"""Beats what the other side chose last."""


def agent(observation):
    last = int(observation)
    return (last + 1) % 3 if last < 3 else 0
