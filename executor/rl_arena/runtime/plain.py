"""In the child: tagged plain values (frames.py) to what authors work with, and back."""

from __future__ import annotations

from typing import Any

import numpy as np

from rl_arena.runtime.frames import ACTION_MAX, DEPTH_MAX, DTYPES, extent

NODES_MAX = 10_000
INT64 = 1 << 63


class BadAction(Exception):
    """What the author's code returned is no plain value; the words are for the author."""


def from_tagged(value: Any, blob: memoryview) -> Any:
    if not isinstance(value, dict):
        return value
    if "t" in value:
        dtype, shape, offset, size = value["t"]
        data = np.frombuffer(blob[offset : offset + size], dtype=np.dtype(dtype).newbyteorder("<"))
        return data.reshape(shape).astype(dtype)  # a copy that the author may write to
    if "b" in value:
        offset, size = value["b"]
        return bytes(blob[offset : offset + size])
    if "l" in value:
        return [from_tagged(item, blob) for item in value["l"]]
    return {key: from_tagged(item, blob) for key, item in value["m"].items()}


class _Encoder:
    """Bounded while it walks: what it is given may be endless."""

    def __init__(self) -> None:
        self.blob = bytearray()
        self._nodes = 0

    def encode(self, value: Any, depth: int = 0) -> Any:
        self._nodes += 1
        if depth > DEPTH_MAX or self._nodes > NODES_MAX:
            raise BadAction("the action is nested too deep or has too many parts")
        kind = type(value)
        if value is None or kind in (bool, float):
            return value
        if issubclass(kind, (str, bytes)):
            return self._sized(value)
        if issubclass(kind, int):
            return self._integer(int.__index__(value))  # the number itself, whatever the subclass pretends
        if issubclass(kind, float) and kind is not np.float64:
            return float.__float__(value)
        if issubclass(kind, (np.ndarray, np.generic)):
            return self._tensor(np.asarray(value))
        if issubclass(kind, (list, tuple)):
            return {"l": [self.encode(item, depth + 1) for item in value]}
        if issubclass(kind, dict):
            return {"m": {self._key(k): self.encode(v, depth + 1) for k, v in value.items()}}
        if hasattr(value, "__array__"):
            return self._tensor(np.asarray(value))
        raise BadAction(f"the action is a {kind.__name__}, which is no plain value")

    @staticmethod
    def _integer(value: int) -> int:
        if not -INT64 <= value < INT64:
            raise BadAction("the action is an integer of more than 64 bits")
        return value

    def _key(self, key: Any) -> str:
        if type(key) is not str:
            raise BadAction("a map in the action has a key that is no string")
        return str(self._sized(key))

    def _sized(self, value: str | bytes) -> Any:
        if len(value) > ACTION_MAX:
            raise BadAction(f"the action is larger than {ACTION_MAX} bytes")
        if isinstance(value, str):
            return str(value)
        return {"b": [self._append(bytes(value)), len(value)]}

    def _tensor(self, array: np.ndarray) -> Any:
        name = array.dtype.name
        if name not in DTYPES:
            raise BadAction(f"the action is an array of {name}, which is no plain type")
        if array.nbytes > ACTION_MAX or extent(array.shape) > ACTION_MAX:
            raise BadAction(f"the action is an array of {array.nbytes} bytes; {ACTION_MAX} fit")
        data = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<")).tobytes()
        return {"t": [name, list(array.shape), self._append(data), len(data)]}

    def _append(self, data: bytes) -> int:
        offset = len(self.blob)
        if offset + len(data) > ACTION_MAX:
            raise BadAction(f"the action is larger than {ACTION_MAX} bytes")
        self.blob += data
        return offset


def to_tagged(value: Any) -> tuple[Any, bytearray]:
    """The action as a tagged value and the bytes that it points into; BadAction when it is none."""
    encoder = _Encoder()
    return encoder.encode(value), encoder.blob
