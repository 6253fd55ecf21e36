"""Casts and checks what an agent answered: from a plain message to an action of the space, or not.

The message holds plain data only, so nothing here can run an agent's code. Nothing is guessed: a
float is no move in a discrete game, a boolean is no number.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from gymnasium import spaces

from rl_arena.executor.encode import DTYPES
from rl_arena.proto import agent_pb2

RANK_MAX = 8


class IllegalAction(Exception):
    """The action is not allowed; the words are for the agent's author."""


def _short(value: agent_pb2.Value) -> str:
    """What the agent answered, in a few words."""
    kind = value.WhichOneof("kind")
    if kind in (None, "null"):
        return "nothing"
    if kind in ("boolean", "integer", "real"):
        return f"{getattr(value, kind)!r}"
    if kind == "tensor":
        return f"an array of {value.tensor.dtype[:16]} with shape {list(value.tensor.shape)[:RANK_MAX]}"
    return {"text": "a string", "blob": "bytes", "list": "a list"}.get(kind, "a map")


def _tensor(tensor: agent_pb2.Tensor) -> np.ndarray:
    shape = list(tensor.shape)
    if tensor.dtype not in DTYPES or len(shape) > RANK_MAX:
        raise IllegalAction("it answered an array of an unknown type or too many dimensions")
    dtype = np.dtype(tensor.dtype)
    if math.prod(shape) * dtype.itemsize != len(tensor.data):
        raise IllegalAction("it answered an array whose bytes do not fit its shape")
    try:
        return np.frombuffer(tensor.data, dtype=dtype.newbyteorder("<")).reshape(shape)
    except ValueError:  # an empty array may still be too long in its other dimensions
        raise IllegalAction("it answered an array with an impossible shape") from None


def _integer(value: agent_pb2.Value) -> int:
    kind = value.WhichOneof("kind")
    if kind == "integer":
        return value.integer
    if kind == "tensor":
        array = _tensor(value.tensor)
        if array.dtype.kind in "iu" and array.size == 1:
            return int(array.reshape(())[()])
    if kind == "list" and len(value.list.items) == 1:
        item = value.list.items[0]
        if item.WhichOneof("kind") == "integer":
            return item.integer
    raise IllegalAction(f"it answered {_short(value)}, where an integer is needed")


def _discrete(space: spaces.Discrete, mask: np.ndarray | None, value: agent_pb2.Value) -> int:
    action = _integer(value)
    start, count = int(space.start), int(space.n)
    if not start <= action < start + count:
        raise IllegalAction(f"it answered {action}; moves are {start} to {start + count - 1}")
    if mask is not None and not mask[action - start]:
        raise IllegalAction(f"it answered {action}, which is not legal in this position")
    return action


def _numbers(value: agent_pb2.Value, depth: int = 0) -> Any:
    """Nested lists of numbers as Python's own."""
    kind = value.WhichOneof("kind")
    if kind in ("integer", "real"):
        return getattr(value, kind)
    if kind == "list" and depth < RANK_MAX:
        return [_numbers(item, depth + 1) for item in value.list.items]
    raise IllegalAction(f"it answered {_short(value)}, where numbers are needed")


def _array(value: agent_pb2.Value, shape: tuple[int, ...], whole: bool) -> np.ndarray:
    if value.WhichOneof("kind") == "tensor":
        array = _tensor(value.tensor)
    else:
        try:
            array = np.asarray(_numbers(value))
        except (ValueError, OverflowError):
            raise IllegalAction("it answered a list that is no array") from None
    allowed = "iu" if whole else "iuf"
    if array.dtype.kind not in allowed:
        raise IllegalAction(f"it answered {_short(value)}, where {'integers' if whole else 'numbers'} are needed")
    if array.shape != shape:
        raise IllegalAction(f"it answered an array of shape {list(array.shape)}; {list(shape)} is needed")
    return array


def _box(space: spaces.Box, value: agent_pb2.Value) -> np.ndarray:
    whole = np.issubdtype(space.dtype, np.integer)
    array = _array(value, space.shape, whole)
    if not np.all(np.isfinite(array)):
        raise IllegalAction("it answered numbers that are not finite")
    if np.any(array < space.low) or np.any(array > space.high):
        raise IllegalAction("it answered numbers outside the allowed range")
    return array.astype(space.dtype)


def cast(space: spaces.Space[Any], mask: np.ndarray | None, value: agent_pb2.Value) -> Any:
    """The action, of the type that the environment takes; IllegalAction when it is not allowed."""
    if isinstance(space, spaces.Discrete):
        return _discrete(space, mask, value)
    if isinstance(space, spaces.Box):
        return _box(space, value)
    if isinstance(space, spaces.MultiDiscrete):
        array = _array(value, space.shape, True)
        if np.any(array < space.start) or np.any(array >= space.start + space.nvec):
            raise IllegalAction("it answered numbers outside the allowed range")
        return array.astype(space.dtype)
    if isinstance(space, spaces.MultiBinary):
        array = _array(value, space.shape, True)
        if np.any((array != 0) & (array != 1)):
            raise IllegalAction("it answered something else than zeros and ones")
        return array.astype(space.dtype)
    raise TypeError(f"actions of {type(space).__name__} cannot be checked")


def plain(action: Any) -> Any:
    """An action as JSON has it."""
    if isinstance(action, np.ndarray | np.generic):
        return action.tolist()
    return action
