"""Finds what an author wrote in agent.py and calls it, whichever of the known ways it was written in.

In this order: `create_agent(player_id)` or `create_agent()`; a class `Agent` whose constructor
takes `player_id` or nothing; a function `agent(observation, configuration)` or
`agent(observation)`; else the last callable that the file defines, as on Kaggle. What comes out
answers to `act`, `get_action`, `predict` or a plain call, and may have a `reset()`.
"""

from __future__ import annotations

import inspect
import os
import sys
import types
from collections.abc import Callable
from typing import Any

METHODS = ("act", "get_action", "predict")
MODULE = "agent"


class AuthorError(Exception):
    """The file does not offer an agent; the words are for its author."""


class Configuration(dict[str, Any]):
    """The second argument of Kaggle's agents: keys can be read as attributes too."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


def load_module(folder: str) -> types.ModuleType:
    path = os.path.join(folder, "agent.py")
    try:
        with open(path, "rb") as file:
            source = file.read()
    except FileNotFoundError:
        raise AuthorError("there is no agent.py in the submission") from None
    module = types.ModuleType(MODULE)
    module.__file__ = path
    sys.modules[MODULE] = module
    exec(compile(source, path, "exec"), module.__dict__)  # noqa: S102 - this is what we are for
    return module


def _positional(function: Callable[..., Any]) -> tuple[int, int, list[str]] | None:
    """How many positional arguments it needs and takes, and their names; None: it does not tell."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return None
    plain = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    needed = sum(1 for p in plain if p.default is p.empty)
    return needed, len(plain), [p.name for p in parameters]


def _call_with_player(function: Callable[..., Any], player_id: int) -> Any:
    known = _positional(function)
    if known is None:
        return function()
    needed, _, names = known
    if "player_id" in names:
        return function(player_id=player_id)
    return function(player_id) if needed >= 1 else function()


def _last_callable(module: types.ModuleType) -> Callable[..., Any] | None:
    values = [value for name, value in vars(module).items() if not name.startswith("__")]
    callables = [value for value in values if callable(value)]
    own = [value for value in callables if getattr(value, "__module__", None) == MODULE]
    found = own or callables
    return found[-1] if found else None


def _build(module: types.ModuleType, player_id: int) -> Any:
    factory = getattr(module, "create_agent", None)
    if callable(factory):
        return _call_with_player(factory, player_id)
    offered = getattr(module, "Agent", None)
    if not isinstance(offered, type):
        offered = getattr(module, "agent", None)
    if not callable(offered):
        offered = _last_callable(module)
    if offered is None:
        raise AuthorError(
            "agent.py defines no agent: write a function agent(observation), a class Agent with"
            " act(observation), or create_agent(player_id)"
        )
    return _call_with_player(offered, player_id) if isinstance(offered, type) else offered


class Player:
    """An author's agent, ready to be asked for moves."""

    def __init__(self, module: types.ModuleType, player_id: int, configuration: Configuration):
        self._agent = _build(module, player_id)
        self._player_id = player_id
        self._configuration = configuration
        self._method, self._choose = self._find_method()
        known = _positional(self._choose)
        self._wants_configuration = known is not None and known[1] >= 2 and self._may_configure()

    def _find_method(self) -> tuple[str, Callable[..., Any]]:
        for name in METHODS:
            method = getattr(self._agent, name, None)
            if callable(method):
                return name, method
        if callable(self._agent):
            return "", self._agent
        raise AuthorError(
            f"the agent is a {type(self._agent).__name__} without act(observation),"
            " get_action(observation) or predict(observation)"
        )

    def _may_configure(self) -> bool:
        # The second parameter of predict (Stable-Baselines) is a recurrent state, not ours to fill.
        return self._method != "predict"

    def reset(self) -> None:
        reset = getattr(self._agent, "reset", None)
        if callable(reset):
            _call_with_player(reset, self._player_id)

    def act(self, observation: Any) -> Any:
        if self._wants_configuration:
            return self._choose(observation, self._configuration)
        answer = self._choose(observation)
        if self._method == "predict" and type(answer) is tuple and len(answer) == 2:
            return answer[0]
        return answer
