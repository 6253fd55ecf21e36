"""Properties of what stands between an agent's bytes and the executor: nothing gets through that the
rules do not allow, and nothing raises what is not meant for it."""

from __future__ import annotations

import io
import json
import stat
import zipfile

import numpy as np
import pytest
from gymnasium import spaces
from hypothesis import given
from hypothesis import strategies as st

from rl_arena.executor import actions, client, encode, validate
from rl_arena.proto import agent_pb2
from rl_arena.runtime import frames, plain, values

DTYPES = st.sampled_from([*frames.DTYPES, "O", "V4", "i4,i4", "", "M8[s]", "é", "float128"])


def build(plain_value: object) -> agent_pb2.Value:
    return encode.value(plain_value)


def tensors() -> st.SearchStrategy[agent_pb2.Value]:
    return st.builds(
        lambda dtype, shape, data: agent_pb2.Value(tensor=agent_pb2.Tensor(dtype=dtype, shape=shape, data=data)),
        DTYPES,
        st.lists(st.integers(0, 2**32 - 1) | st.integers(0, 3) | st.sampled_from([0, 2**32 - 1]), max_size=10),
        st.binary(max_size=64) | st.just(b""),
    )


SCALARS = (st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.text(max_size=8)).map(build)
VALUES = st.recursive(
    SCALARS | tensors() | st.binary(max_size=8).map(lambda data: agent_pb2.Value(blob=data)),
    lambda inner: (
        st.lists(inner, max_size=4).map(lambda items: agent_pb2.Value(list=agent_pb2.List(items=items)))
        | st.dictionaries(st.text(max_size=4), inner, max_size=3).map(
            lambda fields: agent_pb2.Value(map=agent_pb2.Map(fields=fields))
        )
    ),
    max_leaves=12,
)
SPACES = [
    spaces.Discrete(9),
    spaces.Discrete(3, start=-1),
    spaces.Box(-1, 1, (2,), np.float32),
    spaces.Box(0, 9, (), np.int8),
    spaces.MultiDiscrete([2, 3]),
    spaces.MultiBinary(3),
]


@given(VALUES, st.sampled_from(SPACES), st.lists(st.booleans(), min_size=9, max_size=9))
def test_only_actions_of_the_space_pass(value, space, mask):
    array = np.array(mask, dtype=np.int8) if isinstance(space, spaces.Discrete) and space.n == 9 else None
    try:
        action = actions.cast(space, array, value)
    except actions.IllegalAction as error:
        assert len(str(error)) < 300
        return
    assert space.contains(action)
    assert array is None or array[action]
    json.dumps(actions.plain(action), allow_nan=False)


@pytest.mark.parametrize("wrong", [True, 1.0, float("nan"), "1", b"1", [1, 2], {"a": 1}, None, 2**40, -1])
def test_what_is_no_integer_is_refused(wrong):
    value = agent_pb2.Value(blob=wrong) if isinstance(wrong, bytes) else build(wrong)
    with pytest.raises(actions.IllegalAction):
        actions.cast(spaces.Discrete(9), np.ones(9, dtype=np.int8), value)


@given(VALUES)
def test_values_survive_the_way_to_the_child(value):
    """Message, frame, the child's own objects, frame, message: the same where both sides allow it."""
    blob = bytearray()
    try:
        tagged = values.to_tagged(value, blob)
    except values.BadValue:
        return
    header, data = frames.unpack(frames.pack({"value": tagged}, blob)[4:])
    objects = plain.from_tagged(header["value"], data)
    try:
        back, back_blob = plain.to_tagged(objects)
    except plain.BadAction:
        return
    again = values.from_tagged(json.loads(json.dumps(back)), memoryview(back_blob))
    assert again.SerializeToString(deterministic=True) == normal(value).SerializeToString(deterministic=True)


def normal(value: agent_pb2.Value) -> agent_pb2.Value:
    """An unset value is the same as null; a nan has many spellings."""
    out = agent_pb2.Value()
    out.CopyFrom(value)
    _normalise(out)
    return out


def _normalise(value: agent_pb2.Value) -> None:
    kind = value.WhichOneof("kind")
    if kind is None:
        value.null.SetInParent()
    elif kind == "real" and value.real != value.real:
        value.real = float("nan")
    elif kind == "list":
        for item in value.list.items:
            _normalise(item)
    elif kind == "map":
        for item in value.map.fields.values():
            _normalise(item)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from("tblm"),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.sampled_from([*"tblmx", ""]), inner, max_size=2),
    max_leaves=20,
)


@given(JSON, st.binary(max_size=32))
def test_a_lying_child_makes_no_message(tagged, blob):
    try:
        value = values.from_tagged(tagged, memoryview(blob))
    except values.BadValue:
        return
    assert value.ByteSize() <= frames.ACTION_MAX


@given(st.binary(max_size=200))
def test_frames_are_frames_or_refused(data):
    try:
        header, _ = frames.unpack(data)
    except frames.FrameError:
        return
    assert isinstance(header, dict)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "1" * 10_000])
def test_headers_that_are_hard_to_read(text):
    payload = frames.LENGTH.pack(len(text)) + text.encode()
    with pytest.raises(frames.FrameError):
        frames.unpack(payload)


@given(st.binary(max_size=300))
def test_bytes_are_messages_or_a_forfeit(data):
    try:
        client.parse(agent_pb2.ActResponse, data)
    except client.Forfeit as forfeit:
        assert forfeit.message


@given(st.text() | st.binary(), st.integers(3, 50))
def test_words_are_bounded_and_printable(text, limit):
    words = client.clean(text, limit)
    assert len(words) <= limit
    assert all(character.isprintable() or character == "\n" for character in words)


# ValidateAgent


def zipped(*entries: tuple[str, str | bytes], mode: int = 0) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries:
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, data)
    return buffer.getvalue()


GOOD = ("agent.py", "def agent(observation): return 0")
ARCHIVES = {
    "good": (zipped(GOOD), None),
    "good with more": (zipped(GOOD, ("net/model.py", "x = 1"), ("weights.npy", b"\0" * 100)), None),
    "no code": (zipped(("main.py", "x = 1")), "no agent.py"),
    "in a folder": (zipped(("mine/agent.py", GOOD[1])), "no agent.py"),
    "syntax": (zipped(("agent.py", "def agent(:\n")), "line 1"),
    "nulls": (zipped(("agent.py", "x = 1\0")), "agent.py"),
    "nothing in it": (zipped(("agent.py", "")), "defines no agent"),
    "deep": (zipped(("agent.py", "x = " + "(" * 5000 + ")" * 5000)), "agent.py"),
    "absolute": (zipped(GOOD, ("/etc/passwd", "x")), "leaves the archive"),
    "parent": (zipped(GOOD, ("a/../../b", "x")), "leaves the archive"),
    "backslash": (zipped(GOOD, ("..\\b", "x")), "leaves the archive"),
    "link": (zipped(("agent.py", "/etc/passwd"), mode=stat.S_IFLNK | 0o777), "links"),
    "device": (zipped(("agent.py", ""), mode=stat.S_IFCHR | 0o600), "only files"),
    "bomb": (zipped(GOOD, ("big", b"\0" * (50 << 20))), "far more"),
    "many": (zipped(GOOD, *((f"f{n}", "") for n in range(10_001))), "entries"),
    "large source": (zipped(("agent.py", "#" + "abcdefgh" * (600 << 10))), ""),
    "no zip": (b"hello", "cannot be read"),
    "empty": (b"", "cannot be read"),
    "cut": (zipped(GOOD)[:60], "cannot be read"),
}


@pytest.mark.parametrize("name", ARCHIVES)
def test_archives(name):
    data, words = ARCHIVES[name]
    report = validate.check_zip(data)
    assert (not report.errors) == (words is None), report.errors
    assert words is None or words in " ".join(report.errors), report.errors


@given(st.data())
def test_damaged_archives_are_reported(data):
    whole = bytearray(zipped(GOOD, ("more.py", "y = 2")))
    for _ in range(data.draw(st.integers(1, 8))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    validate.check_zip(bytes(whole))


def test_own_dockerfile_needs_no_agent():
    report = validate.check_zip(zipped(("Dockerfile", "FROM scratch")))
    assert not report.errors and report.warnings
