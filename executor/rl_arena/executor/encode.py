"""Observations and spaces as messages of proto/agent.proto."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces

from rl_arena.proto import agent_pb2

DTYPES = frozenset(
    ["bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32", "float64"]
)


class EncodeError(Exception):
    """An environment shows something that the contract has no message for."""


def fill_tensor(out: agent_pb2.Tensor, array: np.ndarray) -> None:
    if array.dtype.name not in DTYPES:
        raise EncodeError(f"an observation of type {array.dtype.name}")
    out.dtype = array.dtype.name
    out.shape.extend(array.shape)
    out.data = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<")).tobytes()


def fill(out: agent_pb2.Value, value: Any) -> None:
    if value is None:
        out.null.SetInParent()
    elif isinstance(value, bool | np.bool_):
        out.boolean = bool(value)
    elif isinstance(value, int | np.integer):
        out.integer = int(value)
    elif isinstance(value, float | np.floating):
        out.real = float(value)
    elif isinstance(value, str):
        out.text = value
    elif isinstance(value, np.ndarray) and value.ndim == 0:
        fill(out, value.item())
    elif isinstance(value, np.ndarray):
        fill_tensor(out.tensor, value)
    elif isinstance(value, list | tuple):
        out.list.SetInParent()
        for item in value:
            fill(out.list.items.add(), item)
    elif isinstance(value, dict):
        out.map.SetInParent()
        for key, item in value.items():
            fill(out.map.fields[str(key)], item)
    else:
        raise EncodeError(f"an observation of {type(value).__name__}")


def value(plain: Any) -> agent_pb2.Value:
    out = agent_pb2.Value()
    fill(out, plain)
    return out


def space(described: spaces.Space[Any]) -> agent_pb2.Space:
    out = agent_pb2.Space()
    if isinstance(described, spaces.Discrete):
        out.discrete.n, out.discrete.start = int(described.n), int(described.start)
    elif isinstance(described, spaces.Box):
        out.box.dtype = np.dtype(described.dtype).name
        out.box.shape.extend(described.shape)
        out.box.low, out.box.high = float(described.low.min()), float(described.high.max())
    elif isinstance(described, spaces.MultiDiscrete):
        out.multi_discrete.nvec.extend(int(n) for n in described.nvec.flatten())
    elif isinstance(described, spaces.MultiBinary):
        out.multi_binary.shape.extend(described.shape)
    elif isinstance(described, spaces.Dict):
        for key, item in described.spaces.items():
            out.dict.spaces[key].CopyFrom(space(item))
    return out
