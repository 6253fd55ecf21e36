"""RL Arena: the match executor and the agent runtime."""

__version__ = "0.1.0"
