"""The match executor: plays matches between agents and records them."""
