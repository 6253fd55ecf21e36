"""Environments of the arena's own, in PettingZoo's shape."""
