"""What a replay shows of a position: plain data out of an environment, one function for each game.

Called in the environment's thread after every step, with the unwrapped environment. A view may hold
what players cannot see (both hands in poker): it goes into the replay and to spectators only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

DIGITS = 6


def pong(environment: Any) -> dict[str, Any]:
    return {
        "ball_pos": [round(min(max(value, 0.0), 1.0), DIGITS) for value in environment.ball],
        "paddle_positions": [round(value, DIGITS) for value in environment.paddles],
        "score": list(environment.score),
    }


def tic_tac_toe(environment: Any) -> dict[str, Any]:
    return {"board": [int(cell) for cell in environment.board.squares]}


def connect_four(environment: Any) -> dict[str, Any]:
    return {"board": [int(cell) for cell in environment.board]}


def rock_paper_scissors(environment: Any) -> dict[str, Any]:
    return {}


def leduc_holdem(environment: Any) -> dict[str, Any]:
    game = environment.env.game
    return {
        "hands": [player.hand.get_index() for player in game.players],
        "public_card": game.public_card.get_index() if game.public_card else None,
        "chips": [int(player.in_chips) for player in game.players],
        "folded": [player.status == "folded" for player in game.players],
    }


def chess(environment: Any) -> dict[str, Any]:
    board = environment.board
    moved = board.move_stack[-1].uci() if board.move_stack else None
    return {"fen": board.fen(), "move": moved}


def nothing(environment: Any) -> dict[str, Any]:
    return {}


VIEWS: dict[str, Callable[[Any], dict[str, Any]]] = {
    "": nothing,
    "pong": pong,
    "tic_tac_toe": tic_tac_toe,
    "connect_four": connect_four,
    "rock_paper_scissors": rock_paper_scissors,
    "leduc_holdem": leduc_holdem,
    "chess": chess,
}
