"""What parent and child send each other: bounded frames of JSON and bytes.

A frame is its length (u32, little-endian), the length of its JSON header (u32), the header, and
the bytes that the header points into. Nothing in a frame is ever executed, unlike a pickle: the
child runs an author's code, so the parent trusts no frame.

Values inside a header are tagged: null, booleans, numbers and strings stand for themselves,
{"l": [...]} is a list, {"m": {...}} a map, {"b": [offset, size]} bytes and
{"t": [dtype, shape, offset, size]} a tensor.
"""

from __future__ import annotations

import json
import math
import struct
from typing import Any

TO_CHILD_MAX = 8 << 20
TO_PARENT_MAX = 128 << 10
ACTION_MAX = 64 << 10
DEPTH_MAX = 16

# The element sizes of the types that a tensor may have.
DTYPES = {
    "bool": 1, "int8": 1, "int16": 2, "int32": 4, "int64": 8,
    "uint8": 1, "uint16": 2, "uint32": 4, "uint64": 8,
    "float16": 2, "float32": 4, "float64": 8,
}  # fmt: skip

LENGTH = struct.Struct("<I")


def extent(shape: list[int] | tuple[int, ...]) -> int:
    """How many elements a tensor has when empty dimensions count as one: bounds its shape as well,
    which an empty tensor's bytes do not."""
    return math.prod(max(length, 1) for length in shape)


class FrameError(Exception):
    """The other side sent something that is no frame."""


def pack(header: dict[str, Any], blob: bytes | bytearray = b"") -> bytes:
    text = json.dumps(header, separators=(",", ":")).encode("utf-8", "replace")
    return b"".join((LENGTH.pack(LENGTH.size + len(text) + len(blob)), LENGTH.pack(len(text)), text, blob))


def unpack(payload: bytes) -> tuple[dict[str, Any], memoryview]:
    """Takes a frame without its length apart; FrameError when it is none."""
    if len(payload) < LENGTH.size:
        raise FrameError("a frame without a header")
    (size,) = LENGTH.unpack_from(payload)
    if size > len(payload) - LENGTH.size:
        raise FrameError("a header longer than its frame")
    try:
        header = json.loads(payload[LENGTH.size : LENGTH.size + size])
    except (ValueError, RecursionError) as error:
        raise FrameError("a header that is not JSON") from error
    if not isinstance(header, dict):
        raise FrameError("a header that is no object")
    return header, memoryview(payload)[LENGTH.size + size :]
