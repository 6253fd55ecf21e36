"""In the parent: protobuf values to tagged plain values (frames.py), and back.

From the child only what passes every check becomes a message: its process runs foreign code.
"""

from __future__ import annotations

from typing import Any

from rl_arena.proto import agent_pb2
from rl_arena.runtime.frames import ACTION_MAX, DEPTH_MAX, DTYPES, TO_CHILD_MAX, extent

INT64 = 1 << 63
RANK_MAX = 8


class BadValue(Exception):
    """A value breaks the contract; the words say how."""


def to_tagged(value: agent_pb2.Value, blob: bytearray, depth: int = 0) -> Any:
    """For the child; appends the bytes of tensors to the blob."""
    if depth > DEPTH_MAX:
        raise BadValue("a value is nested too deep")
    kind = value.WhichOneof("kind")
    if kind is None or kind == "null":
        return None
    if kind == "tensor":
        return _tensor_to_tagged(value.tensor, blob)
    if kind == "blob":
        blob += value.blob
        return {"b": [len(blob) - len(value.blob), len(value.blob)]}
    if kind == "list":
        return {"l": [to_tagged(item, blob, depth + 1) for item in value.list.items]}
    if kind == "map":
        return map_to_tagged(value.map.fields, blob, depth)
    return getattr(value, kind)


def map_to_tagged(fields: Any, blob: bytearray, depth: int = 0) -> Any:
    return {"m": {key: to_tagged(fields[key], blob, depth + 1) for key in sorted(fields)}}


def _tensor_to_tagged(tensor: agent_pb2.Tensor, blob: bytearray) -> Any:
    shape = list(tensor.shape)
    if tensor.dtype not in DTYPES or len(shape) > RANK_MAX or extent(shape) > TO_CHILD_MAX:
        raise BadValue("a tensor has an unknown type or too many dimensions")
    size = DTYPES[tensor.dtype]
    for length in shape:
        size *= length
    if size != len(tensor.data):
        raise BadValue("a tensor's bytes do not fit its shape")
    blob += tensor.data
    return {"t": [tensor.dtype, shape, len(blob) - size, size]}


def _slice(parts: Any, blob: memoryview) -> bytes:
    offset, size = parts
    if type(offset) is not int or type(size) is not int:
        raise BadValue("an action points nowhere")
    if offset < 0 or size < 0 or offset + size > len(blob):
        raise BadValue("an action points outside its bytes")
    return bytes(blob[offset : offset + size])


def _fill_scalar(out: agent_pb2.Value, value: Any) -> None:
    if value is None:
        out.null.SetInParent()
    elif value is True or value is False:
        out.boolean = value
    elif type(value) is int:
        if not -INT64 <= value < INT64:
            raise BadValue("the action is an integer of more than 64 bits")
        out.integer = value
    elif type(value) is float:
        out.real = value
    else:
        out.text = value.encode("utf-8", "replace").decode()


def _fill_tensor(out: agent_pb2.Tensor, parts: Any, blob: memoryview) -> None:
    dtype, shape, offset, size = parts
    if dtype not in DTYPES or len(shape) > RANK_MAX:
        raise BadValue("the action is an array of an unknown type or too many dimensions")
    expected = DTYPES[dtype]
    for length in shape:
        if type(length) is not int or not 0 <= length <= ACTION_MAX:
            raise BadValue("the action is an array with a bad shape")
        expected *= length
    if expected != size or extent(shape) > ACTION_MAX:
        raise BadValue("the action is an array whose bytes do not fit its shape")
    out.dtype = dtype
    out.shape.extend(shape)
    out.data = _slice((offset, size), blob)


def _fill(out: agent_pb2.Value, tagged: Any, blob: memoryview, depth: int) -> None:
    if depth > DEPTH_MAX:
        raise BadValue("the action is nested too deep")
    if not isinstance(tagged, dict):
        _fill_scalar(out, tagged)
    elif "t" in tagged:
        _fill_tensor(out.tensor, tagged["t"], blob)
    elif "b" in tagged:
        out.blob = _slice(tagged["b"], blob)
    elif "l" in tagged:
        out.list.SetInParent()
        for item in tagged["l"]:
            _fill(out.list.items.add(), item, blob, depth + 1)
    else:
        out.map.SetInParent()
        for key, item in tagged["m"].items():
            _fill(out.map.fields[key], item, blob, depth + 1)


def from_tagged(tagged: Any, blob: memoryview) -> agent_pb2.Value:
    """From the child; BadValue for anything that the child's own encoder would not have made."""
    out = agent_pb2.Value()
    try:
        _fill(out, tagged, blob, 0)
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise BadValue("the action is no plain value") from error
    if out.ByteSize() > ACTION_MAX:
        raise BadValue(f"the action is larger than {ACTION_MAX} bytes")
    return out
