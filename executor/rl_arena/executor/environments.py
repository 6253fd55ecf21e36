"""The registry: which environments there are, read from environments.toml."""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import tomllib
from dataclasses import dataclass, field
from typing import Any

from gymnasium import spaces

from rl_arena.executor.views import VIEWS

BUILT_IN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "environments.toml")
SUPPORTED_ACTIONS = (spaces.Discrete, spaces.Box, spaces.MultiDiscrete, spaces.MultiBinary)
MAX_ERRORS = 5

# pygame, which PettingZoo's classics import, greets on standard output otherwise.
os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")


class RegistryError(Exception):
    """An environment's table cannot be used; says which and why."""


@dataclass(frozen=True)
class Spec:
    """One environment, as its table says."""

    id: str
    module: str
    factory: str
    api: str
    name: str
    max_steps: int
    packages: list[str] = field(default_factory=list)
    kwargs: dict[str, Any] = field(default_factory=dict)
    revision: int = 1
    rounds: int = 1
    errors: str = "forfeit"
    default_action: Any = None
    max_errors: int = MAX_ERRORS
    view: str = ""
    display_name: str = ""
    description: str = ""
    version: str = ""
    players: int = 0

    @property
    def tolerant(self) -> bool:
        """Whether an illegal move becomes the default action and a counted error."""
        return self.errors == "default"

    def make(self) -> Any:
        return getattr(importlib.import_module(self.module), self.factory)(**self.kwargs)


def _version(table: dict[str, Any]) -> str:
    parts = [str(table["name"])]
    parts += [f"{package}{importlib.metadata.version(package)}" for package in table.get("packages", [])]
    parts.append(f"r{table.get('revision', 1)}")
    return "-".join(parts)


def _check(spec: Spec) -> None:
    if spec.api not in ("aec", "parallel"):
        raise RegistryError(f"{spec.id}: api is {spec.api!r}; it is aec or parallel")
    if spec.errors not in ("forfeit", "default"):
        raise RegistryError(f"{spec.id}: errors is {spec.errors!r}; it is forfeit or default")
    if spec.view not in VIEWS:
        raise RegistryError(f"{spec.id}: there is no view {spec.view!r}")
    if spec.max_steps < 1 or spec.rounds < 1 or spec.max_errors < 1:
        raise RegistryError(f"{spec.id}: max_steps, rounds and max_errors are at least 1")


def _load_one(identifier: str, table: dict[str, Any]) -> Spec:
    try:
        draft = Spec(id=identifier, version=_version(table), **table)
        _check(draft)
        environment = draft.make()
        names = list(environment.possible_agents)
        action_spaces = [environment.action_space(name) for name in names]
        environment.close()
    except RegistryError:
        raise
    except Exception as error:
        raise RegistryError(f"{identifier}: {type(error).__name__}: {error}") from error
    for space in action_spaces:
        if not isinstance(space, SUPPORTED_ACTIONS):
            raise RegistryError(f"{identifier}: actions of {type(space).__name__} cannot be checked")
        if draft.tolerant and not space.contains(draft.default_action):
            raise RegistryError(f"{identifier}: default_action is not in the action space")
    fields = {**table, "display_name": table.get("display_name", identifier)}
    return Spec(id=identifier, version=draft.version, players=len(names), **fields)


def load(extra: str = "") -> dict[str, Spec]:
    """Every environment, tried once; RegistryError when one cannot be made. Tables of the file
    `extra` come in addition, or instead of a built-in one of the same name."""
    tables: dict[str, Any] = {}
    for path in (BUILT_IN, extra):
        if not path:
            continue
        try:
            with open(path, "rb") as file:
                tables.update(tomllib.load(file))
        except (OSError, tomllib.TOMLDecodeError) as error:
            raise RegistryError(f"{path}: {error}") from error
    return {identifier: _load_one(identifier, table) for identifier, table in tables.items()}
